/** What the tests of this package share: bytes as hex, frames by hand, ways to cut input, and a recording Io. */
import type { ConnectionReason } from "@wirestack/protocol/ConnectionError"
import type { Goodbye, Io } from "@wirestack/protocol/Machine"
import type { EndOfInput } from "@wirestack/protocol/Outcome"

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

/** A small generator of numbers between 0 and 1 that repeats itself for a seed (mulberry32). */
export const random = (seed: number): () => number => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
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
