/** What frames are written with. */
import type { Io } from "../../Machine.ts"
import { TooLarge } from "../../Reason.ts"
import type { Message } from "../../Transport.ts"
import * as utf8 from "../utf8.ts"

/**
 * Writes a frame: the first `headSize` bytes of `head`, a message's payload, and the tail. A small payload is copied next to them, a
 * large one is written as it is.
 */
export const writeFrame = (
  io: Io<any, Uint8Array>,
  head: Uint8Array,
  headSize: number,
  message: Message,
  payload: Uint8Array,
  tail: Uint8Array
): void => {
  const size = payload.length
  // What a short text was encoded to is used again by the next one.
  const together = size <= utf8.copied || (typeof message === "string" && message.length <= utf8.copied)
  if (together) {
    const offset = io.reserve(headSize + size + tail.length)
    const { buffer } = io
    put(buffer, offset, head, headSize)
    put(buffer, offset + headSize, payload, size)
    put(buffer, offset + headSize + size, tail, tail.length)
  } else {
    writeFew(io, head, headSize)
    io.write(payload)
    writeFew(io, tail, tail.length)
  }
}

const writeFew = (io: Io<any, Uint8Array>, bytes: Uint8Array, size: number): void => {
  if (size === 0) return
  const offset = io.reserve(size)
  put(io.buffer, offset, bytes, size)
}

/** Up to this size, bytes are copied faster one by one. */
const few = 16

const put = (buffer: Uint8Array, at: number, bytes: Uint8Array, size: number): void => {
  if (size > few) buffer.set(size === bytes.length ? bytes : bytes.subarray(0, size), at)
  else for (let i = 0; i < size; i++) buffer[at + i] = bytes[i]
}

/** No bytes, for a frame without a head or a tail. */
export const nothing = new Uint8Array(0)

const sizeOf = (pieces: ReadonlyArray<Uint8Array>): number => pieces.reduce((size, { length }) => size + length, 0)

/** Writes a frame that is there in pieces; returns its size. Throws `TooLarge` if that is over the limit. */
export const writePieces = (
  io: Io<any, Uint8Array>,
  frame: Uint8Array | ReadonlyArray<Uint8Array>,
  limit: number
): number => {
  const pieces = frame instanceof Uint8Array ? [frame] : frame
  const size = sizeOf(pieces)
  if (size > limit) throw new TooLarge({ what: "a frame", size, limit })
  for (const piece of pieces) {
    if (piece.length > utf8.copied) io.write(piece)
    else writeFew(io, piece, piece.length)
  }
  return size
}
