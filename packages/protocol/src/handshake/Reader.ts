/**
 * Reads a handshake from a connection of bytes: so many bytes, or a line, then more, with `Reader`; or until somebody has found what it
 * looks for, with `readUntil`. What came behind is given back.
 *
 * Each piece of a `Reader` is bounded by what is asked for, and a number of bytes that is none is a defect. An end in the middle fails with
 * `Truncated`.
 */

import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { ConnectError, type ConnectReason, fromConnectionError } from "../ConnectError.ts"
import type { Connection } from "../Connection.ts"
import { TooLarge, Truncated, Violation } from "../Reason.ts"

const carriageReturn = 0x0d
const lineFeed = 0x0a

const nothing = new Uint8Array(0)

/** A byte is a character; so many at a time fit into the arguments of a call. */
const charactersOf = (bytes: Uint8Array): string => {
  let text = ""
  for (let at = 0; at < bytes.length; at += 4_096) text += String.fromCharCode(...bytes.subarray(at, at + 4_096))
  return text
}

export class Reader {
  private readonly connection: Connection<Uint8Array, any>
  private readonly layer: string
  /** What was read and not taken lies from `start` to `end`; there may be memory for more behind it. */
  private bytes: Uint8Array = nothing
  private start = 0
  private end = 0
  /** How many of these bytes have no line feed among them. */
  private searched = 0

  /** `layer` is the name of the one whose handshake it is, for errors. */
  constructor(connection: Connection<Uint8Array, any>, layer: string) {
    this.connection = connection
    this.layer = layer
  }

  /** What was read and not taken. */
  get leftover(): ReadonlyArray<Uint8Array> {
    return this.size === 0 ? [] : [this.front(this.size)]
  }

  /** The next `size` bytes; `inside` says inside of what the input would end without them. Safe to interrupt. */
  take(size: number, inside: string): Effect.Effect<Uint8Array, ConnectError> {
    return this.fill(size, inside, () => this.cut(size))
  }

  /** The same, which are still to be taken. */
  peek(size: number, inside: string): Effect.Effect<Uint8Array, ConnectError> {
    return this.fill(size, inside, () => this.front(size))
  }

  /**
   * The next line up to its CRLF, which is taken too; a byte is a character. Fails with `TooLarge` if it has more than `limit` bytes with
   * the CRLF, and with a `Violation` if it ends in a bare LF. Safe to interrupt.
   */
  line(limit: number, inside: string): Effect.Effect<string, ConnectError> {
    return Effect.suspend(() => {
      const end = this.lineFeed
      const size = end < 0 ? this.size + 1 : end + 1
      if (size > limit) return Effect.fail(this.error(new TooLarge({ what: `a line of ${inside}`, size, limit })))
      if (end < 0) return this.fill(size, inside, () => {}).pipe(Effect.andThen(this.line(limit, inside)))
      if (end === 0 || this.front(end)[end - 1] !== carriageReturn) {
        return Effect.fail(this.error(new Violation({ rule: `a line of ${inside} ends in CRLF` })))
      }
      return Effect.succeed(charactersOf(this.cut(size).subarray(0, end - 1)))
    })
  }

  private error(reason: ConnectReason): ConnectError {
    return new ConnectError({ layer: this.layer, reason })
  }

  private fill<A>(size: number, inside: string, found: () => A): Effect.Effect<A, ConnectError> {
    return Effect.suspend(() => {
      if (!Number.isSafeInteger(size) || size < 0) throw new RangeError(`${inside} can't have ${size} bytes`)
      return this.size >= size ? Effect.sync(found) : Effect.matchEffect(this.connection.pull, {
        onSuccess: (chunks) => {
          for (const chunk of chunks) this.add(chunk)
          return this.fill(size, inside, found)
        },
        onFailure: (error) =>
          Effect.fail(
            Cause.isDone(error)
              ? this.error(new Truncated({ inside }))
              : fromConnectionError(error)
          )
      })
    })
  }

  private get size(): number {
    return this.end - this.start
  }

  /** Where the next line feed is, or -1; no byte is looked at twice. */
  private get lineFeed(): number {
    const found = this.front(this.size).indexOf(lineFeed, this.searched)
    if (found < 0) this.searched = this.size
    return found
  }

  private front(size: number): Uint8Array {
    return this.bytes.subarray(this.start, this.start + size)
  }

  private add(chunk: Uint8Array): void {
    const { size } = this
    if (size === 0) return this.hold(chunk, chunk.length)
    if (this.end + chunk.length > this.bytes.length) {
      const larger = new Uint8Array(2 * (size + chunk.length))
      larger.set(this.front(size))
      this.hold(larger, size)
    }
    this.bytes.set(chunk, this.end)
    this.end += chunk.length
  }

  private hold(bytes: Uint8Array, size: number): void {
    this.bytes = bytes
    this.start = 0
    this.end = size
  }

  private cut(size: number): Uint8Array {
    const bytes = this.front(size)
    this.start += size
    this.searched = 0
    return bytes
  }
}

/** What reading found, and the chunks behind those it used. */
export interface Found<A> {
  readonly found: A
  readonly rest: ReadonlyArray<Uint8Array>
}

/** Reads until `receive` has found what it looks for, or the input is over. Safe to interrupt: what was received stays received. */
export const readUntil = <A>(
  connection: Connection<Uint8Array, any>,
  receive: (chunk: Uint8Array) => A | undefined,
  ended: () => A
): Effect.Effect<Found<A>, ConnectError> => {
  const next: Effect.Effect<Found<A>, ConnectError> = Effect.matchEffect(connection.pull, {
    onSuccess: (chunks) => {
      for (let i = 0; i < chunks.length; i++) {
        const found = receive(chunks[i])
        if (found !== undefined) return Effect.succeed({ found, rest: chunks.slice(i + 1) })
      }
      return next
    },
    onFailure: (error) =>
      Cause.isDone(error) ? Effect.succeed({ found: ended(), rest: [] }) : Effect.fail(fromConnectionError(error))
  })
  return next
}
