/**
 * A request for an upgrade that somebody else has read, such as an HTTP server, with what is needed to answer it, and to go on with its
 * connection.
 *
 *     read by an HTTP server --> accepted by a `Mounted` --> refused, by the HTTP server
 *                                                        --> opened: the connection is ours, and we answer 101
 *
 * The contract: exactly one of `refuse` and `open` is used, and that once. Until it is opened, the connection is the HTTP server's.
 */
import type { Closed } from "@wirestack/protocol/ConnectionError"
import type { Place } from "@wirestack/protocol/Endpoint"
import type { Wire } from "@wirestack/protocol/wire/Wire"
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Refused } from "../handshake/ServerHandshake.ts"

/** The connection of a request. */
export interface Opened {
  readonly wire: Wire<Uint8Array, Uint8Array>
  /** What came behind the head, and was read by the HTTP server. */
  readonly leftover: ReadonlyArray<Uint8Array>
}

export interface Arrival {
  /** The head of the request as it was sent, up to its empty line. */
  readonly head: Uint8Array
  /** Where the HTTP server listens, by which its own origin is known. */
  readonly place: Place
  /** The path to look for among the routes, where the HTTP server has cut a prefix from it; by default what the head says. */
  readonly path?: string | undefined
  /** The address the client comes from, as far as there is one. */
  readonly peer: string | undefined
  /** What the layers below the WebSocket tell, when somebody looks. */
  readonly details: () => Context.Context<never>
  /** The services of whoever handles the request, which the route's handler is given too. */
  readonly services: Context.Context<never>
  /** Gives up the connection, if it is still there. The scope is that of the connection. */
  readonly open: Effect.Effect<Opened, Closed, Scope.Scope>
  /** Has the client be answered so. */
  readonly refuse: (refused: Refused) => void
}
