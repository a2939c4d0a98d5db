/** Routes on servers of node:http and node:https, and what clients see of it. */
import { assert, describe, it } from "@effect/vitest"
import { Mount, WebSocket } from "@wirestack/node"
import { Codec, Connection, type Listener, Subprotocol } from "@wirestack/protocol"
import { until } from "@wirestack/test-support"
import { TcpInfo, UnixInfo } from "@wirestack/transport-tcp"
import { TlsInfo } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { Origin, Route } from "@wirestack/websocket"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scheduler from "effect/Scheduler"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Http from "node:http"
import * as Https from "node:https"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { WebSocketServer } from "ws"
import { closing, frame, opening, raw, received, request, sees } from "./mounting.ts"

const { identity, trust } = await Effect.runPromise(DevelopmentCertificates.localhost)

class Chat extends Subprotocol.Service<Chat>()("chat.v1", { client: Schema.String, server: Schema.String }) {}

const rooms = Route.protocol(
  "/rooms/:room",
  Chat,
  Codec.json(),
  (peer, { params }) => Stream.runForEach(Connection.messages(peer), (line) => peer.send(`${params.room}: ${line}`))
)

const echo = Route.messages("/echo", (peer) => Stream.run(Connection.messages(peer), Connection.sink(peer)))

