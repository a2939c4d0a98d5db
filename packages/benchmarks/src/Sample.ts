/** What was seen of one contestant in one window of one round. */
export interface Sample {
  /** Messages (for some loads connections) that came back. */
  readonly count: number
  readonly seconds: number
  /** Seconds of CPU, of all threads: of who is measured, and of who measures. */
  readonly server: number
  readonly own: number
  /** How many messages took how long: bucket b holds those below 2^(b/16) ns. */
  readonly latency: ReadonlyArray<readonly [bucket: number, count: number]>
}

/** The bucket of a latency. */
export const bucketOf = (nanos: number): number => nanos < 2 ? 0 : Math.floor(Math.log2(nanos) * 16) + 1

/** Microseconds of CPU a message. */
export const cost = ({ count, server }: Sample): number => server / count * 1e6

/** Messages a second. */
export const rate = ({ count, seconds }: Sample): number => count / seconds

/** Whether who measures was the slower one: then who is measured had other work than it is meant to have. */
const isStarved = ({ own, seconds, server }: Sample): boolean => own / seconds > 0.95 && server / seconds < 0.9

/** With fewer rounds nobody knows how much of a ratio is chance. */
const fewest = 5

/** Why nothing is to be concluded from these samples, if nothing is. */
export const distrust = (samples: ReadonlyArray<Sample>): string | undefined => {
  if (samples.some(({ count }) => count === 0)) return "nothing came back in a whole round"
  if (samples.length < fewest) return `${samples.length} rounds are too few`
  const starved = samples.filter(isStarved).length * 2 > samples.length
  return starved ? "the load generator was the bottleneck" : undefined
}

/** The latencies in nanoseconds below which so many percent of all messages came back; none if nothing was timed. */
export const quantiles = (
  samples: ReadonlyArray<Sample>,
  percentiles: ReadonlyArray<number>
): ReadonlyArray<number> => {
  const counts = new Map<number, number>()
  for (const [bucket, count] of samples.flatMap(({ latency }) => latency)) {
    counts.set(bucket, (counts.get(bucket) ?? 0) + count)
  }
  const sorted = [...counts].sort(([a], [b]) => a - b)
  const all = sorted.reduce((sum, [, count]) => sum + count, 0)
  if (all === 0) return []
  return percentiles.map((percentile) => {
    let left = all * percentile / 100
    const [bucket] = sorted.find(([, count]) => (left -= count) <= 0) ?? sorted.at(-1)!
    return 2 ** (bucket / 16)
  })
}
