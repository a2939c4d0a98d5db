/** Routes behind Effect's router: one port, one middleware, whoever asks. */
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { WebSocket } from "@wirestack/node"
import * as RouterMount from "@wirestack/node/RouterMount"
import { Codec, Connection, Subprotocol } from "@wirestack/protocol"
import { until } from "@wirestack/test-support"
import { TlsInfo } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { Refusal, Route } from "@wirestack/websocket"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type * as Types from "effect/Types"
import * as Http from "node:http"
import * as Https from "node:https"
import { closing, frame, opening, raw, received, request, sees } from "./mounting.ts"

const { identity, trust } = await Effect.runPromise(DevelopmentCertificates.localhost)

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
      assert.strictEqual((yield* opening(`ws://${at}/whoami`)).status, 401)
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

/** A server with these routes, and the port it is on. */
const served = <E>(
  app: Layer.Layer<never, E, HttpRouter.HttpRouter | RouterMount.Mountable>,
  evaluate: RouterMount.Evaluate = Http.createServer
) =>
  Effect.map(
    Layer.build(
      HttpRouter.serve(app, { disableListenLog: true, disableLogger: true }).pipe(
        Layer.provideMerge(
          RouterMount.server(evaluate, (server) => NodeHttpServer.layer(server, { port: 0, host: "127.0.0.1" }))
        )
      )
    ),
    (context) => {
      const { address } = Context.get(context, HttpServer.HttpServer)
      assert(address._tag === "InetAddressV4")
      return address.port
    }
  )

const quiet = { onIncident: () => Effect.void }

const echo = Route.messages("/echo", (peer) => Stream.run(Connection.messages(peer), Connection.sink(peer)))

/** A middleware that notes the status of each answer, as a log does. */
const noting = (statuses: Array<number>) =>
  HttpRouter.middleware(
    Effect.succeed((app: Effect.Effect<HttpServerResponse.HttpServerResponse, Types.unhandled>) =>
      Effect.map(app, (response) => {
        statuses.push(response.status)
        return HttpServerResponse.setHeader(response, "x-noted", "yes")
      })
    ),
    { global: true }
  )

describe("an answer", () => {
  it.live("is seen by the middleware, whatever it is", () =>
    Effect.scoped(Effect.gen(function*() {
      const statuses: Array<number> = []
      const routes = RouterMount.routes([rooms, echo], quiet)
      const port = yield* served(Layer.mergeAll(routes, noting(statuses)))
      const at = `ws://127.0.0.1:${port}`
      const open = yield* opening(`${at}/echo`)
      open.ws.send("hello")
      assert.strictEqual(yield* received(open.ws), "hello")
      const wrong = yield* opening(`${at}/rooms/a`, { protocols: ["chat.v2"] })
      assert.strictEqual(wrong.headers["x-noted"], "yes")
      yield* opening(`${at}/echo`, { origin: "https://evil.example" })
      yield* opening(`${at}/echo`, { protocolVersion: 8 })
      assert.strictEqual((yield* get(`http://127.0.0.1:${port}/echo`)).status, 426)
      assert.strictEqual((yield* opening(`${at}/nowhere`)).status, 404)
      assert.deepStrictEqual(statuses, [101, 400, 403, 426, 426])
    })))

  it.live("of 101 ends the span of the request, with that status", () =>
    Effect.scoped(Effect.gen(function*() {
      const ended: Array<unknown> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          const end = span.end.bind(span)
          span.end = (time, exit) => {
            ended.push(span.attributes.get("http.response.status_code"))
            end(time, exit)
          }
          return span
        }
      })
      const port = yield* Effect.provideService(served(RouterMount.route(echo, quiet)), Tracer.Tracer, tracer)
      const { ws } = yield* opening(`ws://127.0.0.1:${port}/echo`)
      ws.send("hello")
      yield* received(ws)
      assert.deepStrictEqual(ended, [101])
    })))
})

