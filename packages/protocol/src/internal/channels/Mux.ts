/**
 * Many channels on one connection, as a machine: frames come in and go to their channels; what the channels have to send leaves frame by
 * frame, each channel in its turn. Nothing is emitted: to the layer above it is a connection that only ends.
 */
import { Closed, Closing, type ConnectionError, lost } from "../../ConnectionError.ts"
import type { Goodbye, Io, Machine } from "../../Machine.ts"
import type { EndOfInput, Status, Why } from "../../Outcome.ts"
import { TooLarge, Truncated, Violation } from "../../Reason.ts"
import type { Message } from "../../Transport.ts"
import { type Carrier, ChannelWire } from "./ChannelWire.ts"
import * as Frame from "./Frame.ts"

export const layer = "channels"

/** Bounds, all of them set. */
export interface Limits {
  readonly window: number
  readonly maxFrame: number
  readonly maxMessage: number
  readonly maxChannels: number
}

/** A channel that the peer wants to open. */
export interface Opening {
  readonly channel: ChannelWire
  readonly offers: ReadonlyArray<string>
  readonly label: string
}

/** What becomes of it: the index of the name that is spoken, or a code for why not. */
export type Decision =
  | { readonly accepted: true; readonly chosen: number | undefined; readonly begin: () => void }
  | { readonly accepted: false; readonly code: number }

/** How an opening of ours ends: with the name that is spoken, the code of a refusal, or the end of the connection. */
export type Opened =
  | { readonly _tag: "Accepted"; readonly chosen: number | undefined }
  | { readonly _tag: "Refused"; readonly code: number }
  | { readonly _tag: "Lost"; readonly error: ConnectionError }

/** How many resets and answers may wait to be sent, beyond one a channel: a peer may well open many more channels at once than we take. */
const spare = 4_096

const statusOf = (code: number): Status => ({ code, reason: Frame.whys[code] ?? "" })

export class Mux implements Machine<Message, Message, never, never>, Carrier {
  readonly window: number
  readonly maxFrame: number
  readonly maxMessage: number
  /** Hands down what there is to send. */
  flush: () => void = () => {}

  private readonly maxChannels: number
  private readonly channels = new Map<number, ChannelWire>()
  private readonly openings = new Map<number, { readonly offered: number; readonly tell: (opened: Opened) => void }>()
  private decide: ((opening: Opening) => Decision) | undefined = undefined
  /** What the peer has opened before anybody decides about it. */
  private readonly undecided = new Map<number, () => void>()
  private nextOwn: number
  private lastOther: number
  private readonly control: Array<Uint8Array> = []
  private readonly owing = new Set<ChannelWire>()
  /** The channels that have something to send, each once, in their turn. */
  private readonly ring = new Set<ChannelWire>()
  /** What our goodbye has said. */
  private left: Status | undefined = undefined
  private farewell: Goodbye | undefined = undefined
  /** Why there are no channels any more. */
  error: ConnectionError | undefined = undefined

  /** The client's channels have odd numbers, the server's even ones. */
  constructor(role: "client" | "server", { maxChannels, maxFrame, maxMessage, window }: Limits) {
    this.nextOwn = role === "client" ? 1 : 2
    this.lastOther = role === "client" ? 0 : -1
    this.window = window
    this.maxFrame = maxFrame
    this.maxMessage = maxMessage
    this.maxChannels = maxChannels
  }

  get size(): number {
    return this.channels.size
  }

  /** Whether channels may still be opened, now or when others have ended. */
  get opens(): boolean {
    return this.error === undefined && this.nextOwn <= Frame.maxChannel
  }

  // For those who hold it.

  /** Whether somebody decides about the channels that the peer opens. */
  get decides(): boolean {
    return this.decide !== undefined
  }

  /** Says which of the channels that the peer opens are taken, from now on and of those that wait for it. */
  decideBy(decide: (opening: Opening) => Decision): void {
    this.decide = decide
    const waiting = [...this.undecided.values()]
    this.undecided.clear()
    for (const settle of waiting) settle()
  }

