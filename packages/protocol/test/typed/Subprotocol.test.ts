import { assert, describe, it } from "@effect/vitest"
import {
  Ask,
  Codec,
  Connection,
  LengthPrefixed,
  Lines,
  MemoryTransport,
  Subprotocol,
  Transport
} from "@wirestack/protocol"
import type { Incident } from "@wirestack/protocol/Listener"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import { Context, Deferred, Effect, Layer, Schema } from "effect"
import { ChatV1, ChatV2, type Heard, Joined, type Said } from "../support/chat.ts"
import * as Choosing from "../support/Choosing.ts"
import { failureOf } from "../support/failure.ts"

const said = (text: string) => ({ _tag: "Said", text }) as const
const heard = (text: string, count = text.length) => ({ _tag: "Heard", text, count }) as const

/** Answers everything said with its length. */
const answer = (connection: Subprotocol.ServerConnection<typeof ChatV1>) =>
  Effect.forever(
    Effect.flatMap(connection.pull, (batch) =>
      connection.sendAll([
        heard(batch[0].text),
        ...batch.slice(1).map(({ text }) => heard(text))
      ]))
  )

/** The chat over a memory network, and the network's own messages for a bare peer. */
const overMessages = (options?: Subprotocol.OverOptions, choose?: (offered: ReadonlyArray<string>) => string) => {
  const network = MemoryTransport.layerMessages()
  const below = choose === undefined ? network : Choosing.over(choose)(network)
  return Layer.merge(network, ChatV1.over(Codec.json(), options)(below))
}

const listening = Effect.gen(function*() {
  const listener = yield* ChatV1.listen("memory:chat")
  yield* Effect.forkScoped(listener.run(answer, { onIncident: () => Effect.void }))
})

const connecting = Effect.gen(function*() {
  yield* listening
  return failureOf(yield* Effect.exit(ChatV1.connect("memory:chat")))
})

describe("one definition, both ends", () => {
  it.effect("the client sends `client` and receives `server`", () =>
    Effect.gen(function*() {
      yield* listening
      const connection = yield* ChatV1.connect("memory:chat")
      assert.strictEqual(connection.protocol, "chat.v1")
      yield* connection.sendAll([said("a"), said("bcd")])
      assert.deepStrictEqual(yield* connection.pull, [heard("a"), heard("bcd")])
    }).pipe(Effect.provide(overMessages())))

  it.effect("over frames or lines of bytes, with classes as values", () =>
    Effect.forEach([LengthPrefixed.over(), Lines.over()], (framing) =>
      Effect.gen(function*() {
        const listener = yield* ChatV2.listen("memory:chat")
        yield* Effect.forkScoped(listener.run((connection) =>
          Effect.flatMap(connection.pull, ([message]) =>
            message._tag === "Joined" ? connection.send(message) : connection.send(heard(message.text)))
        ))
        const connection = yield* ChatV2.connect("memory:chat")
        const joined = new Joined({ room: "a\nb", at: new Date(0) })
        yield* connection.send(joined)
        const [back] = yield* connection.pull
        assert.instanceOf(back, Joined)
        assert.deepStrictEqual(back, joined)
      }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer().pipe(framing, ChatV2.over(Codec.json()))))))

  it.effect("serves for as long as the layer is provided", () =>
    Effect.gen(function*() {
      const connection = yield* ChatV1.connect("memory:chat")
      yield* connection.send(said("abc"))
      assert.deepStrictEqual(yield* connection.pull, [heard("abc")])
    }).pipe(
      Effect.scoped,
      Effect.provide(ChatV1.serve()("memory:chat", answer).pipe(Layer.provideMerge(overMessages())))
    ))

  it("carries its own definition", () => {
    assert.deepStrictEqual(ChatV1.offers, ["chat.v1"])
    assert.strictEqual(ChatV1.protocol, "chat.v1")
    assert.isTrue(Schema.is(ChatV1.client)(said("x")))
    assert.isFalse(Schema.is(ChatV1.server)(said("x")))
  })
})

