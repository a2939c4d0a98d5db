import { assert, describe, it } from "@effect/vitest"
import {
  Codec,
  type Connection,
  LengthPrefixed,
  MemoryTransport,
  Negotiate,
  type Subprotocol,
  Transport
} from "@wirestack/protocol"
import type { ConnectReason } from "@wirestack/protocol/ConnectError"
import { bytewise, rechunk, withoutLeaks } from "@wirestack/protocol/testing"
import { Deferred, Effect, type Exit, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { hex, utf8 } from "../support/bytes.ts"
import { Chats, ChatV1, ChatV2 } from "../support/chat.ts"
import { failureOf } from "../support/failure.ts"

const handlers = {
  "chat.v2": (connection: Subprotocol.ServerConnection<typeof ChatV2>) =>
    Effect.andThen(connection.pull, connection.send({ _tag: "Heard", text: "v2", count: 2 })),
  "chat.v1": (connection: Subprotocol.ServerConnection<typeof ChatV1>) =>
    Effect.andThen(connection.pull, connection.send({ _tag: "Heard", text: "v1", count: 1 }))
}

const stacks = {
  "bytes": () => MemoryTransport.layer().pipe(Negotiate.over(), LengthPrefixed.over()),
  "bytes, one by one": () =>
    MemoryTransport.layer().pipe(rechunk(() => bytewise), Negotiate.over(), LengthPrefixed.over()),
  "messages": () => MemoryTransport.layerMessages().pipe(Negotiate.overMessages())
}

for (const [name, messages] of Object.entries(stacks)) {
  /** A network on which family and single versions meet. */
  const stack = () => {
    const below = messages()
    const codec = Codec.json()
    return Layer.mergeAll(Chats.over(codec)(below), ChatV1.over(codec)(below), ChatV2.over(codec)(below))
  }

  describe(`over ${name}`, () => {
    it.effect("a family speaks the version both want most, or have", () =>
      Effect.gen(function*() {
        const listener = yield* Chats.listen("memory:chats")
        yield* Effect.forkScoped(listener.run(handlers))
        for (const [Version, text] of [[Chats, "v2"], [ChatV1, "v1"], [ChatV2, "v2"]] as const) {
          const connection = yield* (Version as typeof Chats).connect("memory:chats")
          assert(connection.protocol === "chat.v2" || connection.protocol === "chat.v1")
          yield* connection.send({ _tag: "Said", text: "x" })
          const [answer] = yield* connection.pull
          assert(answer._tag === "Heard")
          assert.strictEqual(answer.text, text)
        }
      }).pipe(Effect.scoped, Effect.provide(stack())))

    it.effect("without an agreement both sides say so, and nothing is left", () =>
      withoutLeaks(
        Effect.gen(function*() {
          const failed = yield* Deferred.make<unknown>()
          const listener = yield* ChatV1.listen("memory:chats")
          yield* Effect.forkScoped(
            listener.run(() => Effect.die("nothing was agreed on"), {
              onIncident: (incident) =>
                incident._tag === "HandshakeFailed" ? Deferred.succeed(failed, incident.error.reason) : Effect.void
            })
          )
          const failure = failureOf(yield* Effect.exit(Effect.scoped(ChatV2.connect("memory:chats"))))
          assert.deepInclude(failure, { layer: "negotiate", tag: "NothingNegotiated" })
          assert.deepInclude(failure?.reason, { offered: ["chat.v2"] })
          assert.deepInclude(yield* Deferred.await(failed), { _tag: "NothingNegotiated", offered: ["chat.v2"] })
        }).pipe(Effect.scoped, Effect.provide(stack()))
      ))
  })
}

/** A client of both versions and a bare server; what became of the client. */
const facing = Effect.gen(function*() {
  const lower = yield* Layer.build(MemoryTransport.layer())
  const accepted = yield* Deferred.make<Connection.Connection<Uint8Array, Uint8Array>>()
  const listener = yield* Effect.provideContext(Transport.listen(Transport.Bytes)("memory:chats"), lower)
  yield* Effect.forkScoped(listener.run((bare) => Effect.andThen(Deferred.succeed(accepted, bare), bare.closed)))
  const stack = Layer.succeedContext(lower).pipe(Negotiate.over(), LengthPrefixed.over(), Chats.over(Codec.json()))
  const client = yield* Effect.forkChild(
    Effect.exit(Effect.provide(Effect.scoped(Effect.asVoid(Chats.connect("memory:chats"))), stack))
  )
  const bare = yield* Deferred.await(accepted)
  yield* Effect.addFinalizer(() => bare.abort)
  return { bare, client: Effect.map(Fiber.join(client), failureOf) }
})

const list = (...names: ReadonlyArray<string>): Uint8Array => {
  const body = names.flatMap((name) => [name.length, ...utf8(name)])
  return Uint8Array.of(0xd7, 0x57, 0x53, 0x31, body.length >> 8, body.length & 0xff, ...body)
}

describe("on the wire", () => {
  it.effect("is a list of the names that are offered", () =>
    Effect.gen(function*() {
      const { bare } = yield* facing
      assert.deepStrictEqual(yield* bare.pull, [
        hex("d7 57 53 31  00 10  07 63 68 61 74 2e 76 32  07 63 68 61 74 2e 76 31")
      ])
    }).pipe(Effect.scoped))

  const answers: ReadonlyArray<readonly [name: string, answer: Uint8Array, tag: ConnectReason["_tag"]]> = [
    ["a name that was not offered", list("chat.v3"), "NothingNegotiated"],
    ["no name", list(), "NothingNegotiated"],
    ["two names", list("chat.v2", "chat.v1"), "Violation"],
    ["something else, at its first byte", utf8("H"), "Violation"],
    ["another magic", hex("d7 57 53 32"), "Violation"],
    ["too long a list", hex("d7 57 53 31 10 01"), "TooLarge"],
    ["an empty name", hex("d7 57 53 31 00 01 00"), "Violation"],
    ["a name longer than the list", hex("d7 57 53 31 00 02 02 61"), "Violation"],
    ["a name that is not UTF-8", hex("d7 57 53 31 00 02 01 ff"), "Violation"]
  ]
  for (const [name, answer, tag] of answers) {
    it.effect(`the client refuses ${name}`, () =>
      Effect.gen(function*() {
        const { bare, client } = yield* facing
        yield* bare.send(answer)
        assert.deepInclude(yield* client, { layer: "negotiate", tag })
      }).pipe(Effect.scoped))
  }

  it.effect("an end in the middle is truncated, and silence times out", () =>
    Effect.gen(function*() {
      const ended = yield* facing
      yield* ended.bare.send(list("chat.v2").subarray(0, 9))
      yield* ended.bare.end
      assert.deepInclude(yield* ended.client, { layer: "negotiate", tag: "Truncated" })
      const silent = yield* facing
      yield* TestClock.adjust("10 seconds")
      assert.deepInclude(yield* silent.client, { layer: "negotiate", tag: "TimedOut" })
    }).pipe(Effect.scoped))

  it.effect("a message of something else is refused, and an end too", () =>
    Effect.gen(function*() {
      const lower = yield* Layer.build(MemoryTransport.layerMessages())
      const said: ReadonlyArray<ReadonlyArray<Transport.Message>> = [["hello"], [list("x").subarray(0, 7)], []]
      const listener = yield* Effect.provideContext(Transport.listen(Transport.Messages)("memory:chats"), lower)
      let at = 0
      yield* Effect.forkScoped(
        listener.run((bare) => Effect.andThen(Effect.forEach(said[at++], bare.send), bare.end))
      )
      const stack = Layer.succeedContext(lower).pipe(Negotiate.overMessages(), ChatV1.over(Codec.json()))
      for (const tag of ["Violation", "Violation", "Truncated"] as const) {
        const exit: Exit.Exit<unknown, unknown> = yield* Effect.exit(
          Effect.provide(Effect.scoped(ChatV1.connect("memory:chats")), stack)
        )
        assert.deepInclude(failureOf(exit), { layer: "negotiate", tag })
      }
    }).pipe(Effect.scoped))

  it.effect("nothing is said for names that can't be", () =>
    Effect.gen(function*() {
      const bytes = MemoryTransport.layer()
      for (
        const [offers, tag] of [[[], "NothingNegotiated"], [["x".repeat(256)], "TooLarge"], [
          Array.from({ length: 600 }, (_, n) => `version ${n}`),
          "TooLarge"
        ]] as const
      ) {
        const shape = Transport.shape<"bytes", Uint8Array, Uint8Array>("bytes", offers)
        const exit = yield* Effect.gen(function*() {
          const listener = yield* Transport.listen(Transport.Bytes)("memory:chats")
          yield* Effect.forkScoped(listener.run(() => Effect.void, { onIncident: () => Effect.void }))
          return yield* Effect.exit(Transport.connect(shape)("memory:chats"))
        }).pipe(Effect.scoped, Effect.provide(Negotiate.over()(bytes)))
        assert.deepInclude(failureOf(exit), { layer: "negotiate", tag })
      }
    }))
})
