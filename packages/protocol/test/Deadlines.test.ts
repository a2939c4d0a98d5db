import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { Deadlines } from "../src/internal/Deadlines.ts"

/** A clock whose sleeps are counted. */
const counting = Effect.map(Clock.Clock, (clock) => {
  const sleeps = { begun: 0, under: 0 }
  const counted: Clock.Clock = {
    ...clock,
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    sleep: (duration) =>
      Effect.suspend(() => {
        sleeps.begun++
        sleeps.under++
        return Effect.ensuring(clock.sleep(duration), Effect.sync(() => sleeps.under--))
      })
  }
  return { clock: counted, sleeps }
})

describe("Deadlines", () => {
  it.effect("expire in their order, whatever their lengths, and those that were met do not", () =>
    Effect.gen(function*() {
      const deadlines = Deadlines.of(yield* Clock.Clock)
      const expired: Array<string> = []
      const set = (name: string, after: number) => deadlines.set(after, () => expired.push(name))
      set("c", 300)
      const met = set("met", 100)
      set("a", 100)
      yield* TestClock.adjust("50 millis")
      set("b", 99.5)
      deadlines.delete(met)
      yield* TestClock.adjust("50 millis")
      assert.deepStrictEqual(expired, ["a"])
      yield* TestClock.adjust("49 millis")
      assert.deepStrictEqual(expired, ["a"])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(expired, ["a", "b"])
      yield* TestClock.adjust("1 hours")
      assert.deepStrictEqual(expired, ["a", "b", "c"])
      deadlines.delete(met)
    }))

  it.effect("one that expires may set and delete others", () =>
    Effect.gen(function*() {
      const deadlines = Deadlines.of(yield* Clock.Clock)
      const expired: Array<string> = []
      deadlines.set(10, () => {
        expired.push("first")
        deadlines.delete(second)
        deadlines.set(10, () => expired.push("third"))
        deadlines.set(0, () => expired.push("now"))
      })
      const second = deadlines.set(10, () => expired.push("second"))
      yield* TestClock.adjust("10 millis")
      assert.deepStrictEqual(expired, ["first", "now"])
      yield* TestClock.adjust("10 millis")
      assert.deepStrictEqual(expired, ["first", "now", "third"])
    }))

  it.effect("sleep once for many, and not at all for none", () =>
    Effect.gen(function*() {
      const { clock, sleeps } = yield* counting
      const deadlines = Deadlines.of(clock)
      assert.strictEqual(Deadlines.of(clock), deadlines)
      const set = Array.from({ length: 100 }, () => deadlines.set(1_000, () => assert.fail("it was met")))
      assert.deepStrictEqual(sleeps, { begun: 1, under: 1 })
      const earlier = deadlines.set(500, () => assert.fail("it was met"))
      assert.deepStrictEqual(sleeps, { begun: 2, under: 1 })
      for (const deadline of [...set, earlier]) deadlines.delete(deadline)
      assert.deepStrictEqual(sleeps, { begun: 2, under: 0 })
    }))
})
