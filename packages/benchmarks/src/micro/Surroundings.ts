/** What is around a machine, and as little of it as there can be: what the machine says is kept until it is taken. */
import type { ConnectionReason } from "@wirestack/protocol/ConnectionError"
import type { Io } from "@wirestack/protocol/Machine"

const slabSize = 65_536

/** Small frames share memory, as they do in a stack. */
export class Surroundings<Up, Down> implements Io<Up, Down> {
  buffer = new Uint8Array(slabSize)
  private start = 0
  private used = 0
  private emitted: Array<Up> = []
  private written: Array<Down> = []

  room(): boolean {
    return true
  }

  emit(message: Up): void {
    this.emitted.push(message)
  }

  write(message: Down): void {
    this.cut()
    this.written.push(message)
  }

  reserve(length: number): number {
    if (this.used + length > this.buffer.length) {
      this.cut()
      this.buffer = new Uint8Array(Math.max(slabSize, length))
      this.start = this.used = 0
    }
    const offset = this.used
    this.used += length
    return offset
  }

  giveBack(length: number): void {
    this.used -= length
  }

  end(): void {}

  closed(): void {}

  fail(reason: ConnectionReason): void {
    throw new Error(reason.message, { cause: reason })
  }

  /** What the layer above was given since this was last called. */
  takeUp(): ReadonlyArray<Up> {
    const { emitted } = this
    this.emitted = []
    return emitted
  }

  /** What the layer below was given since this was last called. */
  takeDown(): ReadonlyArray<Down> {
    this.cut()
    const { written } = this
    this.written = []
    return written
  }

  /** What is reserved lies above bytes, and goes before what is written. */
  private cut(): void {
    if (this.start === this.used) return
    this.written.push(this.buffer.subarray(this.start, this.used) as Down)
    this.start = this.used
  }
}
