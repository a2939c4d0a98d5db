/**
 * What the machines of a WebSocket have in common: frames in both directions, control frames, and the closing handshake.
 *
 * - Pings are answered ahead of all data. Of those that can't be answered yet `maxPongs` wait, and of more only the latest; our own
 *   pings and pongs go next, of which `maxControls` wait.
 * - What came before a Close, or before what breaks the protocol, is delivered first, so that it may be answered.
 * - A Close goes behind the data that was accepted, unless the peer has broken the protocol. After it nothing more is sent; after
 *   the peer's, what arrives is ignored.
 */
import { Closed, Closing, type ConnectionReason, Unencodable } from "@wirestack/protocol/ConnectionError"
import type { Goodbye, Io, Machine } from "@wirestack/protocol/Machine"
import type { EndOfInput, Status, Unsent, Why } from "@wirestack/protocol/Outcome"
import { TooLarge, Truncated, Violation } from "@wirestack/protocol/Reason"
import type { ExtensionChain } from "../extensions/ExtensionChain.ts"
import * as CloseBody from "../frames/CloseBody.ts"
import { type CloseCode, fromViolation, fromWhy } from "../frames/CloseCode.ts"
import * as Frame from "../frames/Frame.ts"
import { failed, type Found, FrameDecoder, type Limits, needMore, type Unit } from "../frames/FrameDecoder.ts"
import { Opcode } from "../frames/Opcode.ts"
import { FrameEncoder } from "./FrameEncoder.ts"
import type { Meter } from "./Meter.ts"
import { isPeersFault } from "./peersFault.ts"

export interface Options extends Partial<Limits> {
  /** The client masks what it sends, and lets the server end the connection below. */
  readonly role: "client" | "server"
  /** The largest payload of a frame to send, before an extension transforms it; larger messages become several. 1 MiB by default. */
  readonly maxFrameSize?: number | undefined
  /** The extensions in use. */
  readonly extensions?: ExtensionChain | undefined
  /** Whether pings are answered; otherwise they are only told. True by default. */
  readonly answersPings?: boolean | undefined
  /** Whether large binary messages are only lent; see `WebSocket.CommonOptions`. */
  readonly payloads?: "owned" | "lent" | undefined
  /** How much may be received in a time; without it, as much as the peer can send. */
  readonly meter?: Meter | undefined
  /** Makes what bounds how many pings and pongs may be received in a time; without it, any number. */
  readonly controlMeter?: (() => Meter) | undefined
}

/** The limits of a connection that is not given others: 1 MiB, in at most 131,072 fragments. */
export const defaultLimits: Limits = { maxMessageSize: 1_048_576, maxFragments: 131_072 }

/** The largest payload of a frame to send, by default: what fits into the default limit of a message is one frame. */
const defaultFrameSize = 1_048_576

/** How many pings may wait for their answer to be sent. */
const maxPongs = 64

/** How many of our own pings and pongs may wait to be sent. */
export const maxControls = 16

const nothing: ReadonlyArray<never> = []
const noBytes = new Uint8Array(0)

interface Farewell {
  readonly code: CloseCode
  readonly reason: string
}

const farewellFor = (why: Why, failure: ConnectionReason | undefined): Farewell =>
  isPeersFault(failure)
    ? { code: fromViolation(failure), reason: failure.message }
    : { code: fromWhy(why), reason: "" }

export type Below<Up> = Io<Up, Uint8Array>

export abstract class Framed<In, Out> implements Machine<Uint8Array, Uint8Array, In, Out> {
  readonly awaitsLowerEnd: boolean
  /** Is told the payload of every pong, asked for or not. */
  onPong: ((payload: Uint8Array) => void) | undefined = undefined
  /** Is told the payload of every ping. */
  onPing: ((payload: Uint8Array) => void) | undefined = undefined
  /** Is told when the connection is over. */
  onRelease: (() => void) | undefined = undefined
  /** Something has arrived since this was last set to false. */
  heard = false
  /** A message has arrived. */
  spoken = false

