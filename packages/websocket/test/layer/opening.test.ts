import { assert, describe, it } from "@effect/vitest"
import { Endpoint, MemoryTransport, Transport } from "@wirestack/protocol"
import { Negotiated } from "@wirestack/protocol/Ask"
import { detail } from "@wirestack/protocol/Connection"
import { reasonOf } from "@wirestack/test-support"
import { Origin, WebSocket } from "@wirestack/websocket"
import { Deferred, Duration, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { concat, frame, utf8 } from "../support.ts"
import {
  all,
  answer,
  answered,
  type Bytes,
  connect,
  connectBytes,
  head,
  here,
  on,
  type Options,
  request,
  serve,
  serveBytes
} from "./support.ts"

describe("opening", () => {
  it.effect("tells path, query and the headers of the other side", () =>
    on(
      {
        client: { headers: [["Authorization", "Bearer let-me-in"]], origin: "https://site.example" },
        server: { headers: [["X-Served-By", "b2"]], origins: Origin.any }
      },
      Effect.gen(function*() {
        const server = yield* serve()
        const client = detail(
          yield* connect({ ...Endpoint.memory("here"), path: "/room/sea?from=1&to=2" }),
          WebSocket.WebSocket
        )
        const accepted = detail(yield* server.next, WebSocket.WebSocket)
        for (const { path, protocol, query } of [client, accepted]) {
          assert.deepStrictEqual({ path, query, protocol }, {
            path: "/room/sea",
            query: "from=1&to=2",
            protocol: undefined
          })
        }
        assert.deepInclude(accepted.headers, ["authorization", "Bearer let-me-in"])
        assert.deepInclude(accepted.headers, ["origin", "https://site.example"])
        assert.deepInclude(accepted.headers, ["host", "localhost"])
        assert.deepInclude(client.headers, ["x-served-by", "b2"])
        assert.isTrue(Duration.isDuration(client.handshakeTime))
      })
    ))

  it.effect("asks for the path of the options before that of the endpoint, and for / by default", () =>
    Effect.gen(function*() {
      const path = (options: Options, endpoint: Endpoint.Input) =>
        on(
          options,
          Effect.gen(function*() {
            const server = yield* serve()
            yield* connect(endpoint)
            const { path, query } = detail(yield* server.next, WebSocket.WebSocket)
            return `${path} ${query}`
          })
        )
      assert.strictEqual(yield* path({}, here), "/ ")
      assert.strictEqual(
        yield* path({ client: { path: "/own?x" } }, { ...Endpoint.memory("here"), path: "/other" }),
        "/own x"
      )
    }))

  it.effect("takes how long the handshake took from the clock", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serveBytes
        const client = yield* Effect.forkChild(connect())
        const connection = yield* server.next
        const request = yield* head(connection)
        yield* TestClock.adjust("30 millis")
        yield* connection.send(answer(request))
        const { handshakeTime } = detail(yield* Fiber.join(client), WebSocket.WebSocket)
        assert.strictEqual(Duration.toMillis(handshakeTime), 30)
      })
    ))

  it.effect("negotiates a subprotocol, in the client's order, and tells which", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve("chat.v1", "chat.v2")
        const client = yield* connect(here, "chat.v3", "chat.v2", "chat.v1")
        for (const connection of [client, yield* server.next]) {
          assert.strictEqual(detail(connection, WebSocket.WebSocket).protocol, "chat.v2")
          assert.strictEqual(detail(connection, Negotiated).protocol, "chat.v2")
        }
      })
    ))

  it.effect("chooses nothing for a server that speaks no subprotocol", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        const client = yield* connect(here, "chat.v1")
        for (const connection of [client, yield* server.next]) {
          assert.strictEqual(detail(connection, WebSocket.WebSocket).protocol, undefined)
        }
      })
    ))

  it.effect("refuses with 400 a client that offers none of the server's subprotocols", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve("chat.v1")
        for (const offers of [[], ["chat.v2"]]) {
          const reason = yield* reasonOf(Effect.scoped(connect(here, ...offers)))
          assert(reason._tag === "UpgradeRejected", reason._tag)
          assert.strictEqual(reason.status, 400)
          const incident = yield* server.incident
          assert(incident._tag === "HandshakeFailed")
          assert.deepInclude(incident.error.reason, { _tag: "NothingNegotiated", offered: offers })
        }
        yield* connect(here, "chat.v1")
        yield* server.next
      })
    ))

  it.effect("does not take a subprotocol that was not offered", () =>
    Effect.gen(function*() {
      const choosing = (request: string) => answer(request, { "Sec-WebSocket-Protocol": "chat.v9" })
      const reason = yield* answered(choosing, {}, "chat.v1", "chat.v2")
      assert.deepInclude(reason, { _tag: "NothingNegotiated", offered: ["chat.v1", "chat.v2"], selected: "chat.v9" })
      assert.deepInclude(yield* answered(choosing), { _tag: "NothingNegotiated", offered: [], selected: "chat.v9" })
    }))

  it.effect("does not take an extension that was not offered", () =>
    Effect.gen(function*() {
      const reason = yield* answered((request) => answer(request, { "Sec-WebSocket-Extensions": "permessage-deflate" }))
      assert(reason._tag === "UpgradeMalformed", reason._tag)
      assert.include(reason.rule, "extension")
    }))

  it.effect("does not take a proof for another key", () =>
    Effect.gen(function*() {
      const reason = yield* answered((request) =>
        answer(request, { "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" })
      )
      assert(reason._tag === "UpgradeMalformed", reason._tag)
      assert.include(reason.rule, "Sec-WebSocket-Accept")
    }))

  it.effect("gives status, headers and body of another answer", () =>
    Effect.gen(function*() {
      const reason = yield* answered(() =>
        utf8(
          "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 9\r\n\r\nwho goes?"
        )
      )
      assert(reason._tag === "UpgradeRejected", reason._tag)
      assert.strictEqual(reason.status, 401)
      assert.deepInclude(reason.headers, ["www-authenticate", "Bearer"])
      assert.strictEqual(reason.body, "who goes?")
    }))

  it.effect("gives what there was of an answer that is cut off", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serveBytes
        const client = yield* Effect.forkChild(reasonOf(Effect.scoped(connect())))
        const connection = yield* server.next
        yield* head(connection)
        yield* connection.send(utf8("HTTP/1.1 503 Later\r\nContent-Length: 900\r\n\r\ncome ba"))
        yield* connection.end
        assert.deepInclude(yield* Fiber.join(client), { _tag: "UpgradeRejected", status: 503, body: "come ba" })
      })
    ))

  it.effect("fails if the server ends without an answer", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serveBytes
        const client = yield* Effect.forkChild(reasonOf(Effect.scoped(connect())))
        const connection = yield* server.next
        yield* head(connection)
        yield* connection.end
        assert.strictEqual((yield* Fiber.join(client))._tag, "Truncated")
      })
    ))

  it.effect("skips interim answers, and takes frames that come with the last one", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serveBytes
        const client = yield* Effect.forkChild(connect())
        const connection = yield* server.next
        const request = yield* head(connection)
        const interim = utf8("HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
        yield* connection.send(concat(interim, interim, answer(request), frame(1, "early"), frame(1, "bird")))
        assert.deepStrictEqual([...yield* (yield* Fiber.join(client)).pull], ["early", "bird"])
      })
    ))

  it.effect("a server takes frames that come with the request", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        const client = yield* connectBytes
        yield* client.send(concat(request(), frame(1, "early", { mask: true })))
        assert.deepStrictEqual([...yield* (yield* server.next).pull], ["early"])
      })
    ))

  it.effect("what can't be a header is refused before anything is sent", () =>
    on(
      { client: { headers: [["X-Evil", "a\r\nHost: b"]] } },
      Effect.gen(function*() {
        const server = yield* serveBytes
        assert.deepInclude(yield* reasonOf(Effect.scoped(connect())), { _tag: "InvalidHeader", name: "X-Evil" })
        assert.strictEqual((yield* all(yield* server.next)).length, 0)
      })
    ))
})

