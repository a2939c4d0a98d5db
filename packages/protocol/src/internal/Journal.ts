/** What was done for a connection until it was there, written down as it goes. It travels down the stack in the `Ask`. */
import type * as Clock from "effect/Clock"
import type { ConnectError, ConnectReason } from "../ConnectError.ts"
import type { Telling } from "../EstablishmentReport.ts"

/** What one layer did; times are in milliseconds. */
interface Entry {
  readonly layer: string
  readonly after: number
  readonly took: number
  readonly reason: ConnectReason | undefined
  readonly facts: Telling | undefined
}

/** What most journals hold at first. It is replaced before anything is added. */
const empty: Array<never> = []

export class Journal {
  private readonly clock: Clock.Clock
  private readonly beginning: number
  /** When what is under way began. */
  private since: number
  private failure: ConnectError | undefined = undefined
  /** The attempts, each from the bottom up. */
  attempts: Array<Array<Entry>> = empty
  private fresh = true

  constructor(clock: Clock.Clock) {
    this.clock = clock
    this.beginning = this.since = this.now
  }

  private get now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  /** Milliseconds since the beginning. */
  get elapsed(): number {
    return this.now - this.beginning
  }

  /** Milliseconds until the last layer was ready, or had failed. */
  get took(): number {
    return this.since - this.beginning
  }

  /** An attempt begins, at the bottom. */
  begin(): void {
    this.since = this.now
    this.failure = undefined
    this.fresh = true
  }

  /** A layer is ready. */
  ready(layer: string, facts: Telling | undefined): void {
    this.add(layer, undefined, facts)
  }

  /** The attempt has failed. Each layer on the way up may say so; it is written down once. */
  failed(error: ConnectError): void {
    if (this.failure === error) return
    this.failure = error
    this.add(error.layer, error.reason, undefined)
    this.fresh = true
  }

  private add(layer: string, reason: ConnectReason | undefined, facts: Telling | undefined): void {
    const { now, since } = this
    this.since = now
    const entry = { layer, after: since - this.beginning, took: now - since, reason, facts }
    if (!this.fresh) this.attempts.at(-1)!.push(entry)
    else if (this.attempts === empty) this.attempts = [[entry]]
    else this.attempts.push([entry])
    this.fresh = false
  }
}

const kept = new WeakMap<ConnectError, Journal>()

/** Keeps the journal of what ended in an error, for as long as there is the error. */
export const keep = (journal: Journal, error: ConnectError): void => {
  kept.set(error, journal)
}

export const journalOf = (error: ConnectError): Journal | undefined => kept.get(error)