  protected readonly masks: boolean
  protected readonly decoder: FrameDecoder
  protected readonly encoder: FrameEncoder
  protected readonly extensions: ExtensionChain | undefined
  protected readonly meter: Meter | undefined
  private readonly answersPings: boolean
  private readonly makeControlMeter: Options["controlMeter"]
  /** Made when the first ping or pong comes, as on most connections none does. */
  private controlMeter: Meter | undefined = undefined
  private io: Below<In> | undefined = undefined
  /** Input there was no room for: what the decoder still has, and these chunks from `next` on. */
  private waiting: ReadonlyArray<Uint8Array> = nothing
  private next = 0
  /** Something was given to the layer above since `receive` was called. */
  private gave = false
  /** The end that was found, a Close or what is wrong, and waits until what came before it is delivered. */
  private last: typeof Opcode.Close | ConnectionReason | undefined = undefined

  /** The payloads of pings that are not answered yet. */
  private pinged: Array<Uint8Array> | undefined = undefined
  private controls: Array<Uint8Array> | undefined = undefined
  /** Our Close, behind data that waits. */
  private parting: Uint8Array | undefined = undefined
  private dropped: Unsent | undefined = undefined

  private farewell: Farewell | undefined = undefined
  /** Who said Close first. */
  protected first: Goodbye["first"] | undefined = undefined
  protected sent: Status | undefined = undefined
  protected received: Status | undefined = undefined
  /** The input is over: by a Close frame, a violation, or the end of the layer below. */
  protected over = false

  constructor(options: Options, unit: Unit) {
    const { extensions, role } = options
    this.masks = role === "client"
    this.awaitsLowerEnd = this.masks
    this.answersPings = options.answersPings ?? true
    this.meter = options.meter
    this.makeControlMeter = options.controlMeter
    this.extensions = extensions
    this.decoder = new FrameDecoder({
      masked: !this.masks,
      maxMessageSize: options.maxMessageSize ?? defaultLimits.maxMessageSize,
      maxFragments: options.maxFragments ?? defaultLimits.maxFragments,
      unit,
      rsv: extensions?.rsv ?? 0,
      lends: unit === "message" && options.payloads === "lent"
    })
    const { maxFrameSize = defaultFrameSize } = options
    if (!(maxFrameSize >= 1)) {
      throw new RangeError(`the payload of a frame may have at least 1 byte, not ${maxFrameSize}`)
    }
    this.encoder = new FrameEncoder(this.masks, maxFrameSize, extensions)
  }

  // Receiving.

  borrow(input: Uint8Array, length: number, io: Below<In>): boolean {
    this.heard = true
    this.decoder.borrow(input, length)
    return this.goOn(io)
  }

  own(): void {
    this.decoder.own()
  }

  receive(input: ReadonlyArray<Uint8Array>, io: Below<In>): boolean {
    if (input.length > 0) {
      this.heard = true
      this.waiting = input
      this.next = 0
    }
    return this.goOn(io)
  }

  private goOn(io: Below<In>): boolean {
    this.io = io
    const { decoder } = this
    this.gave = false
    if (this.last !== undefined) {
      if (!io.room()) return false
      this.finish(this.last, io)
    }
    if (!this.over && !this.resume(io)) return false
    while (!this.over) {
      while (decoder.fed && !this.over) {
        if (!io.room()) return false
        const found = decoder.next()
        if (found === needMore) continue
        if (found === failed) this.fail(decoder.failure!, io)
        else if (found === Opcode.Close) this.finish(Opcode.Close, io)
        else if (!this.take(found, io)) return false
        if (this.last !== undefined) return false
      }
      if (this.next === this.waiting.length) break
      decoder.feed(this.waiting[this.next++])
    }
    this.waiting = nothing
    this.next = 0
    decoder.letGo()
    return true
  }

  /** Ends the input, at once or when what was given before is delivered. */
  private finish(last: typeof Opcode.Close | ConnectionReason, io: Below<In>): void {
    this.last = this.gave ? last : undefined
    if (this.gave) return
    if (last === Opcode.Close) this.closedByPeer(this.decoder.message as Uint8Array, io)
    else this.failNow(last, io)
  }

