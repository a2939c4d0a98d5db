import { assert, describe, it } from "@effect/vitest"
import { Codec, MemoryTransport, Subprotocol } from "@wirestack/protocol"
import { Context, Effect, Layer, Schema } from "effect"
import { Chats, ChatV1, ChatV2, Joined } from "../support/chat.ts"
import * as Choosing from "../support/Choosing.ts"
import { failureOf } from "../support/failure.ts"

class Greeting extends Context.Service<Greeting, string>()("test/Greeting") {}

/** What a server of both versions answers to what is said. */
const handlers = {
  "chat.v2": (connection: Subprotocol.ServerConnection<typeof ChatV2>) =>
    Effect.flatMap(
      connection.pull,
      ([message]) =>
        message._tag === "Joined" ? connection.send(message) : connection.send({ _tag: "Heard", text: "v2", count: 2 })
    ),
  "chat.v1": (connection: Subprotocol.ServerConnection<typeof ChatV1>) =>
    Effect.flatMap(connection.pull, () => connection.send({ _tag: "Heard", text: connection.protocol, count: 1 }))
}

/** One network on which family and single versions meet, whatever each side offers. */
const stack = (choose?: (offered: ReadonlyArray<string>) => string) => {
  const messages = Choosing.over(choose)(MemoryTransport.layerMessages())
  const codec = Codec.json()
  return Layer.mergeAll(Chats.over(codec)(messages), ChatV1.over(codec)(messages), ChatV2.over(codec)(messages))
}

const serving = Effect.gen(function*() {
  const listener = yield* Chats.listen("memory:chats")
  yield* Effect.forkScoped(listener.run(handlers, { onIncident: () => Effect.void }))
  return listener
})

describe("which version is spoken is negotiated", () => {
  it.effect("the first that both want", () =>
    Effect.gen(function*() {
      yield* serving
      const connection = yield* Chats.connect("memory:chats")
      assert(connection.protocol === "chat.v2")
      const joined = new Joined({ room: "a", at: new Date(0) })
      yield* connection.send(joined)
      assert.deepStrictEqual(yield* connection.pull, [joined])
    }).pipe(Effect.provide(stack())))

  it.effect("a client of one version meets a server of many", () =>
    Effect.gen(function*() {
      yield* serving
      const connection = yield* ChatV1.connect("memory:chats")
      yield* connection.send({ _tag: "Said", text: "x" })
      assert.deepStrictEqual(yield* connection.pull, [{ _tag: "Heard", text: "chat.v1", count: 1 }])
    }).pipe(Effect.provide(stack())))

  it.effect("a client of many versions meets a server of one", () =>
    Effect.gen(function*() {
      const listener = yield* ChatV1.listen("memory:chats")
      yield* Effect.forkScoped(listener.run(handlers["chat.v1"]))
      const connection = yield* Chats.connect("memory:chats")
      assert(connection.protocol === "chat.v1")
      yield* connection.send({ _tag: "Said", text: "x" })
      assert.deepStrictEqual((yield* connection.pull)[0].count, 1)
    }).pipe(Effect.provide(stack())))

  it.effect("a value of another version is refused, in the name of the version spoken", () =>
    Effect.gen(function*() {
      const listener = yield* ChatV1.listen("memory:chats")
      yield* Effect.forkScoped(listener.run(handlers["chat.v1"]))
      const connection = yield* Chats.connect("memory:chats")
      const joined = new Joined({ room: "a", at: new Date(0) })
      assert.deepInclude(failureOf(yield* Effect.exit(connection.send(joined as never))), {
        layer: "chat.v1",
        tag: "Unencodable"
      })
    }).pipe(Effect.provide(stack())))
})

describe("without an agreement there is no connection", () => {
  const offered = ["chat.v2", "chat.v1"]
  const attempt = Effect.gen(function*() {
    yield* serving
    return failureOf(yield* Effect.exit(Chats.connect("memory:chats")))
  })

  for (const [what, selected] of [["none was chosen", ""], ["another was chosen", "chat.v9"]] as const) {
    it.effect(what, () =>
      Effect.gen(function*() {
        const failure = yield* attempt
        assert.deepInclude(failure, { layer: "chat.v2, chat.v1", tag: "NothingNegotiated" })
        assert.deepInclude(failure?.reason, { offered, ...(selected === "" ? undefined : { selected }) })
      }).pipe(Effect.provide(stack(() => selected))))
  }

  it.effect("no layer below negotiates", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* attempt, { tag: "NothingNegotiated" })
    }).pipe(Effect.provide(
      // @ts-expect-error the compiler says it first: "the stack below lacks": Negotiated
      Chats.over(Codec.json())(MemoryTransport.layerMessages())
    )))
})

it.effect("serves for as long as the layer is provided, with what the handlers need", () => {
  const server = Chats.serve()("memory:chats", {
    "chat.v2": (connection) => Effect.flatMap(Greeting, (text) => connection.send({ _tag: "Heard", text, count: 0 })),
    "chat.v1": () => Effect.void
  })
  return Effect.gen(function*() {
    const connection = yield* Chats.connect("memory:chats")
    assert.deepStrictEqual(yield* connection.pull, [{ _tag: "Heard", text: "hello", count: 0 }])
  }).pipe(
    Effect.scoped,
    Effect.provide(server.pipe(Layer.provideMerge(stack()), Layer.provide(Layer.succeed(Greeting, "hello"))))
  )
})

it.effect("a listener of a family drains and reports like any other", () =>
  Effect.gen(function*() {
    const listener = yield* Effect.scoped(serving)
    assert.strictEqual(listener.address.place._tag, "Memory")
    assert.deepInclude(yield* listener.drained, { open: 0, ended: 0, interrupted: 0, waiting: 0 })
  }).pipe(Effect.provide(stack())))

it.effect("the goodbye of a drain knows the version", () =>
  Effect.gen(function*() {
    const listener = yield* Chats.listen("memory:goodbye")
    const stays = ({ closed }: Subprotocol.AnyServerConnection<typeof Chats.versions>) => Effect.asVoid(closed)
    yield* Effect.forkScoped(Effect.exit(listener.run({ "chat.v2": stays, "chat.v1": stays })))
    const connection = yield* Chats.connect("memory:goodbye")
    yield* Effect.forkScoped(listener.drain({
      goodbye: (connection) =>
        connection.protocol === "chat.v2" ? connection.send({ _tag: "Heard", text: "bye", count: 0 }) : Effect.void
    }))
    assert.deepStrictEqual(yield* connection.pull, [{ _tag: "Heard", text: "bye", count: 0 }])
  }).pipe(Effect.scoped, Effect.provide(stack())))

it("a version is not named by a number, whose place a record doesn't keep", () => {
  class One extends Subprotocol.Service<One>()("1", { client: Schema.String, server: Schema.String }) {}
  assert.throws(() => Subprotocol.Family<unknown>()({ "1": One }), RangeError)
})
