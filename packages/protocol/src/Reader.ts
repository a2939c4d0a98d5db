/**
 * Reads a handshake from a connection of bytes: so many bytes, or a line, then more, with `Reader`; or until somebody has found what it
 * looks for, with `readUntil`. What came behind is given back.
 *
 * Each piece of a `Reader` is bounded by what is asked for. An end in the middle fails with `Truncated`.
 */

import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { ConnectError, type ConnectReason, fromConnectionError } from "./ConnectError.ts"
import type { Connection } from "./Connection.ts"
import { TooLarge, Truncated, Violation } from "./Reason.ts"

const carriageReturn = 0x0d
const lineFeed = 0x0a

export class Reader {
  private readonly connection: Connection<Uint8Array, any>
  private readonly layer: string
  private chunks: Array<Uint8Array> = []
  private size = 0

  /** `layer` is the name of the one whose handshake it is, for errors. */
  constructor(connection: Connection<Uint8Array, any>, layer: string) {
    this.connection = connection
    this.layer = layer
  }

  /** What was read and not taken. */
  get leftover(): ReadonlyArray<Uint8Array> {
    return this.chunks
  }

  /** The next `size` bytes; `inside` says inside of what the input would end without them. Safe to interrupt. */
  take(size: number, inside: string): Effect.Effect<Uint8Array, ConnectError> {
    return this.fill(size, inside, () => this.cut(size))
  }

  /** The same, which are still to be taken. */
  peek(size: number, inside: string): Effect.Effect<Uint8Array, ConnectError> {
    return this.fill(size, inside, () => this.joined.subarray(0, size))
  }

  /**
   * The next line up to its CRLF, which is taken too; a byte is a character. Fails with `TooLarge` if it has more than `limit` bytes with
   * the CRLF, and with a `Violation` if it ends in a bare LF. Safe to interrupt.
   */
  line(limit: number, inside: string): Effect.Effect<string, ConnectError> {
    return Effect.suspend(() => {
      const end = this.size === 0 ? -1 : this.joined.indexOf(lineFeed)
      const size = end < 0 ? this.size + 1 : end + 1
      if (size > limit) return Effect.fail(this.error(new TooLarge({ what: `a line of ${inside}`, size, limit })))
      if (end < 0) return this.fill(size, inside, () => {}).pipe(Effect.andThen(this.line(limit, inside)))
      if (end === 0 || this.joined[end - 1] !== carriageReturn) {
        return Effect.fail(this.error(new Violation({ rule: `a line of ${inside} ends in CRLF` })))
      }
      return Effect.succeed(String.fromCharCode(...this.cut(size).subarray(0, end - 1)))
    })
  }

  private error(reason: ConnectReason): ConnectError {
    return new ConnectError({ layer: this.layer, reason })
  }

  private fill<A>(size: number, inside: string, found: () => A): Effect.Effect<A, ConnectError> {
    return Effect.suspend(() =>
      this.size >= size ? Effect.sync(found) : Effect.matchEffect(this.connection.pull, {
        onSuccess: (chunks) => {
          for (const chunk of chunks) {
            this.chunks.push(chunk)
            this.size += chunk.length
          }
          return this.fill(size, inside, found)
        },
        onFailure: (error) =>
          Effect.fail(
            Cause.isDone(error)
              ? this.error(new Truncated({ inside }))
              : fromConnectionError(error)
          )
      })
    )
  }

  private get joined(): Uint8Array {
    if (this.chunks.length === 1) return this.chunks[0]
    const bytes = new Uint8Array(this.size)
    let at = 0
    for (const chunk of this.chunks) {
      bytes.set(chunk, at)
      at += chunk.length
    }
    this.chunks = [bytes]
    return bytes
  }

  private cut(size: number): Uint8Array {
    const bytes = this.joined
    this.size -= size
    this.chunks = this.size === 0 ? [] : [bytes.subarray(size)]
    return bytes.subarray(0, size)
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
