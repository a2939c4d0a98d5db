/** Bytes and delimiters in bytes. */

import { viewOf } from "../../bytes/viewOf.ts"
import { findByte } from "../nodeText.ts"

/** Up to this distance, a loop over words is faster than what the runtime has. */
const near = 96

/** Whether one of the four bytes of a word is zero. */
const hasZero = (word: number): boolean => ((word - 0x01010101) & ~word & 0x80808080) !== 0

/** Where a byte is, at `from` at the earliest; -1 if it is not there. */
export const indexOf = (bytes: Uint8Array, byte: number, from: number): number => {
  const { byteOffset, length } = bytes
  const end = Math.min(length, from + near)
  const words = viewOf(bytes)
  const wanted = byte * 0x01010101
  let at = from
  for (const last = end - 8; at <= last; at += 8) {
    const word = byteOffset + at
    if (hasZero(words.getInt32(word, true) ^ wanted) || hasZero(words.getInt32(word + 4, true) ^ wanted)) break
  }
  for (; at < end; at++) if (bytes[at] === byte) return at
  if (end >= length) return -1
  return findByte === undefined ? bytes.indexOf(byte, end) : findByte.call(bytes, byte, end)
}

/** Whether the first `size` bytes of the delimiter lie there. */
export const lies = (bytes: Uint8Array, at: number, delimiter: Uint8Array, size: number): boolean => {
  for (let i = 0; i < size; i++) if (bytes[at + i] !== delimiter[i]) return false
  return true
}

/** Where a delimiter ends, at `from` at the earliest; -1 if it doesn't. It is found by its last byte. */
export const find = (bytes: Uint8Array, delimiter: Uint8Array, from: number): number => {
  const last = delimiter.length - 1
  let found = indexOf(bytes, delimiter[last], from)
  while (found >= 0 && !lies(bytes, found - last, delimiter, last)) found = indexOf(bytes, delimiter[last], found + 1)
  return found
}
