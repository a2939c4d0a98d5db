/** The last bytes of what was written, up to a limit. */
export class Tail {
  private readonly limit: number
  private chunks: Array<Uint8Array> = []
  private size = 0

  constructor(limit: number) {
    this.limit = limit
  }

  readonly add = (chunk: Uint8Array): void => {
    this.chunks.push(chunk)
    this.size += chunk.length
    while (this.size > this.limit) {
      const [first] = this.chunks
      const excess = this.size - this.limit
      if (first.length <= excess) this.chunks.shift()
      else this.chunks[0] = first.subarray(excess)
      this.size -= Math.min(first.length, excess)
    }
  }

  toString(): string {
    return Buffer.concat(this.chunks).toString()
  }
}
