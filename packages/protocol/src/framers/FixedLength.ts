/**
 * Frames that all have the same length: nothing on the wire but payloads.
 *
 *    +--------------------+--------------------+--------------------
 *    |  payload (size)    |  payload (size)    |  ...
 *    +--------------------+--------------------+--------------------
 *
 * Every message is received as bytes; text is sent as UTF-8. The end of the input inside a frame fails with `Truncated`. A message of
 * any other size is refused with `Unencodable`; nothing of it is written and the connection goes on.
 */

import { Unencodable } from "../ConnectionError.ts"
import * as Framer from "../Framer.ts"
import { FrameMachine } from "../internal/framing/FrameMachine.ts"
import { nothing, writeFrame } from "../internal/framing/write.ts"
import * as utf8 from "../internal/utf8.ts"
import type { Io } from "../Machine.ts"
import type { Over } from "../Protocol.ts"
import type { Message } from "../Transport.ts"

/** How long frames are. */
export interface Options {
  /** How many bytes each has, at least 1. */
  readonly size: number
}

/**
 * The framer, to be put on a stack of bytes.
 *
 * @category constructors
 */
export const over = (options: Options): Over<"bytes", never, "messages", never> => Framer.over(make(options))

/**
 * The framer itself. Throws a `RangeError` if the size is no positive integer.
 *
 * @category constructors
 */
export const make = ({ size }: Options): Framer.Framer<Uint8Array> => {
  if (!Number.isSafeInteger(size) || size < 1) throw new RangeError(`a frame can't have ${size} bytes`)
  return { layer: "fixed-length", machine: () => new FixedLength(size) }
}

class FixedLength extends FrameMachine<Uint8Array, Message> {
  private readonly size: number

  constructor(size: number) {
    super("a frame")
    this.size = size
  }

  protected measure(): number {
    return this.size
  }

  protected open(bytes: Uint8Array, from: number, to: number, io: Io<Uint8Array, Uint8Array>): void {
    io.emit(this.view(bytes, from, to), this.size)
  }

  encode(message: Message, io: Io<Uint8Array, Uint8Array>): void {
    const payload = utf8.bytesOf(message)
    if (payload.length !== this.size) {
      throw new Unencodable({ detail: `a frame has ${this.size} bytes, and the message ${payload.length}` })
    }
    writeFrame(io, nothing, 0, message, payload, nothing)
    this.encoded += this.size
  }
}
