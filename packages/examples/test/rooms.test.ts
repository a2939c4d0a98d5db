/** The rooms of the chat: who is in them, what they remember, and that nothing is said twice. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Codec, Connection, LengthPrefixed, MemoryTransport } from "@wirestack/protocol"
import { Effect, FileSystem, PlatformError, Redacted, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Chat, type Entry, type Join, type ServerMessage } from "../src/chat/Chat.ts"
import { History } from "../src/chat/History.ts"
import * as Log from "../src/chat/Log.ts"
import * as Rooms from "../src/chat/Rooms.ts"
import { serve } from "../src/chat/server.ts"

const stack = () => MemoryTransport.layer().pipe(LengthPrefixed.over(), Chat.over(Codec.json()))

const serving = (rooms: Rooms.Rooms) =>
  Effect.gen(function*() {
    const listener = yield* Chat.listen("memory:chat")
    yield* Effect.forkScoped(listener.run(serve(rooms)))
  })

const secret = Redacted.make("a secret of ada's own", { label: "secret" })

/** Somebody with a connection of their own, from which messages are taken one by one. */
const somebody = Effect.gen(function*() {
  const chat = yield* Chat.connect("memory:chat")
  let waiting: ReadonlyArray<ServerMessage> = []
  const next = Effect.gen(function*() {
    if (waiting.length === 0) waiting = yield* Effect.orDie(chat.pull)
    const [message, ...rest] = waiting
    waiting = rest
    return message
  })
  return { chat, next, send: (message: typeof Chat.client.Type) => Effect.orDie(chat.send(message)) }
})

const joining = Effect.fnUntraced(function*(name: string, more: Partial<Join> = {}) {
  const one = yield* somebody
  yield* one.send({ _tag: "Join", room: "sea", name, ...more })
  return { ...one, joined: yield* one.next }
})

const withRooms = <A, E>(test: Effect.Effect<A, E, any>, rooms = Rooms.make()) =>
  Effect.andThen(serving(rooms), test).pipe(Effect.scoped, Effect.provide(stack())) as Effect.Effect<A, E>

const entry = (n: number, text = `${n}`): Entry => ({ n, at: n, name: "ada", text, key: `key ${n}` })

const texts = (entries: ReadonlyArray<Entry>) => entries.map(({ n, text }) => [n, text] as const)

