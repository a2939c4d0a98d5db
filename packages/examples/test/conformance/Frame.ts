/**
 * Frames as the suite's own peer writes and reads them: plainly, by the figure in RFC 6455 section 5.2, and with
 * nothing from the library that is tested.
 */
import { isUtf8 } from "node:buffer"
import { randomBytes } from "node:crypto"

const Op = { Continuation: 0, Text: 1, Binary: 2, Close: 8, Ping: 9, Pong: 10 } as const

type Payload = string | Uint8Array

/** A frame to send, right or wrong. */
export interface Frame {
  readonly opcode: number
  readonly payload: Buffer
  readonly fin: boolean
  /** RSV1 is 4, RSV2 is 2, RSV3 is 1. */
  readonly rsv: number
  /** By default as the role demands. */
  readonly masked?: boolean
  /** How many bits its length has; by default as few as possible. */
  readonly bits?: 7 | 16 | 64
  /** The length its head tells, if not that of the payload. */
  readonly length?: number | bigint
}

type More = Partial<Omit<Frame, "opcode" | "payload">>

export const frame = (opcode: number, payload: Payload = "", more: More = {}): Frame => ({
  opcode,
  payload: Buffer.from(payload as string),
  fin: true,
  rsv: 0,
  ...more
})

export const text = (payload: Payload, more?: More): Frame => frame(Op.Text, payload, more)
export const binary = (payload: Payload, more?: More): Frame => frame(Op.Binary, payload, more)
export const ping = (payload?: Payload, more?: More): Frame => frame(Op.Ping, payload, more)
export const pong = (payload?: Payload, more?: More): Frame => frame(Op.Pong, payload, more)
/** A fragment after the first, with more to come unless it is said to be final. */
export const continuation = (payload: Payload, fin = false): Frame => frame(Op.Continuation, payload, { fin })

export const closeBody = (code: number, reason: Payload = ""): Buffer =>
  Buffer.concat([Buffer.of(code >>> 8, code & 0xff), Buffer.from(reason as string)])

export const close = (code: number, reason?: Payload): Frame => frame(Op.Close, closeBody(code, reason))
export const closeWith = (body: Payload, more?: More): Frame => frame(Op.Close, body, more)

export const isClose = ({ opcode }: Frame): boolean => opcode === Op.Close

/** The bytes in pieces of `size`; one empty piece of nothing. */
export const cut = (bytes: Payload, size: number): ReadonlyArray<Buffer> => {
  const all = Buffer.from(bytes as string)
  const count = Math.max(1, Math.ceil(all.length / size))
  return Array.from({ length: count }, (_, n) => all.subarray(n * size, (n + 1) * size))
}

/** A message in fragments. */
export const fragmented = (kind: "text" | "binary", parts: ReadonlyArray<Payload>, rsv = 0): ReadonlyArray<Frame> =>
  parts.map((part, n) =>
    frame(n > 0 ? Op.Continuation : kind === "text" ? Op.Text : Op.Binary, part, {
      fin: n === parts.length - 1,
      rsv: n === 0 ? rsv : 0
    })
  )

const headOf = ({ bits, fin, length: told, opcode, payload, rsv }: Frame, masked: boolean): Buffer => {
  const length = BigInt(told ?? payload.length)
  const size = bits ?? (length < 126 ? 7 : length < 0x1_0000 ? 16 : 64)
  const head = Buffer.alloc(size === 7 ? 2 : size === 16 ? 4 : 10)
  head[0] = (fin ? 0x80 : 0) | rsv << 4 | opcode
  head[1] = (masked ? 0x80 : 0) | (size === 7 ? Number(length) : size === 16 ? 126 : 127)
  if (size === 16) head.writeUInt16BE(Number(length), 2)
  if (size === 64) head.writeBigUInt64BE(length, 2)
  return head
}

const applyMask = (payload: Buffer, key: Buffer): Buffer => {
  const masked = Buffer.allocUnsafe(payload.length)
  for (let i = 0; i < payload.length; i++) masked[i] = payload[i] ^ key[i & 3]
  return masked
}

/** The head and the payload as they are on the wire. */
export const encode = (frame: Frame, masks: boolean): readonly [head: Buffer, payload: Buffer] => {
  const masked = frame.masked ?? masks
  const head = headOf(frame, masked)
  if (!masked) return [head, frame.payload]
  const key = randomBytes(4)
  return [Buffer.concat([head, key]), applyMask(frame.payload, key)]
}

/** What a peer said. */
export type Said =
  | { readonly what: "text" | "binary" | "ping" | "pong"; readonly payload: Buffer; readonly frames: number }
  | { readonly what: "close"; readonly code: number | undefined; readonly reason: string }

