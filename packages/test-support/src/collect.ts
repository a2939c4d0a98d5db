import type { Connection } from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"

/** All that is received until the end, as one buffer; fails as the pull fails. */
export const collect = <Out>(connection: Connection<Uint8Array, Out>): Effect.Effect<Buffer, ConnectionError> => {
  const chunks: Array<Uint8Array> = []
  const loop: Effect.Effect<Buffer, ConnectionError> = Effect.matchEffect(connection.pull, {
    onSuccess: (batch) => {
      chunks.push(...batch)
      return loop
    },
    onFailure: (error) => Cause.isDone(error) ? Effect.succeed(Buffer.concat(chunks)) : Effect.fail(error)
  })
  return loop
}
