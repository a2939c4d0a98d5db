/**
 * The close of a stack: its layers one after the other, from the top down, all within one budget of time.
 *
 * Each layer has what is left of the budget, `floor` at least, and each of its phases what its policy leaves it. A layer that settles at
 * once costs no time and no timer; one that takes longer is given up, and the next has its turn.
 */
import type { Phase } from "../ClosePolicy.ts"
import type { ConnectionReason } from "../ConnectionError.ts"
import type { LayerClose, Why } from "../Outcome.ts"
import type { Wire } from "../wire/Wire.ts"
import type { Deadline, Deadlines } from "./Deadlines.ts"

/** Milliseconds a layer gets at least to close, when those above it have used up the budget. */
const floor = 100

/** Why a stack closes, and who is told. */
export interface Farewell {
  readonly why: Why
  /** What failed at the top, if something did. */
  readonly reason: ConnectionReason | undefined
  /** Milliseconds for all layers. */
  readonly budget: number
  /** A layer has closed, or was given up. */
  readonly parted: (layer: LayerClose) => void
  /** All have. */
  readonly done: () => void
}

export class Departure {
  private readonly deadlines: Deadlines
  private readonly farewell: Farewell
  /** When the budget is used up. */
  private deadline = Infinity
  private wire: Wire<any, any> | undefined = undefined
  private phase: Phase = "flush"
  /** When the layer began to close, and until when it may. */
  private began = 0
  private until = 0
  private alarm: Deadline | undefined = undefined

  constructor(deadlines: Deadlines, farewell: Farewell) {
    this.deadlines = deadlines
    this.farewell = farewell
  }

  /** Begins, with the wire at the top. */
  from(wire: Wire<any, any>): void {
    const { now } = this.deadlines
    this.deadline = now + this.farewell.budget
    this.close(wire, now)
  }

  private close(wire: Wire<any, any> | undefined, now: number): void {
    this.wire = wire
    if (wire === undefined) return this.farewell.done()
    this.phase = "flush"
    this.began = now
    this.until = now + Math.max(this.deadline - now, floor)
    const { reason, why } = this.farewell
    try {
      wire.close(why, () => this.parted(wire, true), reason, (phase) => this.entered(wire, phase))
    } catch {
      return this.parted(wire, false)
    }
    if (this.wire === wire && this.alarm === undefined) this.limit(wire, now)
  }

  private entered(wire: Wire<any, any>, phase: Phase): void {
    if (this.wire !== wire || this.phase === phase) return
    this.phase = phase
    this.limit(wire, this.deadlines.now)
  }

  /** Bounds the phase the layer is in. */
  private limit(wire: Wire<any, any>, now: number): void {
    this.calm()
    const limit = Math.min(this.until - now, wire.patience?.[this.phase] ?? Infinity)
    if (limit < Infinity) this.alarm = this.deadlines.set(limit, () => this.parted(wire, false))
  }

  private calm(): void {
    if (this.alarm === undefined) return
    this.deadlines.delete(this.alarm)
    this.alarm = undefined
  }

  private parted(wire: Wire<any, any>, settled: boolean): void {
    if (this.wire !== wire) return
    this.calm()
    const now = this.deadlines.now
    this.farewell.parted({ layer: wire.layer, took: now - this.began, settled })
    if (!settled) wire.giveUp?.()
    this.close(wire.lower, now)
  }
}