  /** Whether an end was found: nothing more is to be taken or given. */
  protected get ending(): boolean {
    return this.over || this.last !== undefined
  }

  /** Gives a message, or a part of one, to the layer above. */
  protected emit(message: In, size: number, io: Below<In>): void {
    this.spoken = true
    this.pass(message, size, io)
  }

  /** Gives what is not a message to the layer above. */
  protected pass(found: In, size: number, io: Below<In>): void {
    this.gave = true
    io.emit(found, size)
  }

  memory(): Uint8Array | undefined {
    return this.over ? undefined : this.decoder.memory
  }

  /** Takes what the decoder found; false if there was no room for all of it. */
  protected abstract take(found: Found, io: Below<In>): boolean

  /** Goes on with what there was no room for. */
  protected resume(_io: Below<In>): boolean {
    return true
  }

  /** Whether nothing can be heard because nobody takes what has arrived. */
  get deaf(): boolean {
    return this.io !== undefined && !this.io.room()
  }

  protected control(opcode: Found, payload: Uint8Array, io: Below<In>): void {
    const reason = (this.controlMeter ??= this.makeControlMeter?.())?.take(1, 0)
    if (reason !== undefined) return this.fail(reason, io)
    if (opcode === Opcode.Pong) this.onPong?.(payload)
    else {
      if (this.answersPings && this.speaks) {
        const pinged = this.pinged ??= []
        pinged[Math.min(pinged.length, maxPongs - 1)] = payload
      }
      this.onPing?.(payload)
    }
  }

  /** @see https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1 */
  private closedByPeer(body: Uint8Array, io: Below<In>): void {
    const status = CloseBody.decode(body)
    if (status instanceof Violation) return this.fail(status, io)
    this.first ??= "remote"
    this.answerClose(body, io)
    this.received = status
    this.over = true
    if (this.sent !== undefined) io.closed(this.goodbye()!)
  }

  /** Does with the peer's Close what is to be done; without one of ours the closing handshake is not complete. */
  protected answerClose(body: Uint8Array, io: Below<In>): void {
    if (this.sent === undefined) this.sendClose(body, io)
  }

  /** Fails, once what was given before is delivered. */
  protected fail(reason: ConnectionReason, io: Below<In>): void {
    this.finish(reason, io)
  }

  /** @see https://www.rfc-editor.org/rfc/rfc6455#section-7.1.7 */
  private failNow(reason: ConnectionReason, io: Below<In>): void {
    this.over = true
    this.dropped = this.encoder.drop()
    const { parting } = this
    this.parting = undefined
    if (parting !== undefined) this.leave(parting, io)
    if (this.sent === undefined) this.sendClose(CloseBody.encode(fromViolation(reason), reason.message), io)
    io.fail(reason, this.goodbye())
  }

  ended(_endOfInput: EndOfInput, io: Below<In>): void {
    if (this.over) return
    this.over = true
    const reason = new Truncated({ inside: this.decoder.inside ?? "the connection, before a Close frame" })
    io.fail(reason, this.goodbye())
  }

  // Sending.

  abstract encode(message: Out, io: Below<In>): void

  /** Whether nothing more may be sent: our Close was, or the connection is broken. */
  protected get silent(): boolean {
    return this.sent !== undefined || (this.over && this.received === undefined)
  }

  /** Throws if nothing more may be sent. */
  protected open(): void {
    if (this.silent) throw this.received === undefined ? new Closing() : new Closed()
  }

  /** Whether control frames may still be sent: until our Close is. */
  get speaks(): boolean {
    return !this.over && (this.sent === undefined || this.parting !== undefined)
  }

  get busy(): boolean {
    return this.encoder.busy || this.parting !== undefined
  }

  unsent(): Unsent {
    return this.dropped ?? this.encoder.unsent
  }

  goodbye(): Goodbye | undefined {
    const { first, parting, received, sent } = this
    return first === undefined ? undefined : {
      first,
      ...sent === undefined || parting !== undefined ? undefined : { sent },
      ...received === undefined ? undefined : { received }
    }
  }

