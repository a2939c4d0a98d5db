import type { Connection } from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { Effect } from "effect"
import * as Cause from "effect/Cause"

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

/** Why something fails. */
export const reasonOf = <A, E extends { readonly reason: unknown }, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<E["reason"], A, R> => Effect.map(Effect.flip(effect), (error) => error.reason as E["reason"])

/** Bytes that tell where in the sequence they are. */
export const pattern = (size: number): Buffer =>
  Buffer.from(Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8)) & 0xff))
