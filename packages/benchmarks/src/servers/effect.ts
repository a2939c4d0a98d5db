/** Effect's own WebSocket server, read in batches. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Effect from "effect/Effect"
import type * as Socket from "effect/socket/Socket"
import { maxMessageSize } from "../Serving.ts"
import { ready } from "./ready.ts"

const echo = (socket: Socket.Socket) =>
  Effect.gen(function*() {
    const { pull } = yield* socket.reader
    const { writeAll } = yield* socket.writer
    return yield* Effect.forever(Effect.flatMap(pull, writeAll))
  })

const program = Effect.gen(function*() {
  const server = yield* NodeSocketServer.makeWebSocket({ port: 0, host: "127.0.0.1", maxPayload: maxMessageSize })
  if ("port" in server.address) ready(server.address.port)
  return yield* server.run((socket) => Effect.scoped(Effect.ignore(echo(socket))))
})

NodeRuntime.runMain(Effect.scoped(program))
