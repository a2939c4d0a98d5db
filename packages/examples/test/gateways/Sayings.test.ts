/** What is said in a room, on a backplane that the test plays. */
import { assert, describe, it } from "@effect/vitest"
import * as Backplane from "@wirestack/protocol/fanout/Backplane"
import { Effect, Stream, SubscriptionRef } from "effect"
import * as Sayings from "../../src/gateway/Sayings.ts"

const entry = (number: number): Backplane.Entry => ({
  _tag: "Entry",
  number,
  key: undefined,
  payload: JSON.stringify({ at: 1, name: "ada", text: "hello" })
})

describe("a room", () => {
  it.effect("whose log has begun anew begins anew", () =>
    Effect.gen(function*() {
      const events: Array<Backplane.Event> = [entry(5), { _tag: "Gap", after: 5, restarted: true }, entry(1), entry(2)]
      const backplane: Backplane.Backplane["Service"] = {
        publish: () => Effect.never,
        subscribe: () =>
          Effect.succeed({
            last: 4,
            pull: Effect.suspend(() => {
              const event = events.shift()
              return event === undefined ? Effect.never : Effect.succeed([event] as const)
            })
          }),
        state: yield* SubscriptionRef.make<Backplane.State>({ _tag: "Linked" })
      }
      const { from } = yield* Effect.provideService(Sayings.make, Backplane.Backplane, backplane)
      const told = yield* Stream.runCollect(Stream.take(from("sea", 4), 5))
      assert.deepStrictEqual(told.map((event) => event._tag === "Said" ? event.entry.n : event), [
        { _tag: "Opened", history: [], last: 4 },
        5,
        { _tag: "Opened", history: [], last: 0 },
        1,
        2
      ])
    }))
})