  /**
   * Asks the peer for a channel; it tells `opened`, once, never within this call. Throws a `ConnectionReason` if there are too many channels,
   * or it can't be asked so.
   */
  open(offers: ReadonlyArray<string>, label: string, opened: (opened: Opened) => void): ChannelWire {
    if (this.channels.size >= this.maxChannels) throw this.tooMany(this.channels.size + 1)
    const id = this.nextOwn
    if (id > Frame.maxChannel) {
      throw new TooLarge({ what: "the number of a channel", size: id, limit: Frame.maxChannel })
    }
    const frame = Frame.open(id, this.window, offers, label)
    this.nextOwn += 2
    const channel = new ChannelWire(id, this)
    this.channels.set(id, channel)
    this.openings.set(id, { offered: offers.length, tell: opened })
    this.say(frame)
    return channel
  }

  /** The connection is over, for the channels too. */
  lose(error: ConnectionError): void {
    this.error ??= error
    const channels = [...this.channels.values()]
    const openings = [...this.openings.values()]
    this.channels.clear()
    this.openings.clear()
    this.undecided.clear()
    this.ring.clear()
    this.owing.clear()
    for (const channel of channels) channel.broken(error)
    for (const { tell } of openings) tell({ _tag: "Lost", error })
  }

  private tooMany(size: number): TooLarge {
    return new TooLarge({ what: "the number of channels", size, limit: this.maxChannels })
  }

  // For channels.

  readonly ready = (channel: ChannelWire): void => {
    this.ring.add(channel)
    this.flush()
  }

  readonly owes = (channel: ChannelWire): void => {
    this.owing.add(channel)
    this.flush()
  }

  readonly over = (channel: ChannelWire, code?: number): void => {
    this.channels.delete(channel.id)
    this.ring.delete(channel)
    this.owing.delete(channel)
    this.openings.delete(channel.id)
    if (code !== undefined) this.say(Frame.reset(channel.id, code))
  }

  private say(frame: Uint8Array): void {
    this.control.push(frame)
    this.flush()
  }

  // From below.

  receive(input: ReadonlyArray<Message>, io: Io<never, Message>): boolean {
    for (let i = 0; i < input.length && this.farewell === undefined; i++) {
      try {
        this.take(input[i], io)
      } catch (thrown) {
        if (!(thrown instanceof Violation)) throw thrown
        io.fail(thrown)
        return true
      }
    }
    if (this.control.length > this.maxChannels + spare) {
      io.fail(this.tooMany(this.control.length))
    }
    return true
  }

  private take(message: Message, io: Io<never, Message>): void {
    if (typeof message === "string") throw new Violation({ rule: "a frame that is text" })
    const frame = Frame.read(message)
    switch (frame.type) {
      case Frame.Type.Open:
        return this.opening(frame)
      case Frame.Type.Goodbye:
        return this.goodbyeReceived(frame.code, io)
      case Frame.Type.Accept:
        return this.answered(frame.channel, frame.window, frame.chosen)
      default:
        this.known(frame.channel)
    }
    if (frame.type === Frame.Type.Reset) this.undecided.delete(frame.channel)
    const channel = this.channels.get(frame.channel)
    // What was on its way when a channel was reset.
    if (channel === undefined) return
    if (frame.type === Frame.Type.Reset) return this.wasReset(channel, frame.code)
    if (this.openings.has(frame.channel)) throw new Violation({ rule: "a frame for a channel that was not accepted" })
    if (frame.type === Frame.Type.Data) channel.data(frame.flags, frame.payload)
    else if (frame.type === Frame.Type.Credit) channel.creditGiven(frame.credit)
    else channel.ended()
  }

  /** A channel that there is, or was. */
  private known(id: number): void {
    const isOwn = (id & 1) === (this.nextOwn & 1)
    if (isOwn ? id >= this.nextOwn : id > this.lastOther) {
      throw new Violation({ rule: `channel ${id} was never opened` })
    }
  }

