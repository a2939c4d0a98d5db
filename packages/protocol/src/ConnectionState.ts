/**
 * The states of a connection, from before there is one until it is over.
 *
 *     Setup --> Preparing --> Ready --> Closing --> Closed
 *                 |    ^         \          \
 *                 v    |          \          `--> Failed
 *               Waiting            `--> Closing
 *
 * What is connected already has the states from `Ready` on. Those before are of an `Establishment`, which goes on with the others.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { ConnectError } from "./ConnectError.ts"
import type { Connection } from "./Connection.ts"
import type { ConnectionError } from "./ConnectionError.ts"
import { lifeOf } from "./internal/LiveConnection.ts"
import type { Watchable } from "./internal/Watched.ts"
import type { Outcome } from "./Outcome.ts"

/** The states of what is connected. */
export type LiveState =
  | {
    readonly _tag: "Ready"
    /** False while the peer is late with a sign of life that a layer has asked for: a heartbeat's pong. */
    readonly viable: boolean
  }
  /** One side has begun to say goodbye, or the connection broke. What was received may still be pulled. */
  | { readonly _tag: "Closing" }
  /** It is over, without an error. */
  | { readonly _tag: "Closed"; readonly outcome: Outcome }
  /** It is over because of an error; there is no outcome if there never was a connection. */
  | {
    readonly _tag: "Failed"
    readonly error: ConnectError | ConnectionError
    readonly outcome: Outcome | undefined
  }

/** All states. */
export type ConnectionState =
  /** Nothing was done yet. */
  | { readonly _tag: "Setup" }
  /** It is being connected, for the `attempt`th time. */
  | { readonly _tag: "Preparing"; readonly attempt: number }
  /** An attempt has failed in a way that may pass, and the next one begins after `delay`. */
  | {
    readonly _tag: "Waiting"
    readonly attempt: number
    readonly error: ConnectError
    readonly delay: Duration.Duration
  }
  | LiveState

/** The states as they change, the present one first. Of a reader that is late the latest 16 are kept. */
export const changesOf = <S extends { readonly _tag: string }>(self: Watchable<S>): Stream.Stream<S> =>
  Stream.callback<S>((queue) => {
    const tell = (state: S): void => {
      Queue.offerUnsafe(queue, state)
      if (state._tag === "Closed" || state._tag === "Failed") Queue.endUnsafe(queue)
    }
    return Effect.acquireRelease(Effect.sync(() => self.watch(tell)), (leave) => Effect.sync(leave))
  }, { bufferSize: 16, strategy: "sliding" })

/** The state of a connection. */
export const of = <In, Out, D>(self: Connection<In, Out, D>): Effect.Effect<LiveState> =>
  Effect.sync(() => lifeOf(self).state)

/** The states of a connection as they change, the present one first; it ends when the connection is over. */
export const changes = <In, Out, D>(self: Connection<In, Out, D>): Stream.Stream<LiveState> => changesOf(lifeOf(self))