const nameOf: Record<number, "text" | "binary" | "ping" | "pong"> = {
  [Op.Text]: "text",
  [Op.Binary]: "binary",
  [Op.Ping]: "ping",
  [Op.Pong]: "pong"
}

/** A rule the tested peer broke in what it sent. */
export class Broken extends Error {}

const must = (holds: boolean, rule: string): void => {
  if (!holds) throw new Broken(rule)
}

/** Whether the code may be in a Close frame, by RFC 6455 section 7.4 and its registry. */
const isCode = (code: number): boolean =>
  code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code) || code >= 3000 && code <= 4999

const decodeClose = (body: Buffer): Said => {
  if (body.length === 0) return { what: "close", code: undefined, reason: "" }
  must(body.length >= 2, "a Close body has a code of two bytes")
  const code = body.readUInt16BE(0)
  must(isCode(code), `the code of a Close frame can't be ${code}`)
  must(isUtf8(body.subarray(2)), "the reason of a Close frame is UTF-8")
  return { what: "close", code, reason: body.toString("utf8", 2) }
}

/** Reads what the tested peer sends, and throws `Broken` at the first thing that is wrong with it. */
export class Reader {
  private readonly masked: boolean
  private readonly inflate: ((bytes: Buffer) => Buffer) | undefined
  private readonly said: (said: Said) => void
  private chunks: Array<Buffer> = []
  private size = 0
  private need = 2
  private kind: "text" | "binary" | undefined = undefined
  private deflated = false
  private parts: Array<Buffer> = []
  private closed = false

  /** `masked` says whether the tested peer must mask; with `inflate` RSV1 is that of permessage-deflate. */
  constructor(masked: boolean, inflate: ((bytes: Buffer) => Buffer) | undefined, said: (said: Said) => void) {
    this.masked = masked
    this.inflate = inflate
    this.said = said
  }

  feed(chunk: Buffer): void {
    this.chunks.push(chunk)
    this.size += chunk.length
    while (this.size >= this.need) this.need = this.step()
  }

  /** Reads a frame if it is there, and returns how many bytes are needed to go on. */
  private step(): number {
    const bytes = this.chunks.length === 1 ? this.chunks[0] : Buffer.concat(this.chunks)
    this.chunks = [bytes]
    must(!this.closed, "nothing follows a Close frame")
    const short = bytes[1] & 0x7f
    let start = short === 127 ? 10 : short === 126 ? 4 : 2
    if (bytes.length < start) return start
    const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
    must(length >= (short < 126 ? 0 : short === 126 ? 126 : 0x1_0000), "a length has its shortest form")
    must(bytes[1] >= 0x80 === this.masked, this.masked ? "a client masks" : "a server does not mask")
    const at = start
    if (this.masked) start += 4
    const end = start + length
    if (bytes.length < end) return end
    const payload = bytes.subarray(start, end)
    this.chunks = [bytes.subarray(end)]
    this.size -= end
    this.take(bytes[0], this.masked ? applyMask(payload, bytes.subarray(at, start)) : payload)
    return 2
  }

  private take(first: number, payload: Buffer): void {
    const fin = first >= 0x80
    const rsv = first >>> 4 & 7
    const opcode = first & 0x0f
    if (opcode >= Op.Close) {
      must(opcode <= Op.Pong, `opcode ${opcode} is reserved`)
      must(fin, "a control frame is not fragmented")
      must(rsv === 0, "the reserved bits of a control frame are 0")
      must(payload.length <= 125, "a control frame has at most 125 bytes")
      this.closed = opcode === Op.Close
      return this.said(this.closed ? decodeClose(payload) : { what: nameOf[opcode], payload, frames: 1 })
    }
    if (opcode === Op.Continuation) {
      must(this.kind !== undefined, "a continuation continues a message")
      must(rsv === 0, "the reserved bits of a continuation are 0")
    } else {
      must(opcode <= Op.Binary, `opcode ${opcode} is reserved`)
      must(this.kind === undefined, "a message ends before the next begins")
      must(rsv === 0 || rsv === 4 && this.inflate !== undefined, "the reserved bits are 0 unless negotiated")
      this.kind = opcode === Op.Text ? "text" : "binary"
      this.deflated = rsv === 4
    }
    this.parts.push(payload)
    if (!fin) return
    const all = this.parts.length === 1 ? payload : Buffer.concat(this.parts)
    const message = this.deflated ? this.inflate!(all) : all
    const what = this.kind!
    must(what === "binary" || isUtf8(message), "a text is UTF-8")
    const frames = this.parts.length
    this.parts = []
    this.kind = undefined
    this.said({ what, payload: message, frames })
  }
}
