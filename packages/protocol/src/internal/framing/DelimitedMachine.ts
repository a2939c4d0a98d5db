/** Frames that end in a delimiter: where they end, and what must not be in them. */
import { Unencodable } from "../../ConnectionError.ts"
import type { Io } from "../../Machine.ts"
import type { EndOfInput } from "../../Outcome.ts"
import { TooLarge } from "../../Reason.ts"
import type { Message } from "../../Transport.ts"
import { find, lies } from "./find.ts"
import { FrameMachine } from "./FrameMachine.ts"
import { nothing, writeFrame } from "./write.ts"

/** What becomes of a last frame without its delimiter: see `Lines`. */
export type Unterminated = "refuse" | "deliver"

/** How frames end and are bounded. */
export interface Delimiting {
  /** What a frame is, for errors. */
  readonly what: string
  /** At least one byte. */
  readonly delimiter: Uint8Array
  /** The same for people. */
  readonly shown: string
  /** Whether a carriage return before it belongs to it. */
  readonly stripCarriageReturn: boolean
  /** The most bytes of a frame, without the delimiter. */
  readonly limit: number
  readonly unterminated: Unterminated
}

const carriageReturn = 0x0d

export abstract class DelimitedMachine<In> extends FrameMachine<In, Message> {
  private readonly delimiter: Uint8Array
  private readonly shown: string
  private readonly strip: boolean
  private readonly limit: number
  private readonly deliver: boolean
  /** Where the last byte of the delimiter is in it. */
  private readonly lastAt: number
  /** How many bytes can be waiting for the rest of a delimiter that turn out to be no part of the frame. */
  private readonly slack: number

  constructor({ delimiter, limit, shown, stripCarriageReturn, unterminated, what }: Delimiting) {
    super(what)
    this.delimiter = delimiter
    this.shown = shown
    this.strip = stripCarriageReturn
    this.limit = limit
    this.deliver = unterminated === "deliver"
    this.lastAt = delimiter.length - 1
    this.slack = this.lastAt + (stripCarriageReturn ? 1 : 0)
  }

  /** Emits a payload. Throws the reason if it is none. */
  protected abstract deliverPayload(bytes: Uint8Array, from: number, to: number, io: Io<In, Uint8Array>): void

  protected measure(bytes: Uint8Array, from: number, seen: number): number {
    const found = find(bytes, this.delimiter, from + Math.max(seen, this.lastAt))
    if (found < 0) {
      const size = bytes.length - from
      if (size > this.limit + this.slack) throw this.tooLarge()
      return size + 1
    }
    if (this.payloadEnd(bytes, from, found + 1) - from > this.limit) throw this.tooLarge()
    return found + 1 - from
  }

  protected open(bytes: Uint8Array, from: number, to: number, io: Io<In, Uint8Array>): void {
    this.deliverPayload(bytes, from, this.payloadEnd(bytes, from, to), io)
  }

  protected override cutOff(endOfInput: EndOfInput, io: Io<In, Uint8Array>): void {
    if (!this.deliver || endOfInput === "unannounced") return super.cutOff(endOfInput, io)
    const bytes = this.part.take()
    if (bytes.length > this.limit) throw this.tooLarge()
    this.deliverPayload(bytes, 0, bytes.length, io)
    io.end(endOfInput)
  }

  /** Writes a payload, as the text or the bytes that `message` is. */
  protected writePayload(message: Message, payload: Uint8Array, io: Io<In, Uint8Array>): void {
    const { delimiter } = this
    const { length } = payload
    if (length > this.limit) throw new TooLarge({ what: `a message for ${this.what}`, size: length, limit: this.limit })
    // Most messages have not even the last byte of it.
    const last = payload.indexOf(delimiter[this.lastAt], this.lastAt)
    if ((last >= 0 && find(payload, delimiter, last) >= 0) || endsInto(payload, delimiter)) {
      throw new Unencodable({ detail: `${this.what} can't contain its own end, ${this.shown}` })
    }
    if (this.strip && length > 0 && payload[length - 1] === carriageReturn) {
      throw new Unencodable({
        detail: `${this.what} can't end in a carriage return, which would be taken for a part of its end`
      })
    }
    writeFrame(io, nothing, 0, message, payload, delimiter)
    this.encoded += length
  }

  private payloadEnd(bytes: Uint8Array, from: number, to: number): number {
    const end = to - this.lastAt - 1
    return this.strip && end > from && bytes[end - 1] === carriageReturn ? end - 1 : end
  }

  /** However the input is cut, the failure is the same: all that is said is that the frame has at least one byte more. */
  private tooLarge(): TooLarge {
    return new TooLarge({ what: this.what, size: this.limit + 1, limit: this.limit })
  }
}

/** Whether a payload ends in what makes a delimiter of the delimiter's own beginning. */
const endsInto = (payload: Uint8Array, delimiter: Uint8Array): boolean => {
  for (let size = Math.min(delimiter.length - 1, payload.length); size > 0; size--) {
    if (
      lies(payload, payload.length - size, delimiter, size) &&
      lies(delimiter, size, delimiter, delimiter.length - size)
    ) return true
  }
  return false
}
