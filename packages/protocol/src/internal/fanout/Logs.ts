/** The logs of a backplane in this process. The map has them in the order in which they were last published in. */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import type { Entry, Event, From, Published, Subscription } from "../../fanout/Backplane.ts"
import { atLeast } from "../atLeast.ts"

/** The most a pull gives. */
const batch = 256

interface Bounds {
  readonly maxEntries?: number
  readonly maxSize?: number
  readonly maxTopics?: number
}

class Log {
  /** The number of the last message. */
  last = 0
  readonly kept: Array<Entry> = []
  readonly keys = new Map<string, number>()
  readonly places = new Set<Place>()

  /** The number before the first message that is kept. */
  get before(): number {
    return this.last - this.kept.length
  }
}

/** A place in a log. */
class Place implements Subscription {
  readonly last: number
  private readonly log: Log
  private at: number
  private gap: Event | undefined
  private wake: (() => void) | undefined = undefined

  constructor(log: Log, { after, latest = 0 }: From) {
    this.log = log
    this.last = log.last
    this.at = Math.min(log.last, after ?? Math.max(log.before, log.last - latest))
    this.gap = after === undefined || after <= log.last ? undefined : { _tag: "Gap", after, restarted: true }
    if (this.gap !== undefined) this.at = log.before
    log.places.add(this)
  }

  readonly pull: Effect.Effect<NonEmptyReadonlyArray<Event>> = Effect.suspend(() => {
    const events = this.take()
    return events.length > 0
      ? Effect.succeed(events as unknown as NonEmptyReadonlyArray<Event>)
      : Effect.flatMap(this.news, () => this.pull)
  })

  told(): void {
    this.wake?.()
  }

  leave(): void {
    this.log.places.delete(this)
  }

  private take(): Array<Event> {
    const { before, kept, last } = this.log
    const events: Array<Event> = []
    if (this.gap !== undefined) events.push(this.gap)
    if (this.at < before) events.push({ _tag: "Gap", after: this.at, restarted: false })
    this.gap = undefined
    const from = Math.max(this.at, before)
    this.at = Math.min(last, from + batch)
    for (let number = from; number < this.at; number++) events.push(kept[number - before])
    return events
  }

  private readonly news: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.at < this.log.last) return resume(Effect.void)
    this.wake = () => resume(Effect.void)
    return Effect.sync(() => {
      this.wake = undefined
    })
  })
}

export class Logs {
  private readonly logs = new Map<string, Log>()
  private readonly bounds: Required<Bounds>
  private size = 0

  constructor({ maxEntries = 1_024, maxSize = 33_554_432, maxTopics = 65_536 }: Bounds) {
    this.bounds = {
      maxEntries: atLeast(1, "maxEntries", maxEntries),
      maxSize: atLeast(1, "maxSize", maxSize),
      maxTopics: atLeast(1, "maxTopics", maxTopics)
    }
  }

  publish(topic: string, payload: string, key: string | undefined): Published {
    const log = this.log(topic)
    const known = key === undefined ? undefined : log.keys.get(key)
    if (known !== undefined) return { number: known, repeated: true }
    this.logs.delete(topic)
    this.logs.set(topic, log)
    const number = ++log.last
    log.kept.push({ _tag: "Entry", number, payload, key })
    if (key !== undefined) log.keys.set(key, number)
    this.size += payload.length
    if (log.kept.length > this.bounds.maxEntries) this.trim(log)
    if (this.size > this.bounds.maxSize) this.enforce()
    for (const place of log.places) place.told()
    return { number, repeated: false }
  }

  subscribe(topic: string, from: From): Place {
    return new Place(this.log(topic), from)
  }

  private log(topic: string): Log {
    let log = this.logs.get(topic)
    if (log === undefined) {
      log = new Log()
      this.logs.set(topic, log)
      if (this.logs.size > this.bounds.maxTopics) this.forget(log)
    }
    return log
  }

  private trim(log: Log): void {
    const { key, payload } = log.kept.shift()!
    if (key !== undefined) log.keys.delete(key)
    this.size -= payload.length
  }

  private enforce(): void {
    for (const log of this.logs.values()) {
      while (log.kept.length > 0) {
        if (this.size <= this.bounds.maxSize) return
        this.trim(log)
      }
    }
  }

  /** Those that are subscribed to stay, as there are no more of them than subscriptions. */
  private forget(other: Log): void {
    for (const [topic, log] of this.logs) {
      if (log === other || log.places.size > 0) continue
      while (log.kept.length > 0) this.trim(log)
      this.logs.delete(topic)
      return
    }
  }
}
