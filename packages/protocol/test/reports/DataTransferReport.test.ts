import { assert, describe, it } from "@effect/vitest"
import {
  Codec,
  Connection,
  DataTransferReport,
  LengthPrefixed,
  MemoryTransport,
  Subprotocol
} from "@wirestack/protocol"
import { Effect, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"

class Chat extends Subprotocol.Service<Chat>()("chat.v1", { client: Schema.String, server: Schema.String }) {}

const stack = () => MemoryTransport.layer().pipe(LengthPrefixed.over(), Chat.over(Codec.json()))

/** A connection to a server that answers each message with two. */
const connected = Effect.gen(function*() {
  const listener = yield* Chat.listen("memory:chat")
  yield* Effect.forkScoped(listener.run((connection) =>
    Stream.runForEach(
      Connection.messages(connection),
      (message) => connection.sendAll([message, message])
    )
  ))
  return yield* Chat.connect("memory:chat")
})

const exchange = <In>(connection: Connection.Connection<In, string>, messages: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    for (const message of messages) yield* connection.send(message)
    yield* Stream.runDrain(Stream.take(Connection.messages(connection), 2 * messages.length))
  })

describe("DataTransferReport", () => {
  it.effect("counts messages and bytes, a layer at a time, from the top down", () =>
    Effect.gen(function*() {
      const connection = yield* connected
      yield* exchange(connection, ["one", "two"])
      const { layers } = yield* DataTransferReport.of(connection)
      // A text of 3 letters is 5 bytes of JSON, behind a length of 4; written together, they arrive in one chunk.
      assert.deepStrictEqual(layers.map(({ layer, received, sent }) => [layer, received, sent]), [
        ["chat.v1", { messages: 4, bytes: undefined }, { messages: 2, bytes: undefined }],
        ["length-prefixed", { messages: 4, bytes: 20 }, { messages: 2, bytes: 10 }],
        ["memory", { messages: 1, bytes: 36 }, { messages: 1, bytes: 18 }]
      ])
    }).pipe(Effect.provide(stack())))

  it.effect("counts from a mark", () =>
    Effect.gen(function*() {
      const connection = yield* connected
      yield* exchange(connection, ["before"])
      const mark = yield* DataTransferReport.of(connection)
      yield* TestClock.adjust("2 seconds")
      yield* exchange(connection, ["a", "b", "c"])
      const report = yield* DataTransferReport.since(connection, mark)
      assert.strictEqual(report.took, 2000)
      assert.deepStrictEqual(
        report.layers.map(({ received, sent }) => [received.messages, sent.messages]).slice(0, 2),
        [
          [6, 3],
          [6, 3]
        ]
      )
      assert.deepStrictEqual(report.layers.map(({ sent }) => sent.bytes), [undefined, 9, 21])
      assert.deepStrictEqual((yield* DataTransferReport.since(connection, report)).layers[0].sent.messages, 1)
    }).pipe(Effect.provide(stack())))

  it.effect("counts layers that were put on since the mark from their beginning", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryTransport.pair<Uint8Array>()
      yield* Connection.make(far)
      const lower = yield* Connection.make(near)
      yield* lower.send(new Uint8Array(7))
      const mark = yield* DataTransferReport.of(lower)
      const framed = yield* Connection.fuse(lower, LengthPrefixed.make().machine(), { layer: "framer" })
      yield* framed.send("abc")
      yield* TestClock.adjust(0)
      const { layers } = yield* DataTransferReport.since(framed, mark)
      assert.deepStrictEqual(layers.map(({ layer, sent }) => [layer, sent.bytes]), [["framer", 3], ["memory", 7]])
      yield* framed.abort
    }))

  it.effect("does not count what could not be sent", () =>
    Effect.gen(function*() {
      const [near] = MemoryTransport.pair<Uint8Array>()
      const framed = yield* Connection.fuse(
        yield* Connection.make(near),
        LengthPrefixed.make({ maxFrameSize: 8 }).machine(),
        { layer: "framer" }
      )
      yield* Effect.flip(framed.send("too large for it"))
      const { layers } = yield* DataTransferReport.of(framed)
      assert.deepStrictEqual(layers[0].sent, { messages: 0, bytes: 0 })
      yield* framed.abort
    }))

  it.effect("is printed a layer a line", () =>
    Effect.gen(function*() {
      const connection = yield* connected
      yield* exchange(connection, ["one", "two"])
      yield* TestClock.adjust("1500 millis")
      assert.strictEqual(
        DataTransferReport.format(yield* DataTransferReport.of(connection)),
        [
          "in 1.500 s       received              sent",
          "chat.v1          4 messages            2 messages",
          "length-prefixed  4 messages, 20 bytes  2 messages, 10 bytes",
          "memory           1 message, 36 bytes   1 message, 18 bytes"
        ].join("\n")
      )
    }).pipe(Effect.provide(stack())))
})
