/** Routes behind Effect's router: one port, one middleware, whoever asks. */
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { WebSocket } from "@wirestack/node"
import * as RouterMount from "@wirestack/node/RouterMount"
import { Codec, Connection, Subprotocol } from "@wirestack/protocol"
import { Route } from "@wirestack/websocket"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Http from "node:http"
import { WebSocket as Ws } from "ws"

class Chat extends Subprotocol.Service<Chat>()("chat.v1", { client: Schema.String, server: Schema.String }) {}

/** Who has asked, as the middleware knows it. */
class User extends Context.Service<User, string>()("test/User") {}

const rooms = Route.protocol(
  "/rooms/:room",
  Chat,
  Codec.json(),
  (peer, { params }) => Stream.runForEach(Connection.messages(peer), (line) => peer.send(`${params.room}: ${line}`))
)

const whoami = Route.messages(
  "/whoami",
  (peer) => Effect.flatMap(User, (name) => Stream.runForEach(Connection.messages(peer), () => peer.send(name)))
)

const page = HttpRouter.add("GET", "/", HttpServerResponse.html("<h1>chat</h1>"))

const api = HttpRouter.add("GET", "/api/user", Effect.map(User, (name) => HttpServerResponse.jsonUnsafe({ name })))

const auth = HttpRouter.middleware<{ provides: User }>()(
  Effect.succeed((app) =>
    Effect.flatMap(
      HttpServerRequest.HttpServerRequest,
      ({ headers: { authorization } }) =>
        authorization === "Bearer let-me-in"
          ? Effect.provideService(app, User, "ann")
          : Effect.succeed(HttpServerResponse.empty({ status: 401, headers: { "www-authenticate": "Bearer" } }))
    )
  )
)

const app = Layer.mergeAll(
  page,
  RouterMount.route(rooms),
  Layer.mergeAll(api, RouterMount.route(whoami)).pipe(Layer.provide(auth.layer))
)

const http = RouterMount.server(
  Http.createServer,
  (server) => NodeHttpServer.layer(server, { port: 0, host: "127.0.0.1" })
)

const serving = HttpRouter.serve(app, { disableListenLog: true, disableLogger: true }).pipe(Layer.provideMerge(http))

const host = Effect.map(HttpServer.HttpServer, ({ address }) => {
  assert(address._tag === "InetAddressV4")
  return `127.0.0.1:${address.port}`
})

const headers = { authorization: "Bearer let-me-in" }

const get = (url: string, headers: Record<string, string> = {}) => Effect.promise(() => fetch(url, { headers }))

/** What the `ws` client sees: an open socket, or the answer it got instead. */
const opening = (url: string, protocols: Array<string>, headers: Record<string, string> = {}) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly ws: Ws; readonly status: number | undefined }>((resume) => {
      const ws = new Ws(url, protocols, { headers })
      ws.on("error", () => {})
      ws.on("open", () => resume(Effect.succeed({ ws, status: 101 })))
      ws.on("unexpected-response", (_, { statusCode }) => resume(Effect.succeed({ ws, status: statusCode })))
    }),
    ({ ws }) => Effect.sync(() => ws.terminate())
  )

describe("on one port", () => {
  it.live("there are pages, an API and WebSockets", () =>
    Effect.gen(function*() {
      const at = yield* host
      assert.strictEqual(yield* Effect.promise(async () => (await fetch(`http://${at}/`)).text()), "<h1>chat</h1>")
      const user = yield* get(`http://${at}/api/user`, headers)
      assert.deepStrictEqual(yield* Effect.promise(() => user.json()), { name: "ann" })
      const chat = yield* Chat.connect(`ws://${at}/rooms/sea`)
      yield* chat.send("hello")
      assert.deepStrictEqual(yield* chat.pull, ["sea: hello"])
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(serving, Chat.over(Codec.json())(WebSocket.client())))))

  it.live("a middleware refuses the upgrade as it refuses any request", () =>
    Effect.gen(function*() {
      const at = yield* host
      assert.strictEqual((yield* get(`http://${at}/api/user`)).status, 401)
      assert.strictEqual((yield* opening(`ws://${at}/whoami`, [])).status, 401)
      const error = yield* Effect.flip(WebSocket.connect(`ws://${at}/whoami`))
      assert(error._tag === "ConnectError" && error.reason._tag === "UpgradeRejected")
      assert.strictEqual(error.reason.status, 401)
    }).pipe(Effect.scoped, Effect.provide(serving)))

  it.live("what a middleware provides is there for the handler", () =>
    Effect.gen(function*() {
      const peer = yield* WebSocket.connect(`ws://${yield* host}/whoami`, { headers: Object.entries(headers) })
      yield* peer.send("?")
      assert.deepStrictEqual(yield* peer.pull, ["ann"])
    }).pipe(Effect.scoped, Effect.provide(serving)))
})
