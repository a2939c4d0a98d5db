/** A place in a topic: what was read ahead of it, and where the next read goes on. */
import type { Backplane } from "@wirestack/protocol"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"

/** The most a pull gives, and a read brings. */
export const batch = 256

/** Where a message is in a stream: its id, `epoch-number`. */
export interface Position {
  /** Undefined if there is no stream. */
  readonly epoch: string | undefined
  readonly number: number
}

/** The last message of a stream. */
export interface Last extends Position {
  readonly stamp: string | undefined
}

export const positionOf = (id: string): Position & { readonly epoch: string } => {
  const dash = id.indexOf("-")
  return { epoch: id.slice(0, dash), number: Number(id.slice(dash + 1)) }
}

/** A message of a stream, as Redis gives it: its id, and its fields by turns of name and value. */
export type Message = readonly [id: string, fields: ReadonlyArray<string>]

/** When a message was published, which tells it apart from another one that got its id after a loss. */
export const stampOf = ([, fields]: Message): string | undefined => fields[5]

export class Place implements Backplane.Subscription {
  readonly last: number
  readonly log: string
  private epoch: string | undefined
  private number: number
  /** That of the message before this place, if it is known. */
  private stamp: string | undefined = undefined
  /** Holes before the message behind this one are no gap. */
  private excused: number
  private ahead: Array<Backplane.Event> = []
  private wake: (() => void) | undefined = undefined
  private readonly hungry: () => void

  constructor(
    log: string,
    { epoch, number: last, stamp }: Last,
    { after, latest = 0 }: Backplane.From,
    hungry: () => void
  ) {
    this.log = log
    this.hungry = hungry
    this.last = last
    this.epoch = epoch
    this.number = after ?? Math.max(0, last - latest)
    this.excused = after ?? last
    if (this.number === last) this.stamp = stamp
    if (this.number > last) this.restart(epoch)
  }

  /** Whether more is to be read. */
  get wants(): boolean {
    return this.ahead.length < batch
  }

  /** The id behind which to read. */
  get id(): string {
    return `${this.epoch ?? 0}-${this.number}`
  }

  /** How far it is in the stream. */
  isBehind({ epoch, number }: Place): boolean {
    return this.epoch === epoch ? this.number < number : Number(this.epoch ?? 0) < Number(epoch ?? 0)
  }

  /** Begins again if Redis has lost the end of the stream: `there` is the message before this place, if there is one. */
  verify({ epoch, number }: Position, there: Message | undefined): void {
    if (epoch !== this.epoch) return
    const isLost = there === undefined
      ? this.number > number
      : this.stamp !== undefined && stampOf(there) !== this.stamp
    if (isLost) this.restart(epoch)
    if (this.ahead.length > 0) this.wake?.()
  }

  /** Takes what was read, as far as it has not got it yet. */
  offer(messages: ReadonlyArray<Message>): void {
    for (const message of messages) {
      const [id, [, payload, , key]] = message
      const { epoch, number } = positionOf(id)
      if (epoch !== this.epoch) this.restart(epoch)
      if (number <= this.number) continue
      if (number > Math.max(this.number, this.excused) + 1) {
        this.ahead.push({ _tag: "Gap", after: this.number, restarted: false })
      }
      this.excused = 0
      this.number = number
      this.stamp = stampOf(message)
      this.ahead.push({ _tag: "Entry", number, payload, key: key === "" ? undefined : key })
    }
    if (this.ahead.length > 0) this.wake?.()
  }

  readonly pull: Effect.Effect<NonEmptyReadonlyArray<Backplane.Event>> = Effect.suspend(() => {
    if (this.ahead.length === 0) return Effect.flatMap(this.news, () => this.pull)
    const full = !this.wants
    const events = this.ahead.splice(0, batch) as unknown as NonEmptyReadonlyArray<Backplane.Event>
    if (full) this.hungry()
    return Effect.succeed(events)
  })

  private readonly news: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.ahead.length > 0) return resume(Effect.void)
    this.wake = () => resume(Effect.void)
    return Effect.sync(() => {
      this.wake = undefined
    })
  })

  /** Goes on at the beginning of another stream. Whoever had nothing of the one before misses nothing. */
  private restart(epoch: string | undefined): void {
    if (this.number > 0) {
      this.ahead.push({ _tag: "Gap", after: this.number, restarted: true })
      this.excused = Infinity
    }
    this.epoch = epoch
    this.number = 0
    this.stamp = undefined
  }
}
