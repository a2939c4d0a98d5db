/** Messages that follow one another for ever: after the last comes the first again. */
export class Cycle {
  private readonly bytes: Buffer
  /** Where each begins, and at the end the size of all. */
  private readonly starts: ReadonlyArray<number>

  constructor(bytes: Buffer, sizes: ReadonlyArray<number>) {
    let at = 0
    this.bytes = bytes
    this.starts = [0, ...sizes.map((size) => at += size)]
  }

  /** The position in the endless stream at which a message begins, and the one before it ends. */
  start(message: number): number {
    const count = this.starts.length - 1
    return Math.floor(message / count) * this.bytes.length + this.starts[message % count]
  }

  /** What is between two positions, in as few pieces as possible. */
  *between(from: number, to: number): Generator<Buffer> {
    while (from < to) {
      const at = from % this.bytes.length
      const piece = this.bytes.subarray(at, at + to - from)
      from += piece.length
      yield piece
    }
  }
}
