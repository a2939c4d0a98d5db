/** Events by size: the oldest go when there are too many. */
import type { Event, Opened } from "../../tap/Event.ts"
import * as Payload from "../../tap/Payload.ts"

/** How much an event counts beside what it has of a message. */
const eventSize = 64

export const weight = (event: Event): number =>
  eventSize + (event._tag === "Passed" ? Payload.sizeOf(event.payload) : 0)

export class Ring {
  private readonly maxSize: number
  private held: Array<Event> = []
  /** Where the oldest is. */
  private first = 0
  private size = 0
  /** The beginnings that have gone, of taps of which more is held. */
  private readonly begun = new Map<number, Opened>()
  private readonly dropped = { events: 0, size: 0 }

  constructor(maxSize: number) {
    this.maxSize = maxSize
  }

  add(event: Event): void {
    this.held.push(event)
    this.size += weight(event)
    while (this.size > this.maxSize && this.first < this.held.length) this.drop()
    if (this.first > 1_024 && this.first * 2 > this.held.length) {
      this.held = this.held.slice(this.first)
      this.first = 0
    }
  }

  private drop(): void {
    const event = this.held[this.first]
    this.held[this.first++] = undefined!
    this.size -= weight(event)
    if (event._tag === "Opened") this.begun.set(event.tap, event)
    else {
      this.dropped.events++
      if (event._tag === "Passed") this.dropped.size += event.size
      if (event._tag === "Closed") this.begun.delete(event.tap)
    }
  }

  get events(): ReadonlyArray<Event> {
    const dropped: ReadonlyArray<Event> = this.dropped.events === 0 ? [] : [{ _tag: "Dropped", ...this.dropped }]
    return [...dropped, ...this.begun.values(), ...this.held.slice(this.first)]
  }
}
