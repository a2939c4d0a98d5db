import { assert, describe, it } from "@effect/vitest"
import { Network, Transport } from "@wirestack/protocol"
import { reasonOf } from "@wirestack/test-support"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { turns } from "../support/turns.ts"
import { arrivals, bytes } from "./support.ts"

const network = Network.make({ delay: "20 millis", connectWithin: "3 seconds" })

/** A server that sends 5 bytes to each that comes, and how a host connects to it. */
const served = Effect.gen(function*() {
  const server = yield* Layer.build(network.host("server"))
  const listener = yield* Effect.provide(Transport.listen(Transport.Bytes)("memory:here"), server)
  yield* Effect.forkScoped(listener.run((connection) => Effect.andThen(connection.send(bytes(5)), connection.closed)))
  const connectFrom = (host: string) =>
    Effect.flatMap(Layer.build(network.host(host)), (stack) =>
      Effect.tap(
        Effect.provide(Transport.connect(Transport.Bytes)("memory:here"), stack),
        ({ abort }) => Effect.addFinalizer(() => abort)
      ))
  return { connectFrom }
})

describe("a network", () => {
  it.effect("takes a round trip to connect, and the delay for all that is sent", () =>
    Effect.scoped(Effect.gen(function*() {
      const { connectFrom } = yield* served
      const connecting = yield* Effect.forkScoped(connectFrom("ada"))
      yield* TestClock.adjust("39 millis")
      assert.isUndefined(connecting.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const arrived = yield* arrivals(yield* Fiber.join(connecting))
      yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(arrived, [[60, 5]])
    })))

  it.effect("in two parts: what is on its way waits, connects time out, others are not concerned", () =>
    Effect.scoped(Effect.gen(function*() {
      const { connectFrom } = yield* served
      const connecting = yield* Effect.forkScoped(connectFrom("ada"))
      yield* TestClock.adjust("40 millis")
      const ada = yield* arrivals(yield* Fiber.join(connecting))
      yield* network.partition(["ada", "eve"], ["server"])
      const refused = yield* Effect.forkScoped(reasonOf(connectFrom("eve")))
      const bob = yield* Effect.forkScoped(Effect.flatMap(connectFrom("bob"), arrivals))
      yield* TestClock.adjust("5 seconds")
      assert.deepInclude(yield* Fiber.join(refused), { _tag: "TimedOut", after: 3_000 })
      assert.deepStrictEqual(yield* Fiber.join(bob), [[100, 5]])
      assert.deepStrictEqual(ada, [])
      yield* network.heal
      yield* turns
      assert.deepStrictEqual(ada, [[5_040, 5]])
    })))

  it.effect("in two parts since a connect has set out: it gets no answer, and goes on when there is a way again", () =>
    Effect.scoped(Effect.gen(function*() {
      const { connectFrom } = yield* served
      const connecting = yield* Effect.forkScoped(connectFrom("ada"))
      yield* TestClock.adjust("10 millis")
      yield* network.partition(["ada"], ["server"])
      yield* TestClock.adjust("1 seconds")
      assert.isUndefined(connecting.pollUnsafe())
      yield* network.heal
      yield* Fiber.join(connecting)
    })))

  it.effect("cuts what is between two hosts", () =>
    Effect.scoped(Effect.gen(function*() {
      const { connectFrom } = yield* served
      const connecting = yield* Effect.forkScoped(connectFrom("ada"))
      yield* TestClock.adjust("1 seconds")
      const arrived = yield* arrivals(yield* Fiber.join(connecting))
      yield* network.between("server", "ada").reset
      yield* turns
      assert.strictEqual(arrived.at(-1)?.[1], "Reset")
    })))
})
