/**
 * Reads a connection for a client: each message is handled before the next, and once there are no more, all who wait for one are told.
 *
 *     yield* Dispatch.run(connection, {
 *       layer: "chat",
 *       handle: (message) => Effect.sync(() => replies.succeed(message.id, message)),
 *       awaiting: [replies, subscriptions]
 *     })
 *
 * It reads as long as the scope is open; nobody else may pull. A handler that is slow holds the peer up, as any puller does.
 */

import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type Connection, messages } from "../Connection.ts"
import { Closed, Closing, type ConnectionError, lost } from "../ConnectionError.ts"
import { Other } from "../Reason.ts"

/** What waits for messages, such as `Replies` and `Subscriptions`. */
export interface Awaiting {
  /** Told once that no more come, and why. */
  readonly lost: (error: ConnectionError) => void
}

/** What becomes of messages. */
export interface Options<In, R> {
  /** The name of the layer, for the errors `Closed`, if the peer ends in order, and `Closing`, if we do. */
  readonly layer: string
  /** Handles a message. A failure ends the reading: it is what the `awaiting` are told; a defect is `Other`. */
  readonly handle: (message: In) => Effect.Effect<unknown, ConnectionError, R>
  readonly awaiting: ReadonlyArray<Awaiting>
}

/**
 * Begins to read.
 *
 * @category constructors
 */
export const run = <In, Out, D, R = never>(
  connection: Connection<In, Out, D>,
  { awaiting, handle, layer }: Options<In, R>
): Effect.Effect<void, never, R | Scope.Scope> =>
  messages(connection).pipe(
    Stream.runForEach(handle),
    Effect.onExit((exit) =>
      Effect.sync(() => {
        const error = why(layer, exit)
        for (const one of awaiting) one.lost(error)
      })
    ),
    Effect.exit,
    // At once: who is interrupted before it begins tells nobody.
    Effect.forkScoped({ startImmediately: true }),
    Effect.asVoid
  )

const why = (layer: string, exit: Exit.Exit<unknown, ConnectionError>): ConnectionError =>
  Exit.isSuccess(exit)
    ? lost(layer, new Closed())
    : Option.getOrElse(
      Cause.findErrorOption(exit.cause),
      () => lost(layer, Cause.hasDies(exit.cause) ? new Other({ cause: Cause.squash(exit.cause) }) : new Closing())
    )
