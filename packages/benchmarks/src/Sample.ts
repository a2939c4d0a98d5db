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

/** Microseconds of CPU a message. */
export const cost = ({ count, server }: Sample): number => server / count * 1e6

/** Messages a second. */
export const rate = ({ count, seconds }: Sample): number => count / seconds

/** Whether who measures was the slower one: then who is measured had other work than it is meant to have. */
export const isStarved = ({ own, seconds, server }: Sample): boolean => own / seconds > 0.95 && server / seconds < 0.9

/** The latency in nanoseconds below which a part of all messages of some samples came back. */
export const quantile = (samples: ReadonlyArray<Sample>, part: number): number => {
  const counts = new Map<number, number>()
  let all = 0
  for (const { latency } of samples) {
    for (const [bucket, count] of latency) {
      counts.set(bucket, (counts.get(bucket) ?? 0) + count)
      all += count
    }
  }
  let left = all * part
  for (const [bucket, count] of [...counts].sort(([a], [b]) => a - b)) {
    left -= count
    if (left <= 0) return 2 ** (bucket / 16)
  }
  return NaN
}