describe("a room", () => {
  it.effect("numbers what is said, and tells it to those who come later", () =>
    withRooms(Effect.gen(function*() {
      const ada = yield* joining("ada")
      assert.deepStrictEqual(ada.joined, { _tag: "Joined", room: "sea", members: ["ada"], history: [], last: 0 })
      yield* ada.send({ _tag: "Say", room: "sea", text: "one", key: "a" })
      const one = { n: 1, at: 0, name: "ada", text: "one", key: "a" }
      assert.deepStrictEqual(yield* ada.next, { _tag: "Said", room: "sea", ...one })
      yield* TestClock.adjust("1 second")
      yield* ada.send({ _tag: "Say", room: "sea", text: "two" })
      const two = { n: 2, at: 1_000, name: "ada", text: "two" }
      assert.deepStrictEqual(yield* ada.next, { _tag: "Said", room: "sea", ...two })

      const grace = yield* joining("grace")
      const members = ["ada", "grace"]
      assert.deepStrictEqual(grace.joined, { _tag: "Joined", room: "sea", members, history: [one, two], last: 2 })
      assert.deepStrictEqual(yield* ada.next, { _tag: "Presence", room: "sea", name: "grace", here: true })
      const alan = yield* joining("alan", { after: 1 })
      assert.deepInclude(alan.joined, { history: [two], last: 2 })
      const anew = yield* joining("edsger", { after: 7 })
      assert.deepInclude(anew.joined, { history: [one, two], last: 2 })
    })))

  it.effect("is told something once for each key, and who says it again is told when that was", () =>
    withRooms(Effect.gen(function*() {
      const ada = yield* joining("ada")
      const grace = yield* joining("grace")
      yield* ada.next
      for (const text of ["one", "two"]) yield* ada.send({ _tag: "Say", room: "sea", text, key: text })
      const said = [yield* ada.next, yield* ada.next]
      yield* ada.send({ _tag: "Say", room: "sea", text: "one", key: "one" })
      assert.deepStrictEqual(yield* ada.next, said[0])
      yield* grace.send({ _tag: "Say", room: "sea", text: "mine", key: "one" })
      assert.deepInclude(yield* ada.next, { n: 3, name: "grace", text: "mine" })
      assert.deepStrictEqual([yield* grace.next, yield* grace.next], said)
      assert.deepInclude(yield* grace.next, { n: 3 })
    })))

  it.effect("has somebody in it from several places, who leaves with the last one", () =>
    withRooms(Effect.gen(function*() {
      const grace = yield* joining("grace")
      const [one, two] = [yield* joining("ada", { secret }), yield* joining("ada", { secret })]
      assert.deepInclude(two.joined, { members: ["grace", "ada"] })
      assert.deepInclude(yield* grace.next, { name: "ada", here: true })
      for (const more of [{}, { secret: Redacted.make("somebody else's secret", { label: "secret" }) }]) {
        const other = yield* joining("ada", more)
        assert.deepStrictEqual(other.joined, { _tag: "Refused", room: "sea", reason: "ada is here already" })
      }
      yield* one.send({ _tag: "Leave", room: "sea" })
      yield* two.send({ _tag: "Say", room: "sea", text: "still here" })
      assert.deepInclude(yield* grace.next, { text: "still here" })
      yield* two.send({ _tag: "Leave", room: "sea" })
      assert.deepInclude(yield* grace.next, { name: "ada", here: false })
    })))

  it.effect("sees nobody go who joins once more", () =>
    withRooms(Effect.gen(function*() {
      const grace = yield* joining("grace")
      const ada = yield* joining("ada", { secret })
      assert.deepInclude(yield* grace.next, { name: "ada", here: true })
      yield* ada.send({ _tag: "Join", room: "sea", name: "ada", secret })
      assert.deepInclude(yield* ada.next, { _tag: "Joined" })
      yield* ada.send({ _tag: "Say", room: "sea", text: "again" })
      assert.deepInclude(yield* grace.next, { text: "again" })
      assert.deepInclude(yield* ada.next, { text: "again" })
    })))

  it.effect("is one of several, and of 16 at most", () =>
    withRooms(Effect.gen(function*() {
      const ada = yield* somebody
      for (let n = 0; n < 16; n++) {
        yield* ada.send({ _tag: "Join", room: `${n}`, name: "ada" })
        assert.deepInclude(yield* ada.next, { _tag: "Joined", room: `${n}` })
      }
      yield* ada.send({ _tag: "Join", room: "one more", name: "ada" })
      assert.deepInclude(yield* ada.next, { _tag: "Refused", room: "one more" })
      yield* ada.send({ _tag: "Say", room: "one more", text: "?" })
      assert.deepInclude(yield* ada.next, { _tag: "Refused", reason: "join the room first" })
      yield* ada.send({ _tag: "Say", room: "7", text: "here" })
      assert.deepInclude(yield* ada.next, { room: "7", n: 1, text: "here" })
    })))

  it.effect("says nothing that can't be kept", () =>
    withRooms(
      Effect.gen(function*() {
        const ada = yield* joining("ada")
        yield* ada.send({ _tag: "Say", room: "sea", text: "lost?" })
        assert.deepInclude(yield* ada.next, { _tag: "Refused", reason: "what was said could not be kept: no space" })
        const grace = yield* joining("grace")
        assert.deepInclude(grace.joined, { history: [], last: 0 })
      }),
      Rooms.make({ ...Log.memory(), add: () => Effect.fail(new Log.Unkept({ cause: "no space" })) })
    ))

  it.effect("is heard whole by who joins while others talk", () =>
    withRooms(Effect.gen(function*() {
      const ada = yield* joining("ada")
      const talking = Stream.range(1, 300).pipe(
        Stream.runForEach((n) => ada.send({ _tag: "Say", room: "sea", text: `${n}` }))
      )
      const listening = (after: number) =>
        Effect.scoped(Effect.gen(function*() {
          const { chat } = yield* Effect.tap(
            somebody,
            ({ send }) => send({ _tag: "Join", room: "sea", name: `listener ${after}`, after })
          )
          const heard: Array<number> = []
          yield* Connection.messages(chat).pipe(
            Stream.tap((message) =>
              Effect.sync(() => {
                if (message._tag === "Joined") heard.push(...message.history.map(({ n }) => n))
                if (message._tag === "Said") heard.push(message.n)
              })
            ),
            Stream.runForEachWhile(() => Effect.succeed(heard.at(-1) !== 300))
          )
          return heard
        }))
      const drained = Stream.runDrain(Connection.messages(ada.chat))
      const listeners = Effect.forEach([1, 2, 3, 4, 5], (n) => Effect.delay(listening(n), n), {
        concurrency: "unbounded"
      })
      const all = yield* Effect.raceFirst(
        Effect.andThen(drained, Effect.never),
        Effect.andThen(Effect.forkChild(talking), listeners)
      )
      for (const heard of all) heard.forEach((n, i) => assert.strictEqual(n, heard[0] + i))
    })).pipe(TestClock.withLive))
})

