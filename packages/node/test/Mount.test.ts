import { assert, describe, it } from "@effect/vitest"
import { Mount, WebSocket } from "@wirestack/node"
import { Codec, Connection, Subprotocol } from "@wirestack/protocol"
import { Route } from "@wirestack/websocket"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"

class Chat extends Subprotocol.Service<Chat>()("chat.v1", { client: Schema.String, server: Schema.String }) {}

const rooms = Route.protocol(
  "/rooms/:room",
  Chat,
  Codec.json(),
  (peer, { params }) => Stream.runForEach(Connection.messages(peer), (line) => peer.send(`${params.room}: ${line}`))
)

const listening = Effect.acquireRelease(
  Effect.callback<Http.Server>((resume) => {
    const server = Http.createServer((_, response) => response.end("page"))
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
)

const hostOf = (server: Http.Server) => `127.0.0.1:${(server.address() as AddressInfo).port}`

describe("Mount", () => {
  it.live("page and WebSocket on one port", () =>
    Effect.scoped(Effect.gen(function*() {
      const server = yield* listening
      yield* Mount.on(server, [rooms])
      const page = yield* Effect.promise(() => fetch(`http://${hostOf(server)}/`).then((response) => response.text()))
      assert.strictEqual(page, "page")
      const stack = Chat.over(Codec.json())(WebSocket.client())
      yield* Effect.scoped(
        Effect.gen(function*() {
          const chat = yield* Chat.connect(`ws://${hostOf(server)}/rooms/sea`)
          yield* chat.send("hello")
          assert.deepStrictEqual(yield* chat.pull, ["sea: hello"])
        }).pipe(Effect.provide(stack))
      )
    })))
})
