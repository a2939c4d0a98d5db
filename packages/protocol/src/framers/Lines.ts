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

import { Undecodable, Unencodable } from "../ConnectionError.ts"
import * as Framer from "../Framer.ts"
import { Gather } from "../Gather.ts"
import { Kept } from "../internal/Kept.ts"
import * as utf8 from "../internal/utf8.ts"
import type { Io, Machine } from "../Machine.ts"
import type { EndOfInput } from "../Outcome.ts"
import type { Over } from "../Protocol.ts"
import { TooLarge, Truncated } from "../Reason.ts"
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
  readonly unterminated?: "refuse" | "deliver"
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
export const make = (options?: Options): Framer.Framer => {
  const delimiter = options?.delimiter ?? "\n"
  if (!/^[\x00-\x7f]+$/.test(delimiter)) {
    throw new RangeError(`a line delimiter is ASCII and not empty: ${JSON.stringify(delimiter)}`)
  }
  const strip = options?.stripCarriageReturn ?? delimiter === "\n"
  const limit = options?.maxLineSize ?? 65_536
  return {
    layer: "lines",
    machine: () => new Lines(delimiter, strip, limit, options?.unterminated === "deliver")
  }
}

const carriageReturn = 0x0d

class Lines implements Machine<Uint8Array, Uint8Array, string, Message> {
  private readonly delimiter: string
  private readonly mark: Uint8Array
  private readonly strip: boolean
  private readonly limit: number
  private readonly deliver: boolean
  /** How many bytes can be waiting for the rest of a line end that turn out to be no part of the line. */
  private readonly slack: number

  encoded = 0
  private readonly kept = new Kept<Uint8Array>()
  /** The start of a line whose end has not arrived. */
  private readonly line = new Gather()

  constructor(delimiter: string, strip: boolean, limit: number, deliver: boolean) {
    this.delimiter = delimiter
    this.mark = utf8.encode(delimiter).slice()
    this.strip = strip
    this.limit = limit
    this.deliver = deliver
    this.slack = delimiter.length - 1 + (strip ? 1 : 0)
  }

  receive(input: ReadonlyArray<Uint8Array>, io: Io<string, Uint8Array>): boolean {
    const { line, mark } = this
    const last = mark.length - 1
    const bound = this.limit + this.slack
    const chunks = this.kept.and(input)
    for (let i = 0; i < chunks.length; i++) {
      const chunk = chunks[i]
      let start = 0
      let from = 0
      while (start < chunk.length) {
        const found = chunk.indexOf(mark[last], from)
        if (found < 0) {
          if (line.size + chunk.length - start > bound) return this.tooLarge(io)
          line.add(chunk, start, chunk.length, bound)
          break
        }
        from = found + 1
        if (last > 0 && !this.ends(chunk, start, found)) continue
        if (!io.room()) return this.kept.keep(chunks, i, chunk.subarray(start))
        let bytes: Uint8Array
        if (line.size === 0) bytes = chunk.subarray(start, from)
        else {
          line.add(chunk, start, from, line.size + from - start)
          bytes = line.take()
        }
        let size = bytes.length - mark.length
        if (this.strip && bytes[size - 1] === carriageReturn) size--
        if (size > this.limit) return this.tooLarge(io)
        if (!this.emit(bytes.subarray(0, size), io)) return true
        start = from
      }
    }
    return true
  }

  encode(message: Message, io: Io<string, Uint8Array>): void {
    const text = typeof message === "string" ? message : this.text(message)
    if ((this.delimiter.length === 1 ? text : text + this.delimiter.slice(0, -1)).includes(this.delimiter)) {
      throw new Unencodable({ detail: `a line can't contain its own end, ${JSON.stringify(this.delimiter)}` })
    }
    if (this.strip && text.endsWith("\r")) {
      throw new Unencodable({ detail: "a line can't end in a carriage return, which would be taken for its line end" })
    }
    const payload = typeof message === "string" ? utf8.encode(message) : message
    const size = payload.length
    if (size > this.limit) throw new TooLarge({ what: "a line", size, limit: this.limit })
    const together = size <= utf8.copied || (typeof message === "string" && message.length <= utf8.copied)
    if (!together) io.write(payload)
    const offset = io.reserve(together ? size + this.mark.length : this.mark.length)
    const buffer = io.buffer
    if (together) buffer.set(payload, offset)
    buffer.set(this.mark, together ? offset + size : offset)
    this.encoded += size
  }

  end(): void {}

  ended(endOfInput: EndOfInput, io: Io<string, Uint8Array>): void {
    if (this.line.size === 0) return io.end(endOfInput)
    if (!this.deliver || endOfInput === "unannounced") return io.fail(new Truncated({ inside: "a line" }))
    const bytes = this.line.take()
    if (bytes.length > this.limit) this.tooLarge(io)
    else if (this.emit(bytes, io)) io.end(endOfInput)
  }

  /** Whether the delimiter ends at `found`; it may have begun in an earlier chunk. */
  private ends(chunk: Uint8Array, start: number, found: number): boolean {
    for (let back = 1; back < this.mark.length; back++) {
      const index = found - back
      const byte = index >= start ? chunk[index] : this.line.at(this.line.size + index - start)
      if (byte !== this.mark[this.mark.length - 1 - back]) return false
    }
    return true
  }

  private emit(bytes: Uint8Array, io: Io<string, Uint8Array>): boolean {
    try {
      io.emit(utf8.decode(bytes), bytes.length)
      return true
    } catch (cause) {
      io.fail(new Undecodable({ detail: "the line is not UTF-8", cause }))
      return false
    }
  }

  private text(bytes: Uint8Array): string {
    try {
      return utf8.decode(bytes)
    } catch (cause) {
      throw new Unencodable({ detail: "a line is UTF-8, and these bytes are not", cause })
    }
  }

  /** However the input is cut, the failure is the same: all that is said is that the line has at least one byte more. */
  private tooLarge(io: Io<string, Uint8Array>): true {
    io.fail(new TooLarge({ what: "a line", size: this.limit + 1, limit: this.limit }))
    return true
  }
}
