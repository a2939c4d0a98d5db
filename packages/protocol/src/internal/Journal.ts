/**
 * What was done for a connection until it was there, written down as it goes. It travels down the stack in the `Ask`. A layer may try
 * for ever, so only the latest attempts are kept.
 */
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

const maxAttempts = 64

export class Journal {
  private readonly clock: Clock.Clock
  private readonly beginning: number
  /** When what is under way began. */
  private since: number
  /** The last attempt has failed, and none has begun since. */
  private over = false
  /** The attempts, each from the bottom up. */
  attempts: Array<Array<Entry>> = empty
  /** What is added next begins an attempt. */
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
    this.over = false
    this.fresh = true
  }

  /** A layer is ready. */
  ready(layer: string, facts: Telling | undefined): void {
    this.over = false
    this.add(layer, undefined, facts)
  }

  /** The attempt has failed. Each layer on the way up may say so, in words of its own; it is written down once. */
  failed({ layer, reason }: ConnectError): void {
    if (this.over) return
    this.over = true
    this.add(layer, reason, undefined)
    this.fresh = true
  }

  private add(layer: string, reason: ConnectReason | undefined, facts: Telling | undefined): void {
    const { now, since } = this
    this.since = now
    const entry = { layer, after: since - this.beginning, took: now - since, reason, facts }
    if (!this.fresh) this.attempts.at(-1)!.push(entry)
    else if (this.attempts === empty) this.attempts = [[entry]]
    else if (this.attempts.push([entry]) > maxAttempts) this.attempts.shift()
    this.fresh = false
  }
}

const kept = new WeakMap<ConnectError, Journal>()

/** Keeps the journal of what ended in an error, for as long as there is the error. */
export const keep = (journal: Journal, error: ConnectError): void => {
  kept.set(error, journal)
}

export const journalOf = (error: ConnectError): Journal | undefined => kept.get(error)
