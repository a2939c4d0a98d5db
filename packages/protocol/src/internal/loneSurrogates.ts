/** Texts that UTF-8 can't carry, and that libraries replace, or encode nevertheless. */
import * as Schema from "effect/Schema"
import type { Carried } from "../typed/Codec.ts"
import { isWellFormed } from "./isWellFormed.ts"

/**
 * Whether a value has a text with a lone surrogate, given its plain form and what was made of it. Only where the bytes have what such a
 * text may have become is the value itself looked through, in its JSON form if the plain one is bytes already.
 */
export const loneSurrogates = (schema: Carried): (value: unknown, plain: unknown, bytes: Uint8Array) => boolean => {
  let encode: ((value: unknown) => unknown) | undefined
  return (value, plain, bytes) => {
    if (!suspicious(bytes)) return false
    if (!(plain instanceof Uint8Array)) return illFormed(plain)
    encode ??= Schema.encodeUnknownSync(Schema.toCodecJson(schema))
    try {
      return illFormed(encode(value))
    } catch {
      // What has no JSON form is not looked through.
      return false
    }
  }
}

/** Has U+FFFD, the replacement character, or an encoded surrogate. */
const suspicious = (bytes: Uint8Array): boolean => {
  for (let at = bytes.indexOf(0xef); at >= 0; at = bytes.indexOf(0xef, at + 1)) {
    if (bytes[at + 1] === 0xbf && bytes[at + 2] === 0xbd) return true
  }
  for (let at = bytes.indexOf(0xed); at >= 0; at = bytes.indexOf(0xed, at + 1)) if (bytes[at + 1] >= 0xa0) return true
  return false
}

const illFormed = (plain: unknown): boolean => {
  if (typeof plain === "string") return !isWellFormed(plain)
  if (typeof plain !== "object" || plain === null || plain instanceof Uint8Array) return false
  return Object.entries(plain).some(([key, value]) => illFormed(key) || illFormed(value))
}
