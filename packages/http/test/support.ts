/** What the tests of this package share: text as bytes, and ways to cut it. */
import { MachineSuite } from "@wirestack/protocol/testing"

export const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"))

export const utf8 = (text: string): Uint8Array => new Uint8Array(new TextEncoder().encode(text))

export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

export const concat = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => Uint8Array.from(Buffer.concat(parts))

/** The input in pieces: whole, byte by byte, and in twenty random splits. */
export const cuts = (input: Uint8Array): ReadonlyArray<ReadonlyArray<Uint8Array>> => [
  [input],
  Array.from(input, (byte) => Uint8Array.of(byte)),
  ...Array.from({ length: 20 }, (_, seed) => MachineSuite.randomSplit(input, seed + 1))
]
