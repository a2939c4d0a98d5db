import { assert, describe, it } from "@effect/vitest"
import { detail } from "@wirestack/protocol/Connection"
import { reasonOf } from "@wirestack/test-support"
import { CloseCode, WebSocket } from "@wirestack/websocket"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { frame, hex, toHex } from "../support.ts"
import { all, bytes, connect, ending, on, pair, serve, serverOfBytes, settle, upgradedBytes } from "./support.ts"

describe("close", () => {
  const bye = { code: 4001, reason: "bis später" }
  for (const who of ["client", "server"] as const) {
    it.effect(`says code and reason, and both sides know them (${who} first)`, () =>
      on(
        {},
        Effect.gen(function*() {
          const [client, server] = yield* pair
          const [near, far] = who === "client" ? [client, server] : [server, client]
          const outcome = yield* detail(near, WebSocket.WebSocket).close(CloseCode.privateUse(4001), bye.reason)
          assert.deepInclude(outcome, { first: "local", clean: true, sent: bye, received: bye })
          assert.deepInclude(yield* ending(far), { first: "remote", sent: bye, received: bye })
          assert.deepInclude(yield* far.closed, { first: "remote", clean: true, sent: bye, received: bye })
          assert.strictEqual((yield* reasonOf(near.send("late")))._tag, "Closing")
          assert.strictEqual((yield* reasonOf(far.send("late")))._tag, "Closed")
        })
      ))
  }

  it.effect("what was sent before arrives first", () =>
    on(
      {},
      Effect.gen(function*() {
        const [client, server] = yield* pair
        yield* client.sendAll(["one", "two"])
        yield* Effect.forkChild(detail(client, WebSocket.WebSocket).close(1001))
        assert.deepStrictEqual([...yield* server.pull], ["one", "two"])
        assert.deepInclude((yield* ending(server)).received, { code: 1001, reason: "" })
      })
    ))

  it.effect("a reason of more than 123 bytes is refused, and nothing is sent", () =>
    on(
      {},
      Effect.gen(function*() {
        const [client, server] = yield* pair
        const { close } = detail(client, WebSocket.WebSocket)
        for (const reason of ["x".repeat(124), "é".repeat(62)]) {
          const error = yield* Effect.flip(close(1000, reason))
          assert.deepInclude(error, { layer: "websocket" })
          assert.strictEqual(error.reason._tag, "Unencodable")
        }
        yield* client.send("still here")
        assert.deepStrictEqual([...yield* server.pull], ["still here"])
        const longest = `${"é".repeat(61)}x`
        assert.deepInclude((yield* close(1000, longest)).received, { code: 1000, reason: longest })
      })
    ))

  it.effect("the interrupted one goes on", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        const client = yield* upgradedBytes
        const connection = yield* server.next
        const closing = yield* Effect.forkChild(detail(connection, WebSocket.WebSocket).close(1012), {
          startImmediately: true
        })
        assert.strictEqual(toHex(yield* bytes(client, 4)), "880203f4")
        yield* Fiber.interrupt(closing)
        yield* client.send(frame(8, hex("03f4"), { mask: true }))
        yield* client.end
        assert.deepInclude(yield* connection.closed, { first: "local", clean: true, sent: { code: 1012, reason: "" } })
      })
    ))

  it.effect("what waits behind data that did not leave was not said", () =>
    Effect.gen(function*() {
      for (const first of ["remote", "local"] as const) {
        yield* on(
          { server: { heartbeat: "off" } },
          Effect.gen(function*() {
            const [server, client] = yield* serverOfBytes
            yield* server.send(new Uint8Array(3_000_000))
            yield* settle
            const { close } = detail(server, WebSocket.WebSocket)
            if (first === "remote") yield* client.send(frame(8, hex("03e8"), { mask: true }))
            else yield* Effect.forkChild(close(1000), { startImmediately: true })
            const closed = yield* Effect.forkChild(server.closed, { startImmediately: true })
            yield* TestClock.adjust("6 seconds")
            const outcome = yield* Fiber.join(closed)
            assert.strictEqual(outcome.first, first)
            assert.isUndefined(outcome.sent)
            assert.strictEqual(outcome.received?.code, first === "remote" ? 1000 : undefined)
            assert.strictEqual(outcome.unsent.messages, 1)
            assert.isFalse(outcome.clean)
          })
        )
      }
    }))

  it.effect("what did not leave in time is told, also if the peer reads again later", () =>
    on(
      { server: { heartbeat: "off", closePolicy: { flush: "500 millis" } } },
      Effect.gen(function*() {
        const [server, client] = yield* serverOfBytes
        const size = 5_000_000
        yield* server.send(new Uint8Array(size))
        yield* settle
        const closing = yield* Effect.forkChild(detail(server, WebSocket.WebSocket).close(1000), {
          startImmediately: true
        })
        yield* TestClock.adjust("500 millis")
        yield* settle
        const received = (yield* all(client)).length
        yield* client.end
        yield* TestClock.adjust("5 seconds")
        const outcome = yield* Fiber.join(closing)
        assert.isAbove(received, 0)
        assert.isBelow(received, size)
        assert.isAtLeast(outcome.unsent.bytes + received, size)
        assert.strictEqual(outcome.unsent.messages, 1)
        assert.isUndefined(outcome.sent)
        assert.isFalse(outcome.clean)
      })
    ))

  it.effect("a silent peer costs the budget, once", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        const client = yield* upgradedBytes
        const connection = yield* server.next
        const closing = yield* Effect.forkChild(detail(connection, WebSocket.WebSocket).close(1000), {
          startImmediately: true
        })
        yield* bytes(client, 4)
        yield* TestClock.adjust("5 seconds")
        yield* TestClock.adjust("100 millis")
        const outcome = yield* Fiber.join(closing)
        assert.deepInclude(outcome, { first: "local", clean: false, sent: { code: 1000, reason: "" } })
        assert.isUndefined(outcome.received)
        assert.deepInclude(outcome.layers[0], { layer: "websocket", settled: false, took: 5_000 })
      })
    ))

  it.effect("the way the scope ends says why", () =>
    Effect.gen(function*() {
      const code = (part: Effect.Effect<void, string>) =>
        on(
          {},
          Effect.gen(function*() {
            const server = yield* serve()
            const done = yield* Effect.forkChild(Effect.exit(Effect.scoped(Effect.andThen(connect(), part))))
            const connection = yield* server.next
            const listening = yield* Effect.forkChild(ending(connection))
            if (part === Effect.never) yield* Fiber.interrupt(done)
            return (yield* Fiber.join(listening)).received?.code
          })
        )
      assert.strictEqual(yield* code(Effect.void), 1000)
      assert.strictEqual(yield* code(Effect.fail("oh")), 1011)
      assert.strictEqual(yield* code(Effect.die("oh")), 1011)
      assert.strictEqual(yield* code(Effect.never), 1001)
    }))
})