  proceed(io: Below<In>): boolean {
    if (this.pinged !== undefined) {
      io.write(Frame.control(Opcode.Pong, this.pinged.shift()!, this.masks))
      if (this.pinged.length === 0) this.pinged = undefined
    } else if (this.controls !== undefined) {
      io.write(this.controls.shift()!)
      if (this.controls.length === 0) this.controls = undefined
    } else if (this.encoder.busy) this.encoder.proceed(io)
    else if (this.parting !== undefined) {
      io.write(this.parting)
      this.parting = undefined
    } else return false
    return true
  }

  /**
   * Asks the peer for a pong with the same payload. Returns false, and does nothing, if too many control frames wait already or
   * the connection is closing.
   *
   * @see https://www.rfc-editor.org/rfc/rfc6455#section-5.5.2
   */
  ping(payload: Uint8Array = noBytes): boolean {
    return this.say(Opcode.Ping, payload)
  }

  /** Answers a ping, or tells of being alive without having been asked; returns as `ping` does. */
  pong(payload: Uint8Array = noBytes): boolean {
    return this.say(Opcode.Pong, payload)
  }

  get encoded(): number {
    return this.encoder.given
  }

  /** How many bytes of payload were handed down since this was last set to 0. */
  get handed(): number {
    return this.encoder.handed
  }

  set handed(bytes: number) {
    this.encoder.handed = bytes
  }

  /** Whether pings or pongs of ours have not been handed down yet. */
  get mute(): boolean {
    return this.controls !== undefined
  }

  /** Why no ping or pong of ours is taken, if that is so. */
  get refusal(): Closed | TooLarge | undefined {
    if (!this.speaks) return new Closed()
    const size = (this.controls?.length ?? 0) + 1
    return size > maxControls
      ? new TooLarge({ what: "the number of pings and pongs that wait to be sent", size, limit: maxControls })
      : undefined
  }

  private say(opcode: Opcode, payload: Uint8Array): boolean {
    if (payload.length > Frame.maxControlSize) {
      const what = opcode === Opcode.Ping ? "ping" : "pong"
      throw new Unencodable({ detail: `a ${what} of ${payload.length} bytes is longer than ${Frame.maxControlSize}` })
    }
    if (this.refusal !== undefined) return false
    this.controls = [...this.controls ?? nothing, Frame.control(opcode, payload, this.masks)]
    return true
  }

  /** Says goodbye with this code and reason instead of the one `close` would choose; to be followed by `close`. */
  closeWith(code: CloseCode, reason = ""): void {
    this.farewell = { code, reason }
  }

  close(why: Why, io: Below<In>, failure?: ConnectionReason): void {
    if (this.silent) return
    const { code, reason } = this.farewell ?? farewellFor(why, failure)
    this.sendClose(CloseBody.encode(code, reason), io)
  }

  /** Sends a Close frame with a valid body, and returns the status in it. */
  protected sendClose(body: Uint8Array, io: Below<In>): Status {
    this.first ??= "local"
    const frame = Frame.control(Opcode.Close, body, this.masks)
    if (this.encoder.busy) this.parting = frame
    else this.leave(frame, io)
    return this.sent = CloseBody.decode(body) as Status
  }

  /** Writes our Close; control frames that still wait are not sent after it. */
  private leave(close: Uint8Array, io: Below<In>): void {
    this.pinged = undefined
    this.controls = undefined
    io.write(close)
  }

  release(): void {
    this.dropped ??= this.encoder.drop()
    this.onRelease?.()
    this.extensions?.release()
  }

  /** Counts what is received; false if it was more than is allowed. */
  protected metered(messages: number, bytes: number, io: Below<In>): boolean {
    const reason = this.meter?.take(messages, bytes)
    if (reason !== undefined) this.fail(reason, io)
    return reason === undefined
  }

  protected tooLarge(size: number, io: Below<In>): void {
    this.fail(new TooLarge({ what: "a message", size, limit: this.decoder.maxMessageSize }), io)
  }
}
