/**
 * The wire of a connection that comes back. What is sent while nothing carries it is refused, or held up to a limit; what
 * was given to a connection that breaks is that connection's loss, and told in its outcome.
 */
import * as Loan from "../../bytes/Loan.ts"
import { ConnectError } from "../../ConnectError.ts"
import { Disconnected, GivenUp, lost } from "../../ConnectionError.ts"
import type { Draft, Outcome, Why } from "../../Outcome.ts"
import type { LayerTransfer } from "../../reports/DataTransferReport.ts"
import type { Ended } from "../../resilience/Verdict.ts"
import { sizeOf } from "../sizeOf.ts"
import { CarriedWire } from "./CarriedWire.ts"
import type { Boarding } from "./Leg.ts"
import type { Passenger } from "./reconnect.ts"

/** What becomes of messages while there is no connection. */
export interface Holding {
  readonly messages: number
  readonly bytes: number
  /** What is dropped when there is no room; undefined if senders wait. */
  readonly drops: "oldest" | undefined
}

export class HeldWire<In, Out> extends CarriedWire<In, Out, In, Out> implements Passenger {
  readonly layer = "resilient"
  arrived = false
  /** Messages that were dropped since there was no room for them. */
  dropped = 0
  private readonly holding: Holding | undefined
  /** Told when nothing carries it, and nothing is to carry it. */
  private readonly leftAlone: () => void
  private held: Array<Out> = []
  private heldSize = 0
  private starved = false
  private unsent = { messages: 0, bytes: 0 }
  private last: Outcome | undefined = undefined
  /** The last connection was still there when this one closed, and did not close as it should. */
  private unclean = false

  constructor(holding: Holding | undefined, leftAlone: () => void) {
    super()
    this.holding = holding
    this.leftAlone = leftAlone
  }

  /** Without a connection senders are let in, to be told so. */
  get writable(): boolean {
    const { heldSize, held, holding, leg } = this
    const writable = held.length === 0 && leg !== undefined
      ? leg.writable
      : holding === undefined || holding.drops !== undefined ||
        (held.length < holding.messages && heldSize < holding.bytes)
    this.starved ||= !writable
    return writable
  }

  get outbox(): number {
    return this.heldSize
  }

  override tally(layers: Array<LayerTransfer>): void {
    const { dropped, layer, passed: { received, sent } } = this
    layers.push({ layer, received: { ...received }, sent: { ...sent }, dropped })
  }

  write(message: Out): void {
    if (this.over) return
    if (this.leg !== undefined && this.held.length === 0) this.leg.write(message)
    else this.hold(message)
    this.passed.sent.messages++
    this.passed.sent.bytes += sizeOf(message)
  }

  private hold(message: Out): void {
    const { holding } = this
    if (holding === undefined) throw new Disconnected()
    this.held.push(message instanceof Uint8Array ? Loan.own(message) as Out : message)
    this.heldSize += sizeOf(message)
    if (holding.drops === undefined) return
    while (this.held.length > holding.messages || (this.heldSize > holding.bytes && this.held.length > 1)) {
      this.lose(this.shift())
      this.dropped++
    }
  }

  private shift(): Out {
    const message = this.held.shift()!
    this.heldSize -= sizeOf(message)
    return message
  }

  protected pump(): void {
    while (this.leg?.writable === true && this.held.length > 0) this.handDown(this.leg)
    if (this.starved && this.writable) {
      this.starved = false
      this.receiver.drained()
    }
  }

  /** What can't be encoded now that it is time for it is lost, as nobody waits for it any more. */
  private handDown(leg: { write(message: Out): void }): void {
    const message = this.shift()
    try {
      leg.write(message)
    } catch {
      this.lose(message)
    }
  }

  private lose(message: Out): void {
    this.unsent.messages++
    this.unsent.bytes += sizeOf(message)
  }

  receive(batch: ReadonlyArray<In>, size: number): void {
    this.passed.received.messages += batch.length
    this.passed.received.bytes += size
    this.receiver.receive(batch, size)
  }

  override lost(leg: Parameters<CarriedWire<In, Out, In, Out>["lost"]>[0]): void {
    super.lost(leg)
    // Those who wait for room wait for something else now.
    this.touch()
  }

  /** What it has brought is received first. Until then nothing is given to it. */
  override broken(leg: Boarding<never>): void {
    if (!leg.isLaden || !this.paused) return super.broken(leg)
    if (leg === this.leg) this.leg = undefined
    this.touch()
  }

  parted(outcome: Outcome): void {
    this.last = outcome
    this.unsent.messages += outcome.unsent.messages
    this.unsent.bytes += outcome.unsent.bytes
    if (!this.arrived) return
    this.unclean = !outcome.clean
    this.settle()
  }

  stranded(ended: Ended): void {
    if (this.arrived) return
    if (ended instanceof ConnectError || ended.error !== undefined || ended.first !== "remote") {
      this.receiver.failed(lost(this.layer, new GivenUp({ ended })))
    } else this.receiver.goodbye()
  }

  close(why: Why, settled: () => void): void {
    this.closing(settled)
    const { leg } = this
    this.over = this.arrived = true
    if (leg === undefined) return this.alone()
    while (this.held.length > 0) this.handDown(leg)
    leg.leave(why)
  }

  override abort(): void {
    this.arrived = true
    if (this.leg === undefined) this.leftAlone()
    super.abort()
  }

  private alone(): void {
    this.leftAlone()
    this.settle()
  }

  report(outcome: Draft): void {
    const { last } = this
    outcome.endOfInput = last?.endOfInput ?? "unknown"
    if (last?.sent !== undefined) outcome.sent = last.sent
    if (last?.received !== undefined) outcome.received = last.received
    outcome.unsent.messages += this.unsent.messages + this.held.length
    outcome.unsent.bytes += this.unsent.bytes + this.heldSize
    if (this.unclean) outcome.clean = false
  }
}
