/**
 * Frames from messages: what fits into one frame is written at once, the rest waits here and is written frame by frame, so that
 * control frames find their place in between (RFC 6455 section 5.4).
 *
 * Messages come whole or in parts. What waits is not copied before its turn, nor compressed: a large message costs no memory
 * beyond its own. A server's large payloads are passed on as they are; all others are copied behind their head, and masked
 * there.
 */
import * as Loan from "@wirestack/protocol/bytes/Loan"
import * as Utf8 from "@wirestack/protocol/bytes/Utf8"
import type { Prepared } from "@wirestack/protocol/fanout/Prepared"
import type { Io } from "@wirestack/protocol/Machine"
import type { Unsent } from "@wirestack/protocol/Outcome"
import { Other } from "@wirestack/protocol/Reason"
import type { ExtensionChain } from "../extensions/ExtensionChain.ts"
import { Bits, headSize, payloadSize, writeHead } from "../frames/Frame.ts"
import * as Mask from "../frames/Mask.ts"
import { Opcode } from "../frames/Opcode.ts"

/** A payload is not copied from this size on, where it need not be masked. */
const large = 32_768

/**
 * Large payloads that have to be copied are copied, and masked, in slices: so the memory that a socket is done with serves for the
 * next one, still in the processor's cache. A multiple of the key's length.
 */
const sliceSize = 65_536 - 16

/** For texts of up to so many UTF-16 units, there is room for whatever characters they have. */
const shortText = 1_024

/** Extensions get no more at once, since they may take long for it. */
const transformedSize = 65_536

const none: ReadonlyArray<never> = []

export type DataOpcode = typeof Opcode.Text | typeof Opcode.Binary

/** A part of a message that waits. */
interface Waiting {
  readonly type: DataOpcode
  readonly bytes: Uint8Array
  /** The message ends with it. */
  readonly last: boolean
  readonly plain: boolean
  readonly loan: Loan.Loan | undefined
}

/** Copies the first `length` bytes; a few of them faster than `set` does. */
const copy = (source: Uint8Array, length: number, target: Uint8Array, offset: number): void => {
  if (length <= 12) { for (let i = 0; i < length; i++) target[offset + i] = source[i] }
  else target.set(length === source.length ? source : new Uint8Array(source.buffer, source.byteOffset, length), offset)
}

const utf8 = {}

/** A message as the payload of a frame. */
const payloadOf = (message: string | Uint8Array): Uint8Array =>
  typeof message === "string" ? Utf8.encode(message) : message

/** The same for many. */
const payloadsOf = (message: Prepared<string | Uint8Array>): Prepared<Uint8Array> =>
  typeof message.message === "string" ? message.form(utf8, payloadOf) : message as Prepared<Uint8Array>

/** The frame of a message that no extension transforms. */
const plainFrame = {}

/** A whole message in an unmasked frame of its own memory. */
const whole = (first: number, payload: Uint8Array): Uint8Array => {
  const head = headSize(payload.length)
  const frame = new Uint8Array(head + payload.length)
  writeHead(frame, 0, Bits.Fin | first, payload.length, undefined)
  frame.set(payload, head)
  return frame
}

export class FrameEncoder {
  /** How many bytes of payload were written, as long as nobody sets it back. */
  handed = 0
  /** How many bytes of messages it was given. */
  given = 0

  private readonly masks: boolean
  private readonly maxFrameSize: number
  private readonly extensions: ExtensionChain | undefined

  private queue: Array<Waiting> | undefined = undefined
  /** How much of the first in the queue is written. */
  private written = 0

  /** A frame of the message in progress is written, but not its last. */
  private opened = false
  /** A part of the message in progress was taken, but not its last. */
  private begun = false
  /** The reserved bits of that message; it is transformed if there are any. */
  private rsv = 0

  constructor(masks: boolean, maxFrameSize: number, extensions: ExtensionChain | undefined) {
    this.masks = masks
    this.maxFrameSize = extensions === undefined ? maxFrameSize : Math.min(maxFrameSize, transformedSize)
    this.extensions = extensions
  }

  /** Whether something waits. */
  get busy(): boolean {
    return this.queue !== undefined
  }

  /** What waits; a message counts if it has not been written to its end. */
  get unsent(): Unsent {
    let messages = 0
    let bytes = 0
    for (const waiting of this.queue ?? none) {
      if (waiting.last) messages++
      bytes += waiting.bytes.length
    }
    return { messages, bytes: bytes - this.written }
  }

  /**
   * Writes a part of a message, the first `length` of `bytes`, or has it wait. The message ends with it if it is the `last`; no
   * extension transforms a `plain` one.
   */
  write(
    type: DataOpcode,
    bytes: Uint8Array,
    length: number,
    last: boolean,
    plain: boolean,
    io: Io<any, Uint8Array>
  ): void {
    this.given += length
    if (this.queue === undefined && length <= this.maxFrameSize) {
      return this.part(type, bytes, length, last, plain, bytes !== Utf8.scratch, io)
    }
    const kept = bytes === Utf8.scratch ? bytes.slice(0, length) : bytes.subarray(0, length)
    const loan = Loan.of(kept)
    loan?.hold()
    const waiting = { type, bytes: kept, last, plain, loan }
    if (this.queue === undefined) this.queue = [waiting]
    else this.queue.push(waiting)
  }

