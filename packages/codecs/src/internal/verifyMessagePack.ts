/**
 * Walks over a message in MessagePack before any of it is made: one value, which ends where the message does, and is not nested too
 * deep, and whose texts are UTF-8. So whoever makes it allocates for what has arrived, and not for what was announced.
 *
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md#formats
 */

/** How deep arrays and maps may lie in one another. */
export const maxDepth = 100

declare const TextDecoder: {
  new(label: string, options: { fatal: boolean; ignoreBOM: boolean }): { decode(bytes: Uint8Array): string }
}

export const verifyMessagePack = (bytes: Uint8Array): void => {
  /** How many values are still to come, in each array and map that is open. */
  const open = [1]
  let at = 0
  while (open.length > 0) {
    const last = open.length - 1
    if (open[last] === 0) {
      open.pop()
      continue
    }
    open[last]--
    if (at >= bytes.length) throw new RangeError("it ends inside a value")
    const first = bytes[at++]
    let values = 0
    if (first < 0x80 || first >= 0xe0) continue
    if (first < 0x90) values = (first & 0x0f) * 2
    else if (first < 0xa0) values = first & 0x0f
    else if (first < 0xc0) at = text(bytes, at, first & 0x1f)
    else {
      const size = sizes[first - 0xc0]
      if (size < 0) {
        const width = -size
        const length = unsigned(bytes, at, width)
        at += width
        if (first >= 0xde) values = length * 2
        else if (first >= 0xdc) values = length
        else if (first >= 0xd9) at = text(bytes, at, length)
        // Extensions have a byte that tells their type.
        else at += first >= 0xc7 && first <= 0xc9 ? length + 1 : length
      } else at += size
    }
    if (values > 0 && open.push(values) > maxDepth + 1) throw new RangeError(`it is nested deeper than ${maxDepth}`)
  }
  if (at > bytes.length) throw new RangeError("it ends inside a value")
  if (at < bytes.length) throw new RangeError("it goes on behind its value")
}

/** What follows each first byte from 0xc0 on: so many bytes, or, below zero, a length of that many bytes. */
const sizes = [
  [0, 0, 0, 0], //                       nil, never used, false, true
  [-1, -2, -4, -1, -2, -4], //           bin, ext
  [4, 8, 1, 2, 4, 8, 1, 2, 4, 8], //     float, uint, int
  [2, 3, 5, 9, 17], //                   fixext
  [-1, -2, -4, -2, -4, -2, -4] //        str, array, map
].flat()

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Passes over a text, which is UTF-8. A byte order mark at its beginning would be lost on who decodes it. */
const text = (bytes: Uint8Array, start: number, length: number): number => {
  const end = start + length
  if (end > bytes.length) throw new RangeError("it ends inside a value")
  for (let at = start; at < end; at++) {
    if (bytes[at] < 0x80) continue
    if (strict.decode(bytes.subarray(start, end)).startsWith("\ufeff")) throw new TypeError("a byte order mark")
    break
  }
  return end
}

const unsigned = (bytes: Uint8Array, at: number, width: number): number => {
  if (at + width > bytes.length) throw new RangeError("it ends inside a value")
  let value = 0
  for (let i = 0; i < width; i++) value = value * 256 + bytes[at + i]
  return value
}
