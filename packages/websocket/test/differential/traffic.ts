/**
 * What a peer may send: frames, most of them as they should be, with a few mistakes in frames or in bytes, and the pieces
 * in which they arrive.
 *
 * A `Traffic` is data, made from a seed: it can be made again, shrunk and printed. What an extension does to messages
 * is in the `Variant`.
 */
import type { WindowBits } from "../../src/extensions/Zlib.ts"
import { hex, notUtf8, random, toHex, utf8 } from "../support.ts"

export interface Frame {
  readonly fin: boolean
  readonly rsv: number
  readonly opcode: number
  /** The masking key, its lowest byte first on the wire; undefined for none. */
  readonly key: number | undefined
  /** How many bytes the length takes: 0, 2 or 8. */
  readonly lengthBytes: 0 | 2 | 8
  /** The length that is announced, if it isn't that of the payload. */
  readonly announced?: bigint
  readonly payload: Uint8Array
}

/** At this offset so many bytes are replaced by these. */
export interface Edit {
  readonly at: number
  readonly remove: number
  readonly insert: ReadonlyArray<number>
}

export interface Limits {
  readonly maxMessageSize: number
  readonly maxFragments: number
}

export interface Traffic extends Limits {
  /** Who receives it: a server wants frames with a mask. */
  readonly toServer: boolean
  readonly frames: ReadonlyArray<Frame>
  /** Mistakes in the bytes of the frames, made one after another. */
  readonly edits: ReadonlyArray<Edit>
  /** The sizes of the chunks it arrives in; the rest is one. */
  readonly chunks: ReadonlyArray<number>
  /** How many chunks come at once. */
  readonly batch: number
  /** How many messages there is room for at a time. */
  readonly room: number
  /** What was negotiated of permessage-deflate; undefined without it. */
  readonly deflate: Deflate | undefined
}

export interface Deflate {
  readonly takeover: boolean
  readonly windowBits: WindowBits
}

export interface Packed {
  /** The reserved bits of the first frame. */
  readonly rsv: number
  /** To be cut into fragments. */
  readonly payload: Uint8Array
}

/** What an extension makes of the messages of a connection. */
export type Variant = (
  chance: () => number
) => { readonly deflate: Deflate | undefined; readonly pack: (payload: Uint8Array) => Packed }

/** Messages are sent as they are. */
export const plain: Variant = () => ({ deflate: undefined, pack: (payload) => ({ rsv: 0, payload }) })

/** Limits that no traffic exceeds but the one that announces lengths it doesn't have. */
export const wide: Limits = { maxMessageSize: 1_000_000, maxFragments: 1_000 }

const none = new Uint8Array(0)

const characters = ["a", "z", "\0", "\n", "é", "߿", "ࠀ", "€", "\ud7ff", "\ufeff", "\uffff", "😀", "\u{10ffff}"].map(
  utf8
)

/** What can't be text, or can't be its end. */
const notText = [...notUtf8.map(([, bytes]) => bytes), "c3", "e0a0", "e282", "ed9f", "f09f98", "f48f"].map(hex)

/** Those of the protocol, and around all limits. */
const closeCodes = Array.from({ length: 17 }, (_, i) => 1000 + i)
  .concat(0, 1, 999, 1100, 1999, 2000, 2999, 3000, 3999, 4000, 4999, 5000, 0x7fff, 0x8000, 0xffff)

const announcements = [0n, 1n, 125n, 126n, 127n, 65_535n, 65_536n, 2n ** 31n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n]
  .concat(2n ** 62n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 63n + 5n, 2n ** 64n - 1n)

class Peer {
  readonly chance: () => number
  private readonly packing: ReturnType<Variant>
  private readonly toServer: boolean

  constructor(chance: () => number, variant: Variant) {
    this.chance = chance
    this.packing = variant(chance)
    this.toServer = this.in(0.5)
  }

  /** Whether something happens that has this probability. */
  in(probability: number): boolean {
    return this.chance() < probability
  }

  below(limit: number): number {
    return Math.floor(this.chance() * limit)
  }

  pick<A>(list: ReadonlyArray<A>): A {
    return list[this.below(list.length)]
  }

  size(): number {
    const kind = this.chance()
    if (kind < 0.75) return this.below(24)
    if (kind < 0.95) return this.below(170)
    if (kind < 0.99) return 120 + this.below(12)
    return kind < 0.999 ? this.below(3_000) : 65_500 + this.below(60)
  }

