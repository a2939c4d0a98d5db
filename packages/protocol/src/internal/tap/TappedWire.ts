/**
 * A wire that stands in for another one, and shows what passes.
 *
 * It is the same layer to all others: its name, its layer below, and what it reports are those of the wire. What is received is shown before
 * the layer above has it, which may write to it; what is sent once the wire has taken it.
 */
import { ownedFrom } from "../../bytes/Memory.ts"
import type { Patience, Phase } from "../../ClosePolicy.ts"
import type { ConnectionError, ConnectionReason } from "../../ConnectionError.ts"
import * as Prepared from "../../fanout/Prepared.ts"
import type { Draft, EndOfInput, Why } from "../../Outcome.ts"
import type { LayerTransfer } from "../../reports/DataTransferReport.ts"
import type { Receiver, Wire } from "../../wire/Wire.ts"
import type { Viewing } from "./Viewing.ts"

export class TappedWire<In, Out> implements Wire<In, Out>, Receiver<In> {
  private readonly wire: Wire<In, Out>
  private readonly seen: Viewing
  private upper!: Receiver<In>

  constructor(wire: Wire<In, Out>, seen: Viewing) {
    this.wire = wire
    this.seen = seen
  }

  get layer(): string {
    return this.wire.layer
  }

  get lower(): Wire<any, any> | undefined {
    return this.wire.lower
  }

  get patience(): Patience | undefined {
    return this.wire.patience
  }

  get halfClose(): boolean {
    return this.wire.halfClose
  }

  get writable(): boolean {
    return this.wire.writable
  }

  get outbox(): number {
    return this.wire.outbox ?? 0
  }

  get copies(): boolean {
    return this.wire.copies === true
  }

  get lends(): boolean {
    return this.wire.lends === true
  }

  // From below.

  receive(batch: ReadonlyArray<In>, size: number): void {
    const { seen } = this
    for (let i = 0; i < batch.length; i++) seen.passed("received", batch[i])
    this.upper.receive(batch, size)
  }

  borrow(bytes: Uint8Array, length: number): void {
    this.seen.passed("received", bytes.subarray(0, length))
    if (this.upper.borrow !== undefined) this.upper.borrow(bytes, length)
    else this.upper.receive([ownedFrom(bytes, 0, length) as In], length)
  }

  memory(): Uint8Array | undefined {
    return this.upper.memory?.()
  }

  get caughtUp(): boolean {
    return this.upper.caughtUp !== false
  }

  drained(): void {
    this.upper.drained()
  }

  ended(endOfInput: EndOfInput): void {
    this.seen.ended("received", endOfInput)
    this.upper.ended(endOfInput)
  }

  goodbye(): void {
    this.seen.ended("received", "announced")
    this.upper.goodbye()
  }

  failed(error: ConnectionError): void {
    this.upper.failed(error)
  }

  // From above.

  attach(receiver: Receiver<In>): void {
    this.upper = receiver
    this.wire.attach(this)
  }

  write(message: Out): void {
    this.wire.write(message)
    this.seen.passed("sent", message)
  }

  writePrepared(message: Prepared.Prepared<Out>): void {
    Prepared.write(this.wire, message)
    this.seen.passed("sent", message.message)
  }

  prepare(message: Prepared.Prepared<Out>): void {
    this.wire.prepare?.(message)
  }

  flush(): void {
    this.wire.flush()
  }

  pause(): void {
    this.wire.pause()
  }

  resume(): void {
    this.wire.resume()
  }

  end(): void {
    this.wire.end()
    this.seen.ended("sent", "announced")
  }

  close(why: Why, settled: () => void, reason?: ConnectionReason, entered?: (phase: Phase) => void): void {
    this.wire.close(why, settled, reason, entered)
  }

  giveUp(): void {
    this.wire.giveUp?.()
  }

  abort(): void {
    this.wire.abort()
  }

  report(outcome: Draft): void {
    this.wire.report(outcome)
  }

  tally(layers: Array<LayerTransfer>): void {
    this.wire.tally(layers)
  }
}
