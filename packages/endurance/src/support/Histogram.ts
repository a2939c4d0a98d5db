/** How often a number fell into which bucket: any count of numbers in a fixed size. There are 16 buckets an octave, so a quantile is up to 4.5 % too high. */
const buckets = 16

/** What is told of numbers. */
export interface Summary {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export class Histogram {
  count = 0
  max = 0
  private readonly counts = new Map<number, number>()

  add(value: number): void {
    const bucket = value <= 0 ? -Infinity : Math.ceil(Math.log2(value) * buckets)
    this.counts.set(bucket, (this.counts.get(bucket) ?? 0) + 1)
    this.count++
    if (value > this.max) this.max = value
  }

  /** What so large a part of the numbers does not exceed; 0 if there are none. */
  quantile(part: number): number {
    let left = this.count * part
    for (const [bucket, count] of [...this.counts].sort(([a], [b]) => a - b)) {
      left -= count
      if (left <= 0) return Math.min(this.max, 2 ** (bucket / buckets))
    }
    return this.max
  }

  get summary(): Summary {
    return { count: this.count, p50: this.quantile(0.5), p99: this.quantile(0.99), max: this.max }
  }
}
