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
 * - It holds one incomplete message (`maxMessageSize`), the input it had no room for, the latest pong and `maxPings`
 *   pings of our own.
 * - After a Close frame, ours or the peer's, nothing more is sent; after the peer's, what arrives is ignored.
 */
import { Closed, Closing, type ConnectionReason, Unencodable } from "@wirestack/protocol/ConnectionError"
import type { Io, Machine } from "@wirestack/protocol/Machine"
import type { EndOfInput, Status, Why } from "@wirestack/protocol/Outcome"
import { type TooLarge, Truncated, Violation } from "@wirestack/protocol/Reason"
import * as CloseBody from "./CloseBody.ts"
import { type CloseCode, fromViolation, fromWhy } from "./CloseCode.ts"
import * as Frame from "./Frame.ts"
import { failed, FrameDecoder, type Limits, needMore } from "./FrameDecoder.ts"
import * as Mask from "./Mask.ts"
import { Opcode } from "./Opcode.ts"
import * as Utf8 from "./Utf8.ts"

/** What a WebSocket carries: text, or bytes. */
export type Message = string | Uint8Array

export interface Options extends Partial<Limits> {
  /** The client masks what it sends, and lets the server end the connection below. */
  readonly role: "client" | "server"
}

/** The limits of a connection that is not given others: 1 MiB, in at most 131,072 fragments. */
export const defaultLimits: Limits = { maxMessageSize: 1_048_576, maxFragments: 131_072 }

/** How many of our own pings may wait to be sent. */
export const maxPings = 16

/** A server does not copy messages from this size on. */
const large = 32_768

const nothing: ReadonlyArray<never> = []
const noBytes = new Uint8Array(0)

/** Copies the first `length` bytes; a few of them faster than `set` does. */
const copy = (source: Uint8Array, length: number, target: Uint8Array, offset: number): void => {
  if (length <= 12) { for (let i = 0; i < length; i++) target[offset + i] = source[i] }
  else target.set(length === source.length ? source : new Uint8Array(source.buffer, source.byteOffset, length), offset)
}

interface Farewell {
  readonly code: CloseCode
  readonly reason: string
}

/** What the peer did wrong at a layer above it is told; what went wrong on our side is nobody else's business. */
const farewellFor = (why: Why, failure: ConnectionReason | undefined): Farewell =>
  failure?._tag === "Undecodable" || failure?._tag === "TooLarge" || failure?._tag === "Violation"
    ? { code: fromViolation(failure), reason: failure.message }
    : { code: fromWhy(why), reason: "" }

type WebSocketIo = Io<Message, Uint8Array>

export class WebSocketMachine implements Machine<Uint8Array, Uint8Array, Message, Message> {
  readonly awaitsLowerEnd: boolean
  /** Is told the payload of every pong, asked for or not. */
  onPong: ((payload: Uint8Array) => void) | undefined = undefined

  private readonly masks: boolean
  private readonly decoder: FrameDecoder
  /** Input there was no room for: what the decoder still has, and these chunks from `next` on. */
  private waiting: ReadonlyArray<Uint8Array> = nothing
  private next = 0

  /** The payload of the latest ping, not answered yet. */
  private pinged: Uint8Array | undefined = undefined
  private readonly pings: Array<Uint8Array> = []

  private farewell: Farewell | undefined = undefined
  private sent: Status | undefined = undefined
  private received: Status | undefined = undefined
  /** The input is over: by a Close frame, a violation, or the end of the layer below. */
  private over = false

  constructor(options: Options) {
    this.masks = options.role === "client"
    this.awaitsLowerEnd = this.masks
    this.decoder = new FrameDecoder(!this.masks, {
      maxMessageSize: options.maxMessageSize ?? defaultLimits.maxMessageSize,
      maxFragments: options.maxFragments ?? defaultLimits.maxFragments
    })
  }

  // Receiving.

  receive(input: ReadonlyArray<Uint8Array>, io: WebSocketIo): boolean {
    if (input.length > 0) {
      this.waiting = input
      this.next = 0
    }
    const { decoder } = this
    while (!this.over) {
      while (decoder.fed && !this.over) {
        if (!io.room()) return false
        const found = decoder.next()
        if (found === Opcode.Text || found === Opcode.Binary) io.emit(decoder.message, decoder.size)
        else if (found === failed) this.fail(decoder.failure!, io)
        else if (found !== needMore) this.control(found, decoder.message as Uint8Array, io)
      }
      if (this.next === this.waiting.length) break
      decoder.feed(this.waiting[this.next++])
    }
    this.waiting = nothing
    this.next = 0
    decoder.feed(noBytes)
    return true
  }