/** A server that takes no request for one of an upgrade. */
const declining = () => Http.createServer({ shouldUpgradeCallback: () => false } as Http.ServerOptions)

it.live.skipIf(!("shouldUpgradeCallback" in declining()))(
  "an upgrade that the HTTP server declines is answered, and not left open",
  () =>
    Effect.scoped(Effect.gen(function*() {
      const port = yield* served(RouterMount.route(echo, quiet), declining)
      assert.strictEqual((yield* opening(`ws://127.0.0.1:${port}/echo`)).status, 503)
    }))
)

describe("a route's decision", () => {
  it.live("has what a middleware provides, and all its headers reach the client", () =>
    Effect.scoped(Effect.gen(function*() {
      const deciding = Route.messages("/", (peer) => Effect.asVoid(peer.closed), {
        accept: ({ query }) =>
          Effect.flatMap(User, (name) =>
            query === ""
              ? Effect.succeed({ headers: [["X-User", name]] as const })
              : Effect.fail(
                new Refusal({
                  status: 409,
                  headers: [["Vary", "a"], ["Vary", "b"], ["Set-Cookie", "c=1"], ["Set-Cookie", "d=2; HttpOnly"]],
                  body: name
                })
              ))
      })
      const port = yield* served(RouterMount.route(deciding, quiet).pipe(Layer.provide(auth.layer)))
      const open = yield* opening(`ws://127.0.0.1:${port}/`, { headers })
      assert.deepStrictEqual([open.status, open.headers["x-user"]], [101, "ann"])
      const refused = yield* opening(`ws://127.0.0.1:${port}/?no`, { headers })
      assert.strictEqual(refused.status, 409)
      assert.strictEqual(refused.headers["vary"], "a, b")
      assert.deepStrictEqual(refused.headers["set-cookie"], ["c=1", "d=2; HttpOnly"])
    })))
})

describe("what a request holds", () => {
  it.live("lives as long as its connection", () =>
    Effect.scoped(Effect.gen(function*() {
      const events: Array<string> = []
      const holding = HttpRouter.middleware(Effect.succeed((app) =>
        Effect.andThen(
          Effect.acquireRelease(
            Effect.sync(() => events.push("acquired")),
            () => Effect.sync(() => events.push("released"))
          ),
          app
        )
      ))
      const noted = Route.messages("/echo", (peer) =>
        Effect.ensuring(
          Stream.run(Connection.messages(peer), Connection.sink(peer)),
          Effect.sync(() => events.push("handled"))
        ))
      const port = yield* served(
        RouterMount.route(noted, quiet).pipe(Layer.provide(holding.layer))
      )
      const { ws } = yield* opening(`ws://127.0.0.1:${port}/echo`)
      ws.send("hello")
      yield* received(ws)
      assert.deepStrictEqual(events, ["acquired"])
      ws.close()
      yield* closing(ws)
      yield* until(() => events.length === 3)
      assert.deepStrictEqual(events, ["acquired", "handled", "released"])
      yield* opening(`ws://127.0.0.1:${port}/echo`, { origin: "https://evil.example" })
      yield* until(() => events.length === 5)
      assert.deepStrictEqual(events.slice(3), ["acquired", "released"])
    })))
})

