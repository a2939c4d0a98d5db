/**
 * A WebSocket whose messages are larger than memory: they come and go in parts, each with its place in the message.
 *
 * Everything else is as in `WebSocketMachine`. Of a message that arrives nothing is kept but a piece of what was received, of at
 * most 64 KiB, and of a text the bytes of a character that is not complete. The limit on the size of a message holds here too, if one is
 * given.
 */

import * as Loan from "@wirestack/protocol/bytes/Loan"
import * as Utf8 from "@wirestack/protocol/bytes/Utf8"
import { Unencodable } from "@wirestack/protocol/ConnectionError"
import { type Found, part } from "../frames/FrameDecoder.ts"
import { Opcode } from "../frames/Opcode.ts"
import { type Below, Framed, type Options as FramedOptions } from "../internal/Framed.ts"
import { next, notText } from "../internal/Transformed.ts"

/** A part of a message. Those of one message come one after the other, and with the `last` it is complete. */
export type Part =
  | { readonly type: "text"; readonly data: string; readonly last: boolean }
  | { readonly type: "binary"; readonly data: Uint8Array; readonly last: boolean }

/** A part to send; extensions leave a message `plain` whose first part says so. */
export type OutgoingPart = Part & { readonly plain?: boolean }

export type Options = FramedOptions

const noBytes = new Uint8Array(0)

export class StreamedMachine extends Framed<Part, OutgoingPart> {
  /** The size of the message that arrives, so far. */
  private size = 0
  /** A part of the message that arrives was transformed, and the extensions may have more of it. */
  private flowing = false
  private begun = false
  /** The latest piece of its end, which is the last part if there is no other. */
  private held: Uint8Array | undefined = undefined
  /** The beginning of a character. */
  private tail = noBytes
  /** What the message being sent is. */
  private sending: Part["type"] | undefined = undefined
  /** The first half of a character outside the BMP, with which the last part of a text ended. */
  private half = ""

  constructor(options: Options) {
    const { maxFragments = Infinity, maxMessageSize = Infinity } = options
    super({ ...options, maxFragments, maxMessageSize }, "part")
  }

  protected take(found: Found, io: Below<Part>): boolean {
    const { decoder } = this
    if (found !== part) {
      this.control(found, decoder.message as Uint8Array, io)
      return true
    }
    const { last, message, rsv } = decoder
    if (rsv === 0) {
      this.give(message as Uint8Array, last, true, io)
      return true
    }
    const extensions = this.extensions!
    if (!this.begun) extensions.expect(rsv)
    this.begun = !last
    extensions.feed(message as Uint8Array, last)
    this.flowing = true
    return this.resume(io)
  }

  protected override resume(io: Below<Part>): boolean {
    while (this.flowing && !this.ending) {
      if (!io.room()) return false
      const piece = next(this.extensions!)
      const { held } = this
      this.held = undefined
      if (piece === undefined) {
        this.flowing = false
        if (this.decoder.last) this.give(held ?? new Uint8Array(0), true, true, io)
      } else if (!(piece instanceof Uint8Array)) {
        if (held !== undefined) this.give(held, false, true, io)
        if (!this.ending) this.fail(piece, io)
      } else if (this.decoder.last) {
        if (held !== undefined) this.give(held, false, true, io)
        this.held = piece.slice()
      } else this.give(piece, false, false, io)
    }
    return this.over || !this.ending
  }

  /** Gives a piece of the message; one that an extension has made is only lent to us. */
  private give(piece: Uint8Array, last: boolean, lasting: boolean, io: Below<Part>): void {
    this.size += piece.length
    if (this.size > this.decoder.maxMessageSize) return this.tooLarge(this.size, io)
    if (this.meter !== undefined && !this.metered(last ? 1 : 0, piece.length, io)) return
    if (last) this.size = 0
    else if (piece.length === 0) return
    if (this.decoder.type === Opcode.Binary) {
      return this.emit({ type: "binary", data: lasting ? piece : piece.slice(), last }, piece.length, io)
    }
    const data = this.text(piece, last)
    if (data === undefined) this.fail(notText(), io)
    else if (last || data !== "") this.emit({ type: "text", data, last }, piece.length, io)
  }

  /** The text that is complete with these bytes; undefined if they can't be text. */
  private text(piece: Uint8Array, last: boolean): string | undefined {
    let bytes = piece
    if (this.tail.length > 0) {
      bytes = new Uint8Array(this.tail.length + piece.length)
      bytes.set(this.tail)
      bytes.set(piece, this.tail.length)
    }
    const end = last ? bytes.length : Utf8.completed(bytes, 0, bytes.length)
    if (end < 0) return undefined
    this.tail = end === bytes.length ? noBytes : bytes.slice(end)
    return Utf8.decode(bytes, 0, end)
  }

  encode({ data, last, plain = false, type }: OutgoingPart, io: Below<Part>): void {
    this.open()
    Loan.check(data)
    if (this.sending !== undefined && this.sending !== type) {
      throw new Unencodable({ detail: `a part of a ${type} message in the middle of a ${this.sending} message` })
    }
    this.sending = last ? undefined : type
    if (typeof data === "string") {
      const bytes = Utf8.encode(this.whole(data, last))
      this.encoder.write(Opcode.Text, bytes, bytes.length, last, plain, io)
    } else this.encoder.write(Opcode.Binary, data, data.length, last, plain, io)
  }

  /** The whole characters of a part of a text, with what the part before left. */
  private whole(data: string, last: boolean): string {
    const text = this.half + data
    const end = text.length - 1
    this.half = last || (text.charCodeAt(end) & 0xfc00) !== 0xd800 ? "" : text[end]
    return this.half === "" ? text : text.slice(0, end)
  }
}
