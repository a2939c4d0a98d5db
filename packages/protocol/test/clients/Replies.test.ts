import { assert, describe, it } from "@effect/vitest"
import { Replies } from "@wirestack/protocol"
import { lost, Reset } from "@wirestack/protocol/ConnectionError"
import { Effect, Exit, Fiber } from "effect"
import { failureOf } from "../support/failure.ts"
import { turns } from "../support/turns.ts"

const gone = lost("test", new Reset({ cause: "gone" }))

/** Replies to numbers, and the numbers that were asked. */
const asking = (options?: Replies.Options) => {
  const asked: Array<number> = []
  const replies = Replies.make<number, string, "no">(options)
  const identifiers = Replies.identifiers(replies, 3)
  const ask = replies.to(identifiers, (id) => Effect.sync(() => void asked.push(id)))
  return { ask, asked, replies }
}

describe("replies", () => {
  it.effect("come to whom they belong, in whatever order", () =>
    Effect.gen(function*() {
      const { ask, asked, replies } = asking()
      const [one, two] = [yield* Effect.forkChild(ask), yield* Effect.forkChild(Effect.flip(ask))]
      yield* turns
      assert.deepStrictEqual(asked, [1, 2])
      assert.isTrue(replies.fail(2, "no"))
      assert.isTrue(replies.succeed(1, "yes"))
      assert.isFalse(replies.succeed(1, "twice"))
      assert.deepStrictEqual([yield* Fiber.join(one), yield* Fiber.join(two)], ["yes", "no"])
    }))

  it.effect("are nobody's once who asked has left, and the key is free", () =>
    Effect.gen(function*() {
      const { ask, asked, replies } = asking({ maxInFlight: 1 })
      yield* Fiber.interrupt(yield* Effect.forkChild(Effect.andThen(ask, Effect.void), { startImmediately: true }))
      const next = yield* Effect.forkChild(ask)
      yield* turns
      assert.deepStrictEqual(asked, [1, 2])
      assert.isFalse(replies.succeed(1, "late"))
      assert.isTrue(replies.succeed(2, "yes"))
      assert.strictEqual(yield* Fiber.join(next), "yes")
    }))

  it.effect("are waited for by a key that is kept, whoever has left", () =>
    Effect.gen(function*() {
      const { ask, asked, replies } = asking({ keep: true, maxInFlight: 2 })
      const all = yield* Effect.forEach([1, 2, 3, 4], () => Effect.forkChild(ask, { startImmediately: true }))
      yield* turns
      assert.deepStrictEqual(asked, [1, 2])
      // One that was sent, and one that waits for its turn.
      yield* Fiber.interrupt(all[0])
      yield* Fiber.interrupt(all[2])
      yield* turns
      assert.deepStrictEqual([asked, replies.has(1)], [[1, 2], true])
      assert.isTrue(replies.succeed(1, "late"))
      yield* turns
      assert.deepStrictEqual(asked, [1, 2, 3])
      replies.succeed(3, "three")
      replies.succeed(2, "two")
      assert.deepStrictEqual([yield* Fiber.join(all[1]), yield* Fiber.join(all[3])], ["two", "three"])
      assert.isFalse(replies.has(2))
    }))

  it.effect("give their turn on when who had it has left", () =>
    Effect.gen(function*() {
      const { ask, asked, replies } = asking({ maxInFlight: 1 })
      const [one, two, three] = yield* Effect.forEach(
        [1, 2, 3],
        () => Effect.forkChild(ask, { startImmediately: true })
      )
      yield* turns
      replies.succeed(1, "one")
      two.interruptUnsafe()
      yield* turns
      assert.deepStrictEqual(asked, [1, 2, 3])
      assert.isFalse(replies.succeed(2, "two"))
      replies.succeed(3, "three")
      assert.deepStrictEqual([yield* Fiber.join(one), yield* Fiber.join(three)], ["one", "three"])
    }))

  it.effect("are not waited for where asking fails", () =>
    Effect.gen(function*() {
      for (const keep of [true, false]) {
        const replies = Replies.make<number, string>({ keep, maxInFlight: 1 })
        for (let n = 0; n < 3; n++) {
          assert.strictEqual(yield* Effect.flip(replies.to(() => 7, () => Effect.fail("broken"))), "broken")
        }
        assert.isFalse(replies.has(7))
      }
    }))

  it.effect("do not come once the connection is over, to nobody", () =>
    Effect.gen(function*() {
      const { ask, asked, replies } = asking({ maxInFlight: 1 })
      const waiting = yield* Effect.forEach(
        [1, 2],
        () => Effect.forkChild(Effect.exit(ask), { startImmediately: true })
      )
      yield* turns
      replies.lost(gone)
      for (const fiber of [...waiting, yield* Effect.forkChild(Effect.exit(ask))]) {
        assert.deepInclude(failureOf(yield* Fiber.join(fiber)), { layer: "test", tag: "Reset" })
      }
      assert.deepStrictEqual(asked, [1])
    }))

  it.effect("have no key when all are in use", () =>
    Effect.gen(function*() {
      const { ask, asked } = asking()
      const waiting = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(ask, { startImmediately: true }))
      yield* turns
      assert.deepStrictEqual(asked, [1, 2, 3])
      assert.isTrue(Exit.hasDies(yield* Effect.exit(ask)))
      yield* Effect.forEach(waiting, Fiber.interrupt)
    }))

  it.effect("are awaited by one only: a key in use is refused, and who has it keeps it", () =>
    Effect.gen(function*() {
      const replies = Replies.make<number, string>()
      const ask = replies.to(() => 7, () => Effect.void)
      const first = yield* Effect.forkChild(ask, { startImmediately: true })
      assert.isTrue(Exit.hasDies(yield* Effect.exit(ask)))
      assert.isTrue(replies.succeed(7, "yes"))
      assert.strictEqual(yield* Fiber.join(first), "yes")
    }))

  it.effect("leave no turn unused where a key or a question throws", () =>
    Effect.gen(function*() {
      const broken = () => {
        throw new Error("broken")
      }
      for (const keep of [true, false]) {
        const replies = Replies.make<number, string>({ keep, maxInFlight: 1 })
        const fork = (key: () => number, ask: () => Effect.Effect<void>) =>
          Effect.forkChild(Effect.exit(replies.to(key, ask)), { startImmediately: true })
        const first = yield* fork(() => 1, () => Effect.void)
        const failing = [yield* fork(broken, () => Effect.void), yield* fork(() => 2, broken)]
        const last = yield* fork(() => 3, () => Effect.void)
        replies.succeed(1, "one")
        yield* turns
        assert.isTrue(replies.succeed(3, "three"))
        assert.isTrue(Exit.isSuccess(yield* Fiber.join(first)))
        for (const fiber of failing) assert.isTrue(Exit.hasDies(yield* Fiber.join(fiber)))
        assert.deepStrictEqual(yield* Fiber.join(last), Exit.succeed("three"))
      }
    }))

  it("refuse a number of requests that lets nobody ask", () => {
    for (const maxInFlight of [0, -1, NaN]) assert.throws(() => Replies.make({ maxInFlight }), RangeError)
  })
})
