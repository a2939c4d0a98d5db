/** What every backplane must keep, whatever engine has its logs. Each test is for topics of its own. */
import { Backplane, type BackplaneError } from "@wirestack/protocol"
import { Effect, Fiber, type Scope, Stream } from "effect"
import * as assert from "node:assert/strict"

/** A backplane's test; `maxEntries` and `maxPayload` are those of the layer. */
export interface Bounds {
  readonly maxEntries: number
  readonly maxPayload: number
}

type Test = Effect.Effect<void, unknown, Backplane.Backplane | Scope.Scope>

const pulled = (subscription: Backplane.Subscription, count: number) =>
  Stream.runCollect(Stream.take(Backplane.events(subscription), count))

const told = (event: Backplane.Event): string | Backplane.Gap =>
  event._tag === "Entry" ? `${event.number} ${event.payload}` : event

const publishAll = Effect.fnUntraced(function*(topic: string, count: number) {
  const { publish } = yield* Backplane.Backplane
  for (let n = 1; n <= count; n++) yield* publish(topic, `message ${n}`)
})

export const backplaneSuite = (
  { maxEntries, maxPayload }: Bounds
): Readonly<Record<string, (topic: string) => Test>> => ({
  "gives all subscriptions the same messages, numbered without a hole": (topic) =>
    Effect.gen(function*() {
      const { publish, subscribe } = yield* Backplane.Backplane
      const subscriptions = yield* Effect.replicateEffect(subscribe(topic), 3)
      const hearing = yield* Effect.forkChild(
        Effect.forEach(subscriptions, (one) => pulled(one, 100), { concurrency: "unbounded" })
      )
      const published = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, n) => n),
        (n) => publish(topic, `${n}`),
        { concurrency: 10 }
      )
      const heard = yield* Fiber.join(hearing)
      for (const events of heard) {
        assert.deepEqual(
          events.map((event) => event._tag === "Entry" && event.number),
          Array.from(events, (_, n) => n + 1)
        )
        assert.deepEqual(events, heard[0])
      }
      for (const [n, { number }] of published.entries()) {
        assert.equal(told(heard[0][number - 1]), `${number} ${n}`)
      }
    }),

  "keeps topics apart": (topic) =>
    Effect.gen(function*() {
      const { publish, subscribe } = yield* Backplane.Backplane
      const [one, other] = yield* Effect.all([subscribe(`${topic}/1`), subscribe(`${topic}/2`)])
      yield* publish(`${topic}/1`, "to one")
      yield* publish(`${topic}/2`, "to the other")
      assert.deepEqual((yield* one.pull).map(told), ["1 to one"])
      assert.deepEqual((yield* other.pull).map(told), ["1 to the other"])
    }),

  "publishes a key once": (topic) =>
    Effect.gen(function*() {
      const { publish, subscribe } = yield* Backplane.Backplane
      const subscription = yield* subscribe(topic)
      assert.deepEqual(yield* publish(topic, "hello", "key"), { number: 1, repeated: false })
      assert.deepEqual(yield* publish(topic, "other"), { number: 2, repeated: false })
      assert.deepEqual(yield* publish(topic, "hello", "key"), { number: 1, repeated: true })
      assert.deepEqual(yield* publish(topic, "last", "constructor"), { number: 3, repeated: false })
      assert.deepEqual((yield* pulled(subscription, 3)).map(told), ["1 hello", "2 other", "3 last"])
    }),

  "refuses what is no text, and goes on": (topic) =>
    Effect.gen(function*() {
      const { publish, subscribe } = yield* Backplane.Backplane
      const subscription = yield* subscribe(topic)
      const half = "\ud800"
      for (
        const refused of [
          subscribe(topic + half),
          publish(topic + half, "hello"),
          publish(topic, half),
          publish(topic, "hello", half)
        ]
      ) {
        const { reason } = yield* Effect.flip(
          Effect.scoped<unknown, BackplaneError.BackplaneError, Scope.Scope>(refused)
        )
        assert.equal(reason._tag, "Unencodable")
      }
      yield* publish(topic, "\u{1f30a}", "\u{1f30a}")
      assert.deepEqual((yield* subscription.pull).map(told), ["1 \u{1f30a}"])
    }),

  "goes on behind a number, or with the latest": (topic) =>
    Effect.gen(function*() {
      const { subscribe } = yield* Backplane.Backplane
      yield* publishAll(topic, 5)
      const behind = yield* subscribe(topic, { after: 3 })
      const latest = yield* subscribe(topic, { latest: 1 })
      const all = yield* subscribe(topic, { latest: 1_000 })
      const end = yield* subscribe(topic)
      assert.deepEqual([behind.last, latest.last, all.last, end.last], [5, 5, 5, 5])
      yield* publishAll(topic, 1)
      assert.deepEqual((yield* pulled(behind, 3)).map(told), ["4 message 4", "5 message 5", "6 message 1"])
      assert.deepEqual((yield* pulled(latest, 2)).map(told), ["5 message 5", "6 message 1"])
      assert.equal((yield* pulled(all, 6)).length, 6)
      assert.deepEqual((yield* end.pull).map(told), ["6 message 1"])
    }),

  "tells of what was trimmed, and knows no key of it": (topic) =>
    Effect.gen(function*() {
      const { publish, subscribe } = yield* Backplane.Backplane
      yield* publish(topic, "first", "key")
      yield* publishAll(topic, maxEntries + 2)
      const all = yield* subscribe(topic, { latest: maxEntries + 3 })
      assert.deepEqual(told((yield* all.pull)[0]), "4 message 3")
      const behind = yield* subscribe(topic, { after: 1 })
      const [gap, next] = yield* behind.pull
      assert.deepEqual([gap, told(next)], [{ _tag: "Gap", after: 1, restarted: false }, "4 message 3"])
      assert.deepEqual(yield* publish(topic, "first", "key"), { number: maxEntries + 4, repeated: false })
    }),

  "tells that a log has begun anew": (topic) =>
    Effect.gen(function*() {
      const { subscribe } = yield* Backplane.Backplane
      const nothing = yield* subscribe(`${topic}/nothing`, { after: 7 })
      assert.deepEqual(yield* nothing.pull, [{ _tag: "Gap", after: 7, restarted: true }])
      yield* publishAll(topic, 2)
      const behind = yield* subscribe(topic, { after: 7 })
      assert.deepEqual(
        (yield* pulled(behind, 3)).map(told),
        [{ _tag: "Gap", after: 7, restarted: true }, "1 message 1", "2 message 2"]
      )
    }),

  "keeps nothing for who takes nothing, and goes on where that was": (topic) =>
    Effect.gen(function*() {
      const { subscribe } = yield* Backplane.Backplane
      const slow = yield* subscribe(topic)
      const quick = yield* subscribe(topic)
      const hearing = yield* Effect.forkChild(pulled(quick, maxEntries))
      yield* publishAll(topic, maxEntries)
      assert.equal((yield* Fiber.join(hearing)).length, maxEntries)
      const first = yield* slow.pull
      assert.ok(first.length <= 256)
      assert.equal(told(first[0]), "1 message 1")
      const others = yield* pulled(slow, maxEntries - first.length)
      assert.equal(told(others.at(-1)!), `${maxEntries} message ${maxEntries}`)
    }),

  "loses nothing of a pull that is interrupted": (topic) =>
    Effect.gen(function*() {
      const { publish, subscribe } = yield* Backplane.Backplane
      const subscription = yield* subscribe(topic)
      const heard: Array<string | Backplane.Gap> = []
      for (let n = 1; n <= 50; n++) {
        const waiting = yield* Effect.forkChild(
          Effect.map(subscription.pull, (events) => void heard.push(...events.map(told))),
          { startImmediately: true }
        )
        yield* publish(topic, "x")
        yield* Fiber.interrupt(waiting)
      }
      const left = yield* subscribe(topic, { after: heard.length })
      if (heard.length < 50) assert.equal(told((yield* subscription.pull)[0]), told((yield* left.pull)[0]))
      assert.deepEqual(heard, Array.from(heard, (_, n) => `${n + 1} x`))
    }),

  "refuses what is too large": (topic) =>
    Effect.gen(function*() {
      const { publish } = yield* Backplane.Backplane
      yield* publish(topic, "x".repeat(maxPayload))
      const error = yield* Effect.flip(publish(topic, "x".repeat(maxPayload + 1)))
      assert.equal(error.reason._tag, "TooLarge")
      assert.equal(
        error.message,
        `backplane, ${topic}: a payload of ${maxPayload + 1} is over the limit of ${maxPayload}`
      )
    })
})
