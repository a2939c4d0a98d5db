/** Reads a connection for a client, as long as its scope is open. */
import { type Connection, messages } from "@wirestack/protocol/Connection"
import { Closed, Closing, ConnectionError } from "@wirestack/protocol/ConnectionError"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/** Every message is handled before the next; `over` is told once why there are no more. */
export const reading = <In, Out, D>(
  layer: string,
  connection: Connection<In, Out, D>,
  handle: (message: In) => Effect.Effect<unknown, ConnectionError>,
  over: (error: ConnectionError) => Effect.Effect<unknown>
): Effect.Effect<void, never, Scope.Scope> =>
  messages(connection).pipe(
    Stream.runForEach(handle),
    Effect.onExit((exit) => over(why(layer, exit))),
    Effect.ignore,
    Effect.forkScoped,
    Effect.asVoid
  )

const why = (layer: string, exit: Exit.Exit<unknown, ConnectionError>): ConnectionError =>
  Exit.isSuccess(exit)
    ? new ConnectionError({ layer, reason: new Closed() })
    : Option.getOrElse(
      Cause.findErrorOption(exit.cause),
      () => new ConnectionError({ layer, reason: new Closing() })
    )
