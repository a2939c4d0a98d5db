/**
 * A wire around a wire, with faults on each way.
 *
 *     above    write            receive
 *                |                 ^
 *              Lane sent      Lane received        Link: all connections of a link together
 *                v                 |
 *     below    write            receive
 *
 * Closing waits until what was written has left, its end included. Of a way that is silent nobody may hear, so a wire that is given up
 * then is left open below until the stack is closed (`Graveyard`).
 */
import * as Duration from "effect/Duration"
import * as Loan from "../../bytes/Loan.ts"
import { type ConnectionError, lost, Reset } from "../../ConnectionError.ts"
import type { ByteConditions, Flip, MessageConditions, Mishap, Plan, Way, When } from "../../faults/Plan.ts"
import { random } from "../../faults/random.ts"
import type { Draft, EndOfInput, Why } from "../../Outcome.ts"
import type { LayerTransfer } from "../../reports/DataTransferReport.ts"
import type { Message } from "../../Transport.ts"
import type { Receiver, Released, Wire } from "../../wire/Wire.ts"
import type { Deadline, Deadlines } from "../Deadlines.ts"
import type { Graveyard } from "./Graveyard.ts"
import { Lane } from "./Lane.ts"

declare const queueMicrotask: (f: () => void) => void

export const layer = "faults"

/** What can be done to each connection of a link. */
export interface Follower {
  hold(): void
  release(): void
  lose(): void
  reset(): void
}

/** Where a wire finds what it shares with others. */
export interface Surroundings {
  readonly kind: "bytes" | "messages" | "datagrams"
  readonly deadlines: Deadlines
  /** The wires whose peers must not hear of their end yet. */
  readonly graves: Graveyard
  /** Joins the connections that fail together; the result leaves them. */
  readonly join: (follower: Follower) => () => void
}

const cause = new Error("a fault on purpose")

const countOf = (after: When, way: Way): number | undefined =>
  typeof after === "object" && way in after ? (after as { readonly [W in Way]?: number })[way] : undefined

export class FaultyWire<M extends Message> implements Wire<M, M>, Receiver<M>, Follower {
  readonly layer = layer
  readonly halfClose: boolean
  private readonly wire: Wire<M, M>
  private readonly around: Surroundings
  private readonly sent: Lane<M>
  private readonly received: Lane<M>
  private readonly leave: () => void
  private readonly timers = new Set<Deadline>()
  private receiver: Receiver<M> | undefined = undefined
  private paused = true
  private scheduled = false
  /** The wire below is paused because there is no room. */
  private stopped = true
  private outputEnded = false
  private flushed = false
  private closing = false
  private over = false
  private buried = false
  private unsent = 0
  private settled: (() => void) | undefined = undefined

  constructor(released: Released<M, M>, plan: Plan<any>, around: Surroundings) {
    const { leftover, over, wire } = released
    const chance = random(plan.seed ?? 0)
    this.wire = wire
    this.around = around
    this.halfClose = wire.halfClose
    const { deadlines, kind } = around
    const sent: ByteConditions & MessageConditions = plan.sent ?? {}
    this.sent = new Lane(kind, sent, chance, deadlines, {
      open: () => wire.writable,
      pass: (message) => {
        wire.write(message)
        if (sent.split !== undefined) wire.flush()
      },
      wake: () => this.pumpSent()
    })
    this.received = new Lane(kind, plan.received ?? {}, chance, deadlines, {
      open: () => !this.paused,
      pass: (message, size) => this.receiver!.receive([message], size),
      wake: () => this.pumpReceived()
    })
    wire.attach(this)
    for (const mishap of plan.mishaps ?? []) this.expect(mishap)
    for (const message of leftover) this.received.put(message)
    if (over instanceof Error) this.failed(over)
    else if (over !== undefined) this.ended(over)
    this.leave = around.join(this)
    queueMicrotask(() => this.turn())
  }

