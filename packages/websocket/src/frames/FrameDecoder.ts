/**
 * Frames from bytes: give it a chunk with `feed`, then take messages and control frames with `next` until it needs more.
 *
 * `next` returns the opcode of what is complete, which is then in `message`: a Text message as a string, a Binary one or
 * the payload of a control frame as bytes. Fragments are put together, and every rule of RFC 6455 section 5 is checked as
 * soon as the bytes that break it are there: a length or reserved bit before any payload, a byte that isn't UTF-8 in the
 * middle of a frame. A failure is final.
 *
 * Not all messages are put together here. One that an extension has transformed (`rsv`), and every one if `unit` is `"part"`,
 * comes in parts, as its bytes arrive: `next` then returns `part`, with the bytes in `message` and `last` if the message ends
 * with them. If `unit` is `"frame"` every frame is given by itself, with its `fin` and `rsv`. In both cases text is bytes that
 * nobody has checked.
 *
 * The contract:
 *
 * - A chunk belongs to the decoder: it is unmasked in place, and a payload that lies in it whole is a piece of it.
 * - A chunk may be only lent, until it is used up; `own` says when it has to be given back before that.
 * - `feed` and `borrow` want the last chunk used up (`fed` is false), and let go of it.
 * - A chunk that was read into `memory` lies in its place in the message, which is then not copied.
 * - It holds at most one message, whose buffer grows with the bytes that arrived, and one control frame.
 */

import * as Loan from "@wirestack/protocol/bytes/Loan"
import { ownedFrom } from "@wirestack/protocol/bytes/Memory"
import * as Utf8 from "@wirestack/protocol/bytes/Utf8"
import { TooLarge, Violation } from "@wirestack/protocol/Reason"
import { Assembly, smallestLoan } from "../internal/Assembly.ts"
import { textSection } from "./CloseCode.ts"
import { Bits, maxControlSize, maxHeadSize } from "./Frame.ts"
import * as Mask from "./Mask.ts"
import { Opcode } from "./Opcode.ts"

const { Fin, Length, Masked, Opcode: Code, Reserved } = Bits
const { Binary, Close, Continuation, Pong, Text } = Opcode

/** Every byte was used, and nothing is complete. */
export const needMore = -1

/** The peer broke a rule, which is in `failure`. */
export const failed = -2

/** A part of a message is in `message`. */
export const part = -3

/** How much a peer may send as one message. */
export interface Limits {
  /** The size of a message in bytes. */
  readonly maxMessageSize: number
  /** The number of its fragments, which may be empty. */
  readonly maxFragments: number
}

/** What is given at once. */
export type Unit = "message" | "part" | "frame"

/** What a decoder must know of its connection. */
export interface Options extends Limits {
  /** Whether the peer must mask: clients must, servers must not. */
  readonly masked: boolean
  /** `"message"` by default. */
  readonly unit?: Unit
  /** The reserved bits that extensions own; none by default. */
  readonly rsv?: number
  /** Whether large binary messages are only lent (see `Loan`); false by default. */
  readonly lends?: boolean
}

/** What a transformed message may need on the wire: transforming may make it longer. */
const transformedSize = (size: number): number => size * 2 + 1_024

/** What `next` returns. */
export type Found = Opcode | typeof needMore | typeof failed | typeof part

const none = new Uint8Array(0)
const noBuffer = none.buffer

const keyAt = (bytes: Uint8Array, at: number): number =>
  bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)

export class FrameDecoder {
  /** What `next` found. */
  message: string | Uint8Array = none
  /** Its size in bytes. */
  size = 0
  /** Of a part: the message ends with it. */
  last = false
  /** Of a part: Text or Binary, as the message began. */
  type: Opcode = Text
  /** The reserved bits on the first frame of the message, or of the frame. */
  rsv = 0
  /** Of a frame: its last bit. */
  fin = true
  /** Why `next` failed. */
  failure: Violation | TooLarge | undefined = undefined

  private readonly masked: boolean
  readonly maxMessageSize: number
  private readonly maxFragments: number
  private readonly unit: Unit
  private readonly owned: number
  private readonly lends: boolean

