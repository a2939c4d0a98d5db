/** Scripts and transcripts on real sockets. */
import { assert, describe, it } from "@effect/vitest"
import { Connection, Lines, Transport } from "@wirestack/protocol"
import { Script, Transcript } from "@wirestack/protocol/testing"
import { Tcp } from "@wirestack/transport-tcp"
import { WebSocket } from "@wirestack/websocket"
import { Effect, Stream } from "effect"

const echo = (peer: Connection.Connection<Transport.Message, Transport.Message>) =>
  Stream.runForEach(Connection.messages(peer), peer.send)

describe("a scripted peer on TCP", () => {
  it.live("is a WebSocket server to a client, byte by byte", () =>
    Effect.gen(function*() {
      const { address, played } = yield* Script.server(Transport.Bytes)("127.0.0.1:0", [
        Script.expect("GET /chat HTTP/1.1\r\n"),
        Script.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
      ]).pipe(Effect.provide(Tcp.layer()))
      assert(address.place._tag === "Tcp")
      const error = yield* Effect.flip(Effect.scoped(
        Transport.connect(Transport.Messages)(`ws://127.0.0.1:${address.place.port}/chat`)
      )).pipe(Effect.provide(WebSocket.client()(Tcp.layer())))
      assert.strictEqual(error.reason._tag, "UpgradeRejected")
      // The other headers of the request are more than the script says.
      assert.deepInclude(yield* Effect.flip(played), { step: 2, expected: "nothing more" })
    }).pipe(Effect.scoped))

  it.live("replays a client that was recorded", () =>
    Effect.gen(function*() {
      const recorder = Transcript.makeRecorder(Transport.Bytes)
      const lines = Lines.over()(Tcp.layer())
      const listener = yield* Effect.provide(Transport.listen(Transport.Messages)("127.0.0.1:0"), lines)
      yield* Effect.forkScoped(listener.run(echo))
      yield* Effect.gen(function*() {
        const connection = yield* Transport.connect(Transport.Messages)(listener.address)
        yield* connection.sendAll(["one", "two"])
        yield* connection.end
        assert.deepStrictEqual(yield* Stream.runCollect(Connection.messages(connection)), ["one", "two"])
      }).pipe(Effect.scoped, Effect.provide(Lines.over()(recorder.over(Tcp.layer()))))
      const text = Transcript.format(recorder.transcripts[0])
      assert.include(text, "\"client\":\"one\\ntwo\\n\"")
      yield* Script.client(Transport.Bytes)(listener.address, Transcript.replay(Transcript.parse(text), "client")).pipe(
        Effect.provide(Tcp.layer())
      )
    }).pipe(Effect.scoped))
})
