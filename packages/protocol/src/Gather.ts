/** One frame's bytes from many chunks. What it holds is at most twice what has arrived, whatever size was announced. */
export class Gather {
  size = 0
  private buffer = new Uint8Array(0)

  /** Appends a part of a chunk; the frame will have at most `limit` bytes. */
  add(chunk: Uint8Array, from: number, to: number, limit: number): void {
    const size = this.size + to - from
    if (size > this.buffer.length) {
      const larger = new Uint8Array(Math.min(limit, Math.max(size, this.buffer.length * 2)))
      larger.set(this.buffer.subarray(0, this.size))
      this.buffer = larger
    }
    this.buffer.set(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to), this.size)
    this.size = size
  }

  at(index: number): number {
    return this.buffer[index]
  }

  /** What was gathered so far, which is written to no more. */
  get bytes(): Uint8Array {
    return this.buffer.subarray(0, this.size)
  }

  /** What was gathered; it is the caller's from now on. */
  take(): Uint8Array {
    const { bytes } = this
    this.buffer = new Uint8Array(0)
    this.size = 0
    return bytes
  }
}
