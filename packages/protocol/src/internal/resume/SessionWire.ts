/**
 * One end of a session, as the wire at the bottom of a stack of its own: numbers, acknowledges, keeps and sends again, whichever connection
 * carries it. A machine in plain calls; times are those of `Deadlines`.
 */
import * as Loan from "../../bytes/Loan.ts"
import { type ConnectionError, type ConnectionReason, GivenUp, lost, Reset, ResumeGap } from "../../ConnectionError.ts"
import type { Draft, Why } from "../../Outcome.ts"
import { Violation } from "../../Reason.ts"
import type { Ended } from "../../resilience/Verdict.ts"
import type { Message } from "../../Transport.ts"
import type { Receiver } from "../../wire/Wire.ts"
import { Alarm } from "../Alarm.ts"
import { whys } from "../channels/Frame.ts"
import type { Deadlines } from "../Deadlines.ts"
import { CarriedWire } from "../resilience/CarriedWire.ts"
import type { Boarding, Carriage } from "../resilience/Leg.ts"
import type { Passenger } from "../resilience/reconnect.ts"
import { sizeOf } from "../sizeOf.ts"
import { errorOf } from "../Stage.ts"
import * as Frame from "./Frame.ts"
import { type Ledger, rangeOf } from "./Ledger.ts"

export interface Limits {
  /** What is kept until it is acknowledged. */
  readonly maxMessages: number
  readonly maxBytes: number
  /** When it acknowledges, at the latest: messages, bytes, milliseconds. */
  readonly everyMessages: number
  readonly everyBytes: number
  readonly within: number
  /** Whether what was pulled counts as done with. */
  readonly automatic: boolean
}

/** Who is told what becomes of a session. */
export interface Keeper {
  /** Whether the peer may resume elsewhere or later what is closed here for this reason. */
  readonly outlives: (why: Why) => boolean
  /** Nothing carries it any more. */
  readonly detached: () => void
  /** It is over. */
  readonly ended: () => void
}

declare const queueMicrotask: (f: () => void) => void

export const layer = "resume"

/** How soon to look again whether what was received is done with, in milliseconds, when the peer waits for that alone. */
const hurry = 10

export class SessionWire extends CarriedWire<Message, Message, Message, Message> implements Passenger {
  readonly layer = layer
  /** The name of the session, which a client is told. */
  name: string
  readonly ledger: Ledger
  private readonly limits: Limits
  private readonly keeper: Keeper
  private readonly alarm: Alarm
  /** The next message to send on the connection that carries it. */
  private next = 1
  /** Bytes that have arrived since the peer was told. */
  private untold = 0
  /** It is to look again soon whether there is something to acknowledge. */
  private waiting = false
  /** It is time to acknowledge, and what carries it has no room. */
  private late = false
  private starved = false
  /** Our goodbye, once there is one to say, whether it was said on this connection, and whether the peer has said its own. */
  private farewell: Why | undefined = undefined
  private said = false
  private heard = false
  /** We have said it first, and pull nothing more. */
  private initiator = false
  /** What carries it closes, and then the session is over. */
  private leaving = false
  private failure: ConnectionError | undefined = undefined

  constructor(name: string, ledger: Ledger, limits: Limits, deadlines: Deadlines, keeper: Keeper) {
    super()
    this.name = name
    this.ledger = ledger
    this.limits = limits
    this.keeper = keeper
    this.alarm = new Alarm(deadlines, () => {
      this.waiting = false
      this.tell(true)
    })
  }

  // To the peer.

  get writable(): boolean {
    const { bytes, messages } = this.ledger.unacknowledged
    const writable = this.over || (messages < this.limits.maxMessages && bytes < this.limits.maxBytes)
    this.starved ||= !writable
    return writable
  }

  write(message: Message): void {
    if (this.over || this.farewell !== undefined) return
    Loan.check(message)
    this.ledger.keep(Frame.data(message))
    this.passed.sent.messages++
    this.passed.sent.bytes += sizeOf(message)
  }

