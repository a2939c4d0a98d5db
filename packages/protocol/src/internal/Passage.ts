/** The `Io` of a machine within another one: it passes on what it is told. */
import type { ConnectionReason } from "../ConnectionError.ts"
import type { Goodbye, Io } from "../Machine.ts"
import type { EndOfInput } from "../Outcome.ts"

export abstract class Passage<A, In, L = Uint8Array> implements Io<A, L> {
  /** Where to, for the time of a call. */
  io!: Io<In, L>
  protected failed = false

  abstract emit(message: A, size: number): void

  room(): boolean {
    return !this.failed && this.io.room()
  }

  write(message: L): void {
    this.io.write(message)
  }

  reserve(length: number): number {
    return this.io.reserve(length)
  }

  get buffer(): Uint8Array {
    return this.io.buffer
  }

  giveBack(length: number): void {
    this.io.giveBack(length)
  }

  end(endOfInput: EndOfInput): void {
    if (!this.failed) this.io.end(endOfInput)
  }

  closed(goodbye: Goodbye): void {
    if (!this.failed) this.io.closed(goodbye)
  }

  fail(reason: ConnectionReason, goodbye?: Goodbye): void {
    this.failed = true
    this.io.fail(reason, goodbye)
  }
}
