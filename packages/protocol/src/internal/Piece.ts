/**
 * Memory for what is about to be sent, shared by all layers of the thread: frames reserved one after another lie one
 * after another, so a turn's worth of them leaves as a single piece.
 *
 * What is written to a wire that keeps it is written into memory once, and then left to the pieces that were cut from it. A
 * wire that copies says when it has, and then the same memory is used again: that is why there are two slabs, and why a piece of
 * the second must go to no other wire.
 */
import { allocate } from "../bytes/Memory.ts"
import { Slab } from "./Slab.ts"

const kept = new Slab(65_536)

const copied = new Slab(131_072)

const nothing = new Uint8Array(0)

/** A piece of a slab that one layer fills. */
export class Piece {
  buffer: Uint8Array = nothing
  private readonly slab: Slab
  private start = 0
  private end = 0

  /** `copies` says what the wire does with it. */
  constructor(copies: boolean) {
    this.slab = copies ? copied : kept
  }

  get size(): number {
    return this.end - this.start
  }

  /** Whether `length` more bytes lie behind what was filled so far; otherwise that is to be taken before. */
  fits(length: number): boolean {
    const { slab } = this
    return this.end === this.start ||
      (this.buffer === slab.bytes && this.end === slab.used && slab.used + length <= slab.bytes.length)
  }

  /** Makes room for `length` more bytes, which fit, and returns their offset in `buffer`. */
  reserve(length: number): number {
    const { slab } = this
    if (this.end === this.start && length > slab.size) {
      this.buffer = allocate(length)
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

  /** Gives back the last bytes of what was reserved last. */
  giveBack(length: number): void {
    this.end -= length
    if (this.buffer === this.slab.bytes) this.slab.used -= length
  }

  /** What was filled since the last `take`. */
  take(): Uint8Array {
    const { buffer, slab } = this
    const memory = buffer === slab.bytes ? slab.memory : buffer.buffer
    const piece = new Uint8Array(memory, this.start, this.end - this.start)
    this.start = this.end
    this.buffer = nothing
    return piece
  }
}

/** A wire that copies has copied a piece. */
export const done = (piece: Uint8Array): void => copied.rewind(piece)

/** Bytes that have to wait: a view of a much larger buffer becomes a copy, so as not to keep that buffer alive. */
export const settled = (bytes: Uint8Array): Uint8Array =>
  bytes.byteLength * 4 < bytes.buffer.byteLength ? bytes.slice() : bytes
