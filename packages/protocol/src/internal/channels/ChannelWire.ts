/**
 * One channel, as the wire at the bottom of a stack of its own.
 *
 * What is written waits here until the peer has given credit and it is the channel's turn. What arrives waits until the layer above takes
 * it, and is credited to the peer only then; of a large message, parts are credited as they are gathered, but only while nothing else waits.
 */
import { Gather } from "../../bytes/Gather.ts"
import * as Loan from "../../bytes/Loan.ts"
import { Closed, type ConnectionError, type ConnectionReason, lost, Reset } from "../../ConnectionError.ts"
import type { Draft, Why } from "../../Outcome.ts"
import { TooLarge, Violation } from "../../Reason.ts"
import type { LayerTransfer } from "../../reports/DataTransferReport.ts"
import type { Message } from "../../Transport.ts"
import { readAhead, readAheadMessages, type Receiver, type Wire, writeAhead } from "../../wire/Wire.ts"
import { sizeOf } from "../sizeOf.ts"
import * as utf8 from "../utf8.ts"
import * as Frame from "./Frame.ts"

declare const queueMicrotask: (f: () => void) => void

const layer = "channel"

/** The largest credit there may be. */
export const maxCredit = 0x7fff_ffff

/** What a channel needs of the connection it is on. */
export interface Carrier {
  readonly window: number
  readonly maxFrame: number
  readonly maxMessage: number
  /** The channel may have something to send. */
  readonly ready: (channel: ChannelWire) => void
  /** The channel owes the peer credit. */
  readonly owes: (channel: ChannelWire) => void
  /** The channel is over in both directions; a code is told to the peer. */
  readonly over: (channel: ChannelWire, code?: number) => void
}

/** A message that waits to be sent. */
interface Outgoing {
  readonly bytes: Uint8Array
  readonly text: boolean
}

export class ChannelWire implements Wire<Message, Message> {
  readonly layer = layer
  readonly lower = undefined
  readonly halfClose = true
  readonly id: number
  private readonly carrier: Carrier
  private receiver: Receiver<Message> | undefined = undefined
  private paused = true
  private scheduled = false
  private settled: (() => void) | undefined = undefined
  private cut: ConnectionError | undefined = undefined
  private told = false

  private outgoing: Array<Outgoing> = []
  private outgoingSize = 0
  /** How much of the first of them was sent. */
  private sentOfFirst = 0
  /** What the peer lets us send; none before it has accepted the channel. */
  private credit = 0
  private starved = false
  private ending = false
  private endSent = false
  private lost = { messages: 0, bytes: 0 }

  private readonly gather = new Gather()
  private gathering = false
  private arrived: Array<Message> = []
  /** How many of them were given up. */
  private undelivered = 0
  /** What the peer may still send. */
  private granted: number
  /** What waits here has cost that much, and what has been taken and not been credited yet. */
  private held = 0
  private owed = 0
  private endReceived = false
  private inputEnded = false

  private received = { messages: 0, bytes: 0 }
  private written = { messages: 0, bytes: 0 }

  constructor(id: number, carrier: Carrier) {
    this.id = id
    this.carrier = carrier
    this.granted = carrier.window
  }

  // From the peer.

  /** Takes a part of a message. Throws what the peer has done wrong. */
  data(flags: number, payload: Uint8Array): void {
    const cost = payload.length + Frame.frameCost
    if (this.endReceived) throw new Violation({ rule: "DATA after END" })
    if (cost > this.granted) throw new Violation({ rule: `DATA of ${cost} where the credit is ${this.granted}` })
    this.granted -= cost
    this.held += cost
    const size = this.gather.size + payload.length
    const limit = this.carrier.maxMessage
    if (size > limit) return this.fail(new TooLarge({ what: "a message", size, limit }), Frame.Code.TooLarge)
    const more = (flags & Frame.Flag.More) !== 0
    if (more || this.gathering) this.gather.add(payload, 0, payload.length, limit)
    if (!more) {
      const bytes = this.gathering ? this.gather.take() : payload
      this.deliverLater((flags & Frame.Flag.Text) === 0 ? Loan.own(bytes) : textOf(bytes))
    } else if (this.arrived.length === 0) this.release()
    this.gathering = more
  }

  creditGiven(credit: number): void {
    this.credit += credit
    if (this.credit > maxCredit) throw new Violation({ rule: "CREDIT beyond 2^31-1" })
    if (this.canSend) this.carrier.ready(this)
  }

  ended(): void {
    if (this.endReceived) throw new Violation({ rule: "a second END" })
    if (this.gathering) throw new Violation({ rule: "END inside a message" })
    this.endReceived = true
    this.schedule()
    this.parted()
  }

  /** The channel is cut, by the peer or with the connection it is on. */
  broken(error: ConnectionError): void {
    this.cut = error
    this.drop()
    this.schedule()
    this.settle()
  }

  reset(): void {
    this.broken(lost(layer, new Reset({ cause: "the peer has reset the channel" })))
  }

  private fail(reason: ConnectionReason, code: number): void {
    this.broken(lost(layer, reason))
    this.carrier.over(this, code)
  }

  private deliverLater(message: Message): void {
    this.arrived.push(message)
    this.schedule()
  }

  // To the peer.

  /** Whether there is a frame to send now. */
  get canSend(): boolean {
    if (this.cut !== undefined) return false
    if (this.outgoing.length === 0) return this.ending && !this.endSent
    const left = this.outgoing[0].bytes.length - this.sentOfFirst
    return this.credit >= Frame.frameCost + Math.min(1, left)
  }

