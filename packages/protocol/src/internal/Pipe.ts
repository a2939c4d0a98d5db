/**
 * Two wires, back to back in memory: the reference for what a wire at the bottom of a stack does.
 *
 * What one end writes waits at the other until that is resumed and has its turn (a microtask); an end is `writable`
 * while less than `writeAhead` waits there. Order, half-close and cuts are those of TCP, without its losses: what was
 * written before a cut is still delivered.
 */
import * as Loan from "../bytes/Loan.ts"
import { Closed, ConnectionError, Reset } from "../ConnectionError.ts"
import type { Draft, Why } from "../Outcome.ts"
import type { LayerTransfer } from "../reports/DataTransferReport.ts"
import { readAheadMessages, type Receiver, type Wire, writeAhead } from "../wire/Wire.ts"
import { sizeOf } from "./sizeOf.ts"

declare const queueMicrotask: (f: () => void) => void

class End<M> implements Wire<M, M> {
  readonly layer = "memory"
  readonly lower = undefined
  readonly halfClose = true
  private peer!: End<M>
  private receiver: Receiver<M> | undefined = undefined
  private paused = true
  private arrived: Array<M> = []
  private size = 0
  private scheduled = false
  private ended = false
  private inputEnded = false
  private cut: ConnectionError | undefined = undefined
  private failed = false
  private settled: (() => void) | undefined = undefined
  private lost = 0
  private delivered = { messages: 0, bytes: 0 }
  private written = { messages: 0, bytes: 0 }

  static pair<M>(): readonly [Wire<M, M>, Wire<M, M>] {
    const left = new End<M>()
    const right = new End<M>()
    left.peer = right
    right.peer = left
    return [left, right]
  }

  get outbox(): number {
    return this.peer.size
  }

  get writable(): boolean {
    return this.peer.size < writeAhead && this.peer.arrived.length < readAheadMessages
  }

  attach(receiver: Receiver<M>): void {
    this.receiver = receiver
  }

  write(message: M): void {
    if (this.ended || this.cut !== undefined) return
    const size = sizeOf(message)
    this.peer.arrived.push(message instanceof Uint8Array ? Loan.own(message) as M : message)
    this.peer.size += size
    this.written.messages++
    this.written.bytes += size
  }

  flush(): void {
    this.peer.schedule()
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.schedule()
  }

  end(): void {
    if (this.cut !== undefined) return
    this.ended = true
    this.peer.schedule()
  }

  close(_why: Why, settled: () => void): void {
    this.settled = settled
    this.resume()
    this.end()
    this.settle()
  }

  abort(): void {
    if (this.cut !== undefined) return
    this.lost = this.peer.size
    this.cut = new ConnectionError({ layer: this.layer, reason: new Closed() })
    if (!(this.ended && this.inputEnded)) {
      this.peer.cut ??= new ConnectionError({ layer: this.layer, reason: new Reset({ cause: "the peer aborted" }) })
      this.peer.schedule()
    }
    this.arrived = []
    this.size = 0
    this.settle()
  }

  report(outcome: Draft): void {
    if (this.inputEnded) outcome.endOfInput = "announced"
    else if (this.cut !== undefined) outcome.endOfInput = "unannounced"
    outcome.unsent.bytes += this.lost
  }

  tally(layers: Array<LayerTransfer>): void {
    layers.push({ layer: this.layer, received: { ...this.delivered }, sent: { ...this.written } })
  }

  private schedule(): void {
    if (this.scheduled || this.paused || this.receiver === undefined) return
    this.scheduled = true
    queueMicrotask(this.turn)
  }

  private readonly turn = (): void => {
    this.scheduled = false
    if (this.arrived.length > 0) {
      if (this.paused) return
      const { arrived, size } = this
      const starved = !this.peer.writable
      this.arrived = []
      this.size = 0
      this.delivered.messages += arrived.length
      this.delivered.bytes += size
      this.receiver!.receive(arrived, size)
      this.flush()
      if (starved && this.peer.cut === undefined) this.peer.receiver?.drained()
      if (this.arrived.length > 0) return this.schedule()
    }
    if (this.paused || this.failed) return
    // Whoever took what arrived may have put another layer on it.
    const receiver = this.receiver!
    if (this.peer.ended && !this.inputEnded) {
      this.inputEnded = true
      receiver.ended("announced")
    }
    if (this.cut !== undefined && this.peer.cut !== undefined && this.settled === undefined) {
      this.failed = true
      receiver.failed(this.cut)
    }
    this.settle()
  }

  private settle(): void {
    if (this.settled !== undefined && (this.cut !== undefined || (this.ended && this.inputEnded))) {
      const settled = this.settled
      this.settled = undefined
      settled()
    }
  }
}

/** A connected pair of wires. */
export const pair = End.pair
