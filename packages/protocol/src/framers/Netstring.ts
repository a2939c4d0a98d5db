/**
 * Netstrings: the length as decimal digits, a colon, the payload, a comma.
 *
 *    +--------------------+-----+--------------------------+-----+
 *    |  length (digits)   | ":" |  payload (length bytes)  | "," |
 *    +--------------------+-----+--------------------------+-----+
 *
 * The length counts the payload only, and may be zero. Every message is received as bytes; text is sent as UTF-8.
 *
 * A length over the limit fails with `TooLarge` as soon as that is certain; one that is no number, has needless zeros in front, or
 * behind whose payload no comma comes, with a `Violation`; the end of the input inside a frame with `Truncated`. A message over the
 * limit is refused with `TooLarge`, text with a lone surrogate with `Unencodable`; nothing of it is written and the connection goes on.
 *
 * @see https://cr.yp.to/proto/netstrings.txt
 */

import * as Framer from "../Framer.ts"
import { digit, writeDigits } from "../internal/framing/digits.ts"
import { FrameMachine } from "../internal/framing/FrameMachine.ts"
import { limitOf } from "../internal/framing/limitOf.ts"
import { writeFrame } from "../internal/framing/write.ts"
import * as utf8 from "../internal/utf8.ts"
import type { Io } from "../Machine.ts"
import type { Over } from "../Protocol.ts"
import { TooLarge, Violation } from "../Reason.ts"
import type { Message } from "../Transport.ts"

/** How frames are bounded. */
export interface Options {
  /** The largest payload in bytes, both ways; 1 MiB by default. */
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
export const make = (options?: Options): Framer.Framer<Uint8Array> => {
  const limit = limitOf(options?.maxFrameSize, 1_048_576, Number.MAX_SAFE_INTEGER)
  return { layer: "netstring", machine: () => new Netstring(limit) }
}

const colon = 0x3a
const comma = new Uint8Array([0x2c])

const violation = (rule: string): Violation => new Violation({ rule, section: "netstrings" })

class Netstring extends FrameMachine<Uint8Array, Message> {
  private readonly limit: number
  private readonly head = new Uint8Array(17)
  /** Where the payload begins in the frame that was measured last. */
  private headSize = 0

  constructor(limit: number) {
    super("a netstring")
    this.limit = limit
  }

  protected measure(bytes: Uint8Array, from: number): number {
    const { limit } = this
    let size = 0
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at]
      if (byte === colon && at > from) return this.whole(bytes, from, at + 1, size)
      const value = digit(byte)
      if (value > 9) throw violation("a length is made of digits, and ends in a colon")
      if (at > from && size === 0) throw violation("a length does not begin with a needless zero")
      size = size * 10 + value
      if (size > limit) throw new TooLarge({ what: this.what, size, limit })
    }
    return bytes.length - from + 1
  }

  private whole(bytes: Uint8Array, from: number, start: number, size: number): number {
    const end = start + size
    if (end < bytes.length && bytes[end] !== comma[0]) throw violation("a payload is followed by a comma")
    this.headSize = start - from
    return end + 1 - from
  }

  protected open(bytes: Uint8Array, from: number, to: number, io: Io<Uint8Array, Uint8Array>): void {
    const start = from + this.headSize
    io.emit(this.view(bytes, start, to - 1), to - 1 - start)
  }

  encode(message: Message, io: Io<Uint8Array, Uint8Array>): void {
    const payload = utf8.bytesOf(message)
    const size = payload.length
    if (size > this.limit) throw new TooLarge({ what: "a message", size, limit: this.limit })
    const { head } = this
    const digits = writeDigits(size, head, 0)
    head[digits] = colon
    writeFrame(io, head, digits + 1, message, payload, comma)
    this.encoded += size
  }
}
