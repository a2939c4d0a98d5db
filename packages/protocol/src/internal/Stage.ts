/**
 * A machine over a wire is a wire: the link of which a stack's spine is made.
 *
 * Upwards, what the machine emits during one call is delivered as one batch. While the layer above is paused, at most
 * what was already read waits here (`backlog`, and what the machine kept); the end of the input waits behind it.
 */
import { ownedFrom } from "../bytes/Memory.ts"
import type { Patience, Phase } from "../ClosePolicy.ts"
import { Aborted, ConnectionError, type ConnectionReason } from "../ConnectionError.ts"
import type { Prepared } from "../fanout/Prepared.ts"
import type { Goodbye, Machine } from "../Machine.ts"
import type { Draft, EndOfInput, Why } from "../Outcome.ts"
import { Other } from "../Reason.ts"
import type { LayerTransfer } from "../reports/DataTransferReport.ts"
import type { Receiver, Released, Wire } from "../wire/Wire.ts"
import { Alarm } from "./Alarm.ts"
import type { Deadlines } from "./Deadlines.ts"
import { Exchange } from "./Exchange.ts"
import { reasonOf } from "./reasonOf.ts"

declare const queueMicrotask: (f: () => void) => void
declare const setTimeout: (f: () => void, millis: number) => unknown

const nothing: ReadonlyArray<never> = []

/** What a machine or wire threw, as the error of its layer. */
export const errorOf = (thrown: unknown, layer: string): ConnectionError =>
  thrown instanceof ConnectionError ? thrown : new ConnectionError({
    layer,
    reason: reasonOf(thrown) ?? new Other({ cause: thrown })
  })

/** Whether all was said that a closing handshake has. */
const said = (goodbye: Goodbye | undefined): boolean =>
  goodbye !== undefined && (goodbye.unanswered === true
    ? goodbye.sent !== undefined || goodbye.received !== undefined
    : goodbye.sent !== undefined && goodbye.received !== undefined)

/** Whether messages are lent at a layer, or at one below it. */
const lending = (wire: Wire<any, any> | undefined): boolean =>
  wire !== undefined && (wire.lends === true || lending(wire.lower))

export class Stage<LIn, LOut, In, Out> implements Wire<In, Out>, Receiver<LIn> {
  readonly layer: string
  readonly lower: Wire<LIn, LOut>
  readonly patience: Patience | undefined
  private readonly machine: Machine<LIn, LOut, In, Out>
  private readonly io: Exchange<In, LOut>
  private readonly deadlines: Deadlines
  private upper!: Receiver<In>

  private paused = false
  /** The machine has input it had no room for, or goes on with later. */
  private kept = false
  private deferred = false
  private backlog: Array<ReadonlyArray<LIn>> | undefined = undefined
  private lowerOver: EndOfInput | ConnectionError | undefined = undefined
  /** The layer below is over in both directions. */
  private lowerParted = false
  private told: EndOfInput | ConnectionError | "closed" | undefined = undefined
  /** Our side is closing: what arrives is only shown to the machine. */
  private leaving = false
  private settled: (() => void) | undefined = undefined
  private entered: ((phase: Phase) => void) | undefined = undefined
  private started = false
  private alarm: Alarm | undefined = undefined
  private released = false
  private givenUp = false
  private continuing = false
  /** The machine held back data, and does no more: the layer above is to be told. */
  private freed = false
  private received = 0
  private receivedSize = 0
  private sent = 0

  /** `released` is the wire below, with what was read from it before; that is shown to the machine at `resume`. */
  constructor(
    layer: string,
    released: Released<LIn, LOut>,
    machine: Machine<LIn, LOut, In, Out>,
    deadlines: Deadlines,
    patience?: Patience
  ) {
    const lower = released.wire
    this.deadlines = deadlines
    this.layer = layer
    this.patience = patience
    this.lower = lower
    this.machine = machine
    if (released.leftover.length > 0) this.backlog = [released.leftover]
    this.lowerOver = released.over
    this.io = new Exchange(layer, lower, machine)
  }

  attach(receiver: Receiver<In>): void {
    this.upper = receiver
    this.lower.attach(this)
  }

  /** Tells the machine that it begins, once. */
  private start(): void {
    this.started = true
    const { machine } = this
    if (machine.start === undefined) return
    const alarm = this.alarm = new Alarm(this.deadlines, () => this.wakeup())
    this.guard(() => machine.start!(this.io, alarm))
    this.deliver()
  }

  private wakeup(): void {
    const { io, machine } = this
    if (io.over === "closed" || io.over instanceof ConnectionError) return
    this.guard(() => {
      if (machine.wakeup?.(io) === false) this.kept = true
    })
    this.shown()
    if (this.kept || io.over !== undefined) this.advance()
  }

  // From the layer below.