it.effect("messages are handled by their tag, until the peer sends no more", () =>
  Effect.gen(function*() {
    const handled: Array<string> = []
    const done = yield* Deferred.make<void>()
    const listener = yield* ChatV2.listen("memory:chat")
    yield* Effect.forkScoped(listener.run((connection) =>
      Effect.andThen(
        Subprotocol.byTag(connection, {
          Said: ({ text }) => Effect.sync(() => void handled.push(text)),
          Joined: (joined) => connection.send(joined)
        }),
        Deferred.succeed(done, undefined)
      )
    ))
    yield* Effect.scoped(Effect.gen(function*() {
      const connection = yield* ChatV2.connect("memory:chat")
      const joined = new Joined({ room: "a", at: new Date(0) })
      yield* connection.sendAll([said("a"), joined, said("b")])
      assert.deepStrictEqual(yield* connection.pull, [joined])
    }))
    yield* Deferred.await(done)
    assert.deepStrictEqual(handled, ["a", "b"])
  }).pipe(Effect.provide(MemoryTransport.layer().pipe(LengthPrefixed.over(), ChatV2.over(Codec.json())))))

it.effect("a handler that fails ends the handling", () =>
  Effect.gen(function*() {
    yield* listening
    const connection = yield* ChatV1.connect("memory:chat")
    yield* connection.send(said("a"))
    const handling = Subprotocol.byTag(connection, { Heard: ({ count }) => Effect.fail(count) })
    assert.strictEqual(yield* Effect.flip(handling), 1)
  }).pipe(Effect.provide(overMessages())))

describe("errors name the protocol", () => {
  it.effect("a value that is no message is refused, and the connection goes on", () =>
    Effect.gen(function*() {
      yield* listening
      const connection = yield* ChatV1.connect("memory:chat")
      const refused = failureOf(yield* Effect.exit(connection.send({ _tag: "Said", text: 1 } as any)))
      assert.deepInclude(refused, { layer: "chat.v1", tag: "Unencodable" })
      yield* connection.send(said("x"))
      assert.deepStrictEqual(yield* connection.pull, [heard("x")])
    }).pipe(Effect.provide(overMessages())))

  it.effect("a message that is no value fails the connection, after those before it", () =>
    Effect.gen(function*() {
      const bare = yield* Transport.listen(Transport.Messages)("memory:chat")
      yield* Effect.forkScoped(
        bare.run((connection) => connection.sendAll([JSON.stringify(heard("x")), JSON.stringify(said("x"))]))
      )
      const connection = yield* ChatV1.connect("memory:chat")
      assert.deepStrictEqual(yield* connection.pull, [heard("x")])
      assert.deepInclude(failureOf(yield* Effect.exit(connection.pull)), { layer: "chat.v1", tag: "Undecodable" })
    }).pipe(Effect.provide(overMessages())))
})

