import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { play } from "../src/chaos/play.ts"

/** A sample; `npm run chaos` plays a thousand. */
describe("chaos", () => {
  it.live(
    "what was accepted is received once and in order, or counted; nothing hangs or is left",
    () =>
      Effect.gen(function*() {
        for (let seed = 1; seed <= 10; seed++) {
          const { broken } = yield* play(seed)
          assert.deepStrictEqual(broken, [], `npm run chaos -- --seed ${seed}`)
        }
      }),
    60_000
  )

  it.live("a seed does the same again", () =>
    Effect.gen(function*() {
      for (const seed of [4, 5, 6]) {
        const [one, other] = [yield* play(seed), yield* play(seed)]
        assert.deepStrictEqual(one.scenario, other.scenario)
        assert.deepStrictEqual([one.connections, one.took], [other.connections, other.took])
        assert.deepStrictEqual(
          one.visits.map(({ received, sent }) => [sent, received]),
          other.visits.map(({ received, sent }) => [sent, received])
        )
      }
    }))
})
