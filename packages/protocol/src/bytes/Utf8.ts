/**
 * UTF-8 to and from strings, checked as strictly as RFC 3629 and as early as its bytes arrive.
 *
 * Text that is complete is decoded in one go. Of text that is still arriving, `check` says how far it is complete and
 * valid, and sees an impossible byte at once, also in the middle of a character. It keeps no state: the caller has all
 * bytes in one buffer and remembers the offset.
 *
 * A byte order mark is a character like any other. Lone surrogates, which have no UTF-8, are encoded as U+FFFD.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3629#section-4
 */
import { asciiOf, writeUtf8 } from "../internal/nodeText.ts"
import { viewOf } from "./viewOf.ts"

declare const TextDecoder: new(
  label: "utf-8",
  options: { readonly fatal: boolean; readonly ignoreBOM: boolean }
) => { decode(bytes: Uint8Array): string }

declare const TextEncoder: new() => {
  /** Writes as many whole characters as fit; `read` counts UTF-16 units, `written` bytes. */
  encodeInto(text: string, target: Uint8Array): { readonly read: number; readonly written: number }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/** Up to this length, a loop over ASCII is faster than the platform's decoder and encoder. */
const short = 12

/** Up to this length, it is worth to see first whether a text is ASCII. */
const medium = 128

const isAscii = (bytes: Uint8Array, start: number, end: number): boolean => {
  const words = viewOf(bytes)
  let all = 0
  let at = bytes.byteOffset + start
  const last = bytes.byteOffset + end
  for (; at + 4 <= last; at += 4) all |= words.getInt32(at, true)
  for (; at < last; at++) all |= words.getUint8(at)
  return (all & 0x80808080) === 0
}

/** The text in `bytes` from `start` to `end`, or undefined if it isn't UTF-8. */
export const decode = (bytes: Uint8Array, start: number, end: number): string | undefined => {
  if (end - start <= short) {
    let text = ""
    let at = start
    for (const last = end - 4; at <= last; at += 4) {
      const a = bytes[at]
      const b = bytes[at + 1]
      const c = bytes[at + 2]
      const d = bytes[at + 3]
      if ((a | b | c | d) > 0x7f) break
      text += String.fromCharCode(a, b, c, d)
    }
    while (at < end && bytes[at] <= 0x7f) text += String.fromCharCode(bytes[at++])
    if (at === end) return text
  } else if (asciiOf !== undefined && end - start <= medium && isAscii(bytes, start, end)) {
    return asciiOf.call(bytes, start, end)
  }
  try {
    return decoder.decode(bytes.subarray(start, end))
  } catch {
    return undefined
  }
}

/** The length of the character that `lead` begins, if it begins one of several bytes. */
const lengthOf = (lead: number): number => lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4

/** Where the last character begins if bytes of it are still missing, otherwise `end`. */
const completeEnd = (bytes: Uint8Array, start: number, end: number): number => {
  for (let at = end - 1; at >= start && at >= end - 3; at--) {
    if (bytes[at] >= 0xc0) return at + lengthOf(bytes[at]) > end ? at : end
    if (bytes[at] < 0x80) return end
  }
  return end
}

/** Whether the bytes can be the beginning of a character; those after the first are known to be continuation bytes. */
const isBeginning = (bytes: Uint8Array, start: number, end: number): boolean => {
  const lead = bytes[start]
  if (lead < 0xc2 || lead > 0xf4) return false
  if (end - start === 1) return true
  const second = bytes[start + 1]
  switch (lead) {
    case 0xe0:
      return second >= 0xa0
    case 0xed:
      return second < 0xa0
    case 0xf0:
      return second >= 0x90
    case 0xf4:
      return second < 0x90
    default:
      return true
  }
}

/**
 * The end of the last complete character between `start`, where one begins, and `end`, if all before it is text; or -1 if the
 * bytes behind it can't begin a character.
 */
export const completed = (bytes: Uint8Array, start: number, end: number): number => {
  const complete = completeEnd(bytes, start, end)
  return complete < end && !isBeginning(bytes, complete, end) ? -1 : complete
}

/** The same, or -1 if the bytes can't be text, whatever follows. */
export const check = (bytes: Uint8Array, start: number, end: number): number => {
  const complete = completed(bytes, start, end)
  return complete < 0 || decode(bytes, start, complete) === undefined ? -1 : complete
}

/** Texts of at most so many UTF-16 units are encoded by way of `scratch`. */
export const scratchLimit = 32_768

/** Where `encodeScratch` leaves its bytes, until its next call. */
export const scratch = new Uint8Array(scratchLimit * 3)

/** Writes a text to `target` from `offset` on, where there is room for 3 bytes a UTF-16 unit, and returns its length in bytes. */
export const write = (text: string, target: Uint8Array, offset: number): number => {
  const { length } = text
  if (length <= short) {
    let at = 0
    for (; at < length; at++) {
      const unit = text.charCodeAt(at)
      if (unit > 0x7f) break
      target[offset + at] = unit
    }
    if (at === length) return length
  }
  return writeUtf8 === undefined
    ? encoder.encodeInto(text, target.subarray(offset, offset + length * 3)).written
    : writeUtf8.call(target, text, offset, length * 3)
}

/** Writes a text to `target` from `offset` on if it has at most `size` bytes; returns its length, or -1 if it has more. */
export const writeWhole = (text: string, target: Uint8Array, offset: number, size: number): number => {
  const { read, written } = encoder.encodeInto(text, target.subarray(offset, offset + size))
  return read === text.length ? written : -1
}

/** Encodes a text within the `scratchLimit` to the beginning of `scratch`, and returns its length in bytes. */
export const encodeScratch = (text: string): number => write(text, scratch, 0)

/** Encodes a text to bytes of their own. */
export const encode = (text: string): Uint8Array => {
  const ascii = new Uint8Array(text.length)
  const { read, written } = encoder.encodeInto(text, ascii)
  if (read === text.length) return ascii
  const bytes = new Uint8Array(written + (text.length - read) * 3)
  bytes.set(ascii.subarray(0, written))
  const rest = encoder.encodeInto(text.slice(read), bytes.subarray(written))
  return bytes.subarray(0, written + rest.written)
}