  receive(input: ReadonlyArray<LIn>, _size: number): void {
    if (this.io.over !== undefined) return
    if (this.waiting) (this.backlog ??= []).push(input)
    else {
      this.show(input)
      if (this.kept || this.io.over !== undefined) this.advance()
    }
  }

  borrow(bytes: Uint8Array, length: number): void {
    const { io, machine } = this
    if (this.waiting || machine.borrow === undefined) return this.receive([ownedFrom(bytes, 0, length) as LIn], length)
    try {
      this.kept = !machine.borrow(bytes, length, io)
    } catch (thrown) {
      io.broken(errorOf(thrown, this.layer))
    }
    this.shown()
    if (this.kept || io.over !== undefined) this.advance()
    if (this.kept) this.guard(() => machine.own?.())
  }

  memory(): Uint8Array | undefined {
    return this.waiting ? undefined : this.machine.memory?.()
  }

  /** Nothing is shown to the machine now. */
  private get waiting(): boolean {
    return this.kept || this.paused || this.backlog !== undefined || this.io.over !== undefined
  }

  drained(): void {
    const held = this.io.busy
    this.flush()
    if (!held && this.io.writable) this.upper.drained()
    this.settle()
  }

  ended(endOfInput: EndOfInput): void {
    this.lowerOver ??= endOfInput
    this.advance()
  }

  goodbye(): void {
    this.lowerParted = true
    this.ended("announced")
  }

  failed(error: ConnectionError): void {
    this.lowerOver = error
    this.advance()
  }

  /** Shows input to the machine. */
  private show(input: ReadonlyArray<LIn>): void {
    const io = this.io
    try {
      this.kept = !this.machine.receive(input, io)
    } catch (thrown) {
      io.broken(errorOf(thrown, this.layer))
    }
    this.shown()
  }

  /** Delivers what the machine has made of what it was shown. */
  private shown(): void {
    this.deliver()
    if (this.kept && !this.paused && this.io.over === undefined && !this.caughtUp) {
      // The machine had its messages delivered before it goes on to a goodbye: whoever is about to take them may answer.
      this.deferred = true
      queueMicrotask(() => {
        this.deferred = false
        this.advance()
      })
    }
  }

  get caughtUp(): boolean {
    return this.upper.caughtUp !== false
  }

  /** A machine that throws where it must not is broken: the connection fails, and not the program. */
  private guard(step: () => void): void {
    try {
      step()
    } catch (thrown) {
      this.io.broken(errorOf(thrown, this.layer))
    }
  }

  private deliver(): void {
    const io = this.io
    if (io.batch.length > 0) {
      const { batchSize } = io
      const batch = io.take()
      this.received += batch.length
      this.receivedSize += batchSize
      // What the machine has to say itself goes ahead of what the layer above may answer.
      if (io.talks) this.hand()
      this.upper.receive(batch, batchSize)
    }
    this.flush()
  }

  /** Goes on with what waits, as far as the layer above takes it, and then with the end of the input. */
  private advance(): void {
    const io = this.io
    while (!this.paused && !this.deferred && io.over === undefined) {
      if (this.kept) this.show(nothing)
      else if (this.backlog !== undefined) {
        const next = this.backlog.shift()!
        if (this.backlog.length === 0) this.backlog = undefined
        this.show(next)
      } else break
    }
    if (!this.paused && !this.deferred && this.lowerOver !== undefined) {
      if (this.lowerOver instanceof ConnectionError) {
        if (io.over !== "closed" && !(io.over instanceof ConnectionError)) io.over = this.lowerOver
      } else if (io.over === undefined) {
        const how = this.lowerOver
        this.guard(() => this.machine.ended(how, io))
        this.deliver()
      }
    }
    if (io.over !== undefined) this.tell(io.over)
    this.settle()
  }

  /** Tells the layer above how the input ended, and later perhaps that the output broke too. */
  private tell(over: EndOfInput | ConnectionError | "closed"): void {
    if (this.told === over) return
    this.told = over
    this.kept = false
    this.backlog = undefined
    this.lower.resume()
    this.flush()
    if (over instanceof ConnectionError) this.upper.failed(over)
    else if (over === "closed" || this.lowerParted) this.upper.goodbye()
    else this.upper.ended(over)
  }

  // From the layer above.

  /** What a machine makes of messages that are lent to it may lie in them, and so has to stay. */
  get lends(): boolean {
    return this.machine.lends === true && !lending(this.lower)
  }

  get halfClose(): boolean {
    return this.machine.end !== undefined && this.lower.halfClose
  }

  get outbox(): number {
    return this.io.unsent.bytes
  }

  get writable(): boolean {
    return this.io.writable
  }

  write(message: Out): void {
    try {
      this.machine.encode(message, this.io)
    } catch (thrown) {
      throw errorOf(thrown, this.layer)
    }
    this.sent++
  }

  writePrepared(message: Prepared<Out>): void {
    const form = this.formOf(message)
    if (form === undefined) return this.write(this.lower.copies === true ? message.message : message.copy)
    this.io.writePrepared(form)
    this.machine.passed?.(message, form)
    this.sent++
  }

