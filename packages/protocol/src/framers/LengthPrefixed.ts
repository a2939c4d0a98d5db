/**
 * Frames with their length in front: an unsigned integer of one to four bytes, then that many bytes of payload.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +---------------------------------------------------------------+
 *    |              length of the payload (lengthBytes)              |
 *    +---------------------------------------------------------------+
 *    |                     payload (length bytes)                   ...
 *    +---------------------------------------------------------------+
 *
 * The length counts the payload only, and may be zero. Every message is received as bytes; text is sent as UTF-8. A length over the limit
 * fails with `TooLarge` before any of its payload is read, the end of the input inside a frame with `Truncated`. A
 * message over the limit is refused with `TooLarge`, text with a lone surrogate with `Unencodable`; nothing of it is
 * written and the connection goes on.
 */
import * as Framer from "../Framer.ts"
import { Gather } from "../Gather.ts"
import { Kept } from "../internal/Kept.ts"
import * as utf8 from "../internal/utf8.ts"
import type { Io, Machine } from "../Machine.ts"
import type { EndOfInput } from "../Outcome.ts"
import type { Over } from "../Protocol.ts"
import { TooLarge, Truncated } from "../Reason.ts"
import type { Message } from "../Transport.ts"

/** How frames are laid out and bounded. */
export interface Options {
  /** How many bytes the length has; 4 by default. */
  readonly lengthBytes?: 1 | 2 | 3 | 4
  /** Which byte of the length comes first; the most significant (`"big"`) by default. */
  readonly endian?: "big" | "little"
  /** The largest payload in bytes, both ways; 1 MiB by default, and never more than the length can say. */
  readonly maxFrameSize?: number
}

/**
 * The framer, to be put on a stack of bytes.
 *
 * @category constructors
 */
export const over = (options?: Options): Over<"bytes", never, "messages", never> => Framer.over(make(options))

/**
 * The framer itself.
 *
 * @category constructors
 */
export const make = (options?: Options): Framer.Framer => {
  const lengthBytes = options?.lengthBytes ?? 4
  const big = options?.endian !== "little"
  const limit = Math.min(options?.maxFrameSize ?? 1_048_576, 2 ** (8 * lengthBytes) - 1)
  return { layer: "length-prefixed", machine: () => new LengthPrefixed(lengthBytes, big, limit) }
}

class LengthPrefixed implements Machine<Uint8Array, Uint8Array, Uint8Array, Message> {
  private readonly lengthBytes: number
  private readonly big: boolean
  private readonly limit: number

  encoded = 0
  private readonly kept = new Kept<Uint8Array>()
  private readonly length: Uint8Array
  /** How many bytes of the length have arrived. */
  private lengthHave = 0
  /** The payload that is awaited; 0 between two frames. */
  private awaited = 0
  private readonly payload = new Gather()

  constructor(lengthBytes: number, big: boolean, limit: number) {
    this.lengthBytes = lengthBytes
    this.big = big
    this.limit = limit
    this.length = new Uint8Array(lengthBytes)
  }

  receive(input: ReadonlyArray<Uint8Array>, io: Io<Uint8Array, Uint8Array>): boolean {
    const chunks = this.kept.and(input)
    for (let i = 0; i < chunks.length; i++) {
      const chunk = chunks[i]
      let at = 0
      while (at < chunk.length) {
        const start = at
        let size = this.awaited
        if (size === 0) {
          if (this.lengthHave === 0 && chunk.length - at >= this.lengthBytes) {
            size = this.read(chunk, at)
            at += this.lengthBytes
          } else {
            this.length[this.lengthHave] = chunk[at++]
            if (this.lengthHave + 1 < this.lengthBytes) {
              this.lengthHave++
              continue
            }
            size = this.read(this.length, 0)
          }
          if (size > this.limit) {
            io.fail(new TooLarge({ what: "a frame", size, limit: this.limit }))
            return true
          }
        }
        const missing = size - this.payload.size
        const end = at + missing
        if (end <= chunk.length && !io.room()) return this.kept.keep(chunks, i, chunk.subarray(start))
        this.lengthHave = 0
        if (end > chunk.length) {
          this.awaited = size
          this.payload.add(chunk, at, chunk.length, size)
          at = chunk.length
        } else {
          this.awaited = 0
          if (missing === size) io.emit(chunk.subarray(at, end), size)
          else {
            this.payload.add(chunk, at, end, size)
            io.emit(this.payload.take(), size)
          }
          at = end
        }
      }
    }
    return true
  }

  encode(message: Message, io: Io<Uint8Array, Uint8Array>): void {
    const payload = typeof message === "string" ? utf8.encode(message) : message
    const size = payload.length
    if (size > this.limit) throw new TooLarge({ what: "a message", size, limit: this.limit })
    const together = size <= utf8.copied || (typeof message === "string" && message.length <= utf8.copied)
    const offset = io.reserve(together ? this.lengthBytes + size : this.lengthBytes)
    const buffer = io.buffer
    this.write(size, buffer, offset)
    if (together) buffer.set(payload, offset + this.lengthBytes)
    else io.write(payload)
    this.encoded += size
  }

  end(): void {}

  ended(endOfInput: EndOfInput, io: Io<Uint8Array, Uint8Array>): void {
    if (this.awaited > 0 || this.lengthHave > 0) io.fail(new Truncated({ inside: "a frame" }))
    else io.end(endOfInput)
  }

  private read(bytes: Uint8Array, at: number): number {
    let size = 0
    if (this.big) { for (let i = 0; i < this.lengthBytes; i++) size = size * 256 + bytes[at + i] }
    else for (let i = this.lengthBytes - 1; i >= 0; i--) size = size * 256 + bytes[at + i]
    return size
  }

  private write(size: number, bytes: Uint8Array, at: number): void {
    const last = this.lengthBytes - 1
    for (let i = 0; i <= last; i++) bytes[at + (this.big ? last - i : i)] = size >>> (8 * i)
  }
}
