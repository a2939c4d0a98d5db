/**
 * The machine of a protocol that can say, of the bytes at hand, what is at their front: chunks, limits and room are not its business.
 */
import type { ConnectionReason } from "@wirestack/protocol/ConnectionError"
import { Gather } from "@wirestack/protocol/Gather"
import type { Io, Machine } from "@wirestack/protocol/Machine"
import type { EndOfInput, Status, Why } from "@wirestack/protocol/Outcome"
import { Truncated } from "@wirestack/protocol/Reason"

/** What is at the front of some bytes: how many of them it takes, and what it means. A part of a message means nothing yet. */
export interface Found<A> {
  readonly size: number
  readonly message?: A
  /** How many bytes the message has with the parts that were found before. */
  readonly weight?: number
  /** It was the peer's goodbye. */
  readonly goodbye?: Status
}

/** How a protocol looks, for one connection. */
export interface Format<In, Out> {
  /** What the input may not end inside of. */
  readonly inside: string
  /**
   * What is at the front, or how many bytes there have to be to say more. Throws a `ConnectionReason` for what is wrong or too large,
   * of which it decides by the bytes at the front alone. What it finds is copied, or a view that is the receiver's.
   */
  readonly parse: (bytes: Uint8Array) => Found<In> | number
  /** A message in pieces. Throws a `ConnectionReason` if it can't be sent. */
  readonly print: (message: Out) => ReadonlyArray<Uint8Array>
  /** Whether parts of a message were found, and the rest is to come. */
  readonly open?: () => boolean
  /** What is said before the connection closes, and what that means; nothing, where the end of the bytes says it. */
  readonly goodbye?: (why: Why) => readonly [Out, Status] | undefined
}

/** Up to this many bytes a piece is copied behind those before it. */
const small = 4_096

export class Parsing<In, Out> implements Machine<Uint8Array, Uint8Array, In, Out> {
  encoded = 0
  readonly close?: (why: Why, io: Io<In, Uint8Array>) => void
  private readonly format: Format<In, Out>
  private kept: ReadonlyArray<Uint8Array> = []
  /** What is at the front and not all there, and how many bytes it needs at least. */
  private readonly part = new Gather()
  private needed = 0

  constructor(format: Format<In, Out>) {
    this.format = format
    if (format.goodbye !== undefined) {
      this.close = (why, io) => {
        const goodbye = format.goodbye!(why)
        if (goodbye === undefined) return io.closed({ first: "local", unanswered: true })
        const [message, sent] = goodbye
        this.encode(message, io)
        io.closed({ first: "local", sent, unanswered: true })
      }
    }
  }

  receive(input: ReadonlyArray<Uint8Array>, io: Io<In, Uint8Array>): boolean {
    const chunks = this.kept.length === 0 ? input : [...this.kept, ...input]
    this.kept = []
    for (let i = 0; i < chunks.length; i++) {
      const rest = this.front(chunks[i], io)
      if (rest === undefined) return true
      if (rest.length > 0) {
        this.kept = [rest, ...chunks.slice(i + 1)]
        return false
      }
    }
    return true
  }

  /** Takes all that a chunk completes; gives what there was no room for, and nothing at all once it is over. */
  private front(chunk: Uint8Array, io: Io<In, Uint8Array>): Uint8Array | undefined {
    let bytes = chunk
    let gathered = this.part.size > 0
    if (gathered) {
      this.part.add(chunk, 0, chunk.length, Infinity)
      if (this.part.size < this.needed) return chunk.subarray(chunk.length)
      bytes = this.part.bytes
    }
    while (bytes.length > 0) {
      if (!io.room()) {
        if (gathered) this.part.take()
        return bytes
      }
      let found: Found<In> | number
      try {
        found = this.format.parse(bytes)
      } catch (reason) {
        io.fail(reason as ConnectionReason)
        return undefined
      }
      if (typeof found === "number") {
        this.needed = found
        if (!gathered) this.part.add(bytes, 0, bytes.length, Infinity)
        return chunk.subarray(chunk.length)
      }
      if (gathered) this.part.take()
      gathered = false
      bytes = bytes.subarray(found.size)
      if (found.message !== undefined) io.emit(found.message, found.weight ?? found.size)
      if (found.goodbye !== undefined) {
        io.closed({ first: "remote", received: found.goodbye, unanswered: true })
        return undefined
      }
    }
    return bytes
  }

  encode(message: Out, io: Io<In, Uint8Array>): void {
    for (const piece of this.format.print(message)) {
      if (piece.length <= small) {
        const at = io.reserve(piece.length)
        io.buffer.set(piece, at)
      } else io.write(piece)
      this.encoded += piece.length
    }
  }

  /** Who says goodbye has nothing to say to a peer that does not. */
  ended(endOfInput: EndOfInput, io: Io<In, Uint8Array>): void {
    const { inside, open } = this.format
    if (this.part.size > 0 || open?.() === true) io.fail(new Truncated({ inside }))
    else if (this.close === undefined) io.end(endOfInput)
    else io.closed({ first: "remote" })
  }
}
