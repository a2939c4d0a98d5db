/** Memory that is cut into pieces from its start to its end, and then left to them and replaced. */
export class Slab {
  bytes: Uint8Array<ArrayBuffer>
  /** How much of it is cut off. */
  used = 0
  readonly size: number

  constructor(size: number) {
    this.size = size
    this.bytes = new Uint8Array(size)
  }

  /** Cuts off a piece of at most the slab's size, and returns its offset in `bytes`. */
  cut(length: number): number {
    if (this.used + length > this.size) {
      this.bytes = new Uint8Array(this.size)
      this.used = 0
    }
    const offset = this.used
    this.used = offset + length
    return offset
  }

  /** Takes a piece back that nobody needs any more, if it was the last to be cut off. */
  rewind(piece: Uint8Array): void {
    if (piece.byteOffset + piece.length === this.used && piece.buffer === this.bytes.buffer) {
      this.used = piece.byteOffset
    }
  }
}
