/**
 * Frames of bytes, each ended by a delimiter.
 *
 *    +----------------------------+----------------------------+
 *    |  payload (0..max bytes)    |  delimiter (1..256 bytes)  |
 *    +----------------------------+----------------------------+
 *
 * The first delimiter ends a frame, also where it overlaps itself. Every message is received as bytes; text is sent as UTF-8. For
 * text in lines there is `Lines`.
 *
 * A frame over the limit fails with `TooLarge` as soon as that is certain, the end of the input inside a frame with `Truncated` (see
 * `unterminated`). A message in which the delimiter would be found is refused with `Unencodable`, one over the limit with
 * `TooLarge`; nothing of it is written and the connection goes on.
 */
import * as Framer from "../Framer.ts"
import { DelimitedMachine, type Delimiting, type Unterminated } from "../internal/framing/DelimitedMachine.ts"
import { limitOf } from "../internal/framing/limitOf.ts"
import * as utf8 from "../internal/utf8.ts"
import type { Io } from "../Machine.ts"
import type { Over } from "../Protocol.ts"
import type { Message } from "../Transport.ts"

/** How frames end and are bounded. */
export interface Options {
  /** What ends a frame: bytes, or text as UTF-8. */
  readonly delimiter: Message
  /** The largest payload in bytes, both ways; 64 KiB by default. */
  readonly maxFrameSize?: number
  /**
   * What becomes of a last frame without its delimiter: `"refuse"` fails with `Truncated`, the default, because it can't be told from
   * a frame cut short; `"deliver"` takes it for a frame, unless the layer below knows that the input was cut off.
   */
  readonly unterminated?: Unterminated
}

/**
 * The framer, to be put on a stack of bytes.
 *
 * @category constructors
 */
export const over = (options: Options): Over<"bytes", never, "messages", never> => Framer.over(make(options))

/**
 * The framer itself. Throws a `RangeError` if the delimiter is empty, or has more than 256 bytes.
 *
 * @category constructors
 */
export const make = (options: Options): Framer.Framer<Uint8Array> => {
  const delimiter = utf8.bytesOf(options.delimiter).slice()
  if (delimiter.length < 1 || delimiter.length > 256) {
    throw new RangeError(`a delimiter has 1 to 256 bytes, and not ${delimiter.length}`)
  }
  const delimiting: Delimiting = {
    what: "a frame",
    delimiter,
    shown: typeof options.delimiter === "string" ? JSON.stringify(options.delimiter) : `bytes ${delimiter.join(" ")}`,
    stripCarriageReturn: false,
    limit: limitOf(options.maxFrameSize, 65_536),
    unterminated: options.unterminated ?? "refuse"
  }
  return { layer: "delimited", machine: () => new Delimited(delimiting) }
}

class Delimited extends DelimitedMachine<Uint8Array> {
  encode(message: Message, io: Io<Uint8Array, Uint8Array>): void {
    this.writePayload(message, utf8.bytesOf(message), io)
  }

  protected deliverPayload(bytes: Uint8Array, from: number, to: number, io: Io<Uint8Array, Uint8Array>): void {
    io.emit(this.view(bytes, from, to), to - from)
  }
}
