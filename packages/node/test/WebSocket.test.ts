/** The stacks that the URL picks, as a user has them, over real sockets. */
import { assert, describe, it } from "@effect/vitest"
import { WebSocket } from "@wirestack/node"
import { Connection, type Endpoint, Subprotocol, Transport } from "@wirestack/protocol"
import type { Outcome } from "@wirestack/protocol/Outcome"
import * as Codec from "@wirestack/protocol/typed/Codec"
import { TcpInfo } from "@wirestack/transport-tcp"
import { TlsInfo } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { PerMessageDeflate, Refusal, Route } from "@wirestack/websocket"
import { Deferred, Effect, Layer, Option, Schema, Stream } from "effect"
import { once } from "node:events"
import * as Net from "node:net"

const { identity, trust } = await Effect.runPromise(DevelopmentCertificates.localhost)

/** The URL of a bound server. */
const url = ({ place }: Endpoint.Endpoint, scheme: string, path: string): string =>
  place._tag === "Tcp" ? `${scheme}://localhost:${place.port}${path}` : ""

type Peer = Connection.Connection<Transport.Message, Transport.Message>

const echo = (peer: Peer) => Stream.run(Connection.messages(peer), Connection.sink(peer))

/** A server with a layer of its own, and its address. */
const serving = (options: WebSocket.ServerOptions, handle: (peer: Peer) => Effect.Effect<void, unknown> = echo) =>
  Effect.gen(function*() {
    const stack = yield* Layer.build(WebSocket.server(options))
    const scheme = options.tls === undefined ? "ws" : "wss"
    const listener = yield* Effect.provideContext(
      Transport.listen(Transport.Messages)(`${scheme}://localhost:0/`),
      stack
    )
    yield* Effect.forkScoped(listener.run(handle, { onIncident: () => Effect.void }))
    return listener.address
  })

describe("connect", () => {
  it.live("speaks plainly to ws://, and has what TCP tells", () =>
    Effect.scoped(Effect.gen(function*() {
      const connection = yield* WebSocket.connect(url(yield* serving({}), "ws", "/?a=b"))
      yield* connection.send("hello")
      assert.deepStrictEqual(yield* connection.pull, ["hello"])
      assert.strictEqual(Connection.detail(connection, WebSocket.WebSocket).query, "a=b")
      assert.isTrue(Option.isSome(Connection.detailOption(connection, TcpInfo)))
      assert.isTrue(Option.isNone(Connection.detailOption(connection, TlsInfo)))
    })))

  it.live("does TLS for wss://, and verifies the server", () =>
    Effect.scoped(Effect.gen(function*() {
      const server = url(yield* serving({ tls: { identity } }), "wss", "/")
      const connection = yield* WebSocket.connect(server, { tls: { trust } })
      yield* connection.send(Uint8Array.of(1, 2))
      assert.deepStrictEqual(Array.from((yield* connection.pull)[0] as Uint8Array), [1, 2])
      assert.isTrue(Option.isSome(Connection.detailOption(connection, TlsInfo)))
      const error = yield* Effect.flip(Effect.scoped(WebSocket.connect(server)))
      assert(error._tag === "ConnectError")
      assert.strictEqual(error.layer, "tls")
    })))

  it.live("compresses if both want it", () =>
    Effect.scoped(Effect.gen(function*() {
      const server = url(yield* serving({ compression: { threshold: 0 } }), "ws", "/")
      const connection = yield* WebSocket.connect(server, { compression: true })
      const text = "again and ".repeat(10_000)
      yield* connection.send(text)
      assert.deepStrictEqual(yield* connection.pull, [text])
      const [extension] = Connection.detail(connection, WebSocket.WebSocket).extensions
      assert.strictEqual(extension.name, PerMessageDeflate.name)
      const plain = yield* WebSocket.connect(server)
      assert.deepStrictEqual(Connection.detail(plain, WebSocket.WebSocket).extensions, [])
    })))

  it.live("offers subprotocols, and follows a redirect from ws to wss, if it may", () =>
    Effect.scoped(Effect.gen(function*() {
      const secure = url(
        yield* serving({ tls: { identity }, accept: () => Effect.succeed({ protocol: "b" }) }),
        "wss",
        "/"
      )
      const accept = () => Effect.fail(new Refusal({ status: 307, headers: [["Location", secure]] }))
      const server = url(yield* serving({ accept }), "ws", "/")
      const options = { protocols: ["a", "b"], tls: { trust } }
      const connection = yield* WebSocket.connect(server, { ...options, maxRedirects: 1 })
      assert.strictEqual(Connection.detail(connection, WebSocket.WebSocket).protocol, "b")
      assert.isTrue(Option.isSome(Connection.detailOption(connection, TlsInfo)))
      const error = yield* Effect.flip(Effect.scoped(WebSocket.connect(server, options)))
      assert(error._tag === "ConnectError" && error.reason._tag === "UpgradeRejected")
      assert.strictEqual(error.reason.status, 307)
    })))
})

