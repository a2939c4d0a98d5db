/** What a connection tells of its beginning and of what has passed it, over the whole stack on real sockets. */
import { assert, describe, it } from "@effect/vitest"
import { WebSocket } from "@wirestack/node"
import { Connection, DataTransferReport, Endpoint, EstablishmentReport, Transport } from "@wirestack/protocol"
import { TcpInfo } from "@wirestack/transport-tcp"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { Deferred, Effect, Layer, Option, Stream } from "effect"

const { identity, trust } = await Effect.runPromise(DevelopmentCertificates.localhost)

type Peer = Connection.Connection<Transport.Message, Transport.Message>

/** The URL of a server that echoes, and the first connection it gets. */
const serving = (compression: boolean) =>
  Effect.gen(function*() {
    const stack = yield* Layer.build(WebSocket.server({ tls: { identity }, ...compression && { compression } }))
    const listener = yield* Effect.provideContext(
      Transport.listen(Transport.Messages)("wss://localhost:0/chat"),
      stack
    )
    const accepted = yield* Deferred.make<Peer>()
    yield* Effect.forkScoped(listener.run((peer: Peer) =>
      Effect.andThen(
        Deferred.succeed(accepted, peer),
        Stream.run(Connection.messages(peer), Connection.sink(peer))
      )
    ))
    return { url: Endpoint.format(listener.address), accepted: Deferred.await(accepted) }
  })

describe("EstablishmentReport", () => {
  it.live("tells each layer's part, on both sides", () =>
    Effect.scoped(Effect.gen(function*() {
      const { accepted, url } = yield* serving(false)
      const connection = yield* WebSocket.connect(url, { tls: { trust } })
      const { attempts, took } = EstablishmentReport.of(connection)
      const [tcp, tls, websocket] = attempts[0]
      assert.deepStrictEqual(attempts[0].map(({ layer }) => layer), ["tcp", "tls", "websocket"])
      assert.closeTo(took, websocket.after + websocket.took, 0.001)
      assert.match(String(tcp.facts.address), /:\d+$/)
      assert.deepInclude(tls.facts, { version: "TLSv1.3", resumed: false })
      assert.strictEqual(websocket.facts.path, "/chat")
      const server = EstablishmentReport.of(yield* accepted).attempts
      assert.deepStrictEqual(server.map((steps) => steps.map(({ layer }) => layer)), [["tcp", "tls", "websocket"]])
      assert.include(EstablishmentReport.format({ attempts, took }), "  version TLSv1.3")
    })))

  it.live("is there when TLS has refused, with the reason at its layer", () =>
    Effect.scoped(Effect.gen(function*() {
      const { url } = yield* serving(false)
      const error = yield* Effect.flip(WebSocket.connect(url))
      assert(error._tag === "ConnectError")
      const steps = EstablishmentReport.of(error).attempts[0].map(({ layer, reason }) => [layer, reason?._tag])
      assert.deepStrictEqual(steps, [["tcp", undefined], ["tls", "CertificateInvalid"]])
    })))
})

describe("DataTransferReport", () => {
  it.live("tells messages, plaintext, and what TCP has carried", () =>
    Effect.scoped(Effect.gen(function*() {
      const { accepted, url } = yield* serving(false)
      const connection = yield* WebSocket.connect(url, { tls: { trust } })
      const mark = yield* DataTransferReport.of(connection)
      yield* connection.sendAll(["hällo", new Uint8Array(1_000)])
      yield* Stream.runDrain(Stream.take(Connection.messages(connection), 2))
      const [websocket, tls, tcp] = (yield* DataTransferReport.since(connection, mark)).layers
      // "ä" is two bytes; the client's heads have 2 and 4 bytes and masks, those of the server none.
      const payload = 6 + 1_000
      assert.deepStrictEqual([websocket.layer, tls.layer, tcp.layer], ["websocket", "tls", "tcp"])
      assert.deepStrictEqual(websocket.sent, { messages: 2, bytes: payload })
      assert.deepStrictEqual(websocket.received, { messages: 2, bytes: payload })
      assert.deepStrictEqual(tls.sent, { messages: undefined, bytes: payload + 6 + 8 })
      assert.deepStrictEqual(tls.received, { messages: undefined, bytes: payload + 2 + 4 })
      assert.isAbove(tcp.sent.bytes!, tls.sent.bytes!)
      assert.isAbove(tcp.received.bytes!, tls.received.bytes!)
      const server = (yield* DataTransferReport.of(yield* accepted)).layers
      const whole = (yield* DataTransferReport.of(connection)).layers
      assert.deepStrictEqual(server.map(({ sent }) => sent.bytes), whole.map(({ received }) => received.bytes))
      const info = Option.getOrThrow(Connection.detailOption(connection, TcpInfo))
      assert.strictEqual(info.bytesWritten, whole[2].sent.bytes)
    })))

  it.live("tells what was saved by compression", () =>
    Effect.scoped(Effect.gen(function*() {
      const { url } = yield* serving(true)
      const connection = yield* WebSocket.connect(url, { tls: { trust }, compression: true })
      const mark = yield* DataTransferReport.of(connection)
      yield* connection.send("again and ".repeat(10_000))
      yield* connection.pull
      const [websocket, tls] = (yield* DataTransferReport.since(connection, mark)).layers
      assert.strictEqual(websocket.sent.bytes, 100_000)
      assert.strictEqual(websocket.received.bytes, 100_000)
      assert.isBelow(tls.sent.bytes!, 2_000)
      assert.isBelow(tls.received.bytes!, 2_000)
    })))

  it.live("is still there when the connection is closed", () =>
    Effect.gen(function*() {
      const connection = yield* Effect.scoped(Effect.gen(function*() {
        const { url } = yield* serving(false)
        const connection = yield* WebSocket.connect(url, { tls: { trust } })
        yield* connection.send("one")
        yield* connection.pull
        return connection
      }))
      const [websocket, , tcp] = (yield* DataTransferReport.of(connection)).layers
      assert.deepStrictEqual(websocket.sent, { messages: 1, bytes: 3 })
      assert.isAbove(tcp.sent.bytes!, 100)
    }))
})
