/**
 * The buffer of a framer: finds where frames end in bytes that come cut anywhere.
 *
 * What is a frame is said in two questions about bytes that lie in one piece: how many bytes the frame has (`measure`), and what
 * it says (`open`). A frame that lies within a chunk is looked at where it is. One that doesn't is gathered, as far as the last
 * answer said that it goes at least, so that little more is copied than the frame.
 */
import { Gather } from "../../bytes/Gather.ts"
import { owned } from "../../bytes/Memory.ts"
import type { Io, Machine } from "../../Machine.ts"
import type { EndOfInput } from "../../Outcome.ts"
import { Truncated } from "../../Reason.ts"
import { Kept } from "../Kept.ts"
import { reasonOf } from "../reasonOf.ts"

/** How many bytes of a chunk are joined to a frame at least before it is looked at again. */
const smallestStep = 64

const nothing = new Uint8Array(0)

/** For how many times the bytes that have come there is memory, at most. */
const growth = 64

/** A read of fewer bytes than this is not worth a read of its own. */
const smallestRead = 16_384

export abstract class FrameMachine<In, Out> implements Machine<Uint8Array, Uint8Array, In, Out> {
  encoded = 0
  /** A frame whose end has not arrived. */
  protected readonly part = new Gather(growth)
  /** What a frame is, for errors. */
  protected readonly what: string
  private readonly kept = new Kept<Uint8Array>()
  /** How many bytes that frame has at least. */
  private need = 0
  /** What `view` was asked about last, and where that lies, which takes its time to ask of the bytes themselves. */
  private viewed: Uint8Array = nothing
  private viewedMemory: ArrayBufferLike = nothing.buffer
  private viewedOffset = 0

  constructor(what: string) {
    this.what = what
  }

  /**
   * How many bytes the frame has that begins at `from`, as far as `bytes` tell: if they end before that can be told, how many it has
   * at least, which is more than are there. Of these it has seen `seen` before, and found no end in them. Throws the reason if
   * this is no frame.
   */
  protected abstract measure(bytes: Uint8Array, from: number, seen: number): number

  /** Emits what a frame says. Throws the reason if that is nothing. */
  protected abstract open(bytes: Uint8Array, from: number, to: number, io: Io<In, Uint8Array>): void

  abstract encode(message: Out, io: Io<In, Uint8Array>): void

  receive(input: ReadonlyArray<Uint8Array>, io: Io<In, Uint8Array>): boolean {
    const chunks = this.kept.and(input)
    try {
      for (let i = 0; i < chunks.length; i++) {
        const chunk = chunks[i]
        const at = this.read(chunk, io)
        if (at < chunk.length) return this.kept.keep(chunks, i, at === 0 ? chunk : chunk.subarray(at))
      }
    } catch (thrown) {
      failed(thrown, io)
    } finally {
      // Between two frames nothing is held that was received.
      this.viewed = nothing
    }
    return true
  }

  memory(): Uint8Array | undefined {
    const { need, part } = this
    if (part.size === 0 || need - part.size < smallestRead) return undefined
    const free = part.free(need)
    return free.length < smallestRead ? undefined : free
  }

  end(): void {}

  ended(endOfInput: EndOfInput, io: Io<In, Uint8Array>): void {
    if (this.part.size === 0) return io.end(endOfInput)
    try {
      this.cutOff(endOfInput, io)
    } catch (thrown) {
      failed(thrown, io)
    }
  }

  /** The input is over inside a frame. Throws the reason if that is no end. */
  protected cutOff(_endOfInput: EndOfInput, _io: Io<In, Uint8Array>): void {
    throw new Truncated({ inside: this.what })
  }

  /** The bytes from `from` to `to`, without a copy. */
  protected view(bytes: Uint8Array, from: number, to: number): Uint8Array {
    if (bytes !== this.viewed) {
      this.viewed = bytes
      this.viewedMemory = bytes.buffer
      this.viewedOffset = bytes.byteOffset
    }
    return new Uint8Array(this.viewedMemory, this.viewedOffset + from, to - from)
  }

  /** `borrow`, for one whose messages never lie in what it receives. */
  protected receiveLent(input: Uint8Array, length: number, io: Io<In, Uint8Array>): boolean {
    return this.receive([input.subarray(0, length)], io)
  }

  /** `own`, for the same. */
  protected ownKept(): void {
    this.kept.replace(owned)
  }

  /** Emits the frames of a chunk; returns how much of it is used, which is not all if there is no room. */
  private read(chunk: Uint8Array, io: Io<In, Uint8Array>): number {
    const end = chunk.length
    let at = 0
    if (this.part.size > 0) {
      at = this.join(chunk, io)
      if (at < 0) return 0
    }
    while (at < end) {
      const size = this.measure(chunk, at, 0)
      const next = at + size
      if (next > end) {
        this.need = size
        this.part.add(chunk, at, end, size)
        break
      }
      if (!io.room()) return at
      this.open(chunk, at, next, io)
      at = next
    }
    return end
  }

  /** Goes on with the frame that has begun; returns where in the chunk the next one begins, or -1 if there is no room for it. */
  private join(chunk: Uint8Array, io: Io<In, Uint8Array>): number {
    const { part } = this
    const before = part.size
    const needed = this.need
    for (let at = 0; at < chunk.length;) {
      const seen = part.size
      const to = Math.min(chunk.length, at + Math.max(this.need - seen, seen, smallestStep))
      part.add(chunk, at, to, Math.max(this.need, seen + to - at))
      at = to
      if (part.size < this.need) break
      const size = this.measure(part.bytes, 0, seen)
      if (size > part.size) {
        this.need = size
        continue
      }
      const next = at - (part.size - size)
      if (!io.room()) {
        part.cut(before)
        this.need = needed
        return -1
      }
      part.cut(size)
      this.open(part.take(), 0, size, io)
      return next
    }
    return chunk.length
  }
}

const failed = (thrown: unknown, io: Io<any, Uint8Array>): void => {
  const reason = reasonOf(thrown)
  if (reason === undefined) throw thrown
  io.fail(reason)
}
