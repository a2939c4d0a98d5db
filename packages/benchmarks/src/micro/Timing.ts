/**
 * How fast an operation is beside its reference.
 *
 * Both are called in turns for some milliseconds each, and every turn is compared with its neighbour, so what the machine
 * does meanwhile meets both alike. The ratio is the median over the turns.
 */
import { median } from "../median.ts"
import type { Operation, Pair } from "./Benchmark.ts"

export interface Timing {
  /** How many times as fast as the reference: higher is better. */
  readonly ratio: number
  /** Nanoseconds a call. */
  readonly nanos: number
}

/** Long beside the clock, short beside what else the machine does. */
const turnNanos = 3e6

const warmUpNanos = 1.5e8

/** The last result; nobody reads it, but the compiler can't know. */
export let result: unknown

/** The nanoseconds of so many calls. */
const elapsed = async (operation: Operation<unknown>, calls: number): Promise<number> => {
  const start = process.hrtime.bigint()
  for (let i = 0; i < calls; i++) {
    const made = operation()
    result = made instanceof Promise ? await made : made
  }
  return Number(process.hrtime.bigint() - start)
}

/** How many calls make a turn, found by calling until the code is as fast as it gets. */
const warmUp = async (operation: Operation<unknown>): Promise<number> => {
  let calls = 1
  for (let spent = 0; spent < warmUpNanos;) {
    const nanos = await elapsed(operation, calls)
    spent += nanos
    calls = Math.max(1, Math.min(calls * 2, Math.round(calls * turnNanos / nanos)))
  }
  return calls
}

/** Measures a pair in so many turns of each. */
export const measure = async ({ ours, reference }: Pair<unknown>, turns: number): Promise<Timing> => {
  const referenceCalls = await warmUp(reference)
  const calls = await warmUp(ours)
  const nanos: Array<number> = []
  const ratios: Array<number> = []
  for (let turn = 0; turn < turns; turn++) {
    const before = turn % 2 === 0 ? await elapsed(reference, referenceCalls) : undefined
    const own = await elapsed(ours, calls) / calls
    nanos.push(own)
    ratios.push((before ?? await elapsed(reference, referenceCalls)) / referenceCalls / own)
  }
  return { ratio: median(ratios), nanos: median(nanos) }
}
