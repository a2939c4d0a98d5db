/** Our client, its Stream handled per batch or (with the argument `message`) per message. */
import * as WebSocket from "@wirestack/node/WebSocket"
import * as Connection from "@wirestack/protocol/Connection"
import type { Message } from "@wirestack/protocol/Transport"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { maxMessageSize } from "../Serving.ts"
import { drive, type Driven, flow, Lane, told, url } from "./Lane.ts"

const perMessage = process.argv[3] === "message"

const payloads = process.argv[4] === "lent" ? "lent" : "owned"

const bytes = (message: Message): Uint8Array => {
  if (typeof message === "string") throw new Error("text came back")
  return message
}

const answers = (connection: Connection.Connection<Message, Message>, lane: Lane) =>
  perMessage
    ? Stream.runForEach(Connection.messages(connection), (message) => {
      lane.take(bytes(message))
      return flow.running ? connection.send(lane.next()) : Effect.void
    })
    : Stream.runForEachArray(Connection.messages(connection), (batch) => {
      const [first, ...rest] = batch
      lane.take(bytes(first))
      for (const message of rest) lane.take(bytes(message))
      if (!flow.running) return Effect.void
      return connection.sendAll([lane.next(), ...rest.map(() => lane.next())])
    })

const connect = Effect.gen(function*() {
  const context = yield* Effect.context<never>()
  const connection = yield* WebSocket.connect(url, { maxMessageSize, payloads })
  const lane = new Lane()
  yield* Effect.forkScoped(answers(connection, lane))
  const client: Driven = {
    lane,
    send: (messages) => {
      for (const message of messages) Effect.runForkWith(context)(connection.send(message))
    }
  }
  return client
})

const program = Effect.gen(function*() {
  const clients = yield* Effect.all(Array.from({ length: told.connections }, () => connect), { concurrency: 8 })
  return yield* Effect.promise(() => drive(clients))
})

await Effect.runPromise(Effect.scoped(program))
