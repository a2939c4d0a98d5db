/** Wirestack's WebSocket over TCP, as its users write it: an echo as a Stream, per batch or per message. */
import { NodeRuntime } from "@effect/platform-node"
import { Connection, Transport } from "@wirestack/protocol"
import { Tcp } from "@wirestack/transport-tcp"
import { WebSocket } from "@wirestack/websocket"
import { Effect, Stream } from "effect"
import { ready } from "./ready.ts"

const perMessage = process.argv[2] === "message"

const echo = (connection: Connection.Connection<Transport.Message, Transport.Message>) => {
  const messages = Connection.messages(connection)
  return perMessage
    ? Stream.runForEach(messages, connection.send)
    : Stream.runForEachArray(messages, connection.sendAll)
}

const program = Effect.gen(function*() {
  const listener = yield* Transport.listen(Transport.Messages)("ws://127.0.0.1:0/")
  const { place } = listener.address
  if (place._tag === "Tcp") ready(place.port)
  return yield* listener.run(echo, { onIncident: () => Effect.void })
})

NodeRuntime.runMain(Effect.provide(Effect.scoped(program), WebSocket.server({ maxMessageSize: 4 * 1_048_576 })(Tcp.layer())))
