/** Wirestack as its users write it: Streams, handled per batch or (with the argument `message`) per message. */
// Compiles Schemas, as every program that needs speed does; it has to come first.
// oxlint-disable-next-line import/no-unassigned-import
import "effect/schema/SchemaJITCompiler/enable"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as WebSocket from "@wirestack/node/WebSocket"
import * as Connection from "@wirestack/protocol/Connection"
import type { Endpoint } from "@wirestack/protocol/Endpoint"
import * as Topic from "@wirestack/protocol/fanout/Topic"
import * as Transport from "@wirestack/protocol/Transport"
import * as Codec from "@wirestack/protocol/typed/Codec"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { Events } from "../Event.ts"
import { maxMessageSize, told } from "../Serving.ts"
import { ready } from "./ready.ts"

const { deflate, tls, what } = told()

const perMessage = process.argv[3] === "message"

const payloads = process.argv[4] === "lent" ? "lent" : "owned"

const tellPort = ({ place }: Endpoint): void => {
  if (place._tag === "Tcp") ready(place.port)
}

/** Sends back what comes. */
const echo = <A>(connection: Connection.Connection<A, A>) =>
  perMessage
    ? Stream.runForEach(Connection.messages(connection), connection.send)
    : Stream.runForEachArray(Connection.messages(connection), connection.sendAll)

type Member = Connection.Connection<Transport.Message, Transport.Message>

const everybody = Topic.make<Transport.Message>()

/** Sends what comes to all. */
const broadcast = (connection: Member) =>
  Effect.andThen(
    everybody.join(connection),
    Stream.runForEach(Connection.messages(connection), (message) => everybody.publish(message))
  )

const url = tls === undefined ? "ws://127.0.0.1:0/" : "wss://127.0.0.1:0/"

const limits = { maxConnections: 1_000_000 }

const quiet = { onIncident: () => Effect.void }

const listening = Effect.gen(function*() {
  const listener = yield* Transport.listen(Transport.Messages)(url, limits)
  tellPort(listener.address)
  return yield* listener.run(what === "broadcast" ? broadcast : echo, quiet)
})

const speaking = Effect.gen(function*() {
  const listener = yield* Events.listen(url, limits)
  tellPort(listener.address)
  return yield* listener.run(echo, quiet)
})

const stack = WebSocket.server({
  maxMessageSize,
  payloads,
  // Who only listens is asked by a ping whether it is still there, which a load that knows no protocol can't answer.
  ...what === "broadcast" ? { heartbeat: "off" } : {},
  compression: deflate === undefined ? false : {
    serverNoContextTakeover: deflate === "no-takeover",
    clientNoContextTakeover: deflate === "no-takeover"
  },
  ...tls === undefined ? {} : { tls: { identity: { certificate: tls.cert, key: Redacted.make(tls.key) } } }
})

NodeRuntime.runMain(Effect.scoped(
  what === "typed"
    ? Effect.provide(speaking, Events.over(Codec.json())(stack))
    : Effect.provide(listening, stack)
))
