/**
 * A framer from a program: a generator a frame, which asks for bytes and goes on with them.
 *
 * The generator waits where it is while bytes are missing, so that none is looked at twice. What it is given lies in one piece.
 */
import type { Io } from "../../Machine.ts"
import { TooLarge } from "../../Reason.ts"
import { find } from "./find.ts"
import { defaultLimit } from "./FormatMachine.ts"
import { FrameMachine } from "./FrameMachine.ts"
import { limitOf } from "./limitOf.ts"
import { writePieces } from "./write.ts"

/** What a program asks for, and is given with `yield*`. Throws a `RangeError` if that can't be. */
export class Step<A = Uint8Array> implements Iterator<Step<any>, A, any> {
  /** So many bytes, or those before a delimiter. */
  readonly size: number
  readonly delimiter: Uint8Array | undefined
  /** Whether the program moves on behind them. */
  readonly takes: boolean
  private asked = false

  constructor(size: number, takes: boolean, delimiter?: Uint8Array) {
    if (!(size >= 0 && (delimiter === undefined ? Number.isInteger(size) : delimiter.length > 0))) {
      throw new RangeError(`a program can't take ${size} bytes${delimiter?.length === 0 ? " before nothing" : ""}`)
    }
    this.size = size
    this.takes = takes
    this.delimiter = delimiter
  }

  [Symbol.iterator](): this {
    return this
  }

  next(bytes: A): IteratorResult<Step<any>, A> {
    if (this.asked) return { done: true, value: bytes }
    this.asked = true
    return { done: false, value: this }
  }
}

/** What reads one frame. */
export type Reading<A> = Iterator<Step<any>, A, any>

/** How frames are read and written; see `Framer.program`. */
export interface Program<out In, in Out> {
  /** The name of the layer, for errors. */
  readonly layer: string
  /** The largest frame in bytes, both ways, with all that belongs to it; 1 MiB by default. */
  readonly maxFrameSize?: number
  /** Reads one frame, with `yield*`, and returns its message. It takes at least one byte. */
  readonly decode: () => Reading<In>
  /** The frame of a message, in one piece or several, which nobody changes later. */
  readonly encode: (message: Out) => Uint8Array | ReadonlyArray<Uint8Array>
  /** Told of each message that was written, in their order: one that was refused is not among them. */
  readonly sent?: (message: Out) => void
}

export class ProgramMachine<In, Out> extends FrameMachine<In, Out> {
  private readonly program: Program<In, Out>
  private readonly limit: number
  private reading: Reading<In> | undefined = undefined
  private result: IteratorResult<Step<any>, In> | undefined = undefined
  /** How many bytes of the frame the program has taken. */
  private taken = 0
  /** How many bytes behind them have been searched for a delimiter. */
  private searched = 0

  constructor(program: Program<In, Out>) {
    super("a frame")
    this.program = program
    this.limit = limitOf(program.maxFrameSize, defaultLimit)
  }

  protected measure(bytes: Uint8Array, from: number): number {
    let { reading, result } = this
    if (reading === undefined) {
      reading = this.reading = this.program.decode()
      result = reading.next()
    }
    // A frame there was no room for is measured again.
    while (result!.done !== true) {
      const step = result!.value
      const start = from + this.taken
      const end = step.delimiter === undefined
        ? start + step.size
        : this.search(bytes, start, step.delimiter, step.size)
      if (end - from > this.limit) throw new TooLarge({ what: this.what, size: end - from, limit: this.limit })
      if (end > bytes.length) {
        this.result = result
        return end - from
      }
      const given = bytes.subarray(start, step.delimiter === undefined ? end : end - step.delimiter.length)
      this.searched = 0
      if (step.takes) this.taken = end - from
      result = reading.next(given)
    }
    if (this.taken === 0) throw new RangeError(`${this.program.layer}: a frame can't have 0 bytes`)
    this.result = result
    return this.taken
  }

  protected open(_bytes: Uint8Array, _from: number, _to: number, io: Io<In, Uint8Array>): void {
    const message = this.result!.value as In
    const size = this.taken
    this.reading = undefined
    this.result = undefined
    this.taken = 0
    io.emit(message, size)
  }

  encode(message: Out, io: Io<In, Uint8Array>): void {
    this.encoded += writePieces(io, this.program.encode(message), this.limit)
    this.program.sent?.(message)
  }

  /** Where the delimiter ends, or behind the last byte if it has not come. */
  private search(bytes: Uint8Array, start: number, delimiter: Uint8Array, limit: number): number {
    const last = delimiter.length - 1
    const found = find(bytes, delimiter, start + Math.max(this.searched, last))
    const size = found < 0 ? bytes.length - start : found - start
    if (size - last > limit) throw new TooLarge({ what: `a part of ${this.what}`, size: limit + 1, limit })
    this.searched = size
    return (found < 0 ? bytes.length : found) + 1
  }
}
