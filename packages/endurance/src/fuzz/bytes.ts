/** Bytes as a corpus has them. */
import { MachineSuite } from "@wirestack/protocol/testing"

export const utf8 = (text: string): Uint8Array => new Uint8Array(new TextEncoder().encode(text))

export const hex = (digits: string): Uint8Array => new Uint8Array(Buffer.from(digits.replace(/\s/g, ""), "hex"))

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

export const joined = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => MachineSuite.concat(parts)

/** A number that belongs to these bytes (FNV-1a), so that the same input is cut the same way each time. */
export const seedOf = (bytes: Uint8Array): number => {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash
}

/** Bytes in pieces of their own memory. */
export const cut = (bytes: Uint8Array, seed = seedOf(bytes)): ReadonlyArray<Uint8Array> =>
  MachineSuite.randomSplit(bytes, seed).map((piece) => piece.slice())
