/**
 * A framer that reads what another one's frames carry, one after the other, and writes what it says at a time into one of those.
 *
 * The outer one is only a container. What the inner one does beside framing, such as a goodbye or something in time, is relayed.
 */
import { ownedFrom } from "../../bytes/Memory.ts"
import type { ConnectionReason } from "../../ConnectionError.ts"
import type { Goodbye, Io, Machine } from "../../Machine.ts"
import type { EndOfInput } from "../../Outcome.ts"
import { Passage } from "../Passage.ts"
import * as utf8 from "../utf8.ts"

type Framing<In, Out> = Machine<Uint8Array, Uint8Array, In, Out>

const nothing: ReadonlyArray<never> = []

/** What no container has: something to do in time, a goodbye, a queue, and frames that are only lent. */
const foreign = ["start", "close", "proceed", "lends"] as const

export class NestedMachine<In, Out> implements Framing<In, Out> {
  private readonly outer: Framing<Uint8Array, Uint8Array>
  private readonly inner: Framing<In, Out>
  private readonly above: Above<In>
  private readonly below: Below<In>

  declare readonly start?: NonNullable<Framing<In, Out>["start"]>
  declare readonly wakeup?: NonNullable<Framing<In, Out>["wakeup"]>
  declare readonly close?: NonNullable<Framing<In, Out>["close"]>
  declare readonly proceed?: NonNullable<Framing<In, Out>["proceed"]>
  declare readonly unsent?: NonNullable<Framing<In, Out>["unsent"]>
  declare readonly goodbye?: NonNullable<Framing<In, Out>["goodbye"]>
  declare readonly end?: NonNullable<Framing<In, Out>["end"]>

  /** Throws a `TypeError` if the outer framer is more than a container. */
  constructor(outer: Framing<Uint8Array, Uint8Array>, inner: Framing<In, Out>) {
    for (const member of foreign) {
      if (outer[member]) throw new TypeError(`a framer with \`${member}\` can't be the outer one`)
    }
    this.outer = outer
    this.inner = inner
    this.below = new Below()
    this.above = new Above(inner, this.below)
    if (inner.start) this.start = (io, timer) => this.turn(io, (below) => inner.start!(below, timer))
    if (inner.wakeup) this.wakeup = (io) => this.turn(io, (below) => this.above.went(inner.wakeup!(below)))
    if (inner.close) this.close = (why, io, reason) => this.turn(io, (below) => inner.close!(why, below, reason))
    if (inner.proceed) this.proceed = (io) => this.turn(io, (below) => inner.proceed!(below))
    if (inner.unsent) this.unsent = () => inner.unsent!()
    if (inner.goodbye) this.goodbye = () => inner.goodbye!()
    if (inner.end && outer.end) this.end = (io) => this.turn(io, (below) => inner.end!(below))
  }

  get encoded(): number {
    return this.inner.encoded!
  }

  get skipped(): number {
    return this.inner.skipped!
  }

  get lends(): boolean {
    return this.inner.lends === true
  }

  get busy(): boolean {
    return this.inner.busy === true
  }

  get awaitsLowerEnd(): boolean {
    return this.inner.awaitsLowerEnd === true
  }

  receive(input: ReadonlyArray<Uint8Array>, io: Io<In, Uint8Array>): boolean {
    const above = this.between(io)
    if (above.full) above.show(nothing)
    const all = above.over || this.outer.receive(input, above)
    this.pass()
    return all && !above.full
  }

  memory(): Uint8Array | undefined {
    return this.outer.memory?.()
  }

  encode(message: Out, io: Io<In, Uint8Array>): void {
    this.between(io)
    this.inner.encode(message, this.below)
    this.pass()
  }

  /** What the outer framer has kept for its end is read without room: nobody would ask for the rest. */
  ended(endOfInput: EndOfInput, io: Io<In, Uint8Array>): void {
    const above = this.between(io)
    this.below.ending = true
    this.outer.ended(endOfInput, above)
    while (above.full) above.show(nothing)
    this.pass()
  }

  release(): void {
    this.inner.release?.()
    this.outer.release?.()
  }

  private turn<A>(io: Io<In, Uint8Array>, step: (below: Below<In>) => A): A {
    this.between(io)
    const result = step(this.below)
    this.pass()
    return result
  }

  private between(io: Io<In, Uint8Array>): Above<In> {
    this.above.io = io
    this.below.io = io
    return this.above
  }

  /** What the inner framer has written becomes a frame of the outer one. */
  private pass(): void {
    if (this.below.size > 0) this.outer.encode(this.below.take(), this.above)
  }
}

/** What the outer framer is answered with: it gives its frames to the inner one. */
class Above<In> extends Passage<Uint8Array, In> {
  /** The inner framer has input it had no room for. */
  full = false
  /** How the outer framer has ended, which is told behind that input. */
  private last: (() => void) | undefined = undefined
  private readonly inner: Framing<In, never>
  private readonly below: Below<In>

  constructor(inner: Framing<In, never>, below: Below<In>) {
    super()
    this.inner = inner
    this.below = below
  }

  /** Nothing more is read. */
  get over(): boolean {
    return this.failed || this.below.broken || this.last !== undefined
  }

  show(input: ReadonlyArray<Uint8Array>): void {
    this.full = !this.inner.receive(input, this.below)
    if (this.last !== undefined) this.tell(this.last)
  }

  /** The inner framer has acted in time. */
  went(on: boolean): boolean {
    this.full ||= !on
    return on
  }

  override room(): boolean {
    return !this.full && !this.over && this.below.room()
  }

  emit(frame: Uint8Array): void {
    if (!this.over) this.show([frame])
  }

  override end(endOfInput: EndOfInput): void {
    this.tell(() => this.inner.ended(endOfInput, this.below))
  }

  override closed(goodbye: Goodbye): void {
    this.tell(() => super.closed(goodbye))
  }

  override fail(reason: ConnectionReason, goodbye?: Goodbye): void {
    this.tell(() => super.fail(reason, goodbye))
  }

  private tell(last: () => void): void {
    this.last = this.full ? last : undefined
    if (!this.full && !this.failed && !this.below.broken) last()
  }
}

/** What the inner framer is answered with: what it writes is collected for a frame of the outer one. */
class Below<In> extends Passage<In, In> {
  /** There is always room. */
  ending = false
  size = 0
  private bytes = new Uint8Array(utf8.copied)

  get broken(): boolean {
    return this.failed
  }

  override room(): boolean {
    return this.ending ? !this.failed : super.room()
  }

  emit(message: In, size: number): void {
    this.io.emit(message, size)
  }

  override get buffer(): Uint8Array {
    return this.bytes
  }

  override write(message: Uint8Array): void {
    const offset = this.reserve(message.length)
    this.bytes.set(message, offset)
  }

  override reserve(length: number): number {
    const offset = this.size
    const size = offset + length
    if (size > this.bytes.length) {
      const larger = new Uint8Array(Math.max(size, this.bytes.length * 2))
      larger.set(this.bytes.subarray(0, offset))
      this.bytes = larger
    }
    this.size = size
    return offset
  }

  override giveBack(length: number): void {
    this.size -= length
  }

  /** What was written, which is written to no more. */
  take(): Uint8Array {
    const { bytes, size } = this
    this.size = 0
    if (bytes.length === utf8.copied) return ownedFrom(bytes, 0, size)
    this.bytes = new Uint8Array(utf8.copied)
    return bytes.subarray(0, size)
  }
}