  private opening(frame: Extract<Frame.Frame, { type: 0 }>): void {
    const id = frame.channel
    if ((id & 1) === (this.nextOwn & 1) || id <= this.lastOther) {
      throw new Violation({ rule: `channel ${id} can't be opened` })
    }
    this.lastOther = id
    if (this.channels.size + this.undecided.size >= this.maxChannels) {
      return this.say(Frame.reset(id, Frame.Code.TooMany))
    }
    if (this.decide === undefined) this.undecided.set(id, () => this.settle(frame, this.decide!))
    else this.settle(frame, this.decide)
  }

  private settle(
    { channel: id, label, offers, window }: Extract<Frame.Frame, { type: 0 }>,
    decide: (opening: Opening) => Decision
  ): void {
    const channel = new ChannelWire(id, this)
    const decision = decide({ channel, offers, label })
    if (!decision.accepted) return this.say(Frame.reset(id, decision.code))
    this.channels.set(id, channel)
    channel.creditGiven(window)
    this.say(Frame.accept(id, this.window, decision.chosen))
    decision.begin()
  }

  private answered(id: number, window: number, chosen: number | undefined): void {
    this.known(id)
    const channel = this.channels.get(id)
    const opening = this.openings.get(id)
    // We have given it up meanwhile.
    if (channel === undefined) return
    if (opening === undefined) throw new Violation({ rule: `channel ${id} was accepted before` })
    if (chosen !== undefined && chosen >= opening.offered) {
      throw new Violation({ rule: `channel ${id} was accepted for a name that was not offered` })
    }
    this.openings.delete(id)
    channel.creditGiven(window)
    opening.tell({ _tag: "Accepted", chosen })
  }

  private wasReset(channel: ChannelWire, code: number): void {
    const opening = this.openings.get(channel.id)
    this.over(channel)
    channel.reset()
    opening?.tell({ _tag: "Refused", code })
  }

  // The end.

  private goodbyeReceived(code: number, io: Io<never, Message>): void {
    this.lose(lost(layer, new Closed()))
    const first = this.left === undefined ? "remote" : "local"
    const sent = this.leave("done")
    this.farewell = { first, sent, received: statusOf(code) }
    io.closed(this.farewell)
  }

  /** Says goodbye, if that was not said yet. */
  private leave(why: Why): Status {
    if (this.left === undefined) {
      this.left = statusOf(Frame.whys.indexOf(why))
      this.say(Frame.goodbye(why))
    }
    return this.left
  }

  encode(): void {}

  ended(_endOfInput: EndOfInput, io: Io<never, Message>): void {
    if (this.channels.size > 0 || this.left !== undefined) {
      io.fail(new Truncated({ inside: "a connection with channels" }))
    } else {
      // Only channels half-close: nothing is left to be said on the connection.
      this.farewell = { first: "remote" }
      io.closed(this.farewell)
    }
  }

  /** Channels that are still open are cut; who wants them to end in order closes them first. */
  close(why: Why): void {
    this.lose(lost(layer, new Closing()))
    this.leave(why)
  }

  goodbye(): Goodbye | undefined {
    return this.farewell ?? (this.left && { first: "local", sent: this.left })
  }

  // What is to be sent.

  get busy(): boolean {
    return this.control.length > 0 || this.owing.size > 0 || this.ring.size > 0
  }

  proceed(io: Io<never, Message>): boolean {
    const frame = this.control.shift() ?? this.credit() ?? this.data()
    if (frame === undefined) return false
    io.write(frame)
    return true
  }

  private credit(): Uint8Array | undefined {
    for (const channel of this.owing) {
      this.owing.delete(channel)
      return Frame.credit(channel.id, channel.takeOwed())
    }
    return undefined
  }

  private data(): Uint8Array | undefined {
    for (const channel of this.ring) {
      this.ring.delete(channel)
      const frame = channel.next()
      if (channel.canSend) this.ring.add(channel)
      return frame
    }
    return undefined
  }
}
