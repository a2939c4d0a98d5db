import { assert, describe, it } from "@effect/vitest"
import { Backplane } from "@wirestack/protocol"
import { backplaneSuite } from "@wirestack/test-support"
import { Effect } from "effect"

describe("a backplane in this process", () => {
  const bounds = { maxEntries: 600, maxPayload: 100 }
  for (const [name, test] of Object.entries(backplaneSuite(bounds))) {
    it.effect(name, () => Effect.provide(test("topic"), Backplane.layer(bounds)))
  }

  it.effect("trims those first that were not published in for the longest time", () =>
    Effect.gen(function*() {
      const { publish, subscribe } = yield* Backplane.Backplane
      for (const topic of ["old", "old", "new"]) yield* publish(topic, "1234")
      const [old, young] = yield* Effect.all([subscribe("old", { after: 0 }), subscribe("new", { after: 0 })])
      yield* publish("new", "5678")
      assert.deepStrictEqual(yield* old.pull, [
        { _tag: "Gap", after: 0, restarted: false },
        { _tag: "Entry", number: 2, payload: "1234", key: undefined }
      ])
      assert.strictEqual((yield* young.pull).length, 2)
    }).pipe(Effect.provide(Backplane.layer({ maxSize: 12 }))))

  it.effect("forgets a topic that nobody is subscribed to for another one", () =>
    Effect.gen(function*() {
      const { publish, subscribe } = yield* Backplane.Backplane
      const kept = yield* subscribe("kept")
      yield* publish("forgotten", "1")
      yield* publish("other", "1")
      yield* publish("kept", "1")
      assert.deepStrictEqual((yield* kept.pull).length, 1)
      assert.strictEqual((yield* publish("other", "2")).number, 2)
      assert.strictEqual((yield* publish("forgotten", "2")).number, 1)
    }).pipe(Effect.provide(Backplane.layer({ maxTopics: 2 }))))

  it("takes no bounds that can't be kept", () => {
    for (const bounds of [{ maxEntries: 0 }, { maxSize: NaN }, { maxTopics: -1 }]) {
      assert.throws(() => Effect.runSync(Effect.provide(Effect.void, Backplane.layer(bounds))), RangeError)
    }
  })
})
