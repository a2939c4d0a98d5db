/** Unsigned integers of one to eight bytes, in either order of their bytes. */

import { Unencodable } from "../../ConnectionError.ts"

/** Which byte comes first: the most significant, or the least. */
export type Endian = "big" | "little"

/** The largest integer of so many bytes; of eight, the largest that a number tells from the next. */
export const largest = (width: number): number => Math.min(2 ** (8 * width) - 1, Number.MAX_SAFE_INTEGER)

/** Throws `Unencodable` if a value is no integer that has so many bytes. */
export const check = (what: string, value: number, width: number): void => {
  if (!(Number.isInteger(value) && value >= 0 && value <= largest(width))) {
    throw new Unencodable({ detail: `${what} is an integer from 0 to ${largest(width)}, which ${value} is not` })
  }
}

/** Reads one; beyond `Number.MAX_SAFE_INTEGER` about what it is. */
export const read = (bytes: Uint8Array, at: number, width: number, big: boolean): number => {
  if (width === 4 && big) return at32(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3])
  let value = 0
  if (big) { for (let i = 0; i < width; i++) value = value * 256 + bytes[at + i] }
  else for (let i = width - 1; i >= 0; i--) value = value * 256 + bytes[at + i]
  return value
}

/** The most common width has no loop. */
const at32 = (a: number, b: number, c: number, d: number): number => (a << 24 | b << 16 | c << 8 | d) >>> 0

/** Writes one, which has at most `width` bytes. */
export const write = (value: number, bytes: Uint8Array, at: number, width: number, big: boolean): void => {
  const last = width - 1
  let rest = value
  for (let i = 0; i <= last; i++) {
    bytes[at + (big ? last - i : i)] = rest
    rest = rest < 2 ** 32 ? rest >>> 8 : Math.floor(rest / 256)
  }
}