  private chunk: Uint8Array = none
  /** The buffer in which the chunk lies, and where: to ask for it once a message takes its time. */
  private buffer: ArrayBufferLike = noBuffer
  private base = 0
  private at = 0
  private end = 0
  /** The chunk is only lent: nothing of it may be given. */
  private lent = false

  /** The beginning of a head that was cut off. */
  private head = none
  private headLength = 0

  /** The frame whose head was read last. */
  private opcode = 0
  private length = 0
  private key = 0
  /** How much of its payload is still to come; -1 before its head is complete. */
  private left = -1

  /** The data message in progress: Text or Binary, and the number of its fragments. */
  private kind: number = Continuation
  private fragments = 0
  /** What the heads of its frames have announced. */
  private announced = 0
  private readonly data = new Assembly()
  /** How far the text in progress is complete and valid. */
  private checked = 0
  private readonly control = new Assembly()

  constructor({ lends = false, masked, maxFragments, maxMessageSize, rsv = 0, unit = "message" }: Options) {
    this.masked = masked
    this.maxMessageSize = Math.min(maxMessageSize, Number.MAX_SAFE_INTEGER)
    this.maxFragments = maxFragments
    this.unit = unit
    this.owned = rsv
    this.lends = lends
  }

  /** Whether there are bytes that `next` has not used. */
  get fed(): boolean {
    return this.at < this.end
  }

  /** What the input would be cut inside of, if it ended now. */
  get inside(): string | undefined {
    if (this.left >= 0 || this.headLength > 0) return "a frame"
    return this.kind === Continuation ? undefined : "a fragmented message"
  }

  /** Where the next chunk may be read to; only once the last one is used up. */
  get memory(): Uint8Array | undefined {
    return this.left > 0 && this.opcode <= Binary && !this.inParts ? this.data.free(this.left) : undefined
  }

  /** Takes the next chunk. */
  feed(chunk: Uint8Array): void {
    this.chunk = chunk
    this.buffer = chunk.buffer
    this.base = chunk.byteOffset
    this.at = 0
    this.end = chunk.length
    this.lent = false
  }

  /** Takes a chunk that is only lent, the first `length` of some bytes: what it gives of it, it copies. */
  borrow(bytes: Uint8Array, length: number): void {
    this.chunk = bytes
    this.at = 0
    this.end = length
    this.lent = true
  }

  /** Lets go of the chunk, and of the message that was found in it. */
  letGo(): void {
    this.message = none
    this.borrow(none, 0)
    this.buffer = noBuffer
  }

  /** Makes its own what it has not used of a chunk that was lent. */
  own(): void {
    if (this.lent) this.ownFrom(this.at)
  }

  /** Copies the chunk from this offset on, which is then 0, and goes on with the copy. */
  private ownFrom(start: number): void {
    const used = this.at - start
    this.feed(ownedFrom(this.chunk, start, this.end))
    this.at = used
  }

  /** Finds the next message or control frame, or what else is to be given. */
  next(): Found {
    if (this.failure !== undefined) return failed
    const found = this.left < 0 && this.fed && this.unit === "message" ? this.short() : needMore
    return found === needMore ? this.any() : found
  }

  /** Whether the message in progress is given in parts. */
  private get inParts(): boolean {
    return this.unit === "part" || (this.unit === "message" && this.rsv !== 0)
  }

  /** Reads frames of all kinds until something is complete. */
  private any(): Found {
    while (this.at < this.end) {
      if (this.left < 0) {
        if (!this.nextHead()) return this.failure === undefined ? needMore : failed
        const isData = this.opcode <= Binary
        if (isData && this.opcode !== Continuation) this.type = this.opcode as Opcode
        const alone = this.unit === "frame" || (this.fin && this.opcode !== Continuation)
        if (this.at + this.length <= this.end && (isData ? alone && !this.inParts : true)) return this.whole()
        this.left = this.length
        if (isData) {
          this.kind = this.type
          this.fragments++
        }
      }
      const found = this.part()
      if (found !== needMore) return found
    }
    return needMore
  }

