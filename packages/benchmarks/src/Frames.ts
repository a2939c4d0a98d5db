/** The bytes a load is made of, built once: masked binary frames for the server, and the echo that is to come back. */
import type { Workload } from "./Workload.ts"

const header = (opcode: number, length: number, mask: Buffer | undefined): Buffer => {
  const bit = mask === undefined ? 0 : 0x80
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8
  const head = Buffer.alloc(2 + extended)
  head[0] = 0x80 | opcode
  head[1] = bit | (extended === 0 ? length : extended === 2 ? 126 : 127)
  if (extended === 2) head.writeUInt16BE(length, 2)
  if (extended === 8) head.writeBigUInt64BE(BigInt(length), 2)
  return mask === undefined ? head : Buffer.concat([head, mask])
}

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

/** The frames of a workload; `framed: false` gives bare payloads, for a server that echoes bytes. */
export const make = (workload: Workload, framed: boolean): Frames => {
  const sent: Array<Buffer> = []
  const echoed: Array<Buffer> = []
  for (let n = 0; n < workload.depth; n++) {
    const body = payload(n, workload.size)
    if (framed) {
      const mask = Buffer.from([17 + n, 42, 99, 250])
      sent.push(header(2, body.length, mask), Buffer.from(body.map((byte, i) => byte ^ mask[i & 3])))
      echoed.push(header(2, body.length, undefined), body)
    } else {
      sent.push(body)
      echoed.push(body)
    }
  }
  return { sent: Buffer.concat(sent), echoed: Buffer.concat(echoed), count: workload.depth }
}
