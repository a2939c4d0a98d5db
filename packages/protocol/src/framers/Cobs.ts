/**
 * Consistent Overhead Byte Stuffing: frames that end in a zero, and have none inside. So whoever joins a line in its middle, as on a
 * serial port, finds the next frame.
 *
 *     payload    11 22 00 33
 *     frame   03 11 22 02 33 00       each group: how far it is to the next zero, which is left out
 *
 * At most one byte in 254 is added, beside the first one and the zero. A zero where a frame would begin is skipped, as writers send
 * one first to end what noise has left. Every message is received as bytes; text is sent as UTF-8.
 *
 * A frame over the limit fails with `TooLarge` as soon as that is certain, one whose last group is longer than the frame with a
 * `Violation`, the end of the input inside a frame with `Truncated`. A message over the limit is refused with `TooLarge`, text with a
 * lone surrogate with `Unencodable`; nothing of it is written and the connection goes on.
 *
 * @see http://www.stuartcheshire.org/papers/COBSforToN.pdf
 */

import { ownedFrom } from "../bytes/Memory.ts"
import * as Framer from "../Framer.ts"
import { indexOf } from "../internal/framing/find.ts"
import { FrameMachine } from "../internal/framing/FrameMachine.ts"
import { limitOf } from "../internal/framing/limitOf.ts"
import * as utf8 from "../internal/utf8.ts"
import type { Io } from "../Machine.ts"
import type { Over } from "../Protocol.ts"
import { TooLarge, Violation } from "../Reason.ts"
import type { Message } from "../Transport.ts"

/** How frames are bounded. */
export interface Options {
  /** The largest payload in bytes, both ways; 64 KiB by default. */
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
  const limit = limitOf(options?.maxFrameSize, 65_536)
  return { layer: "cobs", machine: () => new Cobs(limit) }
}

/** The largest group: no zero follows it. */
const longest = 0xff

/** How many bytes a payload becomes at most, without the zero. */
const stuffedSize = (size: number): number => size + 1 + Math.floor(size / (longest - 1))

/** Up to this size, bytes are moved faster one by one. */
const few = 32

class Cobs extends FrameMachine<Uint8Array, Message> {
  private readonly limit: number
  private readonly stuffedLimit: number

  constructor(limit: number) {
    super("a frame")
    this.limit = limit
    this.stuffedLimit = stuffedSize(limit)
  }

  borrow(input: Uint8Array, length: number, io: Io<Uint8Array, Uint8Array>): boolean {
    return this.receiveLent(input, length, io)
  }

  own(): void {
    this.ownKept()
  }

  protected measure(bytes: Uint8Array, from: number, seen: number): number {
    const found = indexOf(bytes, 0, from + seen)
    const size = (found < 0 ? bytes.length : found) - from
    if (size > this.stuffedLimit) throw this.tooLarge()
    return size + 1
  }

  protected open(bytes: Uint8Array, from: number, to: number, io: Io<Uint8Array, Uint8Array>): void {
    if (to - from === 1) return
    const frame = ownedFrom(bytes, from, to - 1)
    const size = unstuff(frame)
    if (size > this.limit) throw this.tooLarge()
    io.emit(frame.subarray(0, size), size)
  }

  encode(message: Message, io: Io<Uint8Array, Uint8Array>): void {
    const payload = utf8.bytesOf(message)
    const size = payload.length
    if (size > this.limit) throw new TooLarge({ what: "a message", size, limit: this.limit })
    const most = stuffedSize(size) + 1
    const offset = io.reserve(most)
    const end = stuff(payload, io.buffer, offset)
    if (end - offset < most) io.giveBack(most - (end - offset))
    this.encoded += size
  }

  private tooLarge(): TooLarge {
    return new TooLarge({ what: this.what, size: this.limit + 1, limit: this.limit })
  }
}

/** Writes a payload's frame to `offset`, and returns where it ends. */
const stuff = (payload: Uint8Array, buffer: Uint8Array, offset: number): number => {
  const last = payload.length - 1
  let group = offset
  let at = offset + 1
  for (let i = 0; i <= last; i++) {
    const byte = payload[i]
    if (byte !== 0) buffer[at++] = byte
    if (byte === 0 || (at - group === longest && i < last)) {
      buffer[group] = at - group
      group = at++
    }
  }
  buffer[group] = at - group
  buffer[at] = 0
  return at + 1
}

/** Makes a frame the payload that it was, in its place, and returns the payload's size. */
const unstuff = (frame: Uint8Array): number => {
  const end = frame.length
  let size = 0
  for (let at = 0; at < end;) {
    const next = at + frame[at]
    if (next > end) throw new Violation({ rule: "a group ends before its frame does", section: "COBS" })
    if (next - at > few) {
      frame.copyWithin(size, at + 1, next)
      size += next - at - 1
    } else for (let i = at + 1; i < next; i++) frame[size++] = frame[i]
    if (next - at < longest && next < end) frame[size++] = 0
    at = next
  }
  return size
}
