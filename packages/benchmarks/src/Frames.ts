/** The bytes a load is made of, built once: masked binary frames for the server, and the echo that is to come back. */
import type { Workload } from "./Workload.ts"

/** The first byte of a whole binary message, and of a compressed one (RFC 7692). */
export const binary = 0x82
export const compressedBinary = 0xc2

const header = (first: number, length: number, mask: Buffer | undefined): Buffer => {
  const bit = mask === undefined ? 0 : 0x80
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8
  const head = Buffer.alloc(2 + extended)
  head[0] = first
  head[1] = bit | (extended === 0 ? length : extended === 2 ? 126 : 127)
  if (extended === 2) head.writeUInt16BE(length, 2)
  if (extended === 8) head.writeBigUInt64BE(BigInt(length), 2)
  return mask === undefined ? head : Buffer.concat([head, mask])
}

/** A message as a client sends it, in a frame whose first byte is `first`. */
export const masked = (first: number, body: Buffer, mask: Buffer): Buffer =>
  Buffer.concat([header(first, body.length, mask), Buffer.from(body.map((byte, i) => byte ^ mask[i & 3]))])

/** A repeating sequence of messages: what is sent, and what must come back, byte for byte. */
export interface Frames {
  /** The sequence as the client sends it; `sent.length / count` bytes a message. */
  readonly sent: Buffer
  /** The sequence as it comes back. */
  readonly echoed: Buffer
  /** Messages in the sequence. */
  readonly count: number
}

/** Payloads that differ from one message to the next, so that a lost or reordered one shows. */
const payload = (n: number, size: number): Buffer => {
  const bytes = Buffer.alloc(size)
  for (let i = 0; i < size; i++) bytes[i] = (n * 37 + i * 11 + (i >> 7)) & 0xff
  return bytes
}

/** A message as a server sends it, in frames of at most `frameSize` bytes. */
const fragmented = (body: Buffer, frameSize: number): ReadonlyArray<Buffer> => {
  const frames: Array<Buffer> = []
  let at = 0
  do {
    const fragment = body.subarray(at, at + frameSize)
    const first = (at === 0 ? binary & 0x0f : 0) | (at + fragment.length === body.length ? 0x80 : 0)
    frames.push(header(first, fragment.length, undefined), fragment)
    at += fragment.length
  } while (at < body.length)
  return frames
}

/**
 * The frames of a workload, which comes back in frames of at most `frameSize`; `framed: false` gives bare payloads, for a server that
 * echoes bytes.
 */
export const make = (workload: Workload, framed: boolean, frameSize = Infinity): Frames => {
  const sent: Array<Buffer> = []
  const echoed: Array<Buffer> = []
  for (let n = 0; n < workload.depth; n++) {
    const body = payload(n, workload.size)
    if (framed) {
      const mask = Buffer.from([17 + n, 42, 99, 250])
      sent.push(masked(binary, body, mask))
      echoed.push(...fragmented(body, frameSize))
    } else {
      sent.push(body)
      echoed.push(body)
    }
  }
  return { sent: Buffer.concat(sent), echoed: Buffer.concat(echoed), count: workload.depth }
}
