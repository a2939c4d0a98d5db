import { assert, describe, it } from "@effect/vitest"
import { Connection, ConnectionState, MemoryTransport } from "@wirestack/protocol"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"

/** A connection in a scope of its own, its peer, and the states it has from now on. */
const observed = Effect.gen(function*() {
  const [near, far] = MemoryTransport.pair<Uint8Array>()
  const scope = yield* Scope.make()
  let control!: Connection.Control
  const connection = yield* Scope.provide(
    Connection.make(near, { begun: (given) => void (control = given) }),
    scope
  )
  const peer = yield* Connection.make(far)
  const states = yield* Effect.forkScoped(Stream.runCollect(ConnectionState.changes(connection)))
  yield* TestClock.adjust(0)
  return { connection, control, peer, scope, states: Fiber.join(states) }
})

const tags = (states: ReadonlyArray<ConnectionState.LiveState>) => states.map(({ _tag }) => _tag)

describe("ConnectionState", () => {
  it.effect("is ready, closing and closed, with the outcome", () =>
    Effect.gen(function*() {
      const { connection, peer, scope, states } = yield* observed
      assert.deepStrictEqual(yield* ConnectionState.of(connection), { _tag: "Ready", viable: true })
      const closing = yield* Effect.forkScoped(Scope.close(scope, Exit.void))
      yield* TestClock.adjust(0)
      assert.strictEqual((yield* ConnectionState.of(connection))._tag, "Closing")
      yield* peer.end
      yield* Fiber.join(closing)
      const all = yield* states
      assert.deepStrictEqual(tags(all), ["Ready", "Closing", "Closed"])
      assert.deepStrictEqual(all.at(-1), { _tag: "Closed", outcome: yield* connection.closed })
    }))

  it.effect("has failed when the peer cuts it, with the reason and the outcome", () =>
    Effect.gen(function*() {
      const { connection, peer, states } = yield* observed
      yield* peer.abort
      const all = yield* states
      assert.deepStrictEqual(tags(all), ["Ready", "Closing", "Failed"])
      const last = all.at(-1)
      assert(last?._tag === "Failed")
      assert.strictEqual(last.error.reason._tag, "Reset")
      assert.deepStrictEqual(last.outcome, yield* connection.closed)
    }))

  it.effect("stays closing until what was received is pulled", () =>
    Effect.gen(function*() {
      const { connection, peer, states } = yield* observed
      yield* peer.send(new Uint8Array(1))
      yield* TestClock.adjust(0)
      yield* peer.abort
      yield* TestClock.adjust(0)
      assert.strictEqual((yield* ConnectionState.of(connection))._tag, "Closing")
      yield* connection.pull
      assert.deepStrictEqual(tags(yield* states), ["Ready", "Closing", "Failed"])
    }))

  it.effect("tells each change of viability once, and none while it closes", () =>
    Effect.gen(function*() {
      const { control, peer, states } = yield* observed
      for (const viable of [true, false, false, true, true, false]) {
        control.viable(viable)
        yield* TestClock.adjust(0)
      }
      yield* peer.abort
      yield* TestClock.adjust(0)
      control.viable(true)
      const ready = (yield* states).flatMap((state) => state._tag === "Ready" ? [state.viable] : [])
      assert.deepStrictEqual(ready, [true, false, true, false])
    }))

  it.effect("tells at once what is over already", () =>
    Effect.gen(function*() {
      const { connection, peer, states } = yield* observed
      yield* peer.abort
      yield* states
      assert.deepStrictEqual(tags(yield* Stream.runCollect(ConnectionState.changes(connection))), ["Failed"])
    }))

  it.effect("keeps the end for a reader that is late", () =>
    Effect.gen(function*() {
      const { connection, control, peer } = yield* observed
      const seen: Array<string> = []
      const slow = yield* Effect.forkScoped(
        Stream.runForEach(
          ConnectionState.changes(connection),
          (state) => Effect.andThen(Effect.sleep(100), Effect.sync(() => seen.push(state._tag)))
        )
      )
      yield* TestClock.adjust(0)
      for (let i = 0; i < 100; i++) control.viable(i % 2 === 1)
      yield* peer.abort
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(slow)
      assert.strictEqual(seen.at(-1), "Failed")
      assert.isBelow(seen.length, 20)
    }))
})
