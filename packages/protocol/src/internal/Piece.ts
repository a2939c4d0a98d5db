/**
 * Memory for what is about to be sent, shared by all layers of the thread: frames reserved one after another lie one
 * after another, so a turn's worth of them leaves as a single piece. A slab is written once from start to end and then
 * left to the pieces that were cut from it, so nothing handed down is ever modified.
 */
import { Slab } from "./Slab.ts"

const slab = new Slab(65_536)

const nothing = new Uint8Array(0)

/** A piece of the slab that one layer fills. */
export class Piece {
  buffer: Uint8Array = nothing
  private start = 0
  private end = 0

  get size(): number {
    return this.end - this.start
  }

  /** Whether `length` more bytes lie behind what was filled so far; otherwise that is to be taken before. */
  fits(length: number): boolean {
    return this.end === this.start ||
      (this.buffer === slab.bytes && this.end === slab.used && slab.used + length <= slab.size)
  }

  /** Makes room for `length` more bytes, which fit, and returns their offset in `buffer`. */
  reserve(length: number): number {
    if (this.end === this.start && length > slab.size) {
      this.buffer = new Uint8Array(length)
      this.start = 0
      this.end = length
      return 0
    }
    const offset = slab.cut(length)
    if (this.end === this.start) {
      this.buffer = slab.bytes
      this.start = offset
    }
    this.end = offset + length
    return offset
  }

  /** What was filled since the last `take`. */
  take(): Uint8Array {
    const piece = this.buffer.subarray(this.start, this.end)
    this.start = this.end
    this.buffer = nothing
    return piece
  }
}

/** Bytes that have to wait: a view of a much larger buffer becomes a copy, so as not to keep that buffer alive. */
export const settled = (bytes: Uint8Array): Uint8Array =>
  bytes.byteLength * 4 < bytes.buffer.byteLength ? bytes.slice() : bytes