  protected pump(): void {
    const { leg, ledger } = this
    if (leg === undefined) return
    if (this.late) this.tell(true)
    while (this.next <= ledger.sent && leg.writable) leg.write(ledger.frame(this.next++))
    if (this.farewell === undefined || this.said || this.next <= ledger.sent || !leg.writable) return
    this.said = true
    this.learn()
    ledger.told = ledger.done
    leg.write(Frame.goodbye(whys.indexOf(this.farewell), ledger.done))
    this.finish()
  }

  /** How far it is, as the peer is told on a new connection. */
  greet(): Frame.Progress {
    const { ledger } = this
    this.learn()
    ledger.told = ledger.done
    return { done: ledger.done, received: ledger.received }
  }

  /** The peer was told how far it is, and goes on behind it. Throws what does not fit. */
  resumed({ done, received }: Frame.Progress): void {
    const { ledger } = this
    const missing = ledger.lacking(received)
    if (missing !== undefined) throw this.tear(undefined)
    if (received > ledger.sent) {
      throw new Violation({ rule: `${received} were received, where ${ledger.sent} was sent last` })
    }
    ledger.acknowledge(done)
    this.next = received + 1
    this.said = false
    this.free()
  }

  /** It is over, as messages can't be told apart any more: `missing` are those of the peer that are gone. */
  tear(missing: ResumeGap["missing"]): ResumeGap {
    const { acknowledged, sent } = this.ledger
    const gap = new ResumeGap({ session: this.name, unacknowledged: rangeOf(acknowledged + 1, sent), missing })
    this.fail(gap)
    return gap
  }

  /** Another connection takes over: what the present one has brought so far is all that counts. */
  detach(): void {
    const { leg } = this
    if (leg === undefined) return
    this.lost(leg)
    leg.cut()
  }

  private free(): void {
    if (!this.starved || !this.writable) return
    this.starved = false
    this.receiver.drained()
  }

  /** Whoever comes when it has failed is told so. */
  override attach(receiver: Receiver<Message>): void {
    const { attended, failure } = this
    super.attach(receiver)
    if (!attended && failure !== undefined) queueMicrotask(() => this.receiver.failed(failure))
  }

  // From the peer.

  receive(input: ReadonlyArray<Message>, _size: number, leg: Carriage<never>): void {
    if (leg !== this.leg || this.over) return
    this.learn()
    const messages: Array<Message> = []
    let size = 0
    let reason: ConnectionReason | undefined = undefined
    try {
      for (const one of input) {
        const frame = Frame.read(one)
        if (frame.type === Frame.Type.Binary || frame.type === Frame.Type.Text) {
          if (this.heard) throw new Violation({ rule: "a message after GOODBYE" })
          const { message } = frame
          messages.push(typeof message === "string" ? message : Loan.own(message))
          size += message.length + 1
        } else if (frame.type === Frame.Type.Ack) this.ledger.acknowledge(frame.done)
        else if (frame.type === Frame.Type.Goodbye) {
          this.ledger.acknowledge(frame.done)
          this.heard = true
        } else if (frame.type === Frame.Type.Reset) throw new Reset({ cause: "the peer has ended the session" })
        else throw new Violation({ rule: `a frame of type ${frame.type} in a session` })
      }
    } catch (thrown) {
      reason = errorOf(thrown, layer).reason
    }
    this.deliver(messages, size)
    if (reason !== undefined) return this.fail(reason)
    this.free()
    if (this.heard) this.parting()
    this.pump()
    this.tell(false)
  }

  private deliver(messages: ReadonlyArray<Message>, size: number): void {
    if (messages.length === 0) return
    this.ledger.received += messages.length
    this.untold += size
    this.passed.received.messages += messages.length
    this.passed.received.bytes += size - messages.length
    this.receiver.receive(messages, size)
  }

  private parting(): void {
    if (this.farewell === undefined) this.receiver.goodbye()
    this.finish()
  }

  // Acknowledging.

  /** What was pulled is done with; what is only discarded is not. */
  private learn(): void {
    const { ledger } = this
    if (this.limits.automatic && this.caughtUp) ledger.done = ledger.received
  }

