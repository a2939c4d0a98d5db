/** Wirestack, as its users write it: with its limits and its heartbeat as they are by default. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as WebSocket from "@wirestack/node/WebSocket"
import * as Connection from "@wirestack/protocol/Connection"
import * as Topic from "@wirestack/protocol/fanout/Topic"
import * as Transport from "@wirestack/protocol/Transport"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { serving } from "../Serving.ts"

const everybody = Topic.make<Transport.Message>()

const echo = (connection: Connection.Connection<Transport.Message, Transport.Message>) =>
  Effect.andThen(
    everybody.join(connection),
    Stream.runForEachArray(Connection.messages(connection), connection.sendAll)
  )

const broadcast = (text: string): void => {
  Effect.runFork(everybody.publish(text))
}

const program = Effect.gen(function*() {
  const listener = yield* Transport.listen(Transport.Messages)("ws://127.0.0.1:0/", { maxConnections: 100_000 })
  const { place } = listener.address
  if (place._tag === "Tcp") serving(Promise.resolve(place.port), broadcast)
  return yield* listener.run(echo)
})

NodeRuntime.runMain(Effect.provide(Effect.scoped(program), WebSocket.server()))