describe("what is remembered", () => {
  it("is the latest 200 messages, and what is missing is told", () => {
    const history = new History()
    for (let n = 1; n <= 250; n++) history.add(entry(n))
    assert.strictEqual(history.last, 250)
    assert.deepStrictEqual(history.after().history.map(({ n }) => n), Array.from({ length: 200 }, (_, i) => 51 + i))
    assert.strictEqual(history.after().missed, 0)
    assert.deepInclude(history.after(20), { missed: 30 })
    assert.deepStrictEqual(history.after(248), { history: [entry(249), entry(250)], missed: 0 })
    assert.deepStrictEqual(history.after(250), { history: [], missed: 0 })
    assert.deepStrictEqual(history.receipt("ada", "key 1"), { n: 1, at: 1, name: "ada", key: "key 1" })
    assert.isUndefined(history.receipt("grace", "key 1"))
  })

  it("is bounded by what is said, and by keys", () => {
    const history = new History()
    for (let n = 1; n <= 1_100; n++) history.add(entry(n, "x".repeat(2_000)))
    assert.strictEqual(history.after().history.length, Math.floor(131_072 / 2_000))
    assert.isUndefined(history.receipt("ada", "key 100"))
    assert.isDefined(history.receipt("ada", "key 101"))
    assert.strictEqual([...history].length, 1_000)
  })
})

describe("a log in a file", () => {
  const folder = Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "chat-"))),
    (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
  )
  const named = Effect.map(folder, (folder) => path.join(folder, "deep", "chat.ndjson"))

  it.live("goes on where the one before was killed", () =>
    Effect.gen(function*() {
      const name = yield* named
      const one = yield* Log.file(name)
      for (let n = 1; n <= 3; n++) yield* one.add("sea", entry(n))
      yield* one.add("land", entry(1))
      fs.appendFileSync(name, "{\"room\":\"sea\",\"n\":4,\"at\":4,\"na")
      const two = yield* Log.file(name)
      assert.deepStrictEqual(texts(two.history("sea").after().history), [[1, "1"], [2, "2"], [3, "3"]])
      assert.isDefined(two.history("sea").receipt("ada", "key 2"))
      yield* two.add("sea", entry(4, "again"))
      const three = yield* Log.file(name)
      assert.deepStrictEqual(texts(three.history("sea").after(3).history), [[4, "again"]])
      assert.strictEqual(three.history("land").last, 1)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))

  it.live("goes on behind what could be written in part only", () =>
    Effect.gen(function*() {
      const name = yield* named
      const system = yield* FileSystem.FileSystem
      let isFull = false
      const log = yield* Effect.provideService(Log.file(name), FileSystem.FileSystem, {
        ...system,
        writeFileString: (path, text, options) =>
          isFull
            ? Effect.andThen(
              system.writeFileString(path, text.slice(0, 20), options),
              Effect.fail(PlatformError.badArgument({ module: "FileSystem", method: "write", description: "full" }))
            )
            : system.writeFileString(path, text, options)
      })
      yield* log.add("sea", entry(1))
      isFull = true
      for (let n = 0; n < 2; n++) yield* Effect.flip(log.add("sea", entry(2)))
      isFull = false
      for (let n = 2; n <= 3; n++) yield* log.add("sea", entry(n))
      const again = yield* Log.file(name)
      assert.deepStrictEqual(texts(again.history("sea").after().history), [[1, "1"], [2, "2"], [3, "3"]])
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))

  it.live("leaves a file alone that is none", () =>
    Effect.gen(function*() {
      const name = path.join(yield* folder, "notes.txt")
      for (
        const [text, line] of [["milk\neggs\n", 1], ["a secret", 1], [
          `${JSON.stringify({ room: "sea" })}\n`,
          1
        ]] as const
      ) {
        fs.writeFileSync(name, text)
        const error = yield* Effect.flip(Log.file(name))
        assert.deepInclude(error, { _tag: "Unreadable", name, line })
        assert.strictEqual(fs.readFileSync(name, "utf8"), text)
      }
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))

  it.live("is written anew before it grows without end", () =>
    Effect.gen(function*() {
      const name = yield* named
      const log = yield* Log.file(name)
      let largest = 0
      for (let n = 1; n <= 1_500; n++) {
        yield* log.add("sea", entry(n, "x".repeat(2_000)))
        largest = Math.max(largest, fs.statSync(name).size)
      }
      assert.isBelow(largest, 2_000_000)
      const again = yield* Log.file(name)
      assert.strictEqual(again.history("sea").last, 1_500)
      assert.isDefined(again.history("sea").receipt("ada", "key 501"))
      assert.isUndefined(again.history("sea").receipt("ada", "key 500"))
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))

  it.effect("has places for 100 rooms", () =>
    Effect.gen(function*() {
      const log = Log.memory()
      for (let n = 1; n <= 100; n++) yield* log.add(`${n}`, entry(1))
      assert.strictEqual((yield* Effect.flip(log.add("one more", entry(1)))).cause, "there are too many rooms")
      yield* log.add("100", entry(2))
    }))
})
