/** What the wires have in common that are carried by one connection after the other: who receives, and who carries at present. */
import type { Draft, Outcome, Why } from "../../Outcome.ts"
import type { LayerTransfer } from "../../reports/DataTransferReport.ts"
import type { Receiver, Wire } from "../../wire/Wire.ts"
import type { Boarding, Carriage, Rider } from "./Leg.ts"

declare const queueMicrotask: (f: () => void) => void

/** Who receives before somebody does: nothing is delivered yet. */
const nobody: Receiver<unknown> = { receive() {}, drained() {}, ended() {}, goodbye() {}, failed() {} }

export abstract class CarriedWire<In, Out, LIn, LOut> implements Wire<In, Out>, Rider<LIn> {
  abstract readonly layer: string
  readonly lower = undefined
  readonly halfClose = false
  /** Once something was lent, something may still be. */
  lends = false
  protected leg: Carriage<LOut> | undefined = undefined
  /** It begins when there is somebody to receive what it has brought. */
  private boarding: Boarding<LOut> | undefined = undefined
  protected receiver: Receiver<In> = nobody
  /** Somebody receives, or did. */
  protected attended = false
  protected paused = true
  /** It is not carried any more, and won't be. */
  protected over = false
  protected passed = { received: { messages: 0, bytes: 0 }, sent: { messages: 0, bytes: 0 } }
  private settled: (() => void) | undefined = undefined
  private touched = false

  abstract readonly writable: boolean
  abstract write(message: Out): void
  abstract receive(batch: ReadonlyArray<LIn>, size: number, leg: Carriage<never>): void
  abstract close(why: Why, settled: () => void): void
  abstract report(outcome: Draft): void
  /** A connection that carried it is over. */
  abstract parted(outcome: Outcome): void
  /** Hands down what there is, as far as there is room. */
  protected abstract pump(): void

  /** A connection is there that carries it; whoever takes it over cuts the one before. */
  board(leg: Boarding<LOut>): void {
    const before = this.leg
    this.leg = this.boarding = leg
    this.lends ||= leg.lends
    before?.cut()
    if (leg.isBroken) this.broken(leg)
    else if (!this.paused) this.resume()
    this.touch()
  }

  attach(receiver: Receiver<In>): void {
    this.receiver = receiver
    this.attended = true
  }

  get caughtUp(): boolean {
    return this.receiver.caughtUp !== false
  }

  drained(leg: Carriage<never>): void {
    if (leg !== this.leg) return
    this.pump()
    this.touch()
  }

  lost(leg: Carriage<never>): void {
    if (leg === this.leg) this.leg = undefined
    if (leg === this.boarding) this.boarding = undefined
  }

  broken(leg: Boarding<never>): void {
    if (leg !== this.boarding) return
    this.boarding = undefined
    leg.begin()
  }

  flush(): void {
    this.pump()
    this.leg?.flush()
  }

  pause(): void {
    this.paused = true
    this.leg?.pause()
  }

  resume(): void {
    this.paused = false
    const { boarding, leg } = this
    this.boarding = undefined
    if (boarding !== undefined) boarding.begin()
    else leg?.resume()
  }

  /** A carried connection has no half. */
  end(): void {}

  abort(): void {
    this.over = true
    this.leg?.cut()
    this.settle()
  }

  giveUp(): void {
    this.abort()
  }

  tally(layers: Array<LayerTransfer>): void {
    const { received, sent } = this.passed
    layers.push({ layer: this.layer, received: { ...received }, sent: { ...sent } })
  }

  /** Flushes in a turn of its own. */
  protected touch(): void {
    if (this.touched) return
    this.touched = true
    queueMicrotask(() => {
      this.touched = false
      this.flush()
    })
  }

  protected closing(settled: () => void): void {
    this.settled = settled
  }

  protected settle(): void {
    const { settled } = this
    this.settled = undefined
    settled?.()
  }
}