describe("what comes early", () => {
  it.live("with the request, and while a middleware waits, is not lost", () =>
    Effect.scoped(Effect.gen(function*() {
      const [asked, decided] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const slow = HttpRouter.middleware(Effect.succeed((app) =>
        Effect.andThen(Effect.andThen(Deferred.succeed(asked, undefined), Deferred.await(decided)), app)
      ))
      const port = yield* served(
        Layer.merge(page, RouterMount.route(echo, quiet).pipe(Layer.provide(slow.layer)))
      )
      const client = yield* raw(port)
      client.socket.write(Buffer.concat([Buffer.from(request("/echo")), frame("first")]))
      yield* Deferred.await(asked)
      client.socket.write(frame("second"))
      yield* get(`http://127.0.0.1:${port}/`)
      yield* Deferred.succeed(decided, undefined)
      client.socket.write(frame("third"))
      yield* sees(client, "third")
      assert.match(client.text, /\x81\x05first\x81\x06second\x81\x05third$/)
    })))

  it.live("a client that leaves while a middleware waits leaves nothing", () =>
    Effect.scoped(Effect.gen(function*() {
      const asked = yield* Deferred.make<void>()
      const interrupted = yield* Deferred.make<void>()
      const slow = HttpRouter.middleware(Effect.succeed((app) =>
        Effect.andThen(
          Deferred.succeed(asked, undefined),
          Effect.onInterrupt(Effect.andThen(Effect.never, app), () => Deferred.succeed(interrupted, undefined))
        )
      ))
      const port = yield* served(RouterMount.route(echo, quiet).pipe(Layer.provide(slow.layer)))
      const client = yield* raw(port)
      client.socket.write(request("/echo"))
      yield* Deferred.await(asked)
      client.socket.resetAndDestroy()
      yield* Deferred.await(interrupted)
    })))
})

describe("paths", () => {
  it.live("have the prefix of the router before them, and the rest of theirs", () =>
    Effect.scoped(Effect.gen(function*() {
      const files = Route.messages("/files/*path", (peer, { params, path }) => peer.send(`${params.path} of ${path}`))
      const prefixed = Layer.effect(
        HttpRouter.HttpRouter,
        Effect.map(HttpRouter.HttpRouter, (router) => router.prefixed("/v1"))
      )
      const port = yield* served(RouterMount.route(files, quiet).pipe(Layer.provide(prefixed)))
      const peer = yield* WebSocket.connect(`ws://127.0.0.1:${port}/v1/files/a/b%20c`)
      assert.deepStrictEqual(yield* peer.pull, ["a/b c of /v1/files/a/b%20c"])
    })))
})

it.live("TLS is the server's own, and told of", () =>
  Effect.scoped(Effect.gen(function*() {
    const look = Route.messages("/", (peer) =>
      peer.send(Option.getOrThrow(Connection.detailOption(peer, TlsInfo)).version))
    const { certificate: cert, key } = identity
    const port = yield* served(
      RouterMount.route(look, quiet),
      () =>
        Https.createServer({ cert, key: Redacted.value(key) })
    )
    const options = { tls: { trust }, tcp: { family: "IPv4" } } as const
    const peer = yield* WebSocket.connect(`wss://localhost:${port}/`, options)
    assert.deepStrictEqual(yield* peer.pull, ["TLSv1.3"])
  })))

describe("the end", () => {
  it.live("of the server comes after that of its connections, which are told 1001", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const port = yield* Scope.provide(served(RouterMount.route(echo, quiet)), scope)
      const { ws } = yield* opening(`ws://127.0.0.1:${port}/echo`)
      const code = yield* Effect.forkScoped(closing(ws), { startImmediately: true })
      const before = performance.now()
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* Fiber.join(code), 1001)
      assert.isBelow(performance.now() - before, 15_000)
    }).pipe(Effect.scoped))

  it.live("is told before those who come are turned away, by the same middleware", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const statuses: Array<number> = []
      const port = yield* Scope.provide(
        served(
          Layer.mergeAll(page, noting(statuses), RouterMount.route(echo, { ...quiet, drain: { within: "7 seconds" } }))
        ),
        scope
      )
      const mute = yield* raw(port)
      mute.socket.write(request("/echo"))
      yield* sees(mute, "101 Switching")
      const closed = yield* Effect.forkScoped(Scope.close(scope, Exit.void), { startImmediately: true })
      const refused = yield* opening(`ws://127.0.0.1:${port}/echo`)
      assert.strictEqual(refused.status, 503)
      assert.strictEqual(refused.headers["retry-after"], "7")
      yield* sees(mute, "\x88\x02\x03\xe9")
      mute.socket.destroy()
      yield* Fiber.join(closed)
      assert.deepStrictEqual(statuses, [101, 503])
    }).pipe(Effect.scoped))
})
