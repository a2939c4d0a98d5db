/**
 * A message that arrives in parts, put together in one buffer: one of the `Pool` if nobody is to keep it.
 *
 * The buffer grows with what has arrived, not with what a header announces: it has at most `growth` times the bytes
 * that came (or `smallest`), and never more than the message can become. A header alone costs nothing. Bytes that were read
 * into the `free` memory behind the others are in place already and are not copied.
 */
import * as Loan from "@wirestack/protocol/bytes/Loan"
import { allocate, owned } from "@wirestack/protocol/bytes/Memory"
import * as Pool from "@wirestack/protocol/bytes/Pool"

/** Smaller payloads are copied into memory that they share, which costs less than a loan. */
export const smallestLoan = 16_384

const smallest = 512

const growth = 64

/** A read of fewer bytes than this is not worth a read of its own. */
const smallestRead = 16_384

const empty = new Uint8Array(0)

export class Assembly {
  bytes: Uint8Array<ArrayBuffer> = empty
  size = 0
  private pooled = false

  /** Appends `source` from `start` to `end` to what will be a message of at most `most` bytes, which may be `pooled`. */
  append(source: Uint8Array, start: number, end: number, most: number, pooled = false): void {
    const size = this.size + end - start
    if (size > this.bytes.length) {
      const room = Math.min(most, Math.max(smallest, size * growth))
      const grown = pooled ? Pool.take(room) : allocate(room)
      grown.set(this.bytes.subarray(0, this.size))
      if (this.pooled) Pool.give(this.bytes.buffer)
      this.bytes = grown
      this.pooled = pooled
    }
    const inPlace = source.buffer === this.bytes.buffer &&
      source.byteOffset + start === this.bytes.byteOffset + this.size
    if (!inPlace) this.bytes.set(source.subarray(start, end), this.size)
    this.size = size
  }

  /** Memory for up to `length` of the next bytes, in their place, if there is enough of it to be worth a read. */
  free(length: number): Uint8Array | undefined {
    const end = Math.min(this.size + length, this.bytes.length)
    return end - this.size < smallestRead ? undefined : this.bytes.subarray(this.size, end)
  }

  /** The message, in a buffer that is at least half full and otherwise clear; the next one begins with another buffer. */
  take(): Uint8Array {
    const { bytes, size } = this
    this.clear()
    // What is given away may be transferred to a worker.
    if (size === 0) return new Uint8Array(0)
    if (size === bytes.length) return bytes
    if (size * 2 < bytes.length) return bytes.slice(0, size)
    return bytes.fill(0, size).subarray(0, size)
  }

  /** The message, lent if it is large. Its buffer is at least half full, as far as the pool allows. */
  lend(): Uint8Array {
    const { bytes, pooled, size } = this
    if (!pooled) return this.take()
    const message = bytes.subarray(0, size)
    if (size >= smallestLoan && size * 2 >= bytes.length) {
      this.clear()
      return Loan.lend(message)
    }
    const copy = size < smallestLoan ? owned(message) : Loan.lendCopy(message)
    this.drop()
    return copy
  }

  /** Lets go of the message; nobody looks at its memory any more. */
  drop(): void {
    if (this.pooled) Pool.give(this.bytes.buffer)
    this.clear()
  }

  private clear(): void {
    this.bytes = empty
    this.size = 0
    this.pooled = false
  }
}
