/** Lengths that are written as decimal digits. */

const zero = 0x30

/** The value of a digit; anything else gives more than 9. */
export const digit = (byte: number): number => (byte - zero) >>> 0

/** Writes an integer as digits to the beginning of some bytes, and returns how many it has. */
export const writeDigits = (value: number, bytes: Uint8Array, at: number): number => {
  let size = 1
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) size++
  let rest = value
  for (let i = at + size - 1; i >= at; i--) {
    bytes[i] = zero + rest % 10
    rest = Math.floor(rest / 10)
  }
  return size
}
