/**
 * What was done for a connection until it was there, written down as it goes. It travels down the stack in the `Ask`. A layer may try
 * for ever, so only the latest attempts are kept.
 */
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import type { ConnectError, ConnectReason } from "../ConnectError.ts"
import type { EstablishmentReport, Telling } from "../reports/EstablishmentReport.ts"

/** What one layer did; times are in milliseconds. */
interface Step {
  readonly layer: string
  readonly after: number
  readonly took: number
  readonly reason: ConnectReason | undefined
  readonly facts: Telling | undefined
}

/** The same as it is kept, in whole microseconds since the beginning: every connection has some, and a fraction takes memory of its own. */
interface Entry {
  readonly layer: string
  readonly from: number
  readonly to: number
  readonly reason: ConnectReason | undefined
  readonly facts: Telling | undefined
  /** An attempt begins with it. */
  readonly first: boolean
  before: Entry | undefined
}

const maxAttempts = 64

/** Forgets the attempts before the latest ones. */
const forget = (last: Entry): void => {
  let attempts = 0
  for (let entry: Entry | undefined = last; entry !== undefined; entry = entry.before) {
    if (entry.first && ++attempts === maxAttempts) entry.before = undefined
  }
}

export class Journal {
  private readonly clock: Clock.Clock
  /** In milliseconds. */
  private readonly beginning: number
  /** When what is under way began. */
  private since = 0
  /** The last attempt has failed, and none has begun since. */
  private over = false
  /** What is added next begins an attempt. */
  private fresh = true
  private last: Entry | undefined = undefined

  constructor(clock: Clock.Clock) {
    this.clock = clock
    this.beginning = this.millis
  }

  private get millis(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  private get now(): number {
    return Math.round((this.millis - this.beginning) * 1e3)
  }

  /** Milliseconds since the beginning. */
  get elapsed(): number {
    return this.now / 1e3
  }

  /** Milliseconds until the last layer was ready, or had failed. */
  get took(): number {
    return this.since / 1e3
  }

  /** The attempts, each from the bottom up. */
  get attempts(): ReadonlyArray<ReadonlyArray<Step>> {
    const attempts: Array<Array<Step>> = []
    let steps: Array<Step> = []
    for (let entry = this.last; entry !== undefined; entry = entry.before) {
      const { facts, first, from, layer, reason, to } = entry
      steps.unshift({ layer, after: from / 1e3, took: (to - from) / 1e3, reason, facts })
      if (!first) continue
      attempts.unshift(steps)
      steps = []
    }
    return attempts
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
    const { fresh, last, now, since } = this
    this.since = now
    this.last = { layer, from: since, to: now, reason, facts, first: fresh, before: last }
    this.fresh = false
    if (fresh && last !== undefined) forget(this.last)
  }
}

const kept = new WeakMap<ConnectError, Journal>()

/** Keeps the journal of what ended in an error, for as long as there is the error. */
export const keep = (journal: Journal, error: ConnectError): void => {
  kept.set(error, journal)
}

export const journalOf = (error: ConnectError): Journal | undefined => kept.get(error)

/** What a journal tells; with the details of the connection that has come of it, also what its layers tell. */
export const reportOf = (
  { attempts, took }: Pick<Journal, "attempts" | "took">,
  details?: Context.Context<never>
): EstablishmentReport => {
  const last = details && attempts.at(-1)
  return {
    took,
    attempts: attempts.map((attempt) =>
      attempt.map(({ facts, ...step }) => ({
        ...step,
        facts: attempt === last ? facts?.(details as Context.Context<any>) ?? {} : {}
      }))
    )
  }
}

/** When it was so many milliseconds after the beginning, in nanoseconds as spans have it. */
export const whenOf = (clock: Clock.Clock, { elapsed }: Journal): (after: number) => bigint => {
  const now = clock.currentTimeNanosUnsafe()
  return (after) => now - BigInt(Math.round((elapsed - after) * 1e6))
}
