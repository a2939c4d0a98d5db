/** A place in a stream, as it is told what Redis has. */
import { assert, describe, it } from "@effect/vitest"
import type { Backplane } from "@wirestack/protocol"
import { Effect } from "effect"
import { type Message, Place } from "../src/internal/Place.ts"

const message = (epoch: number, number: number, stamp = "1"): Message => [
  `${epoch}-${number}`,
  ["payload", `${epoch}`, "key", "", "at", stamp]
]
const place = (epoch: string | undefined, number: number, from: Backplane.From = {}) =>
  new Place("log", { epoch, number, stamp: "1" }, from, () => {})

const told = (place: Place) =>
  Effect.map(
    place.pull,
    (events) => events.map((event) => event._tag === "Entry" ? event.number : [event.after, event.restarted])
  )

describe("a place", () => {
  for (const from of [{}, { after: 0 }, { latest: 5 }]) {
    it.effect(`at the beginning is told what it has missed: ${JSON.stringify(from)}`, () =>
      Effect.gen(function*() {
        const empty = place(undefined, 0, from)
        empty.offer([message(7, 4), message(7, 5)])
        assert.deepStrictEqual(yield* told(empty), [[0, false], 4, 5])
      }))
  }

  it.effect("with the latest is told only what came since is missing", () =>
    Effect.gen(function*() {
      const kept = place("7", 10, { latest: 5 })
      kept.offer([message(7, 8)])
      const missing = place("7", 10, { latest: 5 })
      missing.offer([message(7, 12)])
      assert.deepStrictEqual([yield* told(kept), yield* told(missing)], [[8], [[5, false], 12]])
    }))

  it("in the stream before is behind all in this one", () => {
    assert.isTrue(place("6", 50).isBehind(place("7", 3)))
    assert.isFalse(place("7", 3).isBehind(place("6", 50)))
    assert.isTrue(place("7", 3).isBehind(place("7", 4)))
    assert.isTrue(place(undefined, 0).isBehind(place("7", 4)))
  })

  it.effect("begins again where another message has its number, and only there", () =>
    Effect.gen(function*() {
      const lost = place("7", 4)
      lost.verify({ epoch: "7", number: 9 }, message(7, 4))
      lost.verify({ epoch: "7", number: 9 }, undefined)
      assert.strictEqual(lost.id, "7-4")
      lost.verify({ epoch: "7", number: 9 }, message(7, 4, "2"))
      assert.strictEqual(lost.id, "7-0")
      assert.deepStrictEqual(yield* told(lost), [[4, true]])
    }))
})
