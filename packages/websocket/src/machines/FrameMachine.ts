/**
 * A WebSocket by hand: frames as they are on the wire, control frames among them.
 *
 * What a frame may be is checked in both directions, and the payload of a received one is bounded by `maxMessageSize`. All else is
 * the user's: pings are not answered, fragments not put together, text is not checked, and what extensions have transformed
 * stays so. A Close is delivered as the last frame and not answered; the closing handshake is complete when a Close was sent and one
 * received. If the user sent none, closing the connection does.
 */

import * as Loan from "@wirestack/protocol/bytes/Loan"
import { Unencodable } from "@wirestack/protocol/ConnectionError"
import type { EndOfInput, Status } from "@wirestack/protocol/Outcome"
import { Violation } from "@wirestack/protocol/Reason"
import * as CloseBody from "../frames/CloseBody.ts"
import { Bits, maxControlSize } from "../frames/Frame.ts"
import type { Found } from "../frames/FrameDecoder.ts"
import { Opcode } from "../frames/Opcode.ts"
import { type Below, Framed, type Options as FramedOptions } from "../internal/Framed.ts"

/** A frame. */
export interface Frame {
  readonly opcode: Opcode
  /** It is the last of its message. */
  readonly fin: boolean
  readonly payload: Uint8Array
  /** The reserved bits that say which extensions have transformed the message, of `Rsv`; none if left out. */
  readonly rsv?: number
}

export type Options = FramedOptions

const { Binary, Close, Continuation, Pong } = Opcode

const isControl = (opcode: number): boolean => opcode >= Close && opcode <= Pong

export class FrameMachine extends Framed<Frame, Frame> {
  /** A message was begun and not ended. */
  private begun = false

  constructor(options: Options) {
    super({ ...options, answersPings: false }, "frame")
  }

  protected take(found: Found, io: Below<Frame>): boolean {
    const { decoder } = this
    const opcode = found as Opcode
    const payload = decoder.message as Uint8Array
    if (this.meter !== undefined && !this.metered(1, payload.length, io)) return true
    const frame = { opcode, fin: decoder.fin, payload }
    if (opcode > Binary) {
      this.pass(frame, payload.length, io)
      this.control(opcode, payload, io)
    } else this.emit(decoder.rsv === 0 ? frame : { ...frame, rsv: decoder.rsv }, payload.length, io)
    return true
  }

  protected override answerClose(body: Uint8Array, io: Below<Frame>): void {
    this.emit({ opcode: Close, fin: true, payload: body }, body.length, io)
  }

  override ended(endOfInput: EndOfInput, io: Below<Frame>): void {
    if (this.received !== undefined && this.sent === undefined) io.closed(this.goodbye()!)
    else super.ended(endOfInput, io)
  }

  encode({ fin, opcode, payload, rsv = 0 }: Frame, io: Below<Frame>): void {
    this.open()
    Loan.check(payload)
    if (rsv !== 0 && ((rsv & ~(this.extensions?.rsv ?? 0)) !== 0 || opcode === Continuation || opcode > Binary)) {
      throw new Unencodable({ detail: "the reserved bits are 0 without an extension" })
    }
    if (opcode > Binary) {
      if (!isControl(opcode)) throw new Unencodable({ detail: `opcode ${opcode} is reserved` })
      if (!fin || payload.length > maxControlSize) {
        throw new Unencodable({ detail: `a control frame is whole and has at most ${maxControlSize} bytes` })
      }
    } else if ((opcode === Continuation) !== this.begun) {
      throw new Unencodable({ detail: this.begun ? "a message is not ended" : "there is no message to continue" })
    }
    if (opcode === Close) {
      const status = CloseBody.decode(payload)
      if (status instanceof Violation) throw new Unencodable({ detail: status.message })
      this.sendClose(payload, io)
    } else {
      if (opcode <= Binary) this.begun = !fin
      this.encoder.given += payload.length
      this.encoder.frame((fin ? Bits.Fin : 0) | rsv | opcode, payload, payload.length, true, io)
    }
  }

  protected override sendClose(body: Uint8Array, io: Below<Frame>): Status {
    const sent = super.sendClose(body, io)
    if (this.received !== undefined) io.closed(this.goodbye()!)
    return sent
  }
}