/** A server that listens until the scope closes. */
const listening = (server: Http.Server = Http.createServer((_, response) => response.end("page")), path?: string) =>
  Effect.acquireRelease(
    Effect.callback<Http.Server>((resume) => {
      server.listen(
        path === undefined ? { port: 0, host: "127.0.0.1" } : { path },
        () => resume(Effect.succeed(server))
      )
    }),
    (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  )

const portOf = (server: Http.Server) => (server.address() as AddressInfo).port

const quiet = { onIncident: () => Effect.void }

/** Mounted routes, and where they are. */
const mounted = (routes: ReadonlyArray<Route.Route>, options: Mount.Options = {}) =>
  Effect.gen(function*() {
    const server = yield* listening()
    const mount = yield* Mount.on(server, routes, { ...quiet, ...options })
    const port = portOf(server)
    return { mount, server, port, url: `ws://127.0.0.1:${port}` }
  })

describe("on one port", () => {
  it.live("there are pages and WebSockets, with the parameters of their paths", () =>
    Effect.gen(function*() {
      const { port, url } = yield* mounted([rooms, echo])
      const page = yield* Effect.promise(() => fetch(`http://127.0.0.1:${port}/`).then((response) => response.text()))
      assert.strictEqual(page, "page")
      const chat = yield* Chat.connect(`${url}/rooms/caf%C3%A9`)
      yield* chat.send("hello")
      assert.deepStrictEqual(yield* chat.pull, ["café: hello"])
    }).pipe(Effect.scoped, Effect.provide(Chat.over(Codec.json())(WebSocket.client()))))

  it.live("large messages pass both ways, compressed if both want it", () =>
    Effect.scoped(Effect.gen(function*() {
      const { url } = yield* mounted([echo], { compression: true, maxMessageSize: 2_000_000 })
      const message = new Uint8Array(1_000_000).map((_, at) => at * at >> 8)
      for (const compression of [false, true]) {
        const peer = yield* WebSocket.connect(`${url}/echo`, { compression, maxMessageSize: 2_000_000 })
        yield* peer.send(message)
        assert.deepStrictEqual((yield* peer.pull)[0], message)
        const { extensions } = Connection.detail(peer, WebSocket.WebSocket)
        assert.strictEqual(extensions.length, compression ? 1 : 0)
      }
    })))

  it.live("the details are those of TCP", () =>
    Effect.scoped(Effect.gen(function*() {
      const seen = yield* Deferred.make<readonly [Option.Option<TcpInfo["Service"]>, string | undefined, boolean]>()
      const look = Route.messages("/", (peer) =>
        Deferred.succeed(seen, [
          Connection.detailOption(peer, TcpInfo),
          Connection.peer(peer),
          Option.isSome(Connection.detailOption(peer, TlsInfo))
        ]))
      const { port, url } = yield* mounted([look])
      yield* WebSocket.connect(url)
      const [tcp, peer, isSecure] = yield* Deferred.await(seen)
      assert(Option.isSome(tcp))
      assert.deepStrictEqual(tcp.value.local, { host: "127.0.0.1", port })
      assert.strictEqual(peer, "127.0.0.1")
      assert.isFalse(isSecure)
    })))
})

describe("TLS", () => {
  it.live("is the server's own, and told of", () =>
    Effect.scoped(Effect.gen(function*() {
      const seen = yield* Deferred.make<TlsInfo["Service"]>()
      const look = Route.messages("/echo", (peer) =>
        Effect.andThen(
          Deferred.succeed(seen, Option.getOrThrow(Connection.detailOption(peer, TlsInfo))),
          Stream.run(Connection.messages(peer), Connection.sink(peer))
        ))
      const server = yield* listening(
        Https.createServer({ cert: identity.certificate, key: Redacted.value(identity.key) })
      )
      yield* Mount.on(server, [look], { maxMessageSize: 2_000_000 })
      const scope = yield* Scope.make()
      const peer = yield* WebSocket.connect(`wss://localhost:${portOf(server)}/echo`, {
        tls: { trust },
        tcp: { family: "IPv4" },
        maxMessageSize: 2_000_000
      }).pipe(Scope.provide(scope))
      const message = new Uint8Array(1_000_000).map((_, at) => at * at >> 8)
      yield* peer.send(message)
      assert.deepStrictEqual((yield* peer.pull)[0], message)
      assert.strictEqual((yield* Deferred.await(seen)).version, "TLSv1.3")
      yield* Scope.close(scope, Exit.void)
      assert.isTrue((yield* peer.closed).clean)
    })))
})

it.live("on a Unix domain socket the details are those", () =>
  Effect.scoped(Effect.gen(function*() {
    const seen = yield* Deferred.make<UnixInfo["Service"]>()
    const look = Route.messages("/", (peer) =>
      Deferred.succeed(seen, Option.getOrThrow(Connection.detailOption(peer, UnixInfo))))
    const path = `${tmpdir()}/wirestack-mount-${process.pid}.sock`
    const server = yield* listening(Http.createServer(), path)
    yield* Mount.on(server, [look])
    const { status } = yield* opening(`ws+unix://${path}:/`)
    assert.strictEqual(status, 101)
    assert.strictEqual((yield* Deferred.await(seen)).path, path)
  })))

describe("a refusal", () => {
  const refusals: ReadonlyArray<
    readonly [what: string, path: string, options: Parameters<typeof opening>[1], status: number]
  > = [
    ["of a path that is not there", "/nowhere", {}, 404],
    ["without a subprotocol that is spoken", "/rooms/a", { protocols: ["chat.v2"] }, 400],
    ["of another site's page", "/echo", { origin: "https://evil.example" }, 403],
    ["of another version", "/echo", { protocolVersion: 8 }, 426]
  ]
  for (const [what, path, options, status] of refusals) {
    it.live(`${what} is ${status}`, () =>
      Effect.scoped(Effect.gen(function*() {
        const { url } = yield* mounted([rooms, echo])
        const refused = yield* opening(`${url}${path}`, options)
        assert.strictEqual(refused.status, status)
        if (status === 426) assert.strictEqual(refused.headers["sec-websocket-version"], "13")
      })))
  }

  it.live("of what no head may say is 400, and of two keys too", () =>
    Effect.scoped(Effect.gen(function*() {
      const { port } = yield* mounted([echo])
      const client = yield* raw(port)
      client.socket.write(request("/echo", { "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==" }))
      yield* sees(client, "HTTP/1.1 400")
      yield* until(() => client.ended)
    })))

  it.live("waits for nobody: who does not leave is cut off", () =>
    Effect.scoped(Effect.gen(function*() {
      const { port, server } = yield* mounted([echo])
      const client = yield* raw(port)
      client.socket.write(request("/nowhere"))
      yield* sees(client, "HTTP/1.1 404")
      yield* until(() => client.ended)
      client.socket.end()
      yield* until(() => client.closed)
      assert.strictEqual(yield* connectionsOf(server), 0)
    })))

  it.live("of the server's own choice passes its status and headers", () =>
    Effect.scoped(Effect.gen(function*() {
      const strict = Route.messages("/", () => Effect.void, { origins: Origin.required(Origin.any) })
      const { url } = yield* mounted([strict])
      assert.strictEqual((yield* opening(url)).status, 403)
      assert.strictEqual((yield* opening(url, { origin: "https://a.example" })).status, 101)
    })))
})

const connectionsOf = (server: Http.Server) =>
  Effect.callback<number>((resume) => void server.getConnections((_, count) => resume(Effect.succeed(count))))

describe("what comes early", () => {
  it.live("with the request is not lost", () =>
    Effect.scoped(Effect.gen(function*() {
      const { port } = yield* mounted([echo])
      const client = yield* raw(port)
      client.socket.write(Buffer.concat([Buffer.from(request("/echo")), frame("first"), frame("second")]))
      yield* sees(client, "101 Switching")
      yield* sees(client, "first")
      yield* sees(client, "second")
      client.socket.write(frame("third"))
      yield* sees(client, "third")
      assert.match(client.text, /\x81\x05first\x81\x06second\x81\x05third$/)
    })))

  it.live("while the server decides is not lost", () =>
    Effect.scoped(Effect.gen(function*() {
      const decided = yield* Deferred.make<void>()
      const asked = yield* Deferred.make<void>()
      const accept = () => Effect.andThen(Deferred.succeed(asked, undefined), Deferred.await(decided))
      const { port } = yield* mounted([echo], { accept })
      const client = yield* raw(port)
      client.socket.write(Buffer.concat([Buffer.from(request("/echo")), frame("first")]))
      yield* Deferred.await(asked)
      client.socket.write(frame("second"))
      // That it has arrived can't be seen from here; a round trip of another connection comes after it.
      const other = yield* raw(port)
      other.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
      yield* sees(other, "page")
      yield* Deferred.succeed(decided, undefined)
      client.socket.write(frame("third"))
      yield* sees(client, "third")
      assert.match(client.text, /\x81\x05first\x81\x06second\x81\x05third$/)
    })))

  it.live("a client that leaves while the server decides is one that has left", () =>
    Effect.scoped(Effect.gen(function*() {
      const asked = yield* Deferred.make<void>()
      const decided = yield* Deferred.make<void>()
      const incidents: Array<Listener.Incident> = []
      const { port, server } = yield* mounted([echo], {
        accept: () => Effect.andThen(Deferred.succeed(asked, undefined), Deferred.await(decided)),
        onIncident: (incident) => Effect.sync(() => void incidents.push(incident))
      })
      const client = yield* raw(port)
      client.socket.write(request("/echo"))
      yield* Deferred.await(asked)
      client.socket.resetAndDestroy()
      yield* until(() => client.closed)
      yield* repeatUntil(Effect.map(connectionsOf(server), (count) => count === 0))
      yield* Deferred.succeed(decided, undefined)
      yield* until(() => incidents.length > 0)
      const [incident] = incidents
      assert(incident._tag === "HandshakeFailed")
      assert.strictEqual(incident.error.reason._tag, "Closed")
    })))

  it.live("a client that ends while the server decides is not waited for", () =>
    Effect.scoped(Effect.gen(function*() {
      const decided = yield* Deferred.make<void>()
      const { port, server } = yield* mounted([echo], { accept: () => Deferred.await(decided) })
      const ended = Effect.callback<void>((resume) =>
        void server.once("upgrade", (_, socket) => socket.once("end", () => resume(Effect.void)))
      )
      const client = yield* raw(port)
      client.socket.end(request("/echo"))
      yield* ended
      yield* Deferred.succeed(decided, undefined)
      yield* repeatUntil(Effect.map(connectionsOf(server), (count) => count === 0))
    })))

  it.live("behind a request that is not answered yet is refused", () =>
    Effect.scoped(Effect.gen(function*() {
      const server = yield* listening(Http.createServer(() => {}))
      yield* Mount.on(server, [echo], quiet)
      const client = yield* raw(portOf(server))
      client.socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\n\r\n${request("/echo")}`)
      yield* until(() => client.ended || client.closed)
      assert.strictEqual(client.text, "")
    })))
})

const repeatUntil = (holds: Effect.Effect<boolean>): Effect.Effect<void> =>
  Effect.flatMap(holds, (does) => does ? Effect.void : Effect.andThen(Effect.sleep(1), repeatUntil(holds)))

describe("other listeners", () => {
  it.live("are left what no route knows", () =>
    Effect.scoped(Effect.gen(function*() {
      const { server, url } = yield* mounted([echo])
      const wss = new WebSocketServer({ noServer: true })
      server.on("upgrade", (incoming, socket, head) => {
        if (incoming.url === "/theirs") wss.handleUpgrade(incoming, socket, head, (ws) => ws.send("theirs"))
      })
      const { ws } = yield* opening(`${url}/theirs`)
      assert.strictEqual(yield* received(ws), "theirs")
      const ours = yield* opening(`${url}/echo`)
      ours.ws.send("ours")
      assert.strictEqual(yield* received(ours.ws), "ours")
    })))

  it.live("two mounts share a server, and what neither knows is 404", () =>
    Effect.scoped(Effect.gen(function*() {
      const { server, url } = yield* mounted([echo])
      const scope = yield* Scope.make()
      yield* Scope.provide(Mount.on(server, [rooms], quiet), scope)
      assert.strictEqual((yield* opening(`${url}/echo`)).status, 101)
      assert.strictEqual((yield* opening(`${url}/rooms/a`, { protocols: ["chat.v1"] })).status, 101)
      assert.strictEqual((yield* opening(`${url}/else`)).status, 404)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* opening(`${url}/rooms/a`, { protocols: ["chat.v1"] })).status, 404)
      assert.strictEqual((yield* opening(`${url}/echo`)).status, 101)
      assert.strictEqual(server.listenerCount("upgrade"), 1)
    })))
})

describe("a request for another protocol", () => {
  it.live.skipIf(!("shouldUpgradeCallback" in Http.createServer()))(
    "is answered as if it were none",
    () =>
      Effect.scoped(Effect.gen(function*() {
        const server = yield* listening(Http.createServer((incoming, response) => void incoming.pipe(response)))
        yield* Mount.on(server, [echo], quiet)
        const posted = request("/echo", { Upgrade: "h2c", "Content-Length": "5" }).replace("GET", "POST")
        const client = yield* raw(portOf(server))
        client.socket.write(`${posted}first`)
        yield* sees(client, "first")
        client.socket.write(request("/echo"))
        yield* sees(client, "101 Switching Protocols")
        client.socket.resetAndDestroy()
        const asked = yield* Deferred.make<string | undefined>()
        server.on("upgrade", (incoming, socket) => {
          Deferred.doneUnsafe(asked, Effect.succeed(incoming.headers.upgrade))
          socket.destroy()
        })
        const other = yield* raw(portOf(server))
        other.socket.write(request("/", { Upgrade: "h2c" }))
        assert.strictEqual(yield* Deferred.await(asked), "h2c")
      }))
  )
})

describe("limits", () => {
  it.live("who is one too many is told so", () =>
    Effect.scoped(Effect.gen(function*() {
      const { url } = yield* mounted([echo], { maxConnections: 1 })
      const first = yield* opening(`${url}/echo`)
      assert.strictEqual(first.status, 101)
      assert.strictEqual((yield* opening(`${url}/echo`)).status, 503)
      first.ws.close()
      yield* closing(first.ws)
      yield* repeatUntil(Effect.map(Effect.scoped(opening(`${url}/echo`)), ({ status }) => status === 101))
    })))

  it.live("a decision that takes too long is none", () =>
    Effect.scoped(Effect.gen(function*() {
      const { url } = yield* mounted([echo], { accept: () => Effect.never, handshakeWithin: "30 millis" })
      assert.strictEqual((yield* opening(`${url}/echo`)).status, 503)
    })))

  it.live("as many handshakes at once as may be", () =>
    Effect.scoped(Effect.gen(function*() {
      const decided = yield* Deferred.make<void>()
      const { url } = yield* mounted([echo], { accept: () => Deferred.await(decided), maxHandshakes: 1 })
      const first = yield* Effect.forkScoped(opening(`${url}/echo`), { startImmediately: true })
      yield* repeatUntil(Effect.map(Effect.scoped(opening(`${url}/echo`)), ({ status }) => status === 503))
      yield* Deferred.succeed(decided, undefined)
      assert.strictEqual((yield* Fiber.join(first)).status, 101)
    })))

  it.live("a larger head than may be is 431", () =>
    Effect.scoped(Effect.gen(function*() {
      const { url } = yield* mounted([echo], { maxHeadSize: 512 })
      assert.strictEqual((yield* opening(`${url}/echo`)).status, 101)
      assert.strictEqual((yield* opening(`${url}/echo`, { headers: { "x-much": "a".repeat(512) } })).status, 431)
    })))
})

describe("the end", () => {
  it.live("is told by the client", () =>
    Effect.scoped(Effect.gen(function*() {
      const { server, url } = yield* mounted([echo])
      const { ws } = yield* opening(`${url}/echo`)
      ws.close(1000)
      assert.strictEqual(yield* closing(ws), 1000)
      yield* repeatUntil(Effect.map(connectionsOf(server), (count) => count === 0))
    })))

  it.live("comes with the scope: 1001, before the server is closed", () =>
    Effect.scoped(Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { url } = yield* Scope.provide(mounted([echo]), scope)
      const { ws } = yield* opening(`${url}/echo`)
      const code = yield* Effect.forkScoped(closing(ws), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* Fiber.join(code), 1001)
    })))

  it.live("leaves no connection open, at whatever step of its handshake it comes", () =>
    Effect.scoped(Effect.gen(function*() {
      const server = yield* listening()
      for (let step = 0; step < 24; step++) {
        const scope = yield* Scope.make()
        yield* Mount.on(server, [echo], { ...quiet, drain: { within: 0 } }).pipe(
          Scope.provide(scope),
          // So that all of it takes many turns.
          Effect.provideService(Scheduler.MaxOpsBeforeYield, 3)
        )
        const client = yield* raw(portOf(server))
        const arrived = Effect.callback<void>((resume) => void server.once("upgrade", () => resume(Effect.void)))
        client.socket.write(request("/echo"))
        yield* arrived
        for (let turn = 0; turn < step; turn++) {
          yield* Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))
        }
        yield* Scope.close(scope, Exit.void)
        yield* until(() => client.ended || client.closed)
        client.socket.destroy()
      }
    })))

  it.live("a drain turns away who comes, and tells those that are there", () =>
    Effect.scoped(Effect.gen(function*() {
      const { mount, port, url } = yield* mounted([echo])
      const mute = yield* raw(port)
      mute.socket.write(request("/echo"))
      yield* sees(mute, "101 Switching")
      const draining = yield* Effect.forkScoped(mount.drain({ within: "7 seconds" }), { startImmediately: true })
      const refused = yield* opening(`${url}/echo`)
      assert.strictEqual(refused.status, 503)
      assert.strictEqual(refused.headers["retry-after"], "7")
      yield* sees(mute, "\x88\x02\x03\xe9")
      mute.socket.destroy()
      assert.deepInclude(yield* Fiber.join(draining), { open: 1, refused: 1 })
      assert.strictEqual((yield* opening(`${url}/echo`)).status, 503)
    })))
})
