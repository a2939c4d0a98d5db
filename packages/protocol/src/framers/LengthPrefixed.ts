/**
 * Frames with their length in front: an unsigned integer of one to four or of eight bytes, then that many bytes of payload.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +---------------------------------------------------------------+
 *    |              length of the payload (lengthBytes)              |
 *    +---------------------------------------------------------------+
 *    |                     payload (length bytes)                   ...
 *    +---------------------------------------------------------------+
 *
 * By default the length counts the payload only, and may be zero. Headers that are laid out in another way are told by three numbers,
 * in the order of the bytes:
 *
 *    |<-- lengthOffset -->|<-- lengthBytes -->|<-- length + lengthAdjustment -->|
 *    |<-- strip -->|<-- message                                              -->|
 *
 * The first `strip` bytes of a frame are no part of the message. They are sent as zeros, apart from the length; a length that is part
 * of the message is set to what it has to be, so that what was received can be sent as it is.
 *
 * Every message is received as bytes; text is sent as UTF-8. A length over the limit fails with `TooLarge` before any of its payload
 * is read, one that ends a frame inside of its header with a `Violation`, the end of the input inside a frame with `Truncated`. A
 * message over the limit is refused with `TooLarge`, one without the header it should have, or text with a lone surrogate, with
 * `Unencodable`; nothing of it is written and the connection goes on.
 */

import { Unencodable } from "../ConnectionError.ts"
import * as Framer from "../Framer.ts"
import { FrameMachine } from "../internal/framing/FrameMachine.ts"
import { limitOf } from "../internal/framing/limitOf.ts"
import * as unsigned from "../internal/framing/unsigned.ts"
import { nothing, writeFrame } from "../internal/framing/write.ts"
import * as utf8 from "../internal/utf8.ts"
import type { Io } from "../Machine.ts"
import type { Over } from "../Protocol.ts"
import { TooLarge, Violation } from "../Reason.ts"
import type { Message } from "../Transport.ts"

/** How frames are laid out and bounded. */
export interface Options {
  /** How many bytes the length has; 4 by default. */
  readonly lengthBytes?: 1 | 2 | 3 | 4 | 8
  /** Which byte of the length comes first; the most significant (`"big"`) by default. */
  readonly endian?: unsigned.Endian
  /** How many bytes of a frame come before the length, 64 at most; none by default. */
  readonly lengthOffset?: number
  /**
   * How many bytes come after the length beside those it counts; 0 by default. Less than 0 if it counts some that come before its own
   * end: a length of 4 bytes that counts itself has an adjustment of -4.
   */
  readonly lengthAdjustment?: number
  /** How many bytes at the beginning of a frame are no part of the message; by default all up to the end of the length. */
  readonly strip?: number
  /** The largest message in bytes, both ways; 1 MiB by default, and never more than the length can say. */
  readonly maxFrameSize?: number
}

/**
 * The framer, to be put on a stack of bytes.
 *
 * @category constructors
 */
export const over = (options?: Options): Over<"bytes", never, "messages", never> => Framer.over(make(options))

/**
 * The framer itself. Throws a `RangeError` if the header can't be laid out as the options say.
 *
 * @category constructors
 */
export const make = (options?: Options): Framer.Framer<Uint8Array> => {
  const lengthBytes = options?.lengthBytes ?? 4
  const offset = options?.lengthOffset ?? 0
  const adjustment = options?.lengthAdjustment ?? 0
  const header = offset + lengthBytes
  const strip = options?.strip ?? header
  if (!(isCount(offset) && isCount(strip) && offset <= 64 && strip <= 128 && Number.isSafeInteger(adjustment))) {
    throw new RangeError(`a header can't have lengthOffset ${offset}, lengthAdjustment ${adjustment}, strip ${strip}`)
  }
  const said = unsigned.largest(lengthBytes) + header + adjustment - strip
  const layout: Layout = {
    lengthBytes,
    big: options?.endian !== "little",
    offset,
    header,
    adjustment,
    strip,
    limit: limitOf(options?.maxFrameSize, 1_048_576, said)
  }
  return {
    layer: "length-prefixed",
    machine: () => new LengthPrefixed(layout)
  }
}

const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 0

interface Layout {
  readonly lengthBytes: number
  readonly big: boolean
  readonly offset: number
  /** Up to the end of the length. */
  readonly header: number
  readonly adjustment: number
  readonly strip: number
  readonly limit: number
}

class LengthPrefixed extends FrameMachine<Uint8Array, Message> {
  private readonly lengthBytes: number
  private readonly big: boolean
  private readonly offset: number
  private readonly header: number
  private readonly adjustment: number
  private readonly strip: number
  private readonly limit: number
  /** What stands before a message that is sent. */
  private readonly head: Uint8Array

  constructor({ adjustment, big, header, lengthBytes, limit, offset, strip }: Layout) {
    super("a frame")
    this.lengthBytes = lengthBytes
    this.big = big
    this.offset = offset
    this.header = header
    this.adjustment = adjustment
    this.strip = strip
    this.limit = limit
    this.head = new Uint8Array(Math.max(header, strip))
  }

  protected measure(bytes: Uint8Array, from: number): number {
    const { header, limit, strip } = this
    if (bytes.length - from < header) return header
    const length = unsigned.read(bytes, from + this.offset, this.lengthBytes, this.big) + this.adjustment
    const size = header + length - strip
    if (size > limit) throw new TooLarge({ what: "a frame", size, limit })
    if (length < 0 || size < 0) {
      throw new Violation({
        rule: `a length says where its frame ends, and ${length - this.adjustment} says too little`
      })
    }
    return header + length
  }

  protected open(bytes: Uint8Array, from: number, to: number, io: Io<Uint8Array, Uint8Array>): void {
    const start = from + this.strip
    io.emit(this.view(bytes, start, to), to - start)
  }

  encode(message: Message, io: Io<Uint8Array, Uint8Array>): void {
    const payload = utf8.bytesOf(message)
    const size = payload.length
    if (size > this.limit) throw new TooLarge({ what: "a message", size, limit: this.limit })
    const { head, strip } = this
    const length = strip + size - this.header
    if (length < 0 || length < this.adjustment) {
      throw new Unencodable({ detail: `a message of ${size} bytes does not have all of its header` })
    }
    const own = this.header - strip
    if (own > 0) head.set(payload.subarray(0, own), strip)
    unsigned.write(length - this.adjustment, head, this.offset, this.lengthBytes, this.big)
    if (own > 0) writeFrame(io, head, this.header, message, payload.subarray(own), nothing)
    else writeFrame(io, head, strip, message, payload, nothing)
    this.encoded += size
  }
}
