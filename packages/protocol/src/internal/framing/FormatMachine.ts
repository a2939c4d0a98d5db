/** A framer from a `Format`: the buffer and the limits, around functions that know only whole frames. */
import type { Io } from "../../Machine.ts"
import { TooLarge } from "../../Reason.ts"
import { FrameMachine } from "./FrameMachine.ts"
import { limitOf } from "./limitOf.ts"
import { writePieces } from "./write.ts"

/** How frames look, as three functions of bytes; see `Framer.make`. */
export interface Format<out In, in Out> {
  /** The name of the layer, for errors. */
  readonly layer: string
  /** The largest frame in bytes, both ways, with all that belongs to it; 1 MiB by default. */
  readonly maxFrameSize?: number
  /**
   * How many bytes the frame has that begins at `from`. If `bytes` end before that can be told: how many it has at least, which is
   * more than are there; it is asked again when they are. It has looked at the first `seen` of them before, for what ends a frame.
   */
  readonly measure: (bytes: Uint8Array, from: number, seen: number) => number
  /** What the frame from `from` to `to` says. What it returns may be a view of the bytes. */
  readonly decode: (bytes: Uint8Array, from: number, to: number) => In
  /** The frame of a message, in one piece or several, which nobody changes later. */
  readonly encode: (message: Out) => Uint8Array | ReadonlyArray<Uint8Array>
  /** Told of each message that was written, in their order: one that was refused is not among them. */
  readonly sent?: (message: Out) => void
}

export const defaultLimit = 1_048_576

export class FormatMachine<In, Out> extends FrameMachine<In, Out> {
  private readonly format: Format<In, Out>
  private readonly limit: number

  constructor(format: Format<In, Out>) {
    super("a frame")
    this.format = format
    this.limit = limitOf(format.maxFrameSize, defaultLimit)
  }

  protected measure(bytes: Uint8Array, from: number, seen: number): number {
    const size = this.format.measure(bytes, from, seen)
    if (size > this.limit) throw new TooLarge({ what: this.what, size, limit: this.limit })
    if (!(Number.isSafeInteger(size) && size > 0)) {
      throw new RangeError(`${this.format.layer}: a frame can't have ${size} bytes`)
    }
    return size
  }

  protected open(bytes: Uint8Array, from: number, to: number, io: Io<In, Uint8Array>): void {
    io.emit(this.format.decode(bytes, from, to), to - from)
  }

  encode(message: Out, io: Io<In, Uint8Array>): void {
    this.encoded += writePieces(io, this.format.encode(message), this.limit)
    this.format.sent?.(message)
  }
}
