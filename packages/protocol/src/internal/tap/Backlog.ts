/** Events that wait for a reader, by size: what there is no room for is counted, and told in its place. */
import type * as Cause from "effect/Cause"
import * as Queue from "effect/Queue"
import type { Event, Opened } from "../../tap/Event.ts"
import { weight } from "./Ring.ts"

export class Backlog {
  private readonly queue: Queue.Queue<Event, Cause.Done>
  private readonly maxSize: number
  private waiting = 0
  private dropped = { events: 0, size: 0 }
  /** The beginnings that there was no room for, of connections that are open: without them the rest would belong to nobody. */
  private readonly owed = new Map<number, Opened>()

  constructor(queue: Queue.Queue<Event, Cause.Done>, maxSize: number) {
    this.queue = queue
    this.maxSize = maxSize
  }

  add(event: Event): void {
    const beginning = "tap" in event ? this.owed.get(event.tap) : undefined
    const needed = weight(event) + (beginning === undefined ? 0 : weight(beginning))
    if (this.waiting + needed > this.maxSize) return this.drop(event)
    this.tellDropped()
    if (beginning !== undefined) {
      this.owed.delete(beginning.tap)
      this.put(beginning)
    }
    this.put(event)
  }

  private drop(event: Event): void {
    if (event._tag === "Opened") this.owed.set(event.tap, event)
    else {
      this.dropped.events++
      if (event._tag === "Passed") this.dropped.size += event.size
      if (event._tag === "Closed" && this.owed.delete(event.tap)) this.dropped.events++
    }
  }

  /** A reader has it. */
  taken(event: Event): Event {
    this.waiting -= weight(event)
    return event
  }

  end(): void {
    this.dropped.events += this.owed.size
    this.tellDropped()
    Queue.endUnsafe(this.queue)
  }

  private tellDropped(): void {
    if (this.dropped.events === 0) return
    this.put({ _tag: "Dropped", ...this.dropped })
    this.dropped = { events: 0, size: 0 }
  }

  private put(event: Event): void {
    this.waiting += weight(event)
    Queue.offerUnsafe(this.queue, event)
  }
}
