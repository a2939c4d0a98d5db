/**
 * Frames with their length in front as a varint (LEB128, unsigned): seven bits a byte, the least significant first, and the highest
 * bit set in all bytes but the last. So Protocol Buffers are written one after the other ("delimited").
 *
 *    +---------------+---------------+----------------------------
 *    | 1 | bits 0-6  | 0 | bits 7-13 |  payload (length bytes)  ...
 *    +---------------+---------------+----------------------------
 *
 * The length counts the payload only, and may be zero. It is sent in as few bytes as it needs, and received in as many as
 * `maxLengthBytes` allows, as other writers reserve room for it. Every message is received as bytes; text is sent as UTF-8.
 *
 * A length over the limit fails with `TooLarge` as soon as that is certain, one of too many bytes with a `Violation`, the end of the
 * input inside a frame with `Truncated`. A message over the limit is refused with `TooLarge`, text with a lone surrogate with
 * `Unencodable`; nothing of it is written and the connection goes on.
 */

import * as Framer from "../Framer.ts"
import { FrameMachine } from "../internal/framing/FrameMachine.ts"
import { limitOf } from "../internal/framing/limitOf.ts"
import { nothing, writeFrame } from "../internal/framing/write.ts"
import * as utf8 from "../internal/utf8.ts"
import type { Io } from "../Machine.ts"
import type { Over } from "../Protocol.ts"
import { TooLarge, Violation } from "../Reason.ts"
import type { Message } from "../Transport.ts"

/** How frames are bounded. */
export interface Options {
  /** The largest payload in bytes, both ways; 1 MiB by default, and never more than the length can say. */
  readonly maxFrameSize?: number
  /** How many bytes a length has at most, 1 to 7; 5 by default, as for integers of 32 bits. */
  readonly maxLengthBytes?: number
}

/**
 * The framer, to be put on a stack of bytes.
 *
 * @category constructors
 */
export const over = (options?: Options): Over<"bytes", never, "messages", never> => Framer.over(make(options))

/**
 * The framer itself. Throws a `RangeError` if `maxLengthBytes` is none of 1 to 7.
 *
 * @category constructors
 */
export const make = (options?: Options): Framer.Framer<Uint8Array> => {
  const lengthBytes = options?.maxLengthBytes ?? 5
  if (![1, 2, 3, 4, 5, 6, 7].includes(lengthBytes)) throw new RangeError(`a length can't have ${lengthBytes} bytes`)
  const limit = limitOf(options?.maxFrameSize, 1_048_576, 2 ** (7 * lengthBytes) - 1)
  return { layer: "varint-prefixed", machine: () => new VarintPrefixed(lengthBytes, limit) }
}

class VarintPrefixed extends FrameMachine<Uint8Array, Message> {
  private readonly lengthBytes: number
  private readonly limit: number
  private readonly head: Uint8Array
  /** How many bytes the length has of the frame that was measured last. */
  private headSize = 0

  constructor(lengthBytes: number, limit: number) {
    super("a frame")
    this.lengthBytes = lengthBytes
    this.limit = limit
    this.head = new Uint8Array(lengthBytes)
  }

  protected measure(bytes: Uint8Array, from: number): number {
    const { limit } = this
    let size = 0
    let unit = 1
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at]
      size += (byte & 0x7f) * unit
      if (size > limit) throw new TooLarge({ what: "a frame", size, limit })
      const headSize = at + 1 - from
      if (byte < 0x80) {
        this.headSize = headSize
        return headSize + size
      }
      if (headSize === this.lengthBytes) {
        throw new Violation({ rule: `a length has at most ${this.lengthBytes} bytes` })
      }
      unit *= 128
    }
    return bytes.length - from + 1
  }

  protected open(bytes: Uint8Array, from: number, to: number, io: Io<Uint8Array, Uint8Array>): void {
    const start = from + this.headSize
    io.emit(this.view(bytes, start, to), to - start)
  }

  encode(message: Message, io: Io<Uint8Array, Uint8Array>): void {
    const payload = utf8.bytesOf(message)
    const size = payload.length
    if (size > this.limit) throw new TooLarge({ what: "a message", size, limit: this.limit })
    const { head } = this
    let headSize = 0
    let rest = size
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) head[headSize++] = rest % 128 | 0x80
    head[headSize++] = rest
    writeFrame(io, head, headSize, message, payload, nothing)
    this.encoded += size
  }
}
