import { assert, describe, it } from "@effect/vitest"
import { MemoryTransport, Relay, Transport } from "@wirestack/protocol"
import type { Outcome } from "@wirestack/protocol/Outcome"
import { collect, reasonOf, take } from "@wirestack/test-support"
import { Cause, Deferred, Effect, Layer } from "effect"
import { turns } from "../support/turns.ts"
import { bytes } from "./support.ts"

/** A connection to a relay, which leads to a server that echoes, or to another place. */
const relayed = (place: string) =>
  Effect.gen(function*() {
    const listener = yield* Transport.listen(Transport.Bytes)("memory:echo")
    yield* Effect.forkScoped(listener.run((near) => Effect.forever(Effect.flatMap(near.pull, near.sendAll))))
    yield* Layer.build(Relay.serve("memory:relay", Relay.through(place)))
    const client = yield* Transport.connect(Transport.Bytes)("memory:relay")
    yield* Effect.addFinalizer(() => client.abort)
    return client
  })

describe("a relay", () => {
  it.effect("passes on what either side says, for as long as its layer is provided", () =>
    Effect.gen(function*() {
      const client = yield* relayed("memory:echo")
      yield* client.send(bytes(7))
      assert.deepStrictEqual([...yield* take(client, 7)], [...bytes(7)])
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer())))

  it.effect("cuts one side as soon as what it says can't be passed on, though the other had ended its output", () =>
    Effect.gen(function*() {
      const farListener = yield* Transport.listen(Transport.Bytes)("memory:far")
      yield* Effect.forkScoped(
        farListener.run(
          (far) => Effect.andThen(Effect.andThen(far.end, Effect.ignore(far.pull)), far.abort),
          { onIncident: () => Effect.void }
        )
      )
      const outcome = yield* Deferred.make<Outcome>()
      const relay = yield* Transport.listen(Transport.Bytes)("memory:relay")
      const through = Relay.to(Relay.through("memory:far"))
      yield* Effect.forkScoped(
        relay.run(
          (near) => Effect.andThen(through(near), Effect.flatMap(near.closed, (how) => Deferred.succeed(outcome, how))),
          { onIncident: () => Effect.void }
        )
      )
      const client = yield* Transport.connect(Transport.Bytes)("memory:relay")
      yield* Effect.addFinalizer(() => client.abort)
      assert.isTrue(Cause.isDone(yield* Effect.flip(client.pull)))
      yield* client.send(bytes(1))
      yield* turns
      yield* client.send(bytes(1))
      assert.isFalse((yield* Deferred.await(outcome)).clean)
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer())))

  it.effect("cuts who comes if the far side is not there", () =>
    Effect.gen(function*() {
      const client = yield* relayed("memory:nobody")
      assert.strictEqual((yield* reasonOf(collect(client)))._tag, "Reset")
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer())))
})