describe("negotiation", () => {
  it.effect("the name is offered, and must be the one agreed on", () =>
    Effect.gen(function*() {
      yield* listening
      const connection = yield* ChatV1.connect("memory:chat")
      yield* connection.send(said("x"))
      assert.deepStrictEqual(yield* connection.pull, [heard("x")])
      assert.deepStrictEqual(
        Connection.detailOption(connection, Ask.Negotiated).pipe((o) => o._tag === "Some" && o.value.protocol),
        "chat.v1"
      )
    }).pipe(Effect.provide(overMessages(undefined, ([name]) => name))))

  it.effect("another name is refused, on both sides", () =>
    Effect.gen(function*() {
      const incident = yield* Deferred.make<Incident>()
      const listener = yield* ChatV1.listen("memory:chat")
      yield* Effect.forkScoped(listener.run(answer, { onIncident: (seen) => Deferred.succeed(incident, seen) }))
      const failure = failureOf(yield* Effect.exit(ChatV1.connect("memory:chat")))
      assert.deepInclude(failure, { layer: "chat.v1", tag: "NothingNegotiated" })
      assert.deepInclude(failure?.reason, { offered: ["chat.v1"], selected: "chat.v9" })
      const seen = yield* Deferred.await(incident)
      assert(seen._tag === "HandshakeFailed")
      assert.strictEqual(seen.error.reason._tag, "NothingNegotiated")
    }).pipe(Effect.provide(overMessages({ unnamed: "accept" }, () => "chat.v9"))))

  it.effect("no name is refused", () =>
    Effect.gen(function*() {
      const failure = yield* connecting
      assert.deepInclude(failure, { layer: "chat.v1", tag: "NothingNegotiated" })
      assert.deepInclude(failure?.reason, { offered: ["chat.v1"] })
      assert.notProperty(failure?.reason, "selected")
    }).pipe(Effect.provide(overMessages(undefined, () => ""))))

  it.effect("or accepted, if told so", () =>
    Effect.gen(function*() {
      assert.isUndefined(yield* connecting)
    }).pipe(Effect.provide(overMessages({ unnamed: "accept" }, () => ""))))

  it.effect("of several layers that negotiate, the uppermost decides", () =>
    Effect.gen(function*() {
      assert.isUndefined(yield* connecting)
    }).pipe(Effect.provide(
      MemoryTransport.layerMessages().pipe(Choosing.over(() => "h2"), Choosing.over(), ChatV1.over(Codec.json()))
    )))
})

it.effect("one value on two stacks is two stacks", () =>
  Effect.gen(function*() {
    const typed = ChatV1.over(Codec.json())
    const hello = (network: ReturnType<typeof MemoryTransport.layerMessages>, text: string) =>
      Effect.gen(function*() {
        const listener = yield* ChatV1.listen("memory:same")
        yield* Effect.forkScoped(listener.run((connection) => connection.send(heard(text))))
        return (yield* (yield* ChatV1.connect("memory:same")).pull)[0].text
      }).pipe(Effect.provide(typed(network)))
    const [a, b] = [MemoryTransport.layerMessages(), MemoryTransport.layerMessages()]
    assert.deepStrictEqual(yield* Effect.all([hello(a, "first"), hello(b, "second")], { concurrency: 2 }), [
      "first",
      "second"
    ])
    // Also within one program that provides both at once.
    const keyed = <K extends string>(id: K, network: typeof a) =>
      Layer.effect(
        Context.Service<K, Context.Service.Shape<typeof ChatV1.key>>(id),
        ChatV1.key
      ).pipe(Layer.provide(typed(network)))
    const both = yield* Effect.map(
      Effect.provide(Effect.context<"a" | "b">(), Layer.merge(keyed("a", a), keyed("b", b))),
      (context) => [...context.mapUnsafe.values()]
    )
    assert.notStrictEqual(both[0], both[1])
  }))

describe("a typed protocol keeps the rules of a transport", () => {
  const text = Samples.messages({ text: true })
  const ofText = (n: number, size: number) => String(text.toServer(n * 2 + 1, size))
  const samples: Samples.Samples<typeof Heard.Type, typeof Said.Type, typeof Said.Type, typeof Heard.Type> = {
    toServer: (n, size) => said(ofText(n, size)),
    toClient: (n, size) => heard(ofText(n, size)),
    digest: (messages) => text.digest(messages.map((message) => message.text)),
    size: (message) => message.text.length,
    boundaries: true
  }
  const suite = transportSuite({
    shape: ChatV1,
    layer: () => MemoryTransport.layer().pipe(LengthPrefixed.over(), ChatV1.over(Codec.json())),
    endpoint: () => "memory:here",
    nobody: "memory:nobody",
    samples,
    capabilities: { halfClose: true, statuses: "JSON carries no reason", abortIsSeen: true }
  })
  for (const { name, run } of suite) it.live(name, () => run)
})