  bytes(size: number): Uint8Array {
    const bytes = new Uint8Array(size)
    for (let i = 0; i < Math.min(size, 64); i++) bytes[i] = this.below(256)
    for (let i = 64; i < size; i++) bytes[i] = bytes[i - 64] + 1
    return bytes
  }

  /** Text of at most `size` bytes; long text repeats itself. */
  text(size: number): Uint8Array {
    const bytes = new Uint8Array(size)
    const ascii = this.in(0.3)
    let length = 0
    while (length < size && length < 200) {
      const character = ascii ? characters[0] : this.pick(characters)
      if (length + character.length > size) break
      for (const byte of character) bytes[length++] = byte
    }
    if (length >= 200) {
      const period = length
      while (length + period <= size) {
        bytes.copyWithin(length, 0, period)
        length += period
      }
    }
    return bytes.subarray(0, length)
  }

  closeBody(): Uint8Array {
    const kind = this.chance()
    if (kind < 0.2) return none
    if (kind < 0.25) return this.bytes(1)
    const code = this.in(0.5) ? 1000 : this.pick(closeCodes)
    const reason = this.in(0.3) ? none : this.text(this.in(0.1) ? 123 : this.below(30))
    const wrong = this.in(0.15) ? this.withMistake(reason).subarray(0, 123) : reason
    return Uint8Array.of(code >> 8, code & 255, ...wrong)
  }

  /** The text with something in it that is none. */
  withMistake(text: Uint8Array): Uint8Array {
    const at = this.in(0.4) ? text.length : this.below(text.length + 1)
    return Uint8Array.of(...text.subarray(0, at), ...this.pick(notText), ...text.subarray(at))
  }

  frame(opcode: number, payload: Uint8Array, fin = true, rsv = 0): Frame {
    const lengthBytes = payload.length < 126 ? 0 : payload.length < 65_536 ? 2 : 8
    const key = this.toServer ? this.in(0.1) ? 0 : (this.chance() * 0x1_0000_0000) | 0 : undefined
    return { fin, rsv, opcode, key, lengthBytes, payload }
  }

  control(): Frame {
    const kind = this.chance()
    if (kind < 0.06) return this.frame(8, this.closeBody())
    return this.frame(kind < 0.6 ? 9 : 10, this.in(0.3) ? none : this.bytes(this.in(0.1) ? 125 : this.below(20)))
  }

  /** A message, with control frames in between. */
  message(frames: Array<Frame>): void {
    const isText = this.in(0.6)
    const size = this.size()
    const packed = this.packing.pack(isText ? this.text(size) : this.bytes(size))
    const { length } = packed.payload
    const ends = this.in(0.6) ? [] : Array.from({ length: 1 + this.below(4) }, () => this.below(length + 1))
    ends.sort((a, b) => a - b)
    for (let i = 0; i <= ends.length; i++) {
      const payload = packed.payload.subarray(i === 0 ? 0 : ends[i - 1], i === ends.length ? length : ends[i])
      frames.push(this.frame(i > 0 ? 0 : isText ? 1 : 2, payload, i === ends.length, i > 0 ? 0 : packed.rsv))
      if (this.in(i === ends.length ? 0.1 : 0.25)) frames.push(this.control())
    }
  }

  /** One mistake in one frame, or in their order. */
  mistake(frames: Array<Frame>): void {
    const at = this.below(frames.length)
    const frame = frames[at]
    const change = (changed: Partial<Frame>) => {
      frames[at] = { ...frame, ...changed }
    }
    switch (this.below(13)) {
      case 0:
        return change({ fin: !frame.fin })
      case 1:
        return change({ rsv: frame.rsv ^ (1 + this.below(7)) })
      case 2:
        return change({ opcode: this.below(16) })
      case 3:
        return change({ key: frame.key === undefined ? 0x04030201 : undefined })
      case 4:
        return change({ lengthBytes: this.pick([0, 2, 8]) })
      case 5:
        return change({ announced: BigInt(frame.payload.length + this.pick([-2, -1, 1, 2, 130]) & 0xffff) })
      case 6:
        return change({ announced: this.pick(announcements), lengthBytes: this.pick([2, 8, 8]) })
      case 7:
      case 8:
        return change(
          frame.opcode === 8
            ? { payload: this.closeBody() }
            : { payload: this.withMistake(frame.payload.subarray(0, 2_000)) }
        )
      case 9:
        frames.splice(at, 1)
        return
      case 10:
        frames.splice(at, 0, frames[this.below(frames.length)])
        return
      case 11:
        frames.splice(at, 0, this.control())
        return
      default:
        frames.splice(at, 0, this.frame(8 + this.below(3), this.bytes(120 + this.below(12))))
    }
  }

