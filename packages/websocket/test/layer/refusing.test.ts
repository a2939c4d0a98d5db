import { assert, describe, it } from "@effect/vitest"
import { Endpoint, Transport } from "@wirestack/protocol"
import type { Incident } from "@wirestack/protocol/Listener"
import { reasonOf } from "@wirestack/test-support"
import { Origin } from "@wirestack/websocket"
import { Effect, Fiber, Queue } from "effect"
import { TestClock } from "effect/testing"
import { hex, text, utf8 } from "../support.ts"
import {
  all,
  answer,
  answered,
  connect,
  connectBytes,
  failure,
  head,
  here,
  on,
  refused,
  request,
  serve,
  serveBytes
} from "./support.ts"

describe("refusing", () => {
  it.effect("another path with 404", () =>
    Effect.gen(function*() {
      const { reason, said } = yield* refused(request({}, "/elsewhere?x=1"), {
        client: { path: "/chat" },
        server: { path: "/chat" }
      })
      assert.match(said, /^HTTP\/1\.1 404 /)
      assert.strictEqual(reason._tag, "UpgradeMalformed")
    }))

  it.effect("another version with 426, saying which one it is", () =>
    Effect.gen(function*() {
      const { reason, said } = yield* refused(request({ "Sec-WebSocket-Version": "8" }))
      assert.match(said, /^HTTP\/1\.1 426 /)
      assert.match(said, /^Sec-WebSocket-Version: 13\r$/m)
      assert.strictEqual(reason._tag, "UpgradeMalformed")
    }))

  it.effect("a plain request with 426", () =>
    Effect.gen(function*() {
      const { said } = yield* refused(utf8("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
      assert.match(said, /^HTTP\/1\.1 426 /)
      assert.match(said, /^Upgrade: websocket\r$/m)
    }))

  it.effect("an origin with 403", () =>
    Effect.gen(function*() {
      const { said } = yield* refused(request({ Origin: "https://evil.example" }), {
        server: { origins: Origin.allow(["https://site.example"]) }
      })
      assert.match(said, /^HTTP\/1\.1 403 /)
    }))

  it.effect("a head of more than 16 KiB with 431", () =>
    Effect.gen(function*() {
      const { reason, said } = yield* refused(request({ Cookie: "c".repeat(16_384) }))
      assert.match(said, /^HTTP\/1\.1 431 /)
      assert.deepInclude(reason, { _tag: "TooLarge", limit: 16_384 })
    }))

  it.effect("a head without an end with 431, however little of it comes at a time", () =>
    on(
      { server: { maxHeadSize: 1_000 } },
      Effect.gen(function*() {
        const server = yield* serve()
        yield* Effect.scoped(Effect.gen(function*() {
          const client = yield* connectBytes
          yield* client.send(utf8("GET / HTTP/1.1\r\n"))
          yield* Effect.forkScoped(Effect.ignore(Effect.forever(client.send(utf8("X-Endless: yes\r\n")))))
          assert.match(text(yield* all(client)), /^HTTP\/1\.1 431 /)
        }))
        const incident = yield* server.incident
        assert(incident._tag === "HandshakeFailed")
        assert.deepInclude(incident.error.reason, { _tag: "TooLarge", limit: 1_000 })
      })
    ))

  it.effect("a head of more than 16 KiB in the answer, as a client", () =>
    Effect.gen(function*() {
      const reason = yield* answered((request) => answer(request, { Cookie: "c".repeat(16_384) }))
      assert.deepInclude(reason, { _tag: "TooLarge", limit: 16_384 })
    }))

  it.effect("what is not HTTP with 400", () =>
    Effect.gen(function*() {
      for (
        const sent of [hex("16030100f8010000f40303"), utf8("SSH-2.0-OpenSSH_9.2\r\n\r\n"), hex("0000000804d2162f")]
      ) {
        const { reason, said } = yield* refused(sent)
        assert.match(said, /^HTTP\/1\.1 400 /)
        assert.strictEqual(reason._tag, "UpgradeMalformed")
      }
    }))

  it.effect("what is not HTTP, as a client", () =>
    Effect.gen(function*() {
      for (const said of [hex("15030300020228"), utf8("SSH-2.0-OpenSSH_9.2\r\n\r\n"), hex("000102")]) {
        assert.strictEqual((yield* answered(() => said))._tag, "UpgradeMalformed")
      }
    }))

  it.effect("the client sees what the server refuses with", () =>
    on(
      { client: { path: "/elsewhere" }, server: { path: "/chat" } },
      Effect.gen(function*() {
        const server = yield* serve()
        const reason = yield* reasonOf(Effect.scoped(connect()))
        assert(reason._tag === "UpgradeRejected", reason._tag)
        assert.strictEqual(reason.status, 404)
        assert.include(reason.body, "no WebSocket at")
        assert.strictEqual((yield* server.incident)._tag, "HandshakeFailed")
      })
    ))
})

describe("deadlines", () => {
  it.effect("a server gives up on a client that says nothing", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        yield* Effect.scoped(Effect.gen(function*() {
          const client = yield* connectBytes
          yield* TestClock.adjust("10 seconds")
          assert.strictEqual((yield* all(client)).length, 0)
        }))
        const incident = yield* server.incident
        assert(incident._tag === "HandshakeFailed")
        assert.deepInclude(incident.error, { layer: "websocket" })
        assert.deepInclude(incident.error.reason, { _tag: "TimedOut", phase: "handshake", after: 10_000 })
        yield* connect()
        yield* server.next
      })
    ))

  it.effect("a server gives up on a client that says a little now and then", () =>
    on(
      { handshakeWithin: "3 seconds" },
      Effect.gen(function*() {
        const server = yield* serve()
        yield* Effect.scoped(Effect.gen(function*() {
          const client = yield* connectBytes
          for (let n = 0; n < 3; n++) {
            yield* client.send(utf8("GET"))
            yield* TestClock.adjust("1 second")
          }
          yield* all(client)
        }))
        const incident = yield* server.incident
        assert(incident._tag === "HandshakeFailed")
        assert.deepInclude(incident.error.reason, { _tag: "TimedOut", after: 3_000 })
      })
    ))

  it.effect("a client gives up on a server that says nothing, and cuts the connection", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serveBytes
        const client = yield* Effect.forkChild(Effect.flip(Effect.scoped(connect())))
        const connection = yield* server.next
        yield* head(connection)
        yield* TestClock.adjust("10 seconds")
        const { layer, reason } = yield* Fiber.join(client)
        assert.strictEqual(layer, "websocket")
        assert.deepInclude(reason, { _tag: "TimedOut", phase: "handshake", after: 10_000 })
        assert.strictEqual((yield* failure(connection)).reason._tag, "Reset")
      })
    ))
})

