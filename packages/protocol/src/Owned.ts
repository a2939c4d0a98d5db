/**
 * Bytes of one's own, from bytes that are only lent.
 *
 * Small ones are copied one behind the other into slabs, since memory of their own would cost more than the copy. Whoever keeps one
 * keeps its slab, so the slab for tiny ones is small: 16 KiB for those of up to 1 KiB, 64 KiB for those of up to 16 KiB.
 */
import { Slab } from "./internal/Slab.ts"

const tinySize = 1_024
const tiny = new Slab(16_384)

const smallSize = 16_384
const small = new Slab(65_536)

/** A copy of `bytes`, in memory that nobody else writes to. */
export const owned = (bytes: Uint8Array): Uint8Array => {
  const { length } = bytes
  if (length > smallSize) return bytes.slice()
  const slab = length > tinySize ? small : tiny
  const offset = slab.cut(length)
  slab.bytes.set(bytes, offset)
  return new Uint8Array(slab.bytes.buffer, offset, length)
}
