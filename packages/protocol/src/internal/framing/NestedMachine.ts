/** A framer that reads what another one's frames carry, one after the other, and writes each frame of its own into one of those. */
import type { Io, Machine } from "../../Machine.ts"
import type { EndOfInput } from "../../Outcome.ts"
import * as utf8 from "../utf8.ts"
import { Passage } from "./Passage.ts"

type Framing<In, Out> = Machine<Uint8Array, Uint8Array, In, Out>

const nothing: ReadonlyArray<never> = []

export class NestedMachine<In, Out> implements Framing<In, Out> {
  private readonly outer: Framing<Uint8Array, Uint8Array>
  private readonly inner: Framing<In, Out>
  private readonly above: Above<In>
  private readonly below: Below<In>

  constructor(outer: Framing<Uint8Array, Uint8Array>, inner: Framing<In, Out>) {
    this.outer = outer
    this.inner = inner
    this.below = new Below()
    this.above = new Above(inner, this.below)
  }

  get encoded(): number {
    return this.inner.encoded!
  }

  receive(input: ReadonlyArray<Uint8Array>, io: Io<In, Uint8Array>): boolean {
    const above = this.between(io)
    if (above.full) above.show(nothing)
    return !above.full && this.outer.receive(input, above) && !above.full
  }

  memory(): Uint8Array | undefined {
    return this.outer.memory?.()
  }

  encode(message: Out, io: Io<In, Uint8Array>): void {
    const above = this.between(io)
    const frame = this.below.collect(() => this.inner.encode(message, this.below))
    this.outer.encode(frame, above)
  }

  end(): void {}

  ended(endOfInput: EndOfInput, io: Io<In, Uint8Array>): void {
    this.outer.ended(endOfInput, this.between(io))
  }

  private between(io: Io<In, Uint8Array>): Above<In> {
    this.above.io = io
    this.below.io = io
    return this.above
  }
}

/** What the outer framer is answered with: it gives its frames to the inner one. */
class Above<In> extends Passage<Uint8Array, In> {
  /** The inner framer has input it had no room for. */
  full = false
  private readonly inner: Framing<In, never>
  private readonly below: Below<In>

  constructor(inner: Framing<In, never>, below: Below<In>) {
    super()
    this.inner = inner
    this.below = below
  }

  show(input: ReadonlyArray<Uint8Array>): void {
    this.full = !this.inner.receive(input, this.below)
    this.failed ||= this.below.broken
  }

  override room(): boolean {
    return !this.full && super.room()
  }

  emit(frame: Uint8Array): void {
    if (!this.failed) this.show([frame])
  }

  override end(endOfInput: EndOfInput): void {
    if (!this.failed) this.inner.ended(endOfInput, this.below)
  }
}

/** What the inner framer is answered with: what it writes is collected for a frame of the outer one. */
class Below<In> extends Passage<In, In> {
  private bytes = new Uint8Array(utf8.copied)
  private size = 0

  get broken(): boolean {
    return this.failed
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

  /** What is written meanwhile. If it is small, its memory is used again the next time. */
  collect(write: () => void): Uint8Array {
    this.size = 0
    write()
    const frame = this.bytes.subarray(0, this.size)
    if (this.bytes.length > utf8.copied) this.bytes = new Uint8Array(utf8.copied)
    return frame
  }
}
