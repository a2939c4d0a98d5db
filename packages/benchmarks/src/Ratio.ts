/** Ratios between contestants, taken within a round, because machines are noisy and what meets one meets the other. */
import { median } from "./median.ts"
import { isStarved, type Sample } from "./Sample.ts"

/** How many times better one was than the other: the median of the rounds, and the middle half of them. */
export interface Ratio {
  readonly median: number
  readonly low: number
  readonly high: number
}

/** With fewer rounds nobody knows how much of a ratio is chance. */
const fewest = 5

const at = (sorted: ReadonlyArray<number>, part: number): number => sorted[Math.round((sorted.length - 1) * part)]

/** The ratios of two series, round by round; above 1 if `own` is less than `base`. */
export const less = (base: ReadonlyArray<number>, own: ReadonlyArray<number>): Ratio => {
  const ratios = own.map((value, round) => base[round] / value)
  const sorted = ratios.toSorted((a, b) => a - b)
  return { median: median(ratios), low: at(sorted, 0.25), high: at(sorted, 0.75) }
}

/** Why a ratio of these samples is not to be trusted, if it isn't. */
export const distrust = (...series: ReadonlyArray<ReadonlyArray<Sample>>): string | undefined => {
  const rounds = Math.min(...series.map(({ length }) => length))
  if (rounds < fewest) return `${rounds} rounds are too few`
  const starved = series.some((samples) => samples.filter(isStarved).length * 2 > samples.length)
  return starved ? "the load generator was the bottleneck" : undefined
}
