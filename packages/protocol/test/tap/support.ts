import { type Connection, MemoryTransport, type Protocol, Transport } from "@wirestack/protocol"
import { Deferred, Effect, Exit, Layer, Scope } from "effect"

type Bytes = Connection.Connection<Uint8Array, Uint8Array>

/** Both ends of a connection of bytes whose client has something put on it, and how the scope of each is closed. */
export const connected = (put: Protocol.Over<"bytes", never, "bytes", never>) =>
  Effect.gen(function*() {
    const below = Layer.succeedContext(yield* Layer.build(MemoryTransport.layer()))
    const accepted = yield* Deferred.make<Bytes>()
    const leave = yield* Deferred.make<void>()
    const listener = yield* Effect.provide(Transport.listen(Transport.Bytes)("memory:here"), below)
    yield* Effect.forkScoped(
      listener.run((peer) =>
        Effect.andThen(Deferred.succeed(accepted, peer), Effect.raceFirst(Deferred.await(leave), peer.closed))
      )
    )
    const scope = yield* Scope.fork(yield* Effect.scope)
    const connecting = Effect.provide(Transport.connect(Transport.Bytes)("memory:here"), put(below))
    const client: Bytes = yield* Scope.provide(connecting, scope)
    const server = yield* Deferred.await(accepted)
    const close = Effect.andThen(Deferred.succeed(leave, undefined), Scope.close(scope, Exit.void))
    yield* Effect.addFinalizer(() => Effect.andThen(client.abort, server.abort))
    return { client, server, close }
  })
