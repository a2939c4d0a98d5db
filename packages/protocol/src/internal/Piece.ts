/**
 * Memory for what is about to be sent, shared by all layers of the thread: frames reserved one after another lie one
 * after another, so a turn's worth of them leaves as a single piece. A slab is written once from start to end and then
 * left to the pieces that were cut from it, so nothing handed down is ever modified.
 */
const slabSize = 65_536

let slab = new Uint8Array(slabSize)
let used = 0

/** A piece of the slab that one layer fills. */
export class Piece {
  buffer: Uint8Array = slab
  private start = 0
  private end = 0

  get size(): number {
    return this.end - this.start
  }

  /**
   * Makes room for `length` more bytes and returns their offset in `buffer`. When the slab is full, or another layer
   * has reserved in between, what was filled so far is given to `cut` and a new piece begins.
   */
  reserve(length: number, cut: (piece: Uint8Array) => void): number {
    if (this.end === this.start || this.buffer !== slab || this.end !== used || used + length > slab.length) {
      if (this.end > this.start) cut(this.take())
      if (used + length > slab.length) {
        if (length > slabSize) {
          this.buffer = new Uint8Array(length)
          this.start = 0
          this.end = length
          return 0
        }
        slab = new Uint8Array(slabSize)
        used = 0
      }
      this.buffer = slab
      this.start = this.end = used
    }
    const offset = this.end
    this.end = used = offset + length
    return offset
  }

  /** What was filled since the last `take`. */
  take(): Uint8Array {
    const piece = this.buffer.subarray(this.start, this.end)
    this.start = this.end
    return piece
  }
}

/** Bytes that have to wait: a view of a much larger buffer becomes a copy, so as not to keep that buffer alive. */
export const settled = (bytes: Uint8Array): Uint8Array =>
  bytes.byteLength * 4 < bytes.buffer.byteLength ? bytes.slice() : bytes
