/** What the inspector tells its pages, and that none of them holds up what it shows. */
import { assert, describe, it } from "@effect/vitest"
import { Codec, MemoryTransport, Tap, Transport } from "@wirestack/protocol"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as Http from "node:http"
import * as Rooms from "../src/chat/Rooms.ts"
import * as Web from "../src/chat/web.ts"
import { Inspector, type ServerMessage } from "../src/inspector/Inspector.ts"
import { Registry } from "../src/inspector/Registry.ts"
import { serve } from "../src/inspector/serve.ts"

/** A page, and a connection that is shown to it, whose server answers each message. */
const opened = Effect.gen(function*() {
  const registry = new Registry()
  yield* Effect.forkScoped(registry.run)
  const pages = yield* Layer.build(Inspector.over(Codec.json())(MemoryTransport.layerMessages()))
  const inspector = yield* Effect.provideContext(Inspector.listen("memory:pages"), pages)
  yield* Effect.forkScoped(inspector.run(serve(registry)))
  const page = yield* Effect.provideContext(Inspector.connect("memory:pages"), pages)

  const shown = yield* Layer.build(
    MemoryTransport.layerMessages().pipe(Tap.over(Transport.Messages)({ name: "messages", to: [registry.sink] }))
  )
  const listener = yield* Effect.provideContext(Transport.listen(Transport.Messages)("memory:shown"), shown)
  yield* Effect.forkScoped(
    listener.run((peer) => Effect.forever(Effect.flatMap(peer.pull, peer.sendAll)).pipe(Effect.ignore))
  )
  const client = yield* Effect.provideContext(Transport.connect(Transport.Messages)("memory:shown"), shown)
  return { client, page, id: Tap.connectionOf(client) }
})

const events = (messages: ReadonlyArray<ServerMessage>) =>
  messages.flatMap((message) => message._tag === "Events" || message._tag === "History" ? message.events : [])

describe("the inspector", () => {
  it.effect("tells of a connection, its history, what passes, and its end", () =>
    Effect.gen(function*() {
      const { client, id, page } = yield* opened
      yield* client.send("before")
      yield* client.pull
      yield* page.send({ _tag: "Choose", id })
      yield* TestClock.adjust("1 seconds")
      yield* client.send("after")
      yield* client.pull
      yield* TestClock.adjust("1 seconds")
      yield* client.abort
      yield* TestClock.adjust("1 seconds")
      const told = yield* page.pull
      const seen = told.flatMap((message) =>
        message._tag === "Seen" && message.connection.id === id ? [message.connection] : []
      )
      const last = seen.at(-1)!
      assert.deepInclude(last.layers.at(-1), { layer: "memory" })
      assert.isDefined(last.outcome)
      assert.isUndefined(seen[0].outcome)
      const texts = events(told).map((event) =>
        event._tag === "Passed" && "text" in event.payload ? event.payload.text : event._tag
      )
      assert.deepStrictEqual(texts, ["Opened", "before", "before", "after", "after", "Closed"])
    }).pipe(Effect.scoped))

  it.effect("tells so much of a burst at most, and how much is missing", () =>
    Effect.gen(function*() {
      const { client, id, page } = yield* opened
      yield* page.send({ _tag: "Choose", id })
      yield* TestClock.adjust("1 seconds")
      for (let n = 0; n < 1_000; n++) {
        yield* client.send("x")
        yield* client.pull
      }
      yield* TestClock.adjust("1 seconds")
      const told = events(yield* page.pull)
      const missed = told.reduce((sum, event) => sum + (event._tag === "Dropped" ? event.events : 0), 0)
      const passed = told.filter(({ _tag }) => _tag === "Passed").length
      assert.isAtMost(passed, 500)
      assert.strictEqual(passed + missed, 2_000)
    }).pipe(Effect.scoped))

  it.live("gives recordings to who asks for this server by a name of its own only", () =>
    Effect.gen(function*() {
      const registry = new Registry()
      const stack = MemoryTransport.layerMessages().pipe(
        Tap.over(Transport.Messages)({ name: "messages", to: [registry.sink] })
      )
      const id = yield* Effect.gen(function*() {
        const listener = yield* Transport.listen(Transport.Messages)("memory:shown")
        yield* Effect.forkScoped(listener.run((peer) => Effect.ignore(peer.pull)))
        return Tap.connectionOf(yield* Transport.connect(Transport.Messages)("memory:shown"))
      }).pipe(Effect.scoped, Effect.provide(stack))
      const bound = yield* Web.bind(0)
      yield* Web.open(bound, [], Rooms.make(), registry)
      const statusFor = (host: string) =>
        Effect.callback<number | undefined>((resume) => {
          Http.get(
            `${bound.url}inspector/recordings/connection-${id}.ndjson`,
            { agent: false, headers: { host } },
            (response) => {
              response.resume()
              resume(Effect.succeed(response.statusCode))
            }
          )
        })
      for (const name of ["127.0.0.1", "localhost"]) assert.strictEqual(yield* statusFor(`${name}:${bound.port}`), 200)
      for (const name of [`evil.example:${bound.port}`, "localhost"]) assert.strictEqual(yield* statusFor(name), 404)
    }).pipe(Effect.scoped))

  it.effect("lets a page that does not read miss some of it, and tells it so; nobody waits", () =>
    Effect.gen(function*() {
      const { client, id, page } = yield* opened
      yield* page.send({ _tag: "Choose", id })
      yield* TestClock.adjust("1 seconds")
      const text = "x".repeat(2_000)
      for (let n = 0; n < 400; n++) {
        for (let m = 0; m < 10; m++) {
          yield* client.send(text)
          yield* client.pull
        }
        yield* TestClock.adjust("250 millis")
      }
      const told: Array<ServerMessage> = []
      while (
        !told.some((message) => message._tag === "Events" && message.events.some(({ _tag }) => _tag === "Dropped"))
      ) {
        told.push(...yield* page.pull)
      }
      assert.isAbove(events(told).filter(({ _tag }) => _tag === "Passed").length, 10)
    }).pipe(Effect.scoped))
})
