/**
 * What is said in plaintext before TLS begins, on one connection: lines, or bytes by number. All of it is bounded.
 *
 * What the peer says here is not authenticated: use it for nothing but the question whether TLS begins.
 */
import { ConnectError, type ConnectReason, fromConnectionError } from "@wirestack/protocol/ConnectError"
import type { Connection } from "@wirestack/protocol/Connection"
import { Reader } from "@wirestack/protocol/Reader"
import { TooLarge, Violation } from "@wirestack/protocol/Reason"
import * as Effect from "effect/Effect"

declare const TextEncoder: new() => { encode(text: string): Uint8Array }

const encoder = new TextEncoder()

/** How many lines are read at most. */
const maxLines = 100

/** The longest line that is read, with its CRLF: RFC 5321 section 4.5.3.1.5. */
const maxLineSize = 512

export class Dialogue {
  private readonly connection: Connection<Uint8Array, Uint8Array>
  private readonly layer: string
  private readonly reader: Reader
  private lines = 0

  /** `layer` is the name of the protocol, for errors. */
  constructor(connection: Connection<Uint8Array, Uint8Array>, layer: string) {
    this.connection = connection
    this.layer = layer
    this.reader = new Reader(connection, layer)
  }

  /** What was received and not read. */
  get unread(): ReadonlyArray<Uint8Array> {
    return this.reader.leftover
  }

  /**
   * The next line of the peer, without its CRLF; a byte is a character. At most 512 bytes a line and 100 lines, beyond which it fails with
   * `TooLarge`.
   */
  get line(): Effect.Effect<string, ConnectError> {
    return Effect.suspend(() =>
      ++this.lines > maxLines
        ? this.fail(new TooLarge({ what: "the number of lines before TLS", size: this.lines, limit: maxLines }))
        : this.reader.line(maxLineSize, "the plaintext before TLS")
    )
  }

  /** The next `size` bytes of the peer. */
  take(size: number): Effect.Effect<Uint8Array, ConnectError> {
    return this.reader.take(size, "the plaintext before TLS")
  }

  /** Sends bytes, or text as UTF-8. */
  say(message: Uint8Array | string): Effect.Effect<void, ConnectError> {
    const bytes = typeof message === "string" ? encoder.encode(message) : message
    return Effect.mapError(this.connection.send(bytes), fromConnectionError)
  }

  /** Fails the handshake. */
  fail(reason: ConnectReason): Effect.Effect<never, ConnectError> {
    return Effect.fail(new ConnectError({ layer: this.layer, reason }))
  }

  /** Fails the handshake because the peer broke a rule of the protocol. */
  violation(rule: string): Effect.Effect<never, ConnectError> {
    return this.fail(new Violation({ rule }))
  }
}
