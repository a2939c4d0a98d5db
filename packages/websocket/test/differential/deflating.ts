/** Compressed messages as a peer may make them, right and wrong. */
import * as zlib from "node:zlib"
import { concat, hex } from "../support.ts"
import type { Deflate, Packed, Variant } from "./traffic.ts"

const rsv1 = 4

const { Z_DEFAULT_STRATEGY, Z_FIXED, Z_FULL_FLUSH, Z_HUFFMAN_ONLY, Z_RLE, Z_SYNC_FLUSH } = zlib.constants

const tailSize = 4
const windowSize = 32_768

/** A compressor that knows what it has compressed before, as far as the context goes. */
class Packer {
  private readonly chance: () => number
  private readonly deflate: Deflate
  private context = Buffer.alloc(0)

  constructor(chance: () => number, deflate: Deflate) {
    this.chance = chance
    this.deflate = deflate
  }

  private in(probability: number): boolean {
    return this.chance() < probability
  }

  private pick<A>(list: ReadonlyArray<A>): A {
    return list[Math.floor(this.chance() * list.length)]
  }

  private blocks(payload: Uint8Array, finishFlush: number | undefined): Buffer {
    const { context } = this
    const bytes = zlib.deflateRawSync(payload, {
      level: this.pick([0, 1, 6, 6, 9]),
      memLevel: this.pick([1, 8, 9]),
      strategy: this.pick([Z_DEFAULT_STRATEGY, Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE]),
      windowBits: this.deflate.windowBits,
      ...(finishFlush === undefined ? {} : { finishFlush }),
      ...(context.length === 0 ? {} : { dictionary: context })
    })
    const isOver = finishFlush === undefined || finishFlush === Z_FULL_FLUSH
    this.context = isOver ? Buffer.alloc(0) : Buffer.concat([context, payload]).subarray(-windowSize)
    return bytes
  }

  /** Without the end of its flush. */
  private flushed(payload: Uint8Array): Uint8Array {
    return payload.length === 0 ? Uint8Array.of(0) : this.blocks(payload, Z_SYNC_FLUSH).subarray(0, -tailSize)
  }

  /** Some blocks, of which one may be final. */
  private compressed(payload: Uint8Array): Uint8Array {
    const kind = this.chance()
    if (kind < 0.6) return this.flushed(payload)
    const half = Math.floor(this.chance() * (payload.length + 1))
    const [first, second] = [payload.subarray(0, half), payload.subarray(half)]
    if (kind < 0.7) return concat(this.blocks(first, Z_SYNC_FLUSH), this.flushed(second))
    if (kind < 0.8) return concat(this.blocks(first, Z_FULL_FLUSH), this.flushed(second))
    if (kind < 0.87) return this.blocks(payload, undefined)
    if (kind < 0.94) return concat(this.blocks(payload, undefined), Uint8Array.of(0))
    return concat(this.blocks(first, undefined), this.flushed(second))
  }

  private broken(bytes: Uint8Array): Uint8Array {
    const at = Math.floor(this.chance() * bytes.length)
    const changed = bytes.slice()
    switch (this.pick([0, 0, 0, 1, 1, 2, 3, 4])) {
      case 0:
        changed[at] ^= 1 << Math.floor(this.chance() * 8)
        return changed
      case 1:
        return bytes.subarray(0, this.in(0.5) ? -1 : at)
      case 2:
        return concat(bytes, Uint8Array.from({ length: 1 + this.chance() * 3 }, () => this.chance() * 256))
      case 3:
        return Uint8Array.from({ length: 1 + this.chance() * 30 }, () => this.chance() * 256)
      default:
        // A repetition of what is farther back than anything.
        return concat(hex("f200110000"), bytes)
    }
  }

  pack(payload: Uint8Array): Packed {
    if (this.in(0.15)) return { rsv: 0, payload }
    if (!this.deflate.takeover) this.context = Buffer.alloc(0)
    // Now and then it is far more than it seems to be.
    const whole = this.in(0.02) ? concat(payload, new Uint8Array(this.pick([500, 5_000, 70_000, 1_100_000]))) : payload
    const bytes = this.compressed(whole)
    return { rsv: rsv1, payload: this.in(0.08) ? this.broken(bytes) : bytes }
  }
}

/** Traffic with permessage-deflate. */
export const compressed: Variant = (chance) => {
  const deflate: Deflate = { takeover: chance() < 0.5, windowBits: chance() < 0.8 ? 15 : chance() < 0.5 ? 9 : 11 }
  const packer = new Packer(chance, deflate)
  return { deflate, pack: (payload) => packer.pack(payload) }
}