  /** The frame most messages are: a short one, whole and in one chunk. Of any other, nothing is taken. */
  private short(): Found {
    const { at, chunk, masked } = this
    const start = at + (masked ? 6 : 2)
    const opcode = chunk[at] ^ Fin
    const length = chunk[at + 1] ^ (masked ? Masked : 0)
    const end = start + length
    if (
      opcode !== Text && opcode !== Binary || length > maxControlSize || length > this.maxMessageSize ||
      end > this.end || this.kind !== Continuation || this.headLength > 0
    ) return needMore
    if (masked) Mask.apply(chunk, start, end, keyAt(chunk, at + 2))
    this.at = end
    return this.found(opcode, chunk, start, end)
  }

  /** Reads a head from the chunk, or from what was cut off and the chunk. */
  private nextHead(): boolean {
    const { at, chunk, headLength } = this
    let { head } = this
    if (headLength === 0) {
      const size = this.readHead(chunk, at, this.end)
      if (size > 0) {
        this.at = at + size
        return true
      }
      if (this.failure !== undefined) return false
    }
    if (head.length === 0) head = this.head = new Uint8Array(maxHeadSize)
    const more = Math.min(maxHeadSize - headLength, this.end - at)
    for (let i = 0; i < more; i++) head[headLength + i] = chunk[at + i]
    const size = this.readHead(head, 0, headLength + more)
    if (size === 0) {
      this.headLength = headLength + more
      this.at = at + more
      return false
    }
    this.headLength = 0
    this.at = at + size - headLength
    return true
  }

  /** Checks as much of a head as there is, and returns its size; 0 if some of it is missing or wrong. */
  private readHead(bytes: Uint8Array, at: number, end: number): number {
    const first = bytes[at]
    const opcode = first & Code
    const fin = first >= Fin
    const rsv = first & Reserved
    if (rsv !== 0 && ((rsv & ~this.owned) !== 0 || opcode === Continuation || opcode > Binary)) {
      return this.broken("the reserved bits are 0 without an extension", "5.2")
    }
    if (opcode === Continuation) {
      if (this.kind === Continuation) return this.broken("a continuation continues a message", "5.4")
      if (this.unit !== "frame" && this.fragments >= this.maxFragments) {
        return this.tooLarge("the number of fragments", this.fragments + 1, this.maxFragments)
      }
    } else if (opcode <= Binary) {
      if (this.kind !== Continuation) return this.broken("a message ends before the next begins", "5.4")
    } else if (opcode < Close || opcode > Pong) {
      return this.broken(`opcode ${opcode} is reserved`, "5.2")
    } else if (!fin) return this.broken("a control frame is not fragmented", "5.5")

    if (end - at < 2) return 0
    const second = bytes[at + 1]
    if (second >= Masked !== this.masked) {
      return this.broken(this.masked ? "a client masks its frames" : "a server does not mask its frames", "5.1")
    }
    let length = second & Length
    let size = 2
    if (opcode === Close && length === 1) return this.broken("a Close body has a code of two bytes", "5.5.1")
    if (length > maxControlSize) {
      if (opcode > Binary) return this.broken("a control frame has at most 125 bytes", "5.5")
      if (length === 126) {
        if (end - at < 4) return 0
        length = (bytes[at + 2] << 8) | bytes[at + 3]
        size = 4
        if (length < 126) return this.broken("a length has its shortest form", "5.2")
      } else {
        if (end - at > 2 && bytes[at + 2] >= 0x80) return this.broken("a length has at most 63 bits", "5.2")
        if (end - at < 10) return 0
        length = 0
        for (let i = at + 2; i < at + 10; i++) length = length * 256 + bytes[i]
        size = 10
        if (length <= 0xffff) return this.broken("a length has its shortest form", "5.2")
      }
    }
    const continues = opcode === Continuation && this.unit !== "frame"
    const announced = continues ? this.announced + length : length
    if (opcode <= Binary) {
      const transformed = this.unit !== "frame" && (continues ? this.rsv : rsv) !== 0
      const limit = transformed ? transformedSize(this.maxMessageSize) : this.maxMessageSize
      if (announced > limit) return this.tooLarge("a message", announced, limit)
    }

    if (this.masked) {
      if (end - at < size + 4) return 0
      this.key = keyAt(bytes, at + size)
      size += 4
    }
    if (opcode <= Binary) {
      this.announced = announced
      if (!continues) this.rsv = rsv
    }
    this.opcode = opcode
    this.fin = fin
    this.length = length
    return size
  }

