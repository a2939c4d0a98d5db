/** Frames as a client writes them, and a strict reader of those a server sends (RFC 6455 section 5, RFC 7692). */
import * as zlib from "node:zlib"
import type { Message } from "./Messages.ts"

const Fin = 0x80
/** Set on a compressed message. */
export const Rsv1 = 0x40
const Masked = 0x80

const Opcode = { Continuation: 0, Text: 1, Binary: 2, Close: 8 } as const

/** The key is the same for all frames, since nobody looks on. */
const key = Buffer.from([17, 42, 99, 250])

const frame = (first: number, body: Uint8Array, mask: Buffer): Buffer => {
  const extended = body.length < 126 ? 0 : body.length < 65_536 ? 2 : 8
  const head = Buffer.alloc(2 + extended)
  head[0] = first
  head[1] = Masked | (extended === 0 ? body.length : extended === 2 ? 126 : 127)
  if (extended === 2) head.writeUInt16BE(body.length, 2)
  if (extended === 8) head.writeBigUInt64BE(BigInt(body.length), 2)
  return Buffer.concat([head, mask, Buffer.from(body.map((byte, i) => byte ^ mask[i & 3]))])
}

/** The end of a compressed message that is not sent: RFC 7692 section 7.2.1. */
const tail = Buffer.from([0, 0, 0xff, 0xff])

const flushed = { finishFlush: zlib.constants.Z_SYNC_FLUSH }

/** A message as a client sends it. */
export const encode = (message: Message, deflate: boolean, mask = key): Buffer => {
  const opcode = typeof message === "string" ? Opcode.Text : Opcode.Binary
  const body = Buffer.from(message as string)
  return deflate
    ? frame(Fin | Rsv1 | opcode, zlib.deflateRawSync(body, flushed).subarray(0, -tail.length), mask)
    : frame(Fin | opcode, body, mask)
}

/** A Close with the code 1000, as a client sends it. */
export const close = frame(Fin | Opcode.Close, Buffer.from([0x03, 0xe8]), key)

/** A message that came, and where behind it the next begins. */
export interface Read {
  readonly message: Message
  readonly end: number
}

const broken = (rule: string): never => {
  throw new Error(`what came back is no message: ${rule}`)
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The message that begins at `start`, in one frame or several; undefined if it has not come whole. */
export const read = (bytes: Buffer, start: number): Read | undefined => {
  const parts: Array<Buffer> = []
  let first = -1
  for (let at = start; at + 2 <= bytes.length;) {
    const head = bytes[at]
    const short = bytes[at + 1]
    if (short >= Masked) broken("a server does not mask its frames")
    const size = short < 126 ? 2 : short === 126 ? 4 : 10
    if (at + size > bytes.length) return undefined
    const length = size === 2 ? short : size === 4 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2))
    if ((size === 4 && length < 126) || (size === 10 && length < 65_536)) broken("a length has its shortest form")
    if (at + size + length > bytes.length) return undefined
    const opcode = head & 0x0f
    if (first < 0) first = head
    else if (opcode !== Opcode.Continuation || (head & 0x70) !== 0) broken("a message ends before the next begins")
    parts.push(bytes.subarray(at + size, at + size + length))
    at += size + length
    if (head < Fin) continue
    return { message: messageOf(first & ~Fin, Buffer.concat(parts)), end: at }
  }
  return undefined
}

const messageOf = (first: number, body: Buffer): Message => {
  const bytes = first >= Rsv1 ? zlib.inflateRawSync(Buffer.concat([body, tail]), flushed) : body
  const opcode = first & ~Rsv1
  if (opcode === Opcode.Text) return decoder.decode(bytes)
  return opcode === Opcode.Binary ? bytes : broken(`its first byte is ${first}`)
}
