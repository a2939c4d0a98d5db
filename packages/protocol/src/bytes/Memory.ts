/** Memory for bytes, as cheap as it can be had. */
import { Slab } from "../internal/Slab.ts"

const { Buffer } = globalThis as {
  readonly Buffer?: { readonly allocUnsafeSlow?: (size: number) => Uint8Array<ArrayBuffer> }
}

/**
 * Memory that is not cleared, where the runtime has a way to get it. It may hold anything, so whoever allocates it fills it or clears
 * it before anybody else sees it.
 */
export const allocate: (size: number) => Uint8Array<ArrayBuffer> = Buffer?.allocUnsafeSlow === undefined
  ? (size) => new Uint8Array(size)
  : (size) => new Uint8Array(Buffer.allocUnsafeSlow!(size).buffer)

const tinySize = 1_024
const tiny = new Slab(16_384)

const smallSize = 16_384
const small = new Slab(65_536)

/** Up to this size, bytes are copied faster one by one. */
const fewBytes = 64

/**
 * Bytes of one's own, from those of bytes that are only lent: a copy, from `start` to `end`, in memory that nobody else writes to.
 *
 * Small ones are copied one behind the other into slabs, since memory of their own would cost more than the copy. Whoever keeps one
 * keeps its slab, so the slab for tiny ones is small: 16 KiB for those of up to 1 KiB, 64 KiB for those of up to 16 KiB.
 */
export const ownedFrom = (bytes: Uint8Array, start: number, end: number): Uint8Array => {
  const length = end - start
  if (length > smallSize) {
    const copy = allocate(length)
    copy.set(bytes.subarray(start, end))
    return copy
  }
  const slab = length > tinySize ? small : tiny
  const offset = slab.cut(length)
  if (length <= fewBytes) { for (let i = 0; i < length; i++) slab.bytes[offset + i] = bytes[start + i] }
  else slab.bytes.set(bytes.subarray(start, end), offset)
  return new Uint8Array(slab.memory, offset, length)
}

/** The same, of all bytes. */
export const owned = (bytes: Uint8Array): Uint8Array => ownedFrom(bytes, 0, bytes.length)