describe("a stack", () => {
  it.effect("without TLS refuses wss://, and sends nothing", () =>
    on(
      {},
      Effect.gen(function*() {
        const seen = yield* Deferred.make<Bytes>()
        const listener = yield* Transport.listen(Transport.Bytes)(here)
        yield* Effect.forkScoped(listener.run((connection) => Deferred.succeed(seen, connection)), {
          startImmediately: true
        })
        const url = yield* Effect.flip(Effect.scoped(connect("wss://localhost:1/chat")))
        assert.deepInclude(url.reason, { _tag: "LayersMissing", layers: ["tls"], endpoint: "wss://localhost:1/chat" })
        const place = { ...Endpoint.memory("here"), demands: ["websocket", "tls"] } as const
        assert.strictEqual((yield* reasonOf(Effect.scoped(connect(place))))._tag, "LayersMissing")
        assert.isFalse(Deferred.isDoneUnsafe(seen))
        const bound = yield* Effect.flip(Effect.scoped(Transport.listen(Transport.Messages)("wss://127.0.0.1:0/")))
        assert.deepInclude(bound.reason, { _tag: "LayersMissing", layers: ["tls"] })
      })
    ))

  it.effect("of its own comes of each use of one WebSocket value", () =>
    Effect.gen(function*() {
      const websocket = WebSocket.over()
      const memoMap = yield* Layer.makeMemoMap
      const scope = yield* Effect.scope
      const build = (network: ReturnType<typeof MemoryTransport.layer>) =>
        Layer.buildWithMemoMap(websocket(network), memoMap, scope)
      const [one, other] = [yield* build(MemoryTransport.layer()), yield* build(MemoryTransport.layer())]
      const server = yield* Effect.provideContext(serve(), one)
      assert.strictEqual((yield* reasonOf(Effect.scoped(Effect.provideContext(connect(), other))))._tag, "Refused")
      yield* Effect.provideContext(connect(), one)
      yield* server.next
    }).pipe(Effect.scoped))
})
