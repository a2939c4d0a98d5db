/**
 * Masking: every byte a client sends is combined with a fresh, unpredictable key of four bytes, by exclusive or.
 *
 * Masking and unmasking are the same operation and happen in place, so on bytes that are ours: what we received, or the
 * copy we are about to send. A key is held as an integer whose lowest byte is the first on the wire, and large buffers
 * are taken by the word of 64 bits, which V8 combines without making a bigint (2 to 3 times as fast as 32 bits). That, too,
 * is for machines whose words begin with the lowest byte, which is all that run this.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-5.3
 */
import { viewOf } from "@wirestack/protocol/bytes/viewOf"
import { crypto } from "../internal/platform.ts"

const keys = new Int32Array(1_024)
let used = keys.length

/** A key nobody can predict. */
export const freshKey = (): number => {
  if (used === keys.length) {
    crypto.getRandomValues(keys)
    used = 0
  }
  return keys[used++]
}

/** The key for the bytes that come `count` bytes later. */
export const advance = (key: number, count: number): number => {
  const bits = (count & 3) << 3
  return bits === 0 ? key : (key >>> bits) | (key << (32 - bits))
}

/** From this size on a view of whole words pays for itself. */
const largeSize = 512

/** The part of a large buffer that lies on word boundaries, word by word; returns where it ends. */
const applyWords = (bytes: Uint8Array, start: number, end: number, key: number): number => {
  const words = new BigUint64Array(bytes.buffer, bytes.byteOffset + start, (end - start) >> 3)
  const half = BigInt(key >>> 0)
  const wide = BigInt.asUintN(64, (half << 32n) | half)
  const { length } = words
  let i = 0
  for (const last = length - 4; i <= last; i += 4) {
    words[i] ^= wide
    words[i + 1] ^= wide
    words[i + 2] ^= wide
    words[i + 3] ^= wide
  }
  for (; i < length; i++) words[i] ^= wide
  return start + (length << 3)
}

/** Masks or unmasks `bytes` from `start` to `end`, in place; the byte at `start` meets the first byte of the key. */
export const apply = (bytes: Uint8Array, start: number, end: number, key: number): void => {
  let at = start
  if (end - start >= largeSize) {
    const lead = -(bytes.byteOffset + start) & 7
    for (let i = 0; i < lead; i++) bytes[at++] ^= key >>> ((i & 3) << 3)
    key = advance(key, lead)
    at = applyWords(bytes, at, end, key)
  } else if (end - start >= 16) {
    const words = viewOf(bytes)
    const { byteOffset } = bytes
    let word = byteOffset + start
    const wordsEnd = byteOffset + end
    for (const last = wordsEnd - 16; word <= last; word += 16) {
      words.setInt32(word, words.getInt32(word, true) ^ key, true)
      words.setInt32(word + 4, words.getInt32(word + 4, true) ^ key, true)
      words.setInt32(word + 8, words.getInt32(word + 8, true) ^ key, true)
      words.setInt32(word + 12, words.getInt32(word + 12, true) ^ key, true)
    }
    for (const last = wordsEnd - 4; word <= last; word += 4) {
      words.setInt32(word, words.getInt32(word, true) ^ key, true)
    }
    at = word - byteOffset
  }
  for (let shift = 0; at < end; at++, shift = (shift + 8) & 31) bytes[at] ^= key >>> shift
}
