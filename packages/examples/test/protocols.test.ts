/** A protocol of one's own, checked with made-up messages on real sockets. */
import { describe, it } from "@effect/vitest"
import { Codec, Heartbeat, LengthPrefixed, Negotiate, Subprotocol, Unframed } from "@wirestack/protocol"
import { type ByteStack, protocolSuite } from "@wirestack/protocol/testing"
import { Tcp } from "@wirestack/transport-tcp"
import { WebSocket } from "@wirestack/websocket"
import { Schema } from "effect"

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
