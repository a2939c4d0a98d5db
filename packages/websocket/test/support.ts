/** What the tests of this package share: bytes as hex, frames by hand, ways to cut input, and a recording Io. */
import type { ConnectionReason } from "@wirestack/protocol/ConnectionError"
import type { Goodbye, Io, Machine } from "@wirestack/protocol/Machine"
import type { EndOfInput } from "@wirestack/protocol/Outcome"
import { random } from "@wirestack/test-support"

export { notUtf8, random } from "@wirestack/test-support"

export const hex = (text: string): Uint8Array =>
  Uint8Array.from(text.replace(/\s/g, "").match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))

export const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

export const utf8 = (text: string): Uint8Array => new Uint8Array(new TextEncoder().encode(text))

export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

export const concat = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let offset = 0
  for (const part of parts) {
    all.set(part, offset)
    offset += part.length
  }
  return all
}

export interface FrameOptions {
  readonly fin?: boolean
  readonly rsv?: number
  readonly mask?: boolean
  /** How many bytes the length takes: 0, 2 or 8; the shortest by default. */
  readonly lengthBytes?: 0 | 2 | 8
}

/** A frame written by other code than the one under test. */
export const frame = (opcode: number, payload: Uint8Array | string, options: FrameOptions = {}): Uint8Array => {
  const { fin = true, mask = false, rsv = 0 } = options
  const data = typeof payload === "string" ? utf8(payload) : payload
  const lengthBytes = options.lengthBytes ?? (data.length < 126 ? 0 : data.length < 65_536 ? 2 : 8)
  const out: Array<number> = [(fin ? 0x80 : 0) | (rsv << 4) | opcode]
  out.push((mask ? 0x80 : 0) | (lengthBytes === 0 ? data.length : lengthBytes === 2 ? 126 : 127))
  for (let i = lengthBytes - 1; i >= 0; i--) out.push(Math.floor(data.length / 256 ** i) % 256)
  if (!mask) return concat(Uint8Array.from(out), data)
  const key = [0x37, 0xfa, 0x21, 0x3d]
  return concat(Uint8Array.from([...out, ...key]), data.map((byte, i) => byte ^ key[i % 4]))
}

/** The body of a Close frame. */
export const closeBody = (code: number, reason = ""): Uint8Array =>
  concat(Uint8Array.of(code >> 8, code & 255), utf8(reason))

export interface Read {
  readonly fin: boolean
  readonly rsv: number
  readonly opcode: number
  /** The masking key; undefined for none. */
  readonly key: string | undefined
  readonly lengthBytes: 0 | 2 | 8
  readonly payload: Uint8Array
}

/** The frames in some bytes, which must end with one; read by other code than the one under test. */
export const unframe = (bytes: Uint8Array): ReadonlyArray<Read> => {
  const frames: Array<Read> = []
  for (let at = 0; at < bytes.length;) {
    const [first, second] = bytes.subarray(at, at + 2)
    const short = second & 0x7f
    const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0
    const key = second < 0x80 ? undefined : bytes.subarray(at + 2 + lengthBytes, at + 6 + lengthBytes)
    const long = bytes.subarray(at + 2, at + 2 + lengthBytes)
    const length = lengthBytes === 0 ? short : long.reduce((sum, byte) => sum * 256 + byte, 0)
    const start = at + 2 + lengthBytes + (key === undefined ? 0 : 4)
    at = start + length
    if (at > bytes.length) throw new Error("a frame is cut off")
    frames.push({
      fin: first >= 0x80,
      rsv: (first >> 4) & 7,
      opcode: first & 15,
      key: key === undefined ? undefined : toHex(key),
      lengthBytes,
      payload: bytes.slice(start, at).map((byte, i) => byte ^ (key?.[i % 4] ?? 0))
    })
  }
  return frames
}

/** The input in pieces of its own memory: whole, byte by byte, and in twenty random splits. */
export const cuts = (input: Uint8Array): ReadonlyArray<ReadonlyArray<Uint8Array>> => {
  const ways: Array<ReadonlyArray<Uint8Array>> = [[input.slice()], Array.from(input, (byte) => Uint8Array.of(byte))]
  for (let seed = 1; seed <= 20; seed++) {
    const next = random(seed)
    const largest = 1 + Math.floor(next() * Math.max(1, input.length))
    const parts: Array<Uint8Array> = []
    for (let at = 0; at < input.length;) {
      const size = 1 + Math.floor(next() * largest)
      parts.push(input.slice(at, at + size))
      at += size
    }
    ways.push(parts)
  }
  return ways
}

