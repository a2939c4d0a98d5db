/** Ratios between contestants, taken within a round, because machines are noisy and what meets one meets the other. */
import { median } from "./median.ts"
import type { Row } from "./Result.ts"

/** How many times better one was than the other: the median of the rounds, and the middle half of them. */
export interface Ratio {
  readonly median: number
  readonly low: number
  readonly high: number
}

const at = (sorted: ReadonlyArray<number>, part: number): number => sorted[Math.round((sorted.length - 1) * part)]

/** The ratios of two series, round by round; above 1 if `own` is less than `base`. */
export const less = (base: ReadonlyArray<number>, own: ReadonlyArray<number>): Ratio => {
  const sorted = own.map((value, round) => base[round] / value).sort((a, b) => a - b)
  return { median: median(sorted), low: at(sorted, 0.25), high: at(sorted, 0.75) }
}

/** Why there is no ratio between two rows. */
export interface Doubt {
  readonly doubt: string
}

export const isDoubt = (value: Ratio | Doubt): value is Doubt => "doubt" in value

/** How many times less CPU a message took of a contestant than of another, unless one of them is not to be trusted. */
export const between = (base: Row | undefined, own: Row | undefined): Ratio | Doubt => {
  if (base === undefined || own === undefined) return { doubt: "not measured" }
  const doubted = [own, base].find(({ doubt }) => doubt !== undefined)
  if (doubted === undefined) return less(base.costs, own.costs)
  return { doubt: doubted === own ? own.doubt! : `${base.contestant}: ${base.doubt}` }
}