  // What happens.

  private expect(mishap: Mishap | Flip): void {
    const { after } = mishap
    let happened = false
    const happen = () => {
      if (!happened) this.happen(mishap)
      happened = true
    }
    const sent = countOf(after, "sent")
    const received = countOf(after, "received")
    if (sent !== undefined) this.sent.after(sent, this.stopping(this.sent, happen))
    if (received !== undefined) this.received.after(received, this.stopping(this.received, happen))
    if (sent === undefined && received === undefined) {
      const time = Duration.toMillis(Duration.fromInputUnsafe(after as Duration.Input))
      this.in(time, () => queueMicrotask(happen))
    }
  }

  /** In a turn of its own, and before anything more passes. */
  private stopping(lane: Lane<M>, happen: () => void): () => void {
    return () => {
      lane.hold()
      queueMicrotask(() => {
        lane.release()
        happen()
        this.turn()
      })
    }
  }

  private in(after: number, act: () => void): void {
    const timer = this.around.deadlines.set(Math.max(1, after), () => {
      this.timers.delete(timer)
      act()
    })
    this.timers.add(timer)
  }

  private happen(mishap: Mishap | Flip): void {
    if (this.over) return
    this.wire.flush()
    switch (mishap.what) {
      case "reset":
        return this.reset()
      case "end":
        return this.endEarly(mishap.way)
      case "lose":
        return this.lose(mishap.way)
      case "hold": {
        const { way } = mishap
        this.hold(way)
        return this.in(Duration.toMillis(Duration.fromInputUnsafe(mishap.for)), () => this.release(way))
      }
      case "flip":
        return this[mishap.way].flip()
    }
  }

  private lanesOf(way: Way | undefined): ReadonlyArray<Lane<M>> {
    return way === undefined ? [this.sent, this.received] : [this[way]]
  }

  hold(way?: Way): void {
    this.clearing(() => {
      for (const lane of this.lanesOf(way)) {
        lane.hold()
        if (this.around.kind === "datagrams") lane.discard()
      }
    })
  }

  release(way?: Way): void {
    for (const lane of this.lanesOf(way)) lane.release()
    this.turn()
  }

  lose(way?: Way): void {
    this.clearing(() => {
      for (const lane of this.lanesOf(way)) lane.lose()
    })
    this.readOn()
  }

  reset(): void {
    if (this.over) return
    this.stop()
    this.wire.abort()
    if (this.closing) this.settle()
    else this.receiver?.failed(lost(layer, new Reset({ cause })))
  }

  private endEarly(way: Way): void {
    if (way === "sent") {
      if (this.halfClose) this.wire.end()
      this.outputEnded = this.flushed = true
      this.clearing(() => this.sent.discard())
    } else {
      this.received.lose()
      this.readOn()
      if (!this.closing) this.receiver?.ended("announced")
    }
  }

  // From below.

  receive(batch: ReadonlyArray<M>): void {
    if (this.over) return
    for (const message of batch) {
      this.received.put(message instanceof Uint8Array ? Loan.own(message) as M : message)
    }
    if (this.closing) return this.received.rush()
    this.received.pump()
    this.limit()
  }

  get caughtUp(): boolean {
    return this.received.empty && this.receiver?.caughtUp !== false
  }

  drained(): void {
    this.pumpSent()
  }

  ended(endOfInput: EndOfInput): void {
    this.fromBelow((receiver) => receiver.ended(endOfInput))
  }

  goodbye(): void {
    this.fromBelow((receiver) => receiver.goodbye())
  }

  failed(error: ConnectionError): void {
    // What was to leave will not, unless nobody hears of that either.
    if (this.closing && !this.sent.silent) return this.settle()
    this.fromBelow((receiver) => {
      this.stop()
      receiver.failed(error)
    })
  }

  private fromBelow(tell: (receiver: Receiver<M>) => void): void {
    if (this.closing || this.over) return
    this.received.mark(() => tell(this.receiver!))
    this.received.pump()
  }

