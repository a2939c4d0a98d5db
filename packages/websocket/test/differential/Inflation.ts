/**
 * What RFC 7692 says of a compressed message, for a receiver of `ws` in place of its own extension: each part is inflated anew
 * from where its context begins, at once, by functions of Node that are documented.
 *
 * It notes where the receiver of `ws` would do something else, so that a difference has a reason.
 */
import * as zlib from "node:zlib"
import type { Deflate } from "./traffic.ts"

/** What `ws` does otherwise: see `differences.ts`. */
export type Quirk = "final" | "flush" | "wire"

const tail = Buffer.from("0000ffff", "hex")

/** A final block with nothing in it. */
const end = Buffer.from("0300", "hex")

const statusCode = Symbol("status-code")

const corrupt = (): Error => Object.assign(new Error("not DEFLATE"), { [statusCode]: 1007 })

interface Inflated {
  readonly buffer: Buffer
  readonly engine: { readonly bytesWritten: number }
}

export class Inflation {
  readonly met = new Set<Quirk>()
  private readonly deflate: Deflate
  /** What came since the context began, and how much it inflates to. */
  private stream: Buffer = Buffer.alloc(0)
  private size = 0

  constructor(deflate: Deflate) {
    this.deflate = deflate
  }

  /** All there is in these bytes, which may end anywhere, or must be whole; and how many of them are used. */
  private inflate(bytes: Buffer, finishFlush: number): Inflated {
    const { windowBits } = this.deflate
    return zlib.inflateRawSync(bytes, { windowBits, finishFlush, info: true }) as unknown as Inflated
  }

  /** What further bytes of a message inflate to; undefined if they are not DEFLATE. */
  peek(bytes: Uint8Array): Buffer | undefined {
    const { size, stream } = this
    const inflated = this.add(bytes)
    this.stream = stream
    this.size = size
    return inflated
  }

  private add(bytes: Uint8Array): Buffer | undefined {
    const pieces: Array<Buffer> = []
    this.stream = Buffer.concat([this.stream, bytes])
    while (this.stream.length > 0) {
      let inflated: Inflated
      try {
        inflated = this.inflate(this.stream, zlib.constants.Z_SYNC_FLUSH)
      } catch {
        return undefined
      }
      const { buffer, engine: { bytesWritten } } = inflated
      pieces.push(buffer.subarray(this.size))
      this.size = buffer.length
      if (bytesWritten === this.stream.length) break
      // Behind a final block the next one begins on a byte boundary, without context.
      this.met.add("final")
      this.stream = this.stream.subarray(bytesWritten)
      this.size = 0
    }
    return Buffer.concat(pieces)
  }

  /** Adds what a flush ends with; false if the message does not fit to it. */
  private finish(): boolean {
    const { size, stream } = this
    const whole = Buffer.concat([stream, tail, end])
    let isWhole = false
    try {
      const { buffer, engine: { bytesWritten } } = this.inflate(whole, zlib.constants.Z_FINISH)
      isWhole = buffer.length === size && bytesWritten === whole.length
      // It may end with a final block, or with the head of one that the tail completes.
      const ends = [stream.length, stream.length + tail.length]
      if (!isWhole && buffer.length === size && stream.length > 0 && ends.includes(bytesWritten)) {
        this.met.add("final")
        this.forget()
        return true
      }
    } catch {
      // It is not.
    }
    if (!isWhole) this.met.add("flush")
    this.stream = Buffer.concat([stream, tail])
    return isWhole
  }

  private forget(): void {
    this.stream = Buffer.alloc(0)
    this.size = 0
  }

  /** As the receiver of `ws` calls it. */
  decompress(bytes: Uint8Array, last: boolean, done: (error: Error | null, inflated?: Buffer) => void): void {
    const inflated = this.add(bytes)
    if (inflated === undefined || (last && !this.finish())) return done(corrupt())
    if (last && !this.deflate.takeover) this.forget()
    done(null, inflated)
  }
}
