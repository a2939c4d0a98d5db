/**
 * Contents with a head in front that tells their length, as the Language Server Protocol and the Debug Adapter Protocol have them.
 *
 *     Content-Length: 11\r\n
 *     Content-Type: application/json\r\n
 *     \r\n
 *     {"id": 123}
 *
 * The length counts the bytes of the content, and may be zero. Fields beside `Content-Length` are skipped; names are read in any
 * case. Every content is received as bytes; text is sent as UTF-8.
 *
 * A head or a length over its limit fails with `TooLarge` before any of the content is read; a head without a `Content-Length`, with
 * two of them, with one that is no number, or with a line that is no field, with a `Violation`; the end of the input inside a message
 * with `Truncated`. A content over the limit is refused with `TooLarge`, text with a lone surrogate with `Unencodable`; nothing of it
 * is written and the connection goes on.
 *
 * @see https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#baseProtocol
 */

import * as Framer from "../Framer.ts"
import { digit, writeDigits } from "../internal/framing/digits.ts"
import { find } from "../internal/framing/find.ts"
import { FrameMachine } from "../internal/framing/FrameMachine.ts"
import { limitOf } from "../internal/framing/limitOf.ts"
import { nothing, writeFrame } from "../internal/framing/write.ts"
import * as utf8 from "../internal/utf8.ts"
import type { Io } from "../Machine.ts"
import type { Over } from "../Protocol.ts"
import { TooLarge, Violation } from "../Reason.ts"
import type { Message } from "../Transport.ts"

/** How messages are bounded, and what their heads say. */
export interface Options {
  /** The largest content in bytes, both ways; 1 MiB by default. */
  readonly maxContentSize?: number
  /** The largest head in bytes, with the empty line at its end; 4 KiB by default. */
  readonly maxHeadSize?: number
  /** The `Content-Type` to send; none by default. */
  readonly contentType?: string
}

/**
 * The framer, to be put on a stack of bytes.
 *
 * @category constructors
 */
export const over = (options?: Options): Over<"bytes", never, "messages", never> => Framer.over(make(options))

/**
 * The framer itself. Throws a `RangeError` if the content type is not of printable ASCII.
 *
 * @category constructors
 */
export const make = (options?: Options): Framer.Framer<Uint8Array> => {
  const contentType = options?.contentType
  if (contentType !== undefined && !/^[\x20-\x7e]+$/.test(contentType)) {
    throw new RangeError(`a content type is of printable ASCII: ${JSON.stringify(contentType)}`)
  }
  const limit = limitOf(options?.maxContentSize, 1_048_576, Number.MAX_SAFE_INTEGER)
  const headLimit = limitOf(options?.maxHeadSize, 4_096)
  const behind = ascii(contentType === undefined ? "\r\n\r\n" : `\r\nContent-Type: ${contentType}\r\n\r\n`)
  return { layer: "content-length", machine: () => new ContentLength(limit, headLimit, behind) }
}

const ascii = (text: string): Uint8Array => utf8.encode(text).slice()

const before = ascii("Content-Length: ")
const headEnd = ascii("\r\n\r\n")
const name = ascii("content-length")
const colon = 0x3a
const carriageReturn = 0x0d
const lineFeed = 0x0a
const space = 0x20
const tab = 0x09

const violation = (rule: string): Violation => new Violation({ rule, section: "LSP base protocol" })

class ContentLength extends FrameMachine<Uint8Array, Message> {
  private readonly limit: number
  private readonly headLimit: number
  /** What is sent before a content, but for the digits. */
  private readonly head: Uint8Array
  private readonly behind: Uint8Array
  /** How many bytes the message has that was measured last, and its head; 0 while that has not arrived. */
  private size = 0
  private headSize = 0

  constructor(limit: number, headLimit: number, behind: Uint8Array) {
    super("a message")
    this.limit = limit
    this.headLimit = headLimit
    this.behind = behind
    this.head = new Uint8Array(before.length + 16 + behind.length)
    this.head.set(before)
  }

  protected measure(bytes: Uint8Array, from: number, seen: number): number {
    if (seen > 0 && this.size > 0) return this.size
    this.size = 0
    const last = headEnd.length - 1
    const found = find(bytes, headEnd, from + Math.max(seen, last))
    const size = found < 0 ? bytes.length - from + 1 : found + 1 - from
    if (size > this.headLimit) throw new TooLarge({ what: "a head", size: this.headLimit + 1, limit: this.headLimit })
    if (found < 0) return size
    this.headSize = size
    return this.size = size + this.contentSize(bytes, from, found - 1)
  }

  protected open(bytes: Uint8Array, from: number, to: number, io: Io<Uint8Array, Uint8Array>): void {
    const start = from + this.headSize
    io.emit(this.view(bytes, start, to), to - start)
  }

  encode(message: Message, io: Io<Uint8Array, Uint8Array>): void {
    const payload = utf8.bytesOf(message)
    const size = payload.length
    if (size > this.limit) throw new TooLarge({ what: "a message", size, limit: this.limit })
    const { behind, head } = this
    const end = before.length + writeDigits(size, head, before.length)
    head.set(behind, end)
    writeFrame(io, head, end + behind.length, message, payload, nothing)
    this.encoded += size
  }

  /** What the fields from `from` to `to` say; each ends in CRLF. */
  private contentSize(bytes: Uint8Array, from: number, to: number): number {
    let size = -1
    for (let at = from; at < to;) {
      const next = bytes.indexOf(lineFeed, at) + 1
      const end = next - 2
      const mark = bytes.indexOf(colon, at)
      if (bytes[end] !== carriageReturn || mark < 0 || mark >= end) {
        throw violation("a head is made of lines with a name, a colon and a value, each of which ends in CRLF")
      }
      if (isName(bytes, at, mark)) {
        if (size >= 0) throw violation("a head has one Content-Length")
        size = this.number(bytes, mark + 1, end)
      }
      at = next
    }
    if (size < 0) throw violation("a head has a Content-Length")
    return size
  }

  private number(bytes: Uint8Array, from: number, to: number): number {
    const { limit } = this
    let start = from
    let end = to
    while (start < end && isBlank(bytes[start])) start++
    while (end > start && isBlank(bytes[end - 1])) end--
    let size = 0
    for (let at = start; at < end; at++) {
      const value = digit(bytes[at])
      if (value > 9) throw violation("a Content-Length is made of digits")
      size = size * 10 + value
      if (size > limit) throw new TooLarge({ what: "a content", size, limit })
    }
    if (start === end) throw violation("a Content-Length is made of digits")
    return size
  }
}

const isBlank = (byte: number): boolean => byte === space || byte === tab

/** Whether it is `Content-Length`, in any case: what differs in case differs in this bit. */
const isName = (bytes: Uint8Array, from: number, to: number): boolean => {
  if (to - from !== name.length) return false
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[from + i]
    if (byte !== name[i] && (byte | 0x20) !== name[i]) return false
  }
  return true
}