  /** Messages are done with. Throws a `RangeError` if there are not as many. */
  acknowledge(count: number): void {
    const { ledger } = this
    const left = ledger.received - ledger.done
    if (!(Number.isSafeInteger(count) && count >= 0 && count <= left)) {
      throw new RangeError(`${count} messages can't be acknowledged, ${left} can`)
    }
    ledger.done += count
    this.tell(this.heard)
  }

  /** Acknowledges if it is time, or enough was done; what is done with later is looked for in time. */
  private tell(now: boolean): void {
    const { ledger, leg, limits } = this
    if (this.over || leg === undefined) return
    this.learn()
    const due = now || ledger.done - ledger.told >= limits.everyMessages || this.untold >= limits.everyBytes
    const isNews = ledger.done > ledger.told && (due || this.late)
    this.late = isNews && !leg.writable
    if (isNews && !this.late) {
      leg.write(Frame.ack(ledger.done))
      ledger.told = ledger.done
      this.untold = 0
      this.touch()
    }
    const last = limits.automatic && !this.initiator ? ledger.received : ledger.done
    if (last === ledger.told) this.rest()
    else if (!this.waiting) this.wait()
  }

  private wait(): void {
    this.waiting = true
    this.alarm.wake(this.heard ? hurry : this.limits.within)
  }

  private rest(): void {
    this.waiting = false
    this.alarm.rest()
  }

  override resume(): void {
    super.resume()
    this.tell(false)
  }

  // How it ends.

  override lost(leg: Carriage<never>): void {
    if (leg !== this.leg) return
    super.lost(leg)
    this.rest()
    if (!this.over && !this.leaving) this.keeper.detached()
  }

  /** What it has brought is sent again on the next one. */
  override broken(leg: Boarding<never>): void {
    if (leg !== this.leg) return
    this.lost(leg)
    leg.begin()
  }

  parted(): void {
    if (this.leaving || (this.heard && this.said)) this.conclude()
  }

  /** Whether something carries it at present. */
  get carried(): boolean {
    return this.leg !== undefined
  }

  get arrived(): boolean {
    return this.over
  }

  stranded(ended: Ended): void {
    this.fail(new GivenUp({ ended }))
  }

  /** It can't go on. */
  fail(reason: ConnectionReason): void {
    if (this.over) return
    this.failure = lost(layer, reason)
    this.over = true
    this.leg?.leave("failed")
    this.receiver.failed(this.failure)
    this.conclude()
  }

  close(why: Why, settled: () => void): void {
    this.closing(settled)
    if (this.over) return this.conclude()
    this.paused = false
    this.learn()
    this.initiator = !this.heard
    if (this.keeper.outlives(why) && !this.heard) return this.suspend(why)
    this.farewell = why
    super.resume()
    this.pump()
    this.touch()
  }

  /** Whatever carries it is closed, and the session goes on elsewhere. */
  private suspend(why: Why): void {
    const { leg } = this
    this.tell(true)
    leg?.flush()
    this.leaving = this.over = true
    if (leg === undefined) return this.conclude()
    leg.leave(why)
  }

  /** Whoever has begun closes what carries it, when all is said and acknowledged; the peer waits for that. */
  private finish(): void {
    const { initiator, ledger, leg } = this
    if (!this.heard || !this.said || this.leaving || !initiator || ledger.acknowledged < ledger.sent) return
    this.leaving = true
    leg?.leave(this.farewell!)
  }

  private conclude(): void {
    this.over = true
    this.alarm.silence()
    this.keeper.ended()
    this.settle()
  }

  /** The peer is told, or else would wait for a further connection. */
  override abort(): void {
    const { leg } = this
    if (leg !== undefined && !this.over) {
      this.over = true
      leg.write(Frame.reset())
      leg.leave("failed")
    }
    this.conclude()
  }

  report(outcome: Draft): void {
    const { bytes, messages } = this.ledger.unacknowledged
    outcome.unsent.messages += messages
    outcome.unsent.bytes += bytes
    outcome.endOfInput = this.heard ? "announced" : "unannounced"
    if (this.failure !== undefined) outcome.error ??= this.failure
    if (messages > 0) outcome.clean = false
  }
}