  /** The next frame; only if it can send. */
  next(): Uint8Array {
    const first = this.outgoing[0]
    if (first === undefined) {
      this.endSent = true
      this.parted()
      return Frame.end(this.id)
    }
    const { bytes, text } = first
    const from = this.sentOfFirst
    const to = Math.min(bytes.length, from + Math.min(this.carrier.maxFrame, this.credit - Frame.frameCost))
    this.credit -= to - from + Frame.frameCost
    this.outgoingSize -= to - from
    this.sentOfFirst = to === bytes.length ? 0 : to
    if (to === bytes.length) this.outgoing.shift()
    if (this.starved && this.writable) this.schedule()
    return Frame.data(
      this.id,
      (text ? Frame.Flag.Text : 0) | (to < bytes.length ? Frame.Flag.More : 0),
      bytes,
      from,
      to
    )
  }

  /** The credit that the peer gets back. */
  takeOwed(): number {
    const { owed } = this
    this.owed = 0
    this.granted += owed
    return owed
  }

  /** What was held is held no more; the peer is told when that is much. */
  private release(): void {
    this.owed += this.held
    this.held = 0
    if (this.owed * 2 >= this.carrier.window && !this.endReceived && this.cut === undefined) this.carrier.owes(this)
  }

  private parted(): void {
    if (this.endSent && this.endReceived) this.carrier.over(this)
    this.settle()
  }

  private drop(): void {
    for (const { bytes } of this.outgoing) {
      this.lost.messages++
      this.lost.bytes += bytes.length
    }
    this.lost.bytes -= this.sentOfFirst
    this.sentOfFirst = 0
    this.outgoing = []
    this.outgoingSize = 0
  }

  // From the layer above.

  /** One that is cut takes nothing more, also while what arrived before is not taken yet and so nobody is told. */
  get writable(): boolean {
    const writable = this.cut === undefined && this.outgoingSize < writeAhead &&
      this.outgoing.length < readAheadMessages
    this.starved ||= !writable
    return writable
  }

  attach(receiver: Receiver<Message>): void {
    this.receiver = receiver
  }

  write(message: Message): void {
    if (this.ending) return
    const text = typeof message === "string"
    // Short texts share their memory with the next one.
    const bytes = text ? utf8.encode(message).slice() : Loan.own(message)
    const limit = this.carrier.maxMessage
    if (bytes.length > limit) throw new TooLarge({ what: "a message", size: bytes.length, limit })
    this.outgoing.push({ bytes, text })
    this.outgoingSize += bytes.length
    this.written.messages++
    this.written.bytes += bytes.length
    if (this.cut !== undefined) this.drop()
  }

  flush(): void {
    if (this.canSend) this.carrier.ready(this)
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.schedule()
  }

  end(): void {
    this.ending = true
    this.flush()
  }

  close(_why: Why, settled: () => void): void {
    this.settled = settled
    this.resume()
    this.end()
    this.settle()
  }

  abort(): void {
    if (this.cut !== undefined) return
    this.cut = lost(layer, new Closed())
    this.told = true
    this.drop()
    this.undelivered = this.arrived.length
    this.arrived = []
    if (!(this.endSent && this.endReceived)) this.carrier.over(this, Frame.Code.Aborted)
    this.settle()
  }

  report(outcome: Draft): void {
    if (this.inputEnded) outcome.endOfInput = "announced"
    else if (this.cut !== undefined) outcome.endOfInput = "unannounced"
    outcome.undelivered += this.undelivered
    outcome.unsent.messages += this.lost.messages
    outcome.unsent.bytes += this.lost.bytes
  }

  tally(layers: Array<LayerTransfer>): void {
    layers.push({ layer, received: { ...this.received }, sent: { ...this.written } })
  }

  private schedule(): void {
    if (this.scheduled || this.receiver === undefined) return
    this.scheduled = true
    queueMicrotask(this.turn)
  }

  private readonly turn = (): void => {
    this.scheduled = false
    const receiver = this.receiver!
    while (!this.paused && this.arrived.length > 0) this.deliver(receiver)
    if (this.starved && this.cut === undefined && this.writable) {
      this.starved = false
      receiver.drained()
    }
    if (this.paused || this.arrived.length > 0 || this.told) return
    if (this.cut !== undefined) {
      this.told = true
      receiver.failed(this.cut)
    } else if (this.endReceived && !this.inputEnded) {
      this.inputEnded = true
      receiver.ended("announced")
    }
    this.settle()
  }

  /** Gives the layer above as much as it reads ahead, at most. */
  private deliver(receiver: Receiver<Message>): void {
    let count = 0
    let size = 0
    while (count < this.arrived.length && count < readAheadMessages && size < readAhead) {
      size += sizeOf(this.arrived[count++])
    }
    const batch = count === this.arrived.length ? this.arrived : this.arrived.slice(0, count)
    this.arrived = this.arrived.slice(count)
    this.received.messages += count
    this.received.bytes += size
    if (this.arrived.length === 0) this.release()
    receiver.receive(batch, size)
    this.flush()
  }

  private settle(): void {
    if (this.settled === undefined || (this.cut === undefined && !(this.endSent && this.inputEnded))) return
    const { settled } = this
    this.settled = undefined
    settled()
  }
}

const textOf = (bytes: Uint8Array): string => {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new Violation({ rule: "text that is not UTF-8" })
  }
}
