/**
 * Where streams come from that somebody else opens: a function that connects, one that listens, or both.
 *
 * The endpoint is handed to these functions as it was asked for, so that they see where to connect to. Where there is nothing to
 * see, as with a serial port, any name will do (`memory:serial`).
 *
 * The contract:
 *
 * - A stream belongs to its connection from the moment it is handed over: nobody else reads, writes or closes it.
 * - What a source acquires in its scope is released after the connection has closed, or the listener with
 *   all its connections.
 * - A source may be interrupted while it opens; what it has opened by then it closes itself.
 */
import type { ConnectReason } from "@wirestack/protocol/ConnectError"
import type { Endpoint } from "@wirestack/protocol/Endpoint"
import type { ListenReason } from "@wirestack/protocol/ListenError"
import type { Connect, Listen } from "@wirestack/protocol/Transport"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/**
 * Hands over a stream that has come, with the address it comes from if there is one. Returns why it is not taken, if it isn't: one that
 * is `StreamUnusable` is left to the caller, one that comes when the listener has closed is cut.
 */
export type Accept<A> = (stream: A, peer?: string) => ConnectReason | undefined

/** What opens streams, or is given those that others open. */
export interface Source<A, R = any> {
  /** Opens one. */
  readonly connect?: (endpoint: Endpoint) => Effect.Effect<A, ConnectReason, R | Scope.Scope>
  /**
   * Begins to hand over those that come, and tells where it listens if that is not what it was asked for. `lost` ends the listener, if
   * no more can come.
   */
  readonly listen?: (
    endpoint: Endpoint,
    accept: Accept<A>,
    lost: (reason: ListenReason) => void
  ) => Effect.Effect<Endpoint | void, ListenReason, R | Scope.Scope>
}

/** What a transport on a source can do. */
export type Roles<S> =
  | (S extends { readonly connect: (...args: any) => unknown } ? Connect : never)
  | (S extends { readonly listen: (...args: any) => unknown } ? Listen : never)

/** What a source needs. */
export type Needs<S> =
  | (S extends { readonly connect: (...args: any) => Effect.Effect<any, any, infer R> } ? Exclude<R, Scope.Scope>
    : never)
  | (S extends { readonly listen: (...args: any) => Effect.Effect<any, any, infer R> } ? Exclude<R, Scope.Scope>
    : never)
