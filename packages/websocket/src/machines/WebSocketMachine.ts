/**
 * A WebSocket after its opening handshake: text as strings, binary messages as bytes, over a byte stream.
 *
 * Below are frames in bytes, above are whole messages. Pings are answered by themselves, the closing handshake is held
 * as RFC 6455 section 7 wants it, and what the peer does wrong ends the connection with the code that says so.
 *
 * The contract, beyond the one of `Machine`:
 *
 * - Received chunks are unmasked in place; a binary message may be a piece of the chunk it came in.
 * - Bytes to be sent are never written to: small ones are copied behind their head, and masked there, large ones are
 *   passed on as they are by a server and copied by a client.
 * - A message larger than `maxFrameSize` leaves in several frames, as the layer below has room for them; control frames go
 *   in between.
 * - It holds one incomplete message (`maxMessageSize`), the input it had no room for, the message being sent, and a
 *   bounded number of pongs and of pings of our own.
 * - After a Close frame, ours or the peer's, nothing more is sent; after the peer's, what arrives is ignored.
 */

import * as Loan from "@wirestack/protocol/bytes/Loan"
import * as Utf8 from "@wirestack/protocol/bytes/Utf8"
import type { Prepared } from "@wirestack/protocol/fanout/Prepared"
import { type Found, part } from "../frames/FrameDecoder.ts"
import { Opcode } from "../frames/Opcode.ts"
import { type Below, Framed, type Options as FramedOptions } from "../internal/Framed.ts"
import { Transformed } from "../internal/Transformed.ts"

export { defaultLimits, maxControls } from "../internal/Framed.ts"

/** What a WebSocket carries: text, or bytes. */
export type Message = string | Uint8Array

export interface Options extends FramedOptions {
  /** Which messages extensions may transform, such as compress; all of them by default. */
  readonly transforms?: ((message: Message) => boolean) | undefined
}

export class WebSocketMachine extends Framed<Message, Message> {
  private readonly transforms: ((message: Message) => boolean) | undefined
  readonly lends: boolean
  private transformed: Transformed | undefined = undefined

  constructor(options: Options) {
    super(options, "message")
    this.transforms = options.transforms
    this.lends = options.payloads === "lent"
  }

  protected take(found: Found, io: Below<Message>): boolean {
    const { decoder } = this
    if (found === Opcode.Text || found === Opcode.Binary) this.give(decoder.message, decoder.size, io)
    else if (found === part) this.untransform(io)
    else this.control(found, decoder.message as Uint8Array, io)
    return true
  }

  private give(message: Message, size: number, io: Below<Message>): void {
    if (this.meter === undefined || this.metered(1, size, io)) this.emit(message, size, io)
  }

  private untransform(io: Below<Message>): void {
    const { decoder } = this
    const message = this.transformed ??= new Transformed(this.extensions!, decoder.maxMessageSize, this.lends)
    const reason = message.add(decoder)
    if (reason !== undefined) this.fail(reason, io)
    else if (decoder.last) this.give(message.take(), message.size, io)
  }

  encode(message: Message, io: Below<Message>): void {
    this.open()
    if (typeof message === "string" && this.encoder.text(message, io)) return
    Loan.check(message)
    const plain = this.isPlain(message)
    if (typeof message !== "string") this.encoder.write(Opcode.Binary, message, message.length, true, plain, io)
    else if (message.length <= Utf8.scratchLimit) {
      this.encoder.write(Opcode.Text, Utf8.scratch, Utf8.encodeScratch(message), true, plain, io)
    } else {
      const bytes = Utf8.encode(message)
      this.encoder.write(Opcode.Text, bytes, bytes.length, true, plain, io)
    }
  }

  prepare(message: Prepared<Message>): Prepared<Uint8Array> | undefined {
    return this.silent ? undefined : this.encoder.prepare(message, this.isPlain(message.message))
  }

  passed(message: Prepared<Message>, frame: Prepared<Uint8Array>): void {
    this.encoder.passed(message, frame)
  }

  /** Whether no extension is to transform a message. */
  private isPlain(message: Message): boolean {
    return this.transforms !== undefined && this.extensions !== undefined && !this.transforms(message)
  }
}