  edit(bytes: Uint8Array): Edit {
    const at = this.below(this.in(0.3) ? Math.min(bytes.length, 12) : bytes.length)
    const kind = this.chance()
    if (kind < 0.6) return { at, remove: 1, insert: [bytes[at] ^ (1 << this.below(8))] }
    if (kind < 0.75) return { at, remove: 1 + this.below(3), insert: [] }
    return { at, remove: 0, insert: Array.from({ length: 1 + this.below(4) }, () => this.below(256)) }
  }

  chunks(length: number): ReadonlyArray<number> {
    if (this.in(0.3)) return []
    const largest = this.in(0.15) && length < 1_000 ? 1 : 1 + this.below(Math.min(length, 5_000) + 1)
    const chunks: Array<number> = []
    for (let at = 0; at < length; at += chunks.at(-1)!) chunks.push(1 + this.below(largest))
    return chunks
  }

  traffic(): Traffic {
    const limits = this.in(0.7)
      ? wide
      : {
        maxMessageSize: this.pick([1, 5, 20, 125, 126, 300, 66_000]),
        maxFragments: this.pick([1, 2, 4, 1_000, 1_000, 1_000])
      }
    const frames: Array<Frame> = []
    for (let messages = this.below(6); messages >= 0; messages--) this.message(frames)
    if (this.in(0.3)) frames.push(this.frame(8, this.closeBody()))
    if (this.in(0.1)) this.message(frames)
    const mistakes = this.in(0.45) ? 0 : this.in(0.8) ? 1 : 2 + this.below(3)
    for (let i = 0; i < mistakes && frames.length > 0; i++) this.mistake(frames)

    let bytes = write(frames)
    const edits: Array<Edit> = []
    for (let i = this.in(0.25) ? 1 + this.below(3) : 0; i > 0 && bytes.length > 0; i--) {
      edits.push(this.edit(bytes))
      bytes = edited(bytes, edits.at(-1)!)
    }
    if (this.in(0.2)) edits.push({ at: this.below(bytes.length + 1), remove: bytes.length, insert: [] })
    return {
      ...limits,
      toServer: this.toServer,
      frames,
      edits,
      chunks: this.chunks(bytes.length),
      batch: this.pick([1, 1, 2, 3, Infinity]),
      room: this.in(0.7) ? Infinity : 1 + this.below(2),
      deflate: this.packing.deflate
    }
  }
}

/** The traffic of a seed. */
export const generate = (seed: number, variant: Variant): Traffic => new Peer(random(seed), variant).traffic()

const write = (frames: ReadonlyArray<Frame>): Uint8Array => {
  const bytes = new Uint8Array(frames.reduce((size, { payload }) => size + 14 + payload.length, 0))
  let at = 0
  for (const { announced, fin, key, lengthBytes, opcode, payload, rsv } of frames) {
    const mask = key === undefined ? 0 : 0x80
    bytes[at++] = (fin ? 0x80 : 0) | (rsv << 4) | opcode
    if (lengthBytes === 0) bytes[at++] = mask | Number((announced ?? BigInt(payload.length)) & 0x7fn)
    else {
      bytes[at++] = mask | (lengthBytes === 2 ? 126 : 127)
      const length = announced ?? BigInt(payload.length)
      for (let i = lengthBytes - 1; i >= 0; i--) bytes[at++] = Number((length >> BigInt(8 * i)) & 0xffn)
    }
    if (key === undefined) bytes.set(payload, at)
    else {
      for (let i = 0; i < 4; i++) bytes[at++] = key >>> (8 * i)
      for (let i = 0; i < payload.length; i++) bytes[at + i] = payload[i] ^ (key >>> (8 * (i & 3)))
    }
    at += payload.length
  }
  return bytes.subarray(0, at)
}

const edited = (bytes: Uint8Array, { at, insert, remove }: Edit): Uint8Array => {
  const rest = bytes.subarray(at + remove)
  const result = new Uint8Array(Math.min(at, bytes.length) + insert.length + rest.length)
  result.set(bytes.subarray(0, at))
  result.set(insert, Math.min(at, bytes.length))
  result.set(rest, result.length - rest.length)
  return result
}

/** The bytes on the wire. */
export const bytesOf = ({ edits, frames }: Traffic): Uint8Array => edits.reduce(edited, write(frames))

