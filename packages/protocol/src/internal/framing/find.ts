/** Delimiters of several bytes, found by their last one. */

/** Whether the first `size` bytes of the delimiter lie there. */
export const lies = (bytes: Uint8Array, at: number, delimiter: Uint8Array, size: number): boolean => {
  for (let i = 0; i < size; i++) if (bytes[at + i] !== delimiter[i]) return false
  return true
}

/** Where a delimiter ends, at `from` at the earliest; -1 if it doesn't. */
export const find = (bytes: Uint8Array, delimiter: Uint8Array, from: number): number => {
  const last = delimiter.length - 1
  let found = bytes.indexOf(delimiter[last], from)
  while (found >= 0 && !lies(bytes, found - last, delimiter, last)) found = bytes.indexOf(delimiter[last], found + 1)
  return found
}
