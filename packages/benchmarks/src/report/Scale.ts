/** From values to places in a picture, and the values worth a mark. */
export interface Scale {
  readonly at: (value: number) => number
  readonly ticks: ReadonlyArray<number>
}

export type Span = readonly [from: number, to: number]

/** A transformed value's place between two ends. */
const between = (of: (value: number) => number, [low, high]: Span, [from, to]: Span) => (value: number): number =>
  from + (to - from) * (of(value) - of(low)) / (of(high) - of(low))

/** Between powers of ten, from few to many. */
const between10 = [[1], [1, 2, 5], [1, 2, 3, 4, 5, 6, 7, 8, 9]]

/** Powers of a base, and where those of ten are fewer than three, what is between them. */
const powers = (base: number, [low, high]: Span): ReadonlyArray<number> => {
  const log = (value: number): number => Math.log(value) / Math.log(base)
  const first = Math.floor(log(low))
  const whole = Array.from({ length: Math.ceil(log(high)) - first + 1 }, (_, n) => base ** (first + n))
  const choices = (base === 10 ? between10 : [[1]]).map((factors) =>
    whole.flatMap((power) => factors.map((factor) => power * factor)).filter((value) => value >= low && value <= high)
  )
  return choices.find(({ length }) => length >= 3) ?? choices.at(-1)!
}

export const logarithmic = (base: number, domain: Span, range: Span): Scale => ({
  at: between(Math.log, domain, range),
  ticks: powers(base, domain)
})

/** From 0, with marks at multiples of a power of two. */
export const linear = (high: number, range: Span): Scale => {
  const step = 2 ** Math.ceil(Math.log2(high / 5))
  return {
    at: between((value) => value, [0, high], range),
    ticks: Array.from({ length: Math.floor(high / step) + 1 }, (_, n) => n * step)
  }
}

/** For percentiles: as much room for the last ones as for the first ones (log of p / (100 - p)). */
export const percentile = (domain: Span, range: Span): Scale => ({
  at: between((value) => Math.log(value / (100 - value)), domain, range),
  ticks: [1, 10, 50, 90, 99, 99.9].filter((value) => value >= domain[0] && value <= domain[1])
})
