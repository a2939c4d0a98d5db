import { assert, it } from "@effect/vitest"
import { Connection, MemoryTransport, Transport } from "@wirestack/protocol"
import { Effect, Fiber, Layer, Stream } from "effect"

it.effect("echoes", () =>
  Effect.gen(function*() {
    const listener = yield* Transport.listen(Transport.Bytes)("memory:a")
    yield* Effect.forkScoped(listener.run((c) => Stream.run(Connection.messages(c), Connection.sink(c))))
    const out = yield* Effect.scoped(Effect.gen(function*() {
      const c = yield* Transport.connect(Transport.Bytes)("memory:a")
      yield* c.send(new Uint8Array([1, 2, 3]))
      const b = yield* c.pull
      yield* c.end
      const rest = yield* Effect.exit(c.pull)
      return [b, rest, c] as const
    }))
    console.log(out[0], out[1], yield* out[2].closed)
  }).pipe(Effect.provide(MemoryTransport.layer())))
