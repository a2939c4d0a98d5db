/** Times, counted in buckets whose width grows with the time: 32 to the power of two, so a quantile is at most 3 % off. */

/** From a microsecond to more than an hour. */
const perOctave = 32
const octaves = 32

export class Histogram {
  count = 0
  max = 0
  private readonly buckets = new Uint32Array(perOctave * octaves)

  /** Counts a time, in milliseconds. */
  add(millis: number): void {
    this.count++
    if (millis > this.max) this.max = millis
    const at = Math.floor(Math.log2(Math.max(millis * 1_000, 1)) * perOctave)
    this.buckets[Math.min(at, this.buckets.length - 1)]++
  }

  /** The time, in milliseconds, that so large a part of all took at most. */
  quantile(part: number): number {
    let left = Math.ceil(this.count * part)
    for (let at = 0; at < this.buckets.length; at++) {
      left -= this.buckets[at]
      if (left <= 0) return Math.min(this.max, 2 ** ((at + 1) / perOctave) / 1_000)
    }
    return this.max
  }
}