  /** A frame that is given by itself and lies in the chunk from its first byte to its last. */
  private whole(): Found {
    const { at, chunk, length, opcode } = this
    const end = at + length
    if (this.masked) Mask.apply(chunk, at, end, this.key)
    this.at = end
    if (opcode <= Binary) this.kind = this.fin ? Continuation : this.type
    return this.found(opcode as Opcode, chunk, at, end)
  }

  /** What the chunk has of any other frame. */
  private part(): Found {
    const { at, chunk, fin, opcode, unit } = this
    const isData = opcode <= Binary
    const assembly = isData ? this.data : this.control
    const end = Math.min(at + this.left, this.end)
    if (this.masked) {
      Mask.apply(chunk, at, end, this.key)
      this.key = Mask.advance(this.key, end - at)
    }
    const rest = this.left
    const ended = at + rest === end
    this.left = ended ? -1 : rest - (end - at)
    this.at = end
    if (isData && ended && fin) {
      this.kind = Continuation
      this.fragments = 0
    }
    if (isData && this.inParts) return this.given(at, end, ended && fin)

    const closed = fin || unit === "frame"
    const isText = isData && this.type === Text && unit === "message"
    const most = closed ? assembly.size + rest : this.maxMessageSize
    assembly.append(chunk, at, end, most, isText || (isData && this.lends))
    if (!ended || !closed) {
      if (isText) {
        this.checked = Utf8.check(assembly.bytes, this.checked, assembly.size)
        if (this.checked < 0) return this.notText()
      }
      return needMore
    }
    if (isText) {
      this.checked = 0
      const found = this.found(Text, assembly.bytes, 0, assembly.size)
      assembly.drop()
      return found
    }
    const message = isData && this.lends ? assembly.lend() : assembly.take()
    return this.found((isData && unit === "message" ? this.type : opcode) as Opcode, message, 0, message.length)
  }

  /** A part of a message; nothing in the middle of one is not worth mentioning. */
  private given(start: number, end: number, last: boolean): Found {
    if (start === end && !last) return needMore
    this.last = last
    this.size = end - start
    this.message = this.pieceOf(start, end, false)
    return part
  }

  /** Something whole: all of `bytes`, or a piece of the chunk. */
  private found(opcode: Opcode, bytes: Uint8Array, start: number, end: number): Found {
    this.size = end - start
    if (opcode === Text && this.unit === "message") {
      const text = Utf8.decode(bytes, start, end)
      if (text === undefined) return this.notText()
      this.message = text
    } else this.message = bytes === this.chunk ? this.pieceOf(start, end) : bytes
    return opcode
  }

  /** A piece of the chunk, which has been used up to its end; one that `lends` may be lent. */
  private pieceOf(start: number, end: number, lends = this.lends): Uint8Array {
    if (this.lent && end < this.end) {
      // What follows is likely to be given too.
      this.ownFrom(start)
      return new Uint8Array(this.buffer, this.base, end - start)
    }
    if (!this.lent) return new Uint8Array(this.buffer, this.base + start, end - start)
    return lends && end - start >= smallestLoan
      ? Loan.lendCopy(this.chunk.subarray(start, end))
      : ownedFrom(this.chunk, start, end)
  }

  private notText(): typeof failed {
    this.failure = new Violation({ rule: "a text is UTF-8", section: textSection })
    return failed
  }

  private broken(rule: string, section: string): 0 {
    this.failure = new Violation({ rule, section: `RFC 6455 section ${section}` })
    return 0
  }

  private tooLarge(what: string, size: number, limit: number): 0 {
    this.failure = new TooLarge({ what, size, limit })
    return 0
  }
}
