/** A protocol of one's own, checked with made-up messages on real sockets. */
import { assert, describe, it } from "@effect/vitest"
import { Codec, Heartbeat, LengthPrefixed, Negotiate, Subprotocol, Unframed } from "@wirestack/protocol"
import { type ByteStack, protocolSuite } from "@wirestack/protocol/testing"
import { Tcp } from "@wirestack/transport-tcp"
import { WebSocket } from "@wirestack/websocket"
import { Effect, Layer, Schema } from "effect"

const Note = Schema.TaggedStruct("Note", { at: Schema.Date, text: Schema.String })

class Notes extends Subprotocol.Service<Notes>()("notes.v1", { client: Note, server: Schema.Array(Note) }) {}

const negotiated = (bytes: ByteStack) =>
  bytes.pipe(Negotiate.over(), LengthPrefixed.over(), Heartbeat.over(), Notes.over(Codec.json()))

const onWebSocket = (bytes: ByteStack) =>
  bytes.pipe(WebSocket.over(), Unframed.over(), LengthPrefixed.over(), Notes.over(Codec.json()))

for (const [name, stack] of Object.entries({ "TCP, negotiated": negotiated, "a WebSocket": onWebSocket })) {
  describe(`on ${name}`, () => {
    const suite = protocolSuite(Notes, { runs: 3, stack, bytes: Tcp.layer, endpoint: "tcp://127.0.0.1:0" })
    for (const { name, run } of suite) it.live(name, () => run)
  })
}

class LaterNotes extends Subprotocol.Service<LaterNotes>()("notes.v2", { client: Schema.String, server: Note }) {}
class AllNotes extends Subprotocol.Family<AllNotes>()({ "notes.v2": LaterNotes, "notes.v1": Notes }) {}

describe("a family on plain TCP", () => {
  it.live("speaks the version that a client knows", () => {
    const framed = Tcp.layer().pipe(Negotiate.over(), LengthPrefixed.over())
    const note = { _tag: "Note", at: new Date(0), text: "x" } as const
    return Effect.gen(function*() {
      const listener = yield* AllNotes.listen("tcp://127.0.0.1:0")
      yield* Effect.forkScoped(
        listener.run({ "notes.v2": (peer) => peer.send(note), "notes.v1": (peer) => peer.send([note, note]) })
      )
      const old = yield* Notes.connect(listener.address)
      assert.deepStrictEqual(yield* old.pull, [[note, note]])
      const both = yield* AllNotes.connect(listener.address)
      assert.deepStrictEqual([both.protocol, yield* both.pull], ["notes.v2", [note]])
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.merge(AllNotes.over(Codec.json())(framed), Notes.over(Codec.json())(framed)))
    )
  })
})
