/**
 * How much memory may wait for slow members, of one topic or of all topics of a server.
 *
 * A message that waits for many is counted once, as it is there once, with all that was made of it (text and a frame, say), and each
 * place in a line with `overhead`. When a budget is exceeded, those with the most waiting are treated by their policy first, until a quarter of it is free: who drops its oldest drops all
 * that waits, others are closed. Members whose policy is to suspend are left alone: while the budget is exceeded they hold up the publisher.
 */
import { atLeast } from "../internal/atLeast.ts"

/** What waits for one member, as a budget sees it. */
export interface Claim {
  /** What it takes of the budget if nobody else waits for the same, with `overhead` for each message. */
  readonly weight: number
  /** Gives up what waits, by its policy. */
  readonly shed: () => void
}

/** Who waits for it to be exceeded no more. */
export interface Hopeful {
  relieved(): void
}

/** What keeping a message costs beyond its bytes. */
export const overhead = 64

declare const queueMicrotask: (f: () => void) => void

/** How much of it is in use after it was exceeded. */
const low = 0.75

export class Budget {
  readonly limit: number
  /** Bytes that wait now. */
  used = 0
  /** The most that has waited. */
  highest = 0
  private readonly claims = new Set<Claim>()
  private shedding = false
  private hopeful = new Set<Hopeful>()

  constructor(limit: number) {
    this.limit = atLeast(1, "maxBytes", limit)
  }

  /** Whether there is no more. */
  get exceeded(): boolean {
    return this.used > this.limit
  }

  /** Counts bytes that wait, or wait no more. */
  count(bytes: number): void {
    this.used += bytes
    if (this.used > this.highest) this.highest = this.used
    if (bytes < 0 && this.hopeful.size > 0 && !this.exceeded) this.relieve()
  }

  /** Has somebody told, once and in a turn of its own, when it is not exceeded any more. */
  await(hopeful: Hopeful): void {
    this.hopeful.add(hopeful)
  }

  dismiss(hopeful: Hopeful): void {
    this.hopeful.delete(hopeful)
  }

  private relieve(): void {
    const { hopeful } = this
    this.hopeful = new Set()
    queueMicrotask(() => {
      for (const one of hopeful) one.relieved()
    })
  }

  /** Something waits that can be given up, or nothing does any more. */
  claim(claim: Claim): void {
    this.claims.add(claim)
  }

  disclaim(claim: Claim): void {
    this.claims.delete(claim)
  }

  /** Has the largest give up what waits, if too much does. */
  enforce(): void {
    if (!this.exceeded || this.shedding) return
    this.shedding = true
    const bySize = [...this.claims].sort((a, b) => b.weight - a.weight)
    for (let i = 0; i < bySize.length && this.used > low * this.limit; i++) bySize[i].shed()
    this.shedding = false
  }
}

/**
 * A budget of so many bytes; 64 MiB by default. Throws a `RangeError` for less than 1.
 *
 * @category constructors
 */
export const make = ({ maxBytes = 67_108_864 }: { readonly maxBytes?: number } = {}): Budget => new Budget(maxBytes)
