import { type Connection, Faults, MemoryTransport, Transport } from "@wirestack/protocol"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { Cause, Clock, Deferred, Effect, Exit, Layer, Scope } from "effect"

type Bytes = Connection.Connection<Uint8Array, Uint8Array>

export const bytes = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, at) => at)

/** A client with faults and its server, and how the client's scope is closed. Both are cut at the end, as no time passes then. */
export const connected = (options: Faults.Options<"bytes">) =>
  Effect.gen(function*() {
    const stack = yield* Layer.build(MemoryTransport.layer().pipe(Faults.over(Transport.Bytes)(options)))
    const accepted = yield* Deferred.make<Bytes>()
    const listener = yield* Effect.provide(Transport.listen(Transport.Bytes)("memory:here"), stack)
    yield* Effect.forkScoped(
      listener.run((connection) => Effect.andThen(Deferred.succeed(accepted, connection), connection.closed))
    )
    const scope = yield* Scope.fork(yield* Effect.scope)
    const connecting = Effect.provide(Transport.connect(Transport.Bytes)("memory:here"), stack)
    const client: Bytes = yield* Scope.provide(connecting, scope)
    const server = yield* Deferred.await(accepted)
    yield* Effect.addFinalizer(() => Effect.andThen(client.abort, server.abort))
    return { client, server, close: Scope.close(scope, Exit.void) }
  })

/** What is received, each piece with the time at which it came; at last how it ended. */
export const arrivals = (connection: Bytes) =>
  Effect.gen(function*() {
    const seen: Array<readonly [at: number, what: number | string]> = []
    const next: Effect.Effect<void> = Effect.matchEffect(connection.pull, {
      onSuccess: (batch) =>
        Effect.flatMap(Clock.currentTimeMillis, (at) => {
          for (const { length } of batch) seen.push([at, length])
          return next
        }),
      onFailure: (why) =>
        Effect.map(Clock.currentTimeMillis, (at) => {
          seen.push([at, Cause.isDone(why) ? "end" : (why as ConnectionError).reason._tag])
        })
    })
    yield* Effect.forkScoped(next)
    return seen
  })