/** Records what a machine does. What it emits and writes is copied, so that later changes do not go unseen. */
export class FakeIo<In extends string | Uint8Array> implements Io<In, Uint8Array> {
  readonly emitted: Array<In> = []
  readonly sizes: Array<number> = []
  readonly events: Array<string> = []
  goodbye: Goodbye | undefined = undefined
  reason: ConnectionReason | undefined = undefined
  /** How many messages there is still room for. */
  space = Infinity
  buffer: Uint8Array = new Uint8Array(0)
  private parts: Array<Uint8Array> = []
  readonly writes: Array<Uint8Array> = []

  room(): boolean {
    return this.space > 0
  }

  emit(message: In, size: number): void {
    this.space--
    this.emitted.push(message)
    this.sizes.push(size)
  }

  write(message: Uint8Array): void {
    this.parts.push(message)
    this.writes.push(message)
  }

  reserve(length: number): number {
    this.buffer = new Uint8Array(length + 7)
    this.parts.push(this.buffer.subarray(7))
    return 7
  }

  giveBack(length: number): void {
    const reserved = this.parts.pop()!
    this.parts.push(reserved.subarray(0, reserved.length - length))
  }

  end(endOfInput: EndOfInput): void {
    this.events.push(`end ${endOfInput}`)
  }

  closed(goodbye: Goodbye): void {
    this.events.push("closed")
    this.goodbye = goodbye
  }

  fail(reason: ConnectionReason, goodbye?: Goodbye): void {
    this.events.push("fail")
    this.reason = reason
    this.goodbye = goodbye
  }

  /** The bytes written since the last call. */
  sent(): Uint8Array {
    const all = concat(...this.parts)
    this.parts = []
    return all
  }
}

/** Shows a machine its input, and goes on as long as it has only waited for what it emitted to be delivered. */
export const receive = <In extends string | Uint8Array>(
  machine: Pick<Machine<Uint8Array, Uint8Array, In, In>, "receive">,
  input: ReadonlyArray<Uint8Array>,
  io: FakeIo<In>
): boolean => {
  let done = machine.receive(input, io)
  while (!done && io.room()) done = machine.receive([], io)
  return done
}

/** What a machine writes next of what waits in it, if something does. */
export const proceed = (machine: Machine<Uint8Array, Uint8Array, any, any>): Uint8Array | undefined => {
  const io = new FakeIo<string | Uint8Array>()
  return machine.proceed!(io) ? io.sent() : undefined
}

/** The frames in the bytes: their first bytes, and their payloads without a mask. Fails if they are cut off. */
export const framesOf = (
  bytes: Uint8Array,
  masked: boolean
): Array<{ readonly first: number; readonly payload: Uint8Array }> => {
  const frames: Array<{ readonly first: number; readonly payload: Uint8Array }> = []
  for (let at = 0; at < bytes.length;) {
    const [first, second] = bytes.subarray(at)
    if (second >= 0x80 !== masked) throw new Error("masked in the wrong direction")
    const lengthBytes = (second & 0x7f) < 126 ? 0 : (second & 0x7f) === 126 ? 2 : 8
    at += 2
    let length = lengthBytes === 0 ? second & 0x7f : 0
    for (let i = 0; i < lengthBytes; i++) length = length * 256 + bytes[at++]
    const key = bytes.subarray(at, masked ? at += 4 : at)
    if (at + length > bytes.length) throw new Error("a frame is cut off")
    frames.push({ first, payload: bytes.slice(at, at += length).map((byte, i) => masked ? byte ^ key[i % 4] : byte) })
  }
  return frames
}

/** All that waits in a machine, piece by piece. */
export const drain = (machine: Machine<Uint8Array, Uint8Array, any, any>): ReadonlyArray<Uint8Array> => {
  const pieces: Array<Uint8Array> = []
  for (let next = proceed(machine); next !== undefined; next = proceed(machine)) pieces.push(next)
  return pieces
}
