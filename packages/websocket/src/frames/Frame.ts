/**
 * The head of a frame as it is written, in the shortest form.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-------+-+-------------+-------------------------------+
 *     |F|R|R|R| opcode|M| Payload len |    Extended payload length    |
 *     |I|S|S|S|  (4)  |A|     (7)     |        (16 or 64 bits,        |
 *     |N|V|V|V|       |S|             |  if the length is 126 or 127) |
 *     | |1|2|3|       |K|             |                               |
 *     +-+-+-+-+-------+-+-------------+-------------------------------+
 *     |                  Masking key, if MASK is set                  |
 *     +---------------------------------------------------------------+
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-5.2
 */
import * as Mask from "./Mask.ts"

/** What is in the first two bytes. */
export const Bits = {
  Fin: 0x80,
  Reserved: 0x70,
  Opcode: 0x0f,
  Masked: 0x80,
  Length: 0x7f
} as const

/** The longest head: two bytes, 64 bits of length, the key. */
export const maxHeadSize = 14

/** The longest payload of a control frame. */
export const maxControlSize = 125

/** How long the head of an unmasked frame with a payload of `length` bytes is; a key adds 4. */
export const headSize = (length: number): number => length <= maxControlSize ? 2 : length <= 0xffff ? 4 : 10

/** The size of the payload of a whole unmasked frame. */
export const payloadSize = ({ length }: Uint8Array): number =>
  length - (length <= 2 + maxControlSize ? 2 : length <= 4 + 0xffff ? 4 : 10)

/**
 * Writes the head of a frame and returns the offset behind it. `first` is its first byte: the last bit, reserved bits and the
 * opcode. Without a `key` it is unmasked.
 *
 * @category encoding
 */
export const writeHead = (
  target: Uint8Array,
  offset: number,
  first: number,
  length: number,
  key: number | undefined
): number => {
  const mask = key === undefined ? 0 : Bits.Masked
  target[offset] = first
  let at = offset + 2
  if (length <= maxControlSize) target[offset + 1] = mask | length
  else if (length <= 0xffff) {
    target[offset + 1] = mask | 126
    target[at++] = length >>> 8
    target[at++] = length
  } else {
    target[offset + 1] = mask | 127
    const high = Math.floor(length / 0x1_0000_0000)
    for (let shift = 24; shift >= 0; shift -= 8) target[at++] = high >>> shift
    for (let shift = 24; shift >= 0; shift -= 8) target[at++] = length >>> shift
  }
  if (key !== undefined) { for (let shift = 0; shift < 32; shift += 8) target[at++] = key >>> shift }
  return at
}

/**
 * A whole control frame, in bytes of its own; masked with a fresh key if `masked`.
 *
 * @category encoding
 */
export const control = (opcode: number, payload: Uint8Array, masked: boolean): Uint8Array => {
  const key = masked ? Mask.freshKey() : undefined
  const frame = new Uint8Array(2 + (masked ? 4 : 0) + payload.length)
  const start = writeHead(frame, 0, Bits.Fin | opcode, payload.length, key)
  frame.set(payload, start)
  if (key !== undefined) Mask.apply(frame, start, frame.length, key)
  return frame
}
