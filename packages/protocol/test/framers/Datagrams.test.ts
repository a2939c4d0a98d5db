import { assert, describe, it } from "@effect/vitest"
import { type Connection, Datagrams, MemoryTransport, Transport } from "@wirestack/protocol"
import { Deferred, Effect } from "effect"
import { failureOf } from "../support/failure.ts"

type Messages = Connection.Connection<Transport.Message, Transport.Message>

/** A connected pair of messages over datagrams. */
const connected = Effect.gen(function*() {
  const listener = yield* Transport.listen(Transport.Messages)("memory:here")
  const accepted = yield* Deferred.make<Messages>()
  yield* Effect.forkScoped(
    listener.run((connection) =>
      Effect.andThen(Deferred.succeed(accepted, connection), Effect.asVoid(connection.closed))
    )
  )
  const client = yield* Transport.connect(Transport.Messages)("memory:here")
  yield* Effect.addFinalizer(() => client.abort)
  const server = yield* Deferred.await(accepted)
  return { client, server }
})

const said = (messages: ReadonlyArray<Transport.Message>): ReadonlyArray<string> =>
  messages.map((message) => Buffer.from(message as Uint8Array).toString())

const test = (name: string, program: Effect.Effect<unknown, unknown, Effect.Services<typeof connected>>) =>
  it.effect(name, () => Effect.provide(Effect.scoped(program), MemoryTransport.layerDatagrams().pipe(Datagrams.over())))

describe("messages over datagrams", () => {
  test(
    "are one each, text as UTF-8",
    Effect.gen(function*() {
      const { client, server } = yield* connected
      const long = "é".repeat(5_000)
      yield* client.sendAll(["é", "", Buffer.from("bytes"), long])
      assert.deepStrictEqual(said(yield* server.pull), ["é", "", "bytes", long])
      assert.deepInclude(failureOf(yield* Effect.exit(client.send("\ud800"))), { tag: "Unencodable" })
      yield* client.send("and goes on")
      assert.deepStrictEqual(said(yield* server.pull), ["and goes on"])
    })
  )

  test(
    "wait for who pulls, and none is lost",
    Effect.gen(function*() {
      const { client, server } = yield* connected
      const all = Array.from({ length: 10_000 }, (_, n) => `${n}`)
      yield* Effect.forkScoped(Effect.forEach(all, client.send, { discard: true }))
      const received: Array<string> = []
      while (received.length < all.length) received.push(...said(yield* server.pull))
      assert.deepStrictEqual(received, all)
    })
  )

  test(
    "end with the datagrams, where that is told",
    Effect.gen(function*() {
      const { client, server } = yield* connected
      yield* client.abort
      assert.deepInclude(failureOf(yield* Effect.exit(server.pull)), { tag: "Reset" })
    })
  )
})
