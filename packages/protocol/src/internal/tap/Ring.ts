/** Events by size: the oldest go when there are too many. */
import type { Event, Opened } from "../../tap/Event.ts"
import * as Payload from "../../tap/Payload.ts"

/** How much an event counts beside what it has of a message. */
const eventSize = 64

/** What is rare may have much in it that a peer has said, such as why it refuses. */
export const weight = (event: Event): number => {
  if (event._tag === "Passed") return eventSize + Payload.sizeOf(event.payload)
  return event._tag === "Opened" || event._tag === "Closed" ? eventSize + JSON.stringify(event).length : eventSize
}

export class Ring {
  private readonly maxSize: number
  private held: Array<Event> = []
  /** Where the oldest is. */
  private first = 0
  private size = 0
  /** The beginnings of taps that have not closed: those that would have gone. They have half of the room, and the oldest go. */
  private readonly begun = new Map<number, Opened>()
  private begunSize = 0
  private readonly dropped = { events: 0, size: 0 }

  constructor(maxSize: number) {
    this.maxSize = maxSize
  }

  add(event: Event): void {
    this.held.push(event)
    this.size += weight(event)
    while (this.size + this.begunSize > this.maxSize && this.first < this.held.length) this.drop()
    if (this.first > 1_024 && this.first * 2 > this.held.length) {
      this.held = this.held.slice(this.first)
      this.first = 0
    }
  }

  private drop(): void {
    const event = this.held[this.first]
    this.held[this.first++] = undefined!
    this.size -= weight(event)
    if (event._tag === "Opened") this.keep(event)
    else {
      this.count(event)
      if (event._tag === "Closed") this.forget(event.tap)
    }
  }

  private keep(opened: Opened): void {
    this.begun.set(opened.tap, opened)
    this.begunSize += weight(opened)
    for (const oldest of this.begun.values()) {
      if (this.begunSize * 2 <= this.maxSize) return
      this.forget(oldest.tap)
      this.count(oldest)
    }
  }

  private forget(tap: number): void {
    const opened = this.begun.get(tap)
    if (opened === undefined) return
    this.begun.delete(tap)
    this.begunSize -= weight(opened)
  }

  private count(event: Event): void {
    this.dropped.events++
    if (event._tag === "Passed") this.dropped.size += event.size
  }

  get events(): ReadonlyArray<Event> {
    const dropped: ReadonlyArray<Event> = this.dropped.events === 0 ? [] : [{ _tag: "Dropped", ...this.dropped }]
    return [...dropped, ...this.begun.values(), ...this.held.slice(this.first)]
  }
}
