/** Several measurements of the same: their middle, and how far they lie apart. */
import { median } from "../median.ts"

export interface Figure {
  readonly median: number
  readonly low: number
  readonly high: number
}

/** From so many measurements on, one at either end may be an accident, and is left out. */
const many = 7

/** The median, the lowest and the highest. */
export const figure = (numbers: ReadonlyArray<number>): Figure => {
  const sorted = [...numbers].sort((a, b) => a - b)
  const outer = sorted.length < many ? 0 : 1
  return { median: median(sorted), low: sorted[outer], high: sorted[sorted.length - 1 - outer] }
}

/** How many times the other one is, at least and at most. */
export const over = (one: Figure, other: Figure): Figure => ({
  median: one.median / other.median,
  low: one.low / other.high,
  high: one.high / other.low
})

const spreadWidth = 16

/** How wide a figure is as text. */
export const width = 7 + spreadWidth

/** As in `1.02 (0.98 to 1.10)`. */
export const format = ({ high, low, median }: Figure): string =>
  `${median.toFixed(2).padStart(6)} ${`(${low.toFixed(2)} to ${high.toFixed(2)})`.padEnd(spreadWidth)}`