describe("a listener", () => {
  it.effect("is told of each handshake that fails, and goes on", () =>
    on(
      { server: { path: "/chat" } },
      Effect.gen(function*() {
        const server = yield* serve()
        const attempts = [request(), utf8("nonsense\r\n\r\n"), request({ "Sec-WebSocket-Key": "short" }, "/chat")]
        for (const sent of attempts) {
          yield* Effect.scoped(Effect.gen(function*() {
            const client = yield* connectBytes
            yield* client.send(sent)
            yield* all(client)
          }))
          assert.strictEqual((yield* server.incident)._tag, "HandshakeFailed")
        }
        yield* Effect.scoped(connectBytes)
        const incident = yield* server.incident
        assert(incident._tag === "HandshakeFailed")
        assert.strictEqual(incident.error.reason._tag, "Closed")
        yield* connect({ ...Endpoint.memory("here"), path: "/chat" })
        yield* server.next
      })
    ))

  it.effect("does not let one handshake hold up another", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        const slow = yield* connectBytes
        yield* slow.send(request().subarray(0, 40))
        yield* connect()
        yield* server.next
        yield* slow.send(request().subarray(40))
        assert.match(yield* head(slow), /^HTTP\/1\.1 101 /)
        yield* server.next
      })
    ))

  it.effect("cuts connections beyond as many as it may have, and takes others when those have ended", () =>
    on(
      {},
      Effect.gen(function*() {
        const incidents = yield* Queue.unbounded<Incident>()
        const listener = yield* Transport.listen(Transport.Messages)(here, { maxConnections: 1 })
        yield* Effect.forkScoped(
          listener.run((connection) => Effect.asVoid(connection.closed), {
            onIncident: (incident) => Queue.offer(incidents, incident)
          }),
          { startImmediately: true }
        )
        yield* Effect.scoped(Effect.gen(function*() {
          yield* connect()
          yield* Effect.flip(Effect.scoped(connect()))
          assert.deepInclude(yield* Queue.take(incidents), { _tag: "TooManyConnections", limit: 1, of: "listener" })
        }))
        yield* TestClock.adjust(0)
        yield* connect()
      })
    ))

  it.effect("refuses handshakes beyond as many as it may run at once", () =>
    on(
      { server: { maxHandshakes: 1 } },
      Effect.gen(function*() {
        const server = yield* serve()
        const slow = yield* connectBytes
        yield* slow.send(request().subarray(0, 40))
        yield* TestClock.adjust(0)
        assert.strictEqual(yield* head(yield* connectBytes), "")
        const incident = yield* server.incident
        assert(incident._tag === "HandshakeFailed")
        assert.deepInclude(incident.error.reason, { _tag: "TooLarge", size: 2, limit: 1 })
        yield* slow.send(request().subarray(40))
        assert.match(yield* head(slow), /^HTTP\/1\.1 101 /)
        yield* server.next
      })
    ))
})