it.live("RFC 6455 4.1: connections that are made one by one take turns, too", () =>
  Effect.scoped(Effect.gen(function*() {
    let now = 0
    let most = 0
    const accept = () =>
      Effect.gen(function*() {
        most = Math.max(most, ++now)
        yield* Effect.sleep("20 millis")
        now--
        return {}
      })
    const server = url(yield* serving({ accept }), "ws", "/")
    yield* Effect.forEach([1, 2, 3], () => WebSocket.connect(server), { concurrency: 3 })
    assert.strictEqual(most, 1)
    yield* Effect.forEach([1, 2, 3], () => WebSocket.connect(server, { maxConnecting: 3 }), { concurrency: 3 })
    assert.strictEqual(most, 3)
  })))

it.live("a reset behind the peer's Close is no clean end", () =>
  Effect.scoped(Effect.gen(function*() {
    const ended = yield* Deferred.make<Outcome>()
    const { place } = yield* serving({ heartbeat: "off" }, (peer) =>
      Effect.gen(function*() {
        yield* Effect.forkDetach(Effect.flatMap(peer.closed, (outcome) => Deferred.succeed(ended, outcome)))
        for (let i = 0; i < 20; i++) yield* peer.send(new Uint8Array(60_000))
        yield* peer.closed
      }))
    assert(place._tag === "Tcp")
    const socket = Net.connect(place.port, "localhost")
    yield* Effect.promise(() => once(socket, "connect"))
    const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"
    socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${key}\r\n\r\n`)
    yield* Effect.promise(() => once(socket, "readable"))
    socket.write(Uint8Array.of(0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8))
    yield* Effect.sleep("50 millis")
    socket.resetAndDestroy()
    const outcome = yield* Deferred.await(ended)
    assert.strictEqual(outcome.received?.code, 1000)
    assert.isFalse(outcome.clean)
  })))

class Greeter extends Subprotocol.Service<Greeter>()("greeter.v1", { client: Schema.String, server: Schema.String }) {}

describe("listen", () => {
  it.live("tells its address, and serves what it is given", () =>
    Effect.scoped(Effect.gen(function*() {
      const listener = yield* WebSocket.listen("ws://localhost:0", [Route.messages("/echo", echo)], {
        compression: true
      })
      yield* Effect.forkScoped(listener.run())
      const connection = yield* WebSocket.connect(url(listener.address, "ws", "/echo"), { compression: true })
      yield* connection.send("hello")
      assert.deepStrictEqual(yield* connection.pull, ["hello"])
      assert.lengthOf(Connection.detail(connection, WebSocket.WebSocket).extensions, 1)
    })))

  it.live("wants URL and options to agree on TLS", () =>
    Effect.scoped(Effect.gen(function*() {
      for (
        const [endpoint, options] of [["ws://localhost:0", { tls: { identity } }], ["wss://localhost:0", {}]] as const
      ) {
        const error = yield* Effect.flip(WebSocket.listen(endpoint, [], options))
        assert(error._tag === "ListenError")
        assert.strictEqual(error.reason._tag, "InvalidEndpoint")
      }
    })))
})

describe("serve", () => {
  it.live("serves routes, typed ones among them, for as long as it is provided", () =>
    Effect.gen(function*() {
      const port = yield* freePort
      const routes = [
        Route.protocol(
          "/greet/:name",
          Greeter,
          Codec.json(),
          (peer, { params }) =>
            Stream.runForEach(Connection.messages(peer), (word) => peer.send(`${word} ${params.name}`))
        ),
        Route.messages("/echo", echo)
      ]
      const program = Effect.scoped(Effect.gen(function*() {
        const greeter = yield* Greeter.connect(`wss://localhost:${port}/greet/Ada`)
        yield* greeter.send("Hello,")
        assert.deepStrictEqual(yield* greeter.pull, ["Hello, Ada"])
        const echoing = yield* WebSocket.connect(`wss://localhost:${port}/echo`, { tls: { trust } })
        yield* echoing.send("echo")
        assert.deepStrictEqual(yield* echoing.pull, ["echo"])
      }))
      const client = Greeter.over(Codec.json())(WebSocket.client({ tls: { trust } }))
      const server = WebSocket.serve(`wss://localhost:${port}`, routes, { tls: { identity } })
      yield* Effect.provide(program, Layer.merge(server, client))
    }))
})

/** A port that was free a moment ago. */
const freePort = Effect.scoped(Effect.map(serving({}), ({ place }) => place._tag === "Tcp" ? place.port : 0))
