/** What a WebSocket adds to the details of its connection. */
import type { Headers } from "@wirestack/http/Headers"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import type { Outcome } from "@wirestack/protocol/Outcome"
import type { Facts } from "@wirestack/protocol/reports/EstablishmentReport"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { Params } from "../extensions/Extension.ts"
import type { CloseCode } from "../frames/CloseCode.ts"

/** The name of the layer, in errors and reports. */
export const layer = "websocket"

/** A WebSocket's own facts and operations, among the details of its connection. */
export class WebSocket extends Context.Service<WebSocket, {
  /** The subprotocol that was chosen, if one was. */
  readonly protocol: string | undefined
  /** The extensions in use, in the order in which they apply. */
  readonly extensions: ReadonlyArray<{ readonly name: string; readonly params: Params }>
  /** The path that was asked for. */
  readonly path: string
  /** The query that was asked for, without its question mark. */
  readonly query: string
  /** The headers of the peer's half of the handshake; names are in lower case. */
  readonly headers: Headers
  readonly handshakeTime: Duration.Duration
  /**
   * Sends a ping and gives the time until its pong. At most 16 may wait (`TooLarge`). Safe to interrupt. Bounded only by
   * the caller: use a timeout.
   */
  readonly ping: Effect.Effect<Duration.Duration, ConnectionError>
  /** The payloads of the peer's pings from now on, for who answers by hand (`answersPings`); the latest 16 are kept. */
  readonly pings: Stream.Stream<Uint8Array>
  /**
   * Sends a pong with a payload of at most 125 bytes: the answer to a ping, or a sign of life. While the peer doesn't read,
   * at most 16 pings and pongs may wait (`TooLarge`). Safe to interrupt.
   */
  readonly pong: (payload?: Uint8Array) => Effect.Effect<void, ConnectionError>
  /**
   * Closes with a code and a reason of at most 123 bytes in UTF-8 (section 7.1.6), and gives the outcome. The codes of
   * the type are those that may be sent. Safe to interrupt: the closing goes on.
   */
  readonly close: (code: CloseCode, reason?: string) => Effect.Effect<Outcome, ConnectionError>
}>()("@wirestack/websocket/internal/details/WebSocket") {}

/** What it tells in an `EstablishmentReport`. */
export const facts = (details: Context.Context<WebSocket>): Facts => {
  const { extensions, path, protocol } = Context.get(details, WebSocket)
  return { path, subprotocol: protocol, extensions: extensions.map(({ name }) => name).join(", ") || undefined }
}
