import { allocate } from "@wirestack/protocol/bytes/Memory"

/**
 * Chunks as one, in memory of its own: whoever is given it may give it away, and what lies beside a chunk in its slab would go
 * along with it.
 */
export const join = (chunks: ReadonlyArray<Uint8Array>, size: number): Uint8Array => {
  const bytes = allocate(size)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}
