/** Wirestack's WebSocket over TCP, as its users write it: an echo as a Stream, per batch or per message. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Connection from "@wirestack/protocol/Connection"
import * as Transport from "@wirestack/protocol/Transport"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import * as WebSocket from "@wirestack/websocket/WebSocket"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
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

NodeRuntime.runMain(
  Effect.provide(Effect.scoped(program), WebSocket.server({ maxMessageSize: 4 * 1_048_576 })(Tcp.layer()))
)
