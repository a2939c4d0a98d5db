/**
 * A relay between two byte streams, to put faults between programs that run elsewhere, or on real sockets.
 *
 *     const link = Link.make()
 *     const faulty = Tcp.layer().pipe(Faults.over(Transport.Bytes)({ plan, link }))
 *     Relay.serve("127.0.0.1:7001", Relay.through("127.0.0.1:7000"))          provided with `faulty`
 *
 * The contract:
 *
 * - Bytes, ends and cuts of one side become those of the other, in this order. Over TCP a cut is a RST. A side that has ended its output
 *   is seen to be cut when something is sent to it.
 * - Nothing is held but what both connections hold: a side that doesn't read holds the other back.
 * - If the far side can't be reached, the near one is cut. That, and how a connection broke, is no failure of the relay.
 */

import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { ConnectError } from "../ConnectError.ts"
import type { Connection } from "../Connection.ts"
import type { ConnectionError } from "../ConnectionError.ts"
import type * as Endpoint from "../Endpoint.ts"
import type { ListenError } from "../ListenError.ts"
import {
  type At,
  Bytes,
  type Connect,
  connect,
  type ConnectOptions,
  type Listen,
  type ListenOptions,
  serve as serveOver
} from "../Transport.ts"

type Stream = Connection<Uint8Array, Uint8Array>

/** What a relay connects to. */
export type Far<R = never> = Effect.Effect<Stream, ConnectError, R | Scope.Scope>

/** Connects to an endpoint over the transport that the context provides. */
export const through = (endpoint: Endpoint.Inputs, options?: ConnectOptions): Far<At<"bytes", Connect>> =>
  connect(Bytes)(endpoint, options)

/** Handles a connection by relaying it. */
export const to = <R>(far: Far<R>) => (near: Stream): Effect.Effect<void, never, R | Scope.Scope> =>
  Effect.matchEffect(far, {
    onFailure: () => near.abort,
    onSuccess: (far) => Effect.all([flow(near, far), flow(far, near)], { concurrency: 2, discard: true })
  })

/** Listens, and relays every connection, for as long as the layer is provided. */
export const serve = <R>(
  endpoint: Endpoint.Input,
  far: Far<R>,
  options?: ListenOptions
): Layer.Layer<never, ListenError, At<"bytes", Listen> | Exclude<R, Scope.Scope>> =>
  serveOver(Bytes)<never>()(endpoint, to(far), options)

/** Passes on what one side says until it ends or is cut. */
const flow = (from: Stream, onto: Stream): Effect.Effect<void> =>
  Effect.matchEffect(Effect.forever(Effect.flatMap(from.pull, onto.sendAll)), {
    onFailure: (why: ConnectionError | Cause.Done<unknown>) =>
      Cause.isDone(why) ? Effect.ignore(onto.end) : Effect.andThen(onto.abort, from.abort),
    onSuccess: () => Effect.void
  })