  /**
   * Writes a text as one frame, encoded right to where it leaves from. Returns false, and has written nothing, if that can't be
   * done: what waits goes first, extensions want it in one piece of its own, and a long text must be ASCII.
   */
  text(text: string, io: Io<any, Uint8Array>): boolean {
    const { extensions, masks, maxFrameSize, queue } = this
    const isShort = text.length <= shortText
    const most = isShort ? text.length * 3 : text.length
    if (queue !== undefined || extensions !== undefined || most > maxFrameSize || most >= large) return false
    const key = masks ? Mask.freshKey() : undefined
    const keySize = key === undefined ? 0 : 4
    const reserved = headSize(most) + keySize + most
    const offset = io.reserve(reserved)
    const { buffer } = io
    // Most texts are ASCII.
    const likely = offset + headSize(text.length) + keySize
    const length = isShort ? Utf8.write(text, buffer, likely) : Utf8.writeWhole(text, buffer, likely, most)
    if (length < 0) {
      io.giveBack(reserved)
      return false
    }
    const start = offset + headSize(length) + keySize
    if (start !== likely) buffer.copyWithin(start, likely, likely + length)
    writeHead(buffer, offset, Bits.Fin | Opcode.Text, length, key)
    if (key !== undefined) Mask.apply(buffer, start, start + length, key)
    io.giveBack(offset + reserved - start - length)
    this.handed += length
    this.given += length
    return true
  }

  /**
   * A message for many as the frame that all make of it who neither mask nor remember what they have compressed; undefined if it is not to
   * be one here.
   */
  prepare(message: Prepared<string | Uint8Array>, plain: boolean): Prepared<Uint8Array> | undefined {
    const { extensions, masks, maxFrameSize } = this
    if (masks || this.queue !== undefined || this.begun || message.message.length > maxFrameSize) return undefined
    const type = typeof message.message === "string" ? Opcode.Text : Opcode.Binary
    if (extensions !== undefined && !plain) {
      const payload = payloadsOf(message)
      const { length } = payload.message
      const rsv = length <= maxFrameSize ? extensions.begin(length) : undefined
      if (rsv === undefined) return undefined
      const { format } = extensions
      if (rsv !== 0) return format && payload.form(format, (bytes) => whole(rsv | type, extensions.encode(bytes, true)))
    }
    const frame = message.form(plainFrame, (message) => whole(type, payloadOf(message)))
    return payloadSize(frame.message) > maxFrameSize ? undefined : frame
  }

  /** A message was written as such a frame. */
  passed(message: Prepared<string | Uint8Array>, { message: frame }: Prepared<Uint8Array>): void {
    const size = payloadSize(frame)
    this.given += (frame[0] & Bits.Reserved) === 0 ? size : payloadsOf(message).message.length
    this.handed += size
  }

  /** Writes the next frame of what waits. */
  proceed(io: Io<any, Uint8Array>): void {
    const queue = this.queue!
    const { bytes, last, loan, plain, type } = queue[0]
    const start = this.written
    const end = Math.min(start + this.maxFrameSize, bytes.length)
    const ended = end === bytes.length
    if (ended) {
      this.written = 0
      if (queue.length === 1) this.queue = undefined
      else queue.shift()
    } else this.written = end
    this.part(type, bytes.subarray(start, end), end - start, ended && last, plain, true, io)
    if (ended) loan?.release()
  }

  /** Drops what waits, and returns what that was. */
  drop(): Unsent {
    const { unsent } = this
    for (const { loan } of this.queue ?? none) loan?.release()
    this.queue = undefined
    this.written = 0
    return unsent
  }

  private part(
    type: DataOpcode,
    bytes: Uint8Array,
    length: number,
    last: boolean,
    plain: boolean,
    lasting: boolean,
    io: Io<any, Uint8Array>
  ): void {
    const { extensions } = this
    if (extensions !== undefined) {
      try {
        if (!this.begun) this.rsv = plain ? 0 : extensions.begin(last ? length : undefined)
        if (this.rsv !== 0) {
          bytes = extensions.encode(bytes.subarray(0, length), last)
          length = bytes.length
          lasting = false
        }
      } catch (cause) {
        // Nobody knows what of the message the extension has taken.
        return io.fail(new Other({ cause }))
      }
    }
    this.begun = !last
    // Nothing in the middle of a message is not worth a frame.
    if (length === 0 && !last) return
    const first = (last ? Bits.Fin : 0) | (this.opened ? Opcode.Continuation : type | this.rsv)
    this.opened = !last
    this.frame(first, bytes, length, lasting, io)
  }

  /** Writes a frame whose payload is the first `length` bytes of `payload`; all of it, and it may be passed on, if it is `lasting`. */
  frame(first: number, payload: Uint8Array, length: number, lasting: boolean, io: Io<any, Uint8Array>): void {
    this.handed += length
    const key = this.masks ? Mask.freshKey() : undefined
    const apart = lasting && length >= large && key === undefined
    const head = headSize(length) + (key === undefined ? 0 : 4)
    const size = apart ? 0 : Math.min(length, sliceSize)
    const offset = io.reserve(head + size)
    const start = writeHead(io.buffer, offset, first, length, key)
    if (apart) return io.write(payload)
    copy(payload, size, io.buffer, start)
    if (key !== undefined) Mask.apply(io.buffer, start, start + size, key)
    for (let at = size; at < length; at += sliceSize) {
      this.slice(payload.subarray(at, Math.min(at + sliceSize, length)), key, io)
    }
  }

  /** Writes what follows in the payload of a frame. */
  private slice(bytes: Uint8Array, key: number | undefined, io: Io<any, Uint8Array>): void {
    const start = io.reserve(bytes.length)
    io.buffer.set(bytes, start)
    if (key !== undefined) Mask.apply(io.buffer, start, start + bytes.length, key)
  }
}