  memory(): Uint8Array | undefined {
    return this.over ? undefined : this.decoder.memory
  }

  private control(opcode: Opcode, payload: Uint8Array, io: WebSocketIo): void {
    if (opcode === Opcode.Close) this.closedByPeer(payload, io)
    else if (opcode === Opcode.Pong) this.onPong?.(payload)
    else if (this.sent === undefined) this.pinged = payload
  }

  /** @see https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1 */
  private closedByPeer(body: Uint8Array, io: WebSocketIo): void {
    const status = CloseBody.decode(body)
    if (status instanceof Violation) return this.fail(status, io)
    const first = this.sent === undefined ? "remote" : "local"
    const sent = this.sent ?? this.sendClose(body, io)
    this.received = status
    this.over = true
    io.closed({ first, sent, received: status })
  }

  /** @see https://www.rfc-editor.org/rfc/rfc6455#section-7.1.7 */
  private fail(reason: Violation | TooLarge, io: WebSocketIo): void {
    this.over = true
    const sent = this.sent ?? this.sendClose(CloseBody.encode(fromViolation(reason), reason.message), io)
    io.fail(reason, { first: "local", sent })
  }

  ended(_endOfInput: EndOfInput, io: WebSocketIo): void {
    if (this.over) return
    this.over = true
    const reason = new Truncated({ inside: this.decoder.inside ?? "the connection, before a Close frame" })
    io.fail(reason, this.sent === undefined ? undefined : { first: "local", sent: this.sent })
  }

  // Sending.

  encode(message: Message, io: WebSocketIo): void {
    if (this.sent !== undefined || this.over) throw this.received === undefined ? new Closing() : new Closed()
    if (typeof message !== "string") this.write(Opcode.Binary, message, message.length, io)
    else if (message.length <= Utf8.scratchLimit) {
      this.write(Opcode.Text, Utf8.scratch, Utf8.encodeScratch(message), io)
    } else {
      const bytes = Utf8.encode(message)
      this.write(Opcode.Text, bytes, bytes.length, io)
    }
  }

  /** Writes a frame whose payload is the first `length` bytes of `payload`. */
  private write(opcode: Opcode, payload: Uint8Array, length: number, io: WebSocketIo): void {
    const key = this.masks ? Mask.freshKey() : undefined
    const apart = length >= large && key === undefined && payload !== Utf8.scratch
    const head = Frame.headSize(length) + (key === undefined ? 0 : 4)
    const offset = io.reserve(apart ? head : head + length)
    const { buffer } = io
    const start = Frame.writeHead(buffer, offset, opcode, length, key)
    if (apart) return io.write(payload)
    copy(payload, length, buffer, start)
    if (key !== undefined) Mask.apply(buffer, start, start + length, key)
  }

  /** Says goodbye with this code and reason instead of the one `close` would choose; to be followed by `close`. */
  closeWith(code: CloseCode, reason = ""): void {
    this.farewell = { code, reason }
  }

  close(why: Why, io: WebSocketIo, failure?: ConnectionReason): void {
    if (this.sent !== undefined || this.over) return
    const { code, reason } = this.farewell ?? farewellFor(why, failure)
    this.sendClose(CloseBody.encode(code, reason), io)
  }

  /** Sends a Close frame with a valid body, and returns the status in it. */
  private sendClose(body: Uint8Array, io: WebSocketIo): Status {
    this.pinged = undefined
    this.pings.length = 0
    io.write(Frame.control(Opcode.Close, body, this.masks))
    return this.sent = CloseBody.decode(body) as Status
  }

  /**
   * Asks the peer for a pong with the same payload. Returns false, and does nothing, if too many pings wait already or
   * the connection is closing.
   *
   * @see https://www.rfc-editor.org/rfc/rfc6455#section-5.5.2
   */
  ping(payload: Uint8Array = noBytes): boolean {
    if (payload.length > Frame.maxControlSize) {
      throw new Unencodable({ detail: `a ping of ${payload.length} bytes is longer than ${Frame.maxControlSize}` })
    }
    if (this.sent !== undefined || this.over || this.pings.length === maxPings) return false
    this.pings.push(Frame.control(Opcode.Ping, payload, this.masks))
    return true
  }

  urgent(): Uint8Array | undefined {
    if (this.pinged !== undefined) {
      const pong = Frame.control(Opcode.Pong, this.pinged, this.masks)
      this.pinged = undefined
      return pong
    }
    return this.pings.length === 0 ? undefined : this.pings.shift()
  }
}