  prepare(message: Prepared<Out>): void {
    const form = this.formOf(message)
    if (form !== undefined) this.lower.prepare?.(form)
  }

  private formOf(message: Prepared<Out>): Prepared<LOut> | undefined {
    try {
      return this.machine.prepare?.(message)
    } catch (thrown) {
      throw errorOf(thrown, this.layer)
    }
  }

  /** Lets others have their turn before the next pieces; this is no time to wait, only a turn of the runtime. */
  private continueLater(): void {
    if (this.continuing) return
    this.continuing = true
    setTimeout(() => {
      this.continuing = false
      this.flush()
    }, 0)
  }

  /** Hands down what waits; what the layer below then refuses was promised to be sent, so that is the end: false. */
  private hand(): boolean {
    // What is given to a broken wire, or to one that has ended its output, is gone without a trace.
    if (this.givenUp || this.lowerOver instanceof ConnectionError) return true
    const { io } = this
    const held = io.busy
    try {
      if (!io.flush()) this.continueLater()
      this.freed ||= held && !io.busy
      return true
    } catch (thrown) {
      io.broken(errorOf(thrown, this.lower.layer))
      return false
    }
  }

  flush(): void {
    const { io } = this
    if (!this.hand()) this.advance()
    // A machine may also end with what it was given to encode.
    if (io.over !== undefined && this.told === undefined) this.advance()
    this.lower.flush()
    if (this.freed) {
      this.freed = false
      if (io.writable) this.upper.drained()
      this.settle()
    }
  }

  pause(): void {
    if (this.leaving) return
    this.paused = true
    this.io.open = false
    this.lower.pause()
  }

  resume(): void {
    this.paused = false
    this.io.open = true
    if (!this.started) this.start()
    this.advance()
    if (!this.paused) this.lower.resume()
  }

  end(): void {
    this.guard(() => this.machine.end!(this.io))
    this.flush()
    this.lower.end()
  }

  close(why: Why, settled: () => void, reason?: ConnectionReason, entered?: (phase: Phase) => void): void {
    this.settled = settled
    this.entered = entered
    if (!this.leaving) {
      this.leaving = true
      if (this.machine.close === undefined) this.alarm?.silence()
      this.resume()
      if (this.io.over !== "closed" && !(this.io.over instanceof ConnectionError)) {
        this.guard(() => this.machine.close?.(why, this.io, reason))
      }
    }
    this.flush()
    this.advance()
  }

  giveUp(): void {
    this.givenUp = true
    this.alarm?.silence()
  }

  abort(): void {
    this.leaving = true
    this.lowerOver = new ConnectionError({ layer: this.layer, reason: new Aborted() })
    this.io.over ??= this.lowerOver
    this.told = this.io.over
    this.lower.abort()
    this.settle()
    this.release()
  }

  report(outcome: Draft): void {
    const { over, unsent } = this.io
    const { skipped } = this.machine
    const goodbye = this.machine.goodbye?.() ?? this.io.goodbye
    if (skipped !== undefined && skipped > 0) outcome.skipped = (outcome.skipped ?? 0) + skipped
    outcome.unsent.messages += unsent.messages
    outcome.unsent.bytes += unsent.bytes
    if (goodbye !== undefined) {
      outcome.first = goodbye.first
      if (goodbye.sent !== undefined) outcome.sent = goodbye.sent
      if (goodbye.received !== undefined) outcome.received = goodbye.received
    }
    if (this.machine.close !== undefined && !said(goodbye)) outcome.clean = false
    if (over instanceof ConnectionError && over !== this.lowerOver) {
      outcome.clean = false
      outcome.error ??= over
    }
  }

  tally(layers: Array<LayerTransfer>): void {
    const { encoded } = this.machine
    layers.push({
      layer: this.layer,
      received: { messages: this.received, bytes: encoded === undefined ? undefined : this.receivedSize },
      sent: { messages: this.sent, bytes: encoded }
    })
    this.lower.tally(layers)
  }

  /** Whether nothing more can be waited for at this layer. */
  private get over(): boolean {
    if (this.lowerOver instanceof ConnectionError) return true
    if (!this.io.idle) return false
    if (this.io.over instanceof ConnectionError || this.machine.close === undefined) return true
    return this.io.goodbye !== undefined && (this.lowerOver !== undefined || this.machine.awaitsLowerEnd !== true)
  }

  private settle(): void {
    const { settled } = this
    if (settled === undefined) return
    if (this.over) {
      this.settled = undefined
      this.entered = undefined
      this.release()
      settled()
    } else this.entered?.(!this.io.idle ? "flush" : this.io.goodbye === undefined ? "wait" : "linger")
  }

  private release(): void {
    if (this.released) return
    this.released = true
    this.alarm?.silence()
    this.guard(() => this.machine.release?.())
  }
}
