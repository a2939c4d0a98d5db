/**
 * Lines of text: UTF-8, each ended by a delimiter.
 *
 *    +----------------------------+----------------+
 *    |  payload (UTF-8, 0..max)   |  "\n"          |
 *    +----------------------------+----------------+
 *
 * With the default delimiter `"\n"` a line that ends in `"\r\n"` is accepted too, and its `"\r"` belongs to the line
 * end. Any other delimiter of ASCII characters is taken literally: with `"\r\n"` a bare `"\n"` is part of the line.
 *
 * Lines are received as strings. A line over the limit fails with `TooLarge` as soon as that is certain, one that is not
 * UTF-8 with `Undecodable`, the end of the input inside a line with `Truncated` (see `unterminated`). A message that
 * contains a line end, or is not UTF-8, is refused with `Unencodable`, one over the limit with `TooLarge`; nothing of it
 * is written and the connection goes on.
 */

import * as Utf8 from "../bytes/Utf8.ts"
import { Undecodable, Unencodable } from "../ConnectionError.ts"
import * as Framer from "../Framer.ts"
import { DelimitedMachine, type Delimiting, type Unterminated } from "../internal/framing/DelimitedMachine.ts"
import { limitOf } from "../internal/framing/limitOf.ts"
import * as utf8 from "../internal/utf8.ts"
import type { Io } from "../Machine.ts"
import type { Over } from "../Protocol.ts"
import type { Message } from "../Transport.ts"

/** How lines end and are bounded. */
export interface Options {
  /** What ends a line: ASCII characters, `"\n"` by default. */
  readonly delimiter?: string
  /**
   * Whether a `"\r"` before the delimiter belongs to the line end; true by default if the delimiter is `"\n"`, else
   * false. Such a `"\r"` can't be sent at the end of a line.
   */
  readonly stripCarriageReturn?: boolean
  /** The longest line in bytes, without its end, both ways; 64 KiB by default. */
  readonly maxLineSize?: number
  /**
   * What becomes of a last line without its end: `"refuse"` fails with `Truncated`, the default, because it can't be
   * told from a line cut short; `"deliver"` takes it for a line, unless the layer below knows that the input was cut off.
   */
  readonly unterminated?: Unterminated
}

/**
 * The framer, to be put on a stack of bytes.
 *
 * @category constructors
 */
export const over = (options?: Options): Over<"bytes", never, "messages", never> => Framer.over(make(options))

/**
 * The framer itself. Throws a `RangeError` if the delimiter is empty or not ASCII.
 *
 * @category constructors
 */
export const make = (options?: Options): Framer.Framer<string> => {
  const delimiter = options?.delimiter ?? "\n"
  if (!/^[\x00-\x7f]+$/.test(delimiter)) {
    throw new RangeError(`a line delimiter is ASCII and not empty: ${JSON.stringify(delimiter)}`)
  }
  const delimiting: Delimiting = {
    what: "a line",
    delimiter: utf8.encode(delimiter).slice(),
    shown: JSON.stringify(delimiter),
    stripCarriageReturn: options?.stripCarriageReturn ?? delimiter === "\n",
    limit: limitOf(options?.maxLineSize, 65_536),
    unterminated: options?.unterminated ?? "refuse"
  }
  return { layer: "lines", machine: () => new Lines(delimiting) }
}

class Lines extends DelimitedMachine<string> {
  borrow(input: Uint8Array, length: number, io: Io<string, Uint8Array>): boolean {
    return this.receiveLent(input, length, io)
  }

  own(): void {
    this.ownKept()
  }

  encode(message: Message, io: Io<string, Uint8Array>): void {
    if (typeof message !== "string" && Utf8.decode(message, 0, message.length) === undefined) {
      throw new Unencodable({ detail: "a line is UTF-8, and these bytes are not" })
    }
    this.writePayload(message, utf8.bytesOf(message), io)
  }

  protected deliverPayload(bytes: Uint8Array, from: number, to: number, io: Io<string, Uint8Array>): void {
    const line = Utf8.decode(bytes, from, to)
    if (line === undefined) throw new Undecodable({ detail: "the line is not UTF-8" })
    io.emit(line, to - from)
  }
}