  private limit(): void {
    if (this.stopped || this.over || !this.received.full) return
    this.stopped = true
    this.wire.pause()
  }

  private readOn(): void {
    if (!this.stopped || this.paused || this.over || this.received.full) return
    this.stopped = false
    this.wire.resume()
  }

  private pumpReceived(): void {
    this.received.pump()
    this.readOn()
    this.wire.flush()
  }

  private turn(): void {
    if (this.over) return
    this.pumpSent()
    this.pumpReceived()
  }

  // From above.

  attach(receiver: Receiver<M>): void {
    this.receiver = receiver
  }

  pause(): void {
    if (this.closing) return
    this.paused = true
    this.stopped = true
    this.wire.pause()
  }

  resume(): void {
    this.paused = false
    if (this.scheduled) return
    this.scheduled = true
    queueMicrotask(() => {
      this.scheduled = false
      if (!this.paused && !this.over) this.pumpReceived()
    })
  }

  get writable(): boolean {
    return !this.sent.full
  }

  write(message: M): void {
    if (this.outputEnded || this.over) return
    const { empty } = this.sent
    this.sent.put(message instanceof Uint8Array ? Loan.own(message) as M : message)
    // What waits passes in a turn of its own, so that whoever waits for room is told.
    if (empty) this.sent.pump()
  }

  flush(): void {
    this.wire.flush()
  }

  private pumpSent(): void {
    this.clearing(() => this.sent.pump())
    this.wire.flush()
  }

  /** Does what may make room, and tells who waits for it. */
  private clearing(act: () => void): void {
    const { full } = this.sent
    act()
    if (full && !this.sent.full && !this.over) this.receiver?.drained()
  }

  end(): void {
    if (this.outputEnded || this.over) return
    this.outputEnded = true
    const { empty } = this.sent
    this.sent.mark(() => {
      if (this.halfClose) this.wire.end()
      this.flushed = true
      if (this.closing) this.settle()
    })
    if (empty) this.sent.pump()
  }

  // Closing.

  close(_why: Why, settled: () => void): void {
    if (this.over) return settled()
    this.closing = true
    this.settled = settled
    this.paused = false
    // What has come so far is counted as received by whoever has closed.
    this.received.rush()
    if (this.over) return this.settle()
    this.wire.resume()
    this.end()
    if (this.flushed) this.settle()
  }

  private settle(): void {
    const { settled } = this
    this.settled = undefined
    if (settled === undefined) return
    this.stop()
    settled()
  }

  giveUp(): void {
    this.abandon()
  }

  abort(): void {
    if (this.over) {
      if (!this.buried) this.wire.abort()
      return
    }
    this.abandon()
    if (!this.buried) this.wire.abort()
    this.settle()
  }

  /** Passes on nothing more. If the peer hears nothing of us, it doesn't hear of that either. */
  private abandon(): void {
    if (this.over) return
    this.buried = this.sent.silent
    this.stop()
    if (!this.buried) return
    this.wire.pause()
    this.around.graves.bury(this.wire)
  }

  private stop(): void {
    if (this.over) return
    this.over = true
    this.unsent = this.sent.size
    this.sent.lose()
    this.received.lose()
    this.leave()
    for (const timer of this.timers) this.around.deadlines.delete(timer)
    this.timers.clear()
  }

  /** Nobody below hears of the end of what is buried. */
  get lower(): Wire<M, M> | undefined {
    return this.buried ? undefined : this.wire
  }

  report(outcome: Draft): void {
    outcome.unsent.bytes += this.unsent
    if (this.buried) outcome.endOfInput = "unannounced"
  }

  tally(layers: Array<LayerTransfer>): void {
    layers.push({ layer, received: { ...this.received.passed }, sent: { ...this.sent.passed } })
    this.wire.tally(layers)
  }
}
