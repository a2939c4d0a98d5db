/** The rooms of a gateway, whose host the test plays. */
import { assert, describe, it } from "@effect/vitest"
import { Codec, LengthPrefixed, MemoryTransport } from "@wirestack/protocol"
import { Effect, Queue, Redacted, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Chat, type Entry, type ServerMessage } from "../../src/chat/Chat.ts"
import { serve } from "../../src/chat/server.ts"
import { type Away, away, type Event, type Host, type Spoken } from "../../src/gateway/Host.ts"
import * as Rooms from "../../src/gateway/Rooms.ts"

const stack = () => MemoryTransport.layer().pipe(LengthPrefixed.over(), Chat.over(Codec.json()))

const entry = (n: number): Entry => ({ n, at: n, name: "grace", text: `${n}` })

/** A host that tells what it is given to tell, and answers with what it is given to answer. */
const playing = Effect.gen(function*() {
  const follows = yield* Queue.unbounded<
    { readonly after: number | undefined; readonly events: Queue.Queue<Event, Away> }
  >()
  const answers = yield* Queue.unbounded<Effect.Effect<Spoken, Away>>()
  const asked: Array<string> = []
  const host: Host = {
    follow: (_, after) =>
      Stream.unwrap(Effect.gen(function*() {
        const events = yield* Queue.unbounded<Event, Away>()
        yield* Queue.offer(follows, { after, events })
        return Stream.fromQueue(events)
      })),
    enter: (_, { name }) => Effect.sync(() => (asked.push(`enter ${name}`), true)),
    leave: (_, name) => Effect.sync(() => void asked.push(`leave ${name}`)),
    say: (_, { key, text }) =>
      Effect.suspend(() => {
        asked.push(`say ${text} ${key}`)
        return Effect.flatten(Queue.take(answers))
      })
  }
  const listener = yield* Chat.listen("memory:chat")
  yield* Effect.forkScoped(listener.run(serve(yield* Rooms.make(host))))
  return { follows, answers, asked }
})

const joining = Effect.fnUntraced(function*(name: string, after?: number) {
  const chat = yield* Chat.connect("memory:chat")
  const secret = Redacted.make(`a secret of ${name}'s`, { label: "secret" })
  yield* chat.send({ _tag: "Join", room: "sea", name, secret, ...after !== undefined && { after } })
  let waiting: ReadonlyArray<ServerMessage> = []
  const next = Effect.gen(function*() {
    if (waiting.length === 0) waiting = yield* Effect.orDie(chat.pull)
    const [message, ...rest] = waiting
    waiting = rest
    return message
  })
  return { chat, next }
})

describe("the rooms of a gateway", () => {
  const effect = (name: string, test: Effect.Effect<void, unknown, any>) =>
    it.effect(name, () => Effect.scoped(test).pipe(Effect.provide(stack())) as Effect.Effect<void>)

  effect(
    "follow once, and tell all members the same",
    Effect.gen(function*() {
      const { follows } = yield* playing
      const ada = yield* joining("ada")
      const { after, events } = yield* Queue.take(follows)
      assert.isUndefined(after)
      yield* Queue.offer(events, { _tag: "Opened", history: [entry(7)], last: 7 })
      assert.deepInclude(yield* ada.next, { _tag: "Joined", history: [entry(7)], last: 7, members: ["ada"] })
      const grace = yield* joining("grace", 7)
      assert.deepInclude(yield* grace.next, { _tag: "Joined", history: [], last: 7, members: ["ada", "grace"] })
      assert.deepInclude(yield* ada.next, { _tag: "Presence", name: "grace", here: true })
      yield* Queue.offerAll(events, [
        { _tag: "Members", members: ["ada", "alan", "grace"] },
        { _tag: "Said", entry: entry(8) }
      ])
      for (const { next } of [ada, grace]) {
        assert.deepInclude(yield* next, { _tag: "Presence", name: "alan", here: true })
        assert.deepInclude(yield* next, { _tag: "Said", n: 8 })
      }
      assert.strictEqual(yield* Queue.size(follows), 0)
    })
  )

  effect(
    "go on where they were when the host was away, tell what is missing, and that a room began anew",
    Effect.gen(function*() {
      const { follows } = yield* playing
      const ada = yield* joining("ada")
      const again = Effect.fnUntraced(function*(events: Queue.Queue<Event, Away>) {
        yield* Queue.fail(events, away("gone"))
        yield* Effect.yieldNow
        yield* TestClock.adjust("200 millis")
        return yield* Queue.take(follows)
      })
      const first = yield* Queue.take(follows)
      yield* Queue.offer(first.events, { _tag: "Opened", history: [entry(1)], last: 1 })
      yield* ada.next
      const second = yield* again(first.events)
      assert.strictEqual(second.after, 1)
      yield* Queue.offer(second.events, { _tag: "Opened", history: [entry(2), entry(3)], last: 3 })
      assert.deepInclude(yield* ada.next, { _tag: "Said", n: 2 })
      assert.deepInclude(yield* ada.next, { _tag: "Said", n: 3 })
      const third = yield* again(second.events)
      yield* Queue.offer(third.events, { _tag: "Opened", history: [entry(9)], last: 9 })
      assert.deepInclude(yield* ada.next, { _tag: "Joined", history: [entry(9)], last: 9, missed: 5 })
      const fourth = yield* again(third.events)
      yield* Queue.offer(fourth.events, { _tag: "Opened", history: [entry(1)], last: 1 })
      assert.deepInclude(yield* ada.next, { _tag: "Joined", history: [entry(1)], last: 1 })
    })
  )

  effect(
    "say what has a key until the host has it, and refuse what has none",
    Effect.gen(function*() {
      const { answers, asked, follows } = yield* playing
      const ada = yield* joining("ada")
      const { events } = yield* Queue.take(follows)
      yield* Queue.offer(events, { _tag: "Opened", history: [], last: 0 })
      yield* ada.next
      yield* ada.chat.send({ _tag: "Say", room: "sea", text: "plain" })
      yield* Queue.offer(answers, Effect.fail(away("gone")))
      assert.deepInclude(yield* ada.next, { _tag: "Refused", reason: "the rooms can't be reached: gone" })
      yield* Queue.offer(answers, Effect.fail(away("gone")))
      yield* Queue.offer(events, { _tag: "Said", entry: { ...entry(1), name: "ada", key: "k" } })
      yield* Queue.offer(answers, Effect.succeed({ entry: { ...entry(1), name: "ada", key: "k" }, repeated: true }))
      yield* ada.chat.send({ _tag: "Say", room: "sea", text: "1", key: "k" })
      assert.deepInclude(yield* ada.next, { _tag: "Said", n: 1, key: "k" })
      yield* TestClock.adjust("200 millis")
      assert.deepInclude(yield* ada.next, { _tag: "Said", n: 1, key: "k" })
      assert.deepStrictEqual(asked, ["enter ada", "say plain undefined", "say 1 k", "say 1 k"])
    })
  )
})
