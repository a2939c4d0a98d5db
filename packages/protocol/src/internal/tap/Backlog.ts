/** Events that wait for a reader, by size: what there is no room for is counted, and told in its place. */
import type * as Cause from "effect/Cause"
import * as Queue from "effect/Queue"
import type { Event } from "../../tap/Event.ts"
import { weight } from "./Ring.ts"

export class Backlog {
  private readonly queue: Queue.Queue<Event, Cause.Done>
  private readonly maxSize: number
  private waiting = 0
  private dropped = { events: 0, size: 0 }

  constructor(queue: Queue.Queue<Event, Cause.Done>, maxSize: number) {
    this.queue = queue
    this.maxSize = maxSize
  }

  /** Beginnings always have room: without them the rest would belong to nobody. */
  add(event: Event): void {
    if (event._tag !== "Opened" && this.waiting + weight(event) > this.maxSize) {
      this.dropped.events++
      if (event._tag === "Passed") this.dropped.size += event.size
    } else {
      this.tellDropped()
      this.put(event)
    }
  }

  /** A reader has it. */
  taken(event: Event): Event {
    this.waiting -= weight(event)
    return event
  }

  end(): void {
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