/** The bytes as they arrive: batches of chunks, each in memory of its own. */
export const arrivals = ({ batch, chunks }: Traffic, bytes: Uint8Array): ReadonlyArray<ReadonlyArray<Uint8Array>> => {
  const batches: Array<Array<Uint8Array>> = []
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const size = n < chunks.length ? chunks[n] : bytes.length
    const chunk = bytes.slice(at, at + size)
    if (batches.length === 0 || batches.at(-1)!.length >= batch) batches.push([chunk])
    else batches.at(-1)!.push(chunk)
    at += size
  }
  return batches
}

/** Other frames, of which the first `same` are the same; what is edited behind them stays edited. */
const reframed = (traffic: Traffic, same: number, frames: ReadonlyArray<Frame>): Traffic => {
  const start = write(traffic.frames.slice(0, same)).length
  const shift = write(traffic.frames).length - write(frames).length
  const edits = traffic.edits.map((edit) => edit.at >= start + shift ? { ...edit, at: edit.at - shift } : edit)
  return { ...traffic, frames, edits }
}

/** Traffic a little simpler, in many ways, the boldest first. */
function* simpler(traffic: Traffic): Generator<Traffic> {
  const { chunks, edits, frames } = traffic
  for (let size = frames.length; size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < frames.length; at += size) yield reframed(traffic, at, frames.toSpliced(at, size))
  }
  for (let at = 0; at < edits.length; at++) yield { ...traffic, edits: edits.toSpliced(at, 1) }
  if (traffic.room !== Infinity) yield { ...traffic, room: Infinity }
  if (traffic.maxFragments !== wide.maxFragments || traffic.maxMessageSize !== wide.maxMessageSize) {
    yield { ...traffic, ...wide }
  }
  if (chunks.length > 0) yield { ...traffic, chunks: [] }
  if (traffic.batch !== 1) yield { ...traffic, batch: 1 }
  for (let at = 0; at < frames.length; at++) {
    const frame = frames[at]
    const instead = (changed: Partial<Frame>) => reframed(traffic, at, frames.with(at, { ...frame, ...changed }))
    if (frame.rsv !== 0) yield instead({ rsv: 0 })
    if (!frame.fin) yield instead({ fin: true })
    if (frame.key !== undefined && frame.key !== 0) yield instead({ key: 0 })
    const { length } = frame.payload
    if (frame.lengthBytes !== 0 && length < 126) yield instead({ lengthBytes: 0 })
    for (let size = length; size >= 1; size = Math.floor(size / 2)) {
      for (let start = 0; start < length && start < 16 * size; start += size) {
        const payload = Uint8Array.of(...frame.payload.subarray(0, start), ...frame.payload.subarray(start + size))
        yield instead({ payload })
        if (frame.lengthBytes > 0 && payload.length < 126) yield instead({ payload, lengthBytes: 0 })
      }
    }
  }
  for (let at = 0; at + 1 < chunks.length; at++) {
    yield { ...traffic, chunks: chunks.toSpliced(at, 2, chunks[at] + chunks[at + 1]) }
  }
}

/** The simplest traffic found that still `fails`. */
export const shrink = async (
  traffic: Traffic,
  fails: (traffic: Traffic) => Promise<boolean>
): Promise<Traffic> => {
  let best = traffic
  for (let tries = 0, found = true; found && tries < 20_000;) {
    found = false
    for (const candidate of simpler(best)) {
      tries++
      if (await fails(candidate)) {
        best = candidate
        found = true
        break
      }
    }
  }
  return best
}

/** The traffic for people: a frame a line. */
export const print = (traffic: Traffic): string => {
  const { batch, chunks, edits, frames, room, toServer, ...limits } = traffic
  const lines = frames.map((frame) => {
    const { announced, fin, key, lengthBytes, opcode, payload, rsv } = frame
    const length = announced === undefined ? `${payload.length}` : `${announced} instead of ${payload.length}`
    return `  opcode ${opcode}${fin ? " FIN" : ""}${rsv === 0 ? "" : ` RSV ${rsv}`}` +
      `${key === undefined ? "" : ` key ${key >>> 0}`}, ${length} bytes${
        lengthBytes === 0 ? "" : ` in ${lengthBytes}`
      }: ` +
      toHex(payload.subarray(0, 200))
  })
  return [
    `to a ${toServer ? "server" : "client"}, ${JSON.stringify(limits)}, room for ${room}, ${batch} chunks of ` +
    `${JSON.stringify(chunks)} at once`,
    ...lines,
    ...edits.map(({ at, insert, remove }) => `  at ${at} without ${remove} bytes, instead ${JSON.stringify(insert)}`),
    `  as bytes: ${toHex(bytesOf(traffic).subarray(0, 1_000))}`
  ].join("\n")
}
