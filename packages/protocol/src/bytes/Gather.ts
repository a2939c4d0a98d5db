/**
 * One frame's bytes from many chunks. What it holds is at most `growth` times what has arrived, whatever size was announced.
 *
 * Bytes that were read into its `free` memory are in place already, and are not copied.
 */

import { allocate } from "./Memory.ts"

const nothing = new Uint8Array(0)

export class Gather {
  size = 0
  private buffer: Uint8Array = nothing
  private readonly growth: number

  constructor(growth = 2) {
    this.growth = growth
  }

  /** Appends a part of a chunk; the frame will have at most `limit` bytes. */
  add(chunk: Uint8Array, from: number, to: number, limit: number): void {
    const size = this.size + to - from
    if (size > this.buffer.length) {
      const larger = allocate(Math.min(limit, size * this.growth))
      larger.set(this.buffer.subarray(0, this.size))
      this.buffer = larger
    }
    const inPlace = chunk.buffer === this.buffer.buffer &&
      chunk.byteOffset + from === this.buffer.byteOffset + this.size
    if (!inPlace) this.buffer.set(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to), this.size)
    this.size = size
  }

  /** Memory for the next bytes, up to a size of `size` in all. */
  free(size: number): Uint8Array {
    return this.buffer.subarray(this.size, size)
  }

  /** Forgets all but the first `size` bytes. */
  cut(size: number): void {
    this.size = size
  }

  /** What was gathered so far, which is written to no more. */
  get bytes(): Uint8Array {
    return this.buffer.subarray(0, this.size)
  }

  /** What was gathered, in a buffer that is at least half full and otherwise clear; it is the caller's from now on. */
  take(): Uint8Array {
    const { buffer, bytes, size } = this
    this.buffer = nothing
    this.size = 0
    if (size === buffer.length) return buffer
    if (size * 2 < buffer.length) return bytes.slice()
    buffer.fill(0, size)
    return bytes
  }
}
