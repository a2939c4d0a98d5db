/** Wirestack's WebSocket over TCP, as its users write it: an echo as a Stream, per batch or per message, compressed or not. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as WebSocket from "@wirestack/node/WebSocket"
import * as Connection from "@wirestack/protocol/Connection"
import * as Transport from "@wirestack/protocol/Transport"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { ready } from "./ready.ts"

const [, , unit, choice] = process.argv

const perMessage = unit === "message"

/** A number is the size of the frames it sends, a word how it compresses. */
const maxFrameSize = Number(choice ?? NaN)

const takeover = choice === "takeover" || choice === "no-takeover"
  ? { serverNoContextTakeover: choice === "no-takeover", clientNoContextTakeover: choice === "no-takeover" }
  : undefined

const echo = (connection: Connection.Connection<Transport.Message, Transport.Message>) => {
  const messages = Connection.messages(connection)
  return perMessage
    ? Stream.runForEach(messages, connection.send)
    : Stream.runForEachArray(messages, connection.sendAll)
}

const program = Effect.gen(function*() {
  const listener = yield* Transport.listen(Transport.Messages)("ws://127.0.0.1:0/", { maxConnections: 1_000_000 })
  const { place } = listener.address
  if (place._tag === "Tcp") ready(place.port)
  return yield* listener.run(echo, { onIncident: () => Effect.void })
})

const stack = WebSocket.server({
  maxMessageSize: 4 * 1_048_576,
  compression: takeover ?? false,
  ...Number.isNaN(maxFrameSize) ? {} : { maxFrameSize }
})

NodeRuntime.runMain(Effect.provide(Effect.scoped(program), stack))
