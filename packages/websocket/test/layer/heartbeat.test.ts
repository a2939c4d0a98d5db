/** A peer that is gone is found out, and one that is there is left in peace. */
import { assert, describe, it } from "@effect/vitest"
import { detail } from "@wirestack/protocol/Connection"
import * as ConnectionState from "@wirestack/protocol/ConnectionState"
import type * as Pulse from "@wirestack/protocol/liveness/Pulse"
import { WebSocket } from "@wirestack/websocket"
import { Effect, Exit, Fiber, Metric, Scope } from "effect"
import { TestClock } from "effect/testing"
import { closeBody, concat, frame } from "../support.ts"
import {
  clientOfBytes,
  collecting,
  connect,
  failure,
  on,
  pair,
  serve,
  serverOfBytes,
  settle,
  upgradedBytes
} from "./support.ts"

const seconds = (n: number) => TestClock.adjust(`${n} seconds`)

/** The opcodes of the unfragmented frames in these bytes, with the mask they should have. */
const opcodes = (bytes: Uint8Array): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (let at = 0; at < bytes.length;) {
    found.push(bytes[at] & 0x0f)
    at += 2 + (bytes[at + 1] & 0x7f) + (bytes[at + 1] >> 7) * 4
  }
  return found
}

/** The answers to the pings in these bytes. */
const pongs = (pings: Uint8Array, mask: boolean): Uint8Array => {
  const found: Array<Uint8Array> = []
  for (let at = 0; at < pings.length;) {
    const size = pings[at + 1] & 0x7f
    const masked = pings[at + 1] >> 7
    const payload = pings.slice(at + 2 + masked * 4, at + 2 + masked * 4 + size)
    const key = pings.slice(at + 2, at + 6)
    found.push(frame(10, masked === 1 ? payload.map((byte, i) => byte ^ key[i % 4]) : payload, { mask }))
    at += 2 + masked * 4 + size
  }
  return concat(...found)
}

const roles = { server: serverOfBytes, client: clientOfBytes } as const

describe("heartbeat", () => {
  for (const role of ["server", "client"] as const) {
    const ends = roles[role]
    const mask = role === "server"

    it.effect(`asks after 20 seconds, and gives up after two pings and 5 seconds each (${role})`, () =>
      on(
        {},
        Effect.gen(function*() {
          const [near, far] = yield* ends
          const taken = yield* collecting(far)
          const failing = yield* Effect.forkChild(failure(near), { startImmediately: true })
          yield* seconds(19)
          assert.deepStrictEqual(opcodes(taken()), [])
          yield* seconds(1)
          assert.deepStrictEqual(opcodes(taken()), [9])
          yield* seconds(4)
          assert.deepStrictEqual(opcodes(taken()), [])
          yield* seconds(1)
          assert.deepStrictEqual(opcodes(taken()), [9])
          yield* seconds(4)
          assert.isUndefined(failing.pollUnsafe())
          yield* seconds(1)
          const error = yield* Fiber.join(failing)
          assert.strictEqual(error.layer, "websocket")
          assert.deepInclude(error.reason, { _tag: "Unresponsive", silent: 30_000, pings: 2 })
          assert.strictEqual((yield* Effect.flip(near.send("anybody?"))).reason._tag, "Unresponsive")
          assert.deepStrictEqual(opcodes(taken()), [8])
          const closing = yield* Effect.forkChild(near.closed, { startImmediately: true })
          yield* seconds(5)
          yield* TestClock.adjust("100 millis")
          const outcome = yield* Fiber.join(closing)
          assert.isFalse(outcome.clean)
          assert.strictEqual(outcome.error?.reason._tag, "Unresponsive")
          assert.deepInclude(outcome.sent, { code: 1011 })
          assert.isUndefined(outcome.received)
        })
      ))

    it.effect(`tells that the connection is not viable while an answer is late (${role})`, () =>
      on(
        {},
        Effect.gen(function*() {
          const [near, far] = yield* ends
          const taken = yield* collecting(far)
          const viable = Effect.map(ConnectionState.of(near), (state) => state._tag === "Ready" && state.viable)
          yield* seconds(24)
          const pings = taken()
          assert.isTrue(yield* viable)
          yield* seconds(1)
          assert.isFalse(yield* viable)
          yield* far.send(pongs(pings, mask))
          yield* seconds(2)
          assert.isTrue(yield* viable)
          yield* near.abort
        })
      ))

    it.effect(`is content with any byte (${role})`, () =>
      on(
        {},
        Effect.gen(function*() {
          const [near, far] = yield* ends
          const taken = yield* collecting(far)
          const message = frame(2, new Uint8Array(40), { mask })
          for (const byte of message) {
            yield* seconds(15)
            yield* far.send(Uint8Array.of(byte))
          }
          yield* settle
          assert.strictEqual(taken().length, 0)
          assert.strictEqual((yield* near.pull).length, 1)
        })
      ))

    it.effect(`goes on as long as pings are answered, and no longer (${role})`, () =>
      on(
        {},
        Effect.gen(function*() {
          const [near, far] = yield* ends
          const taken = yield* collecting(far)
          const failing = yield* Effect.forkChild(failure(near), { startImmediately: true })
          let asked = 0
          for (let second = 0; second < 300; second++) {
            yield* seconds(1)
            const pings = taken()
            asked += opcodes(pings).length
            if (pings.length > 0) yield* far.send(pongs(pings, mask))
          }
          assert.isAtLeast(asked, 13)
          assert.isAtMost(asked, 15)
          assert.isUndefined(failing.pollUnsafe())
          yield* seconds(33)
          assert.strictEqual((yield* Fiber.join(failing)).reason._tag, "Unresponsive")
        })
      ))
  }

  it.effect("keeps our own two sides together, silently", () =>
    on(
      {},
      Effect.gen(function*() {
        const [client, server] = yield* pair
        for (let minute = 0; minute < 20; minute++) yield* seconds(60)
        yield* client.send("still here")
        assert.deepStrictEqual([...yield* server.pull], ["still here"])
        yield* server.send("so am I")
        assert.deepStrictEqual([...yield* client.pull], ["so am I"])
      })
    ))

  it.effect("can be set, and turned off", () =>
    Effect.gen(function*() {
      const life = (heartbeat: Pulse.Options | "off") =>
        on(
          { server: { heartbeat } },
          Effect.gen(function*() {
            const [server, client] = yield* serverOfBytes
            const taken = yield* collecting(client)
            const failing = yield* Effect.forkChild(failure(server), { startImmediately: true })
            for (let second = 0; second < 600; second++) {
              if (failing.pollUnsafe() !== undefined) {
                return [
                  second,
                  opcodes(taken()).filter((code) => code === 9).length
                ]
              }
              yield* seconds(1)
            }
            yield* client.abort
            return "alive"
          })
        )
      assert.strictEqual(yield* life("off"), "alive")
      assert.deepStrictEqual(yield* life({}), [30, 2])
      assert.deepStrictEqual(yield* life({ interval: "60 seconds" }), [70, 2])
      assert.deepStrictEqual(yield* life({ timeout: "10 seconds" }), [40, 2])
      assert.deepStrictEqual(yield* life({ misses: 1 }), [25, 1])
      assert.deepStrictEqual(yield* life({ misses: 5 }), [45, 5])
      // An answer is not waited for longer than for a ping.
      assert.deepStrictEqual(yield* life({ interval: "4 seconds", timeout: "20 seconds" }), [12, 2])
    }))

  it.effect("does nothing once the connection closes", () =>
    on(
      { server: { heartbeat: { interval: "1 second", timeout: "500 millis" } } },
      Effect.gen(function*() {
        const [server, client] = yield* serverOfBytes
        const taken = yield* collecting(client)
        const closing = yield* Effect.forkChild(detail(server, WebSocket.WebSocket).close(1000), {
          startImmediately: true
        })
        yield* seconds(4)
        assert.deepStrictEqual(opcodes(taken()), [8])
        yield* client.send(frame(8, closeBody(1000), { mask: true }))
        yield* client.end
        const outcome = yield* Fiber.join(closing)
        assert.isTrue(outcome.clean)
        assert.isUndefined(outcome.error)
        assert.strictEqual(outcome.sent?.code, 1000)
      })
    ))

  it.effect("takes nothing more of a peer that it has given up", () =>
    on(
      { server: { heartbeat: { interval: "1 second", timeout: "500 millis", misses: 1 } } },
      Effect.gen(function*() {
        const [server, client] = yield* serverOfBytes
        const taken = yield* collecting(client)
        yield* seconds(1)
        yield* TestClock.adjust("500 millis")
        assert.deepStrictEqual(opcodes(taken()), [9, 8])
        const message = frame(2, new Uint8Array(30_000), { mask: true })
        for (let i = 0; i < 20; i++) yield* client.send(message)
        yield* client.send(frame(8, closeBody(1011), { mask: true }))
        yield* client.end
        const outcome = yield* server.closed
        assert.strictEqual(outcome.undelivered, 20)
        assert.strictEqual(outcome.error?.reason._tag, "Unresponsive")
      })
    ))

  it.effect("gives a slow peer the time it takes", () =>
    on(
      {},
      Effect.gen(function*() {
        const [server, client] = yield* serverOfBytes
        const taken = yield* collecting(client)
        const failing = yield* Effect.forkChild(failure(server), { startImmediately: true })
        yield* seconds(25)
        const first = taken()
        assert.deepStrictEqual(opcodes(first), [9, 9])
        yield* seconds(4)
        yield* client.send(pongs(first, true))
        // Nine seconds and four: the last answer tells of the latest ping, the one before of a round trip of its own.
        yield* seconds(21)
        const next = taken()
        assert.deepStrictEqual(opcodes(next), [9])
        yield* seconds(15)
        assert.strictEqual(taken().length, 0, "it would have been asked again after 5 seconds")
        yield* client.send(pongs(next, true))
        yield* seconds(15)
        assert.isUndefined(failing.pollUnsafe())
      })
    ))

  it.effect("misses nothing while we don't take what has arrived", () =>
    on(
      {},
      Effect.gen(function*() {
        const [server, client] = yield* serverOfBytes
        const taken = yield* collecting(client)
        const big = frame(2, new Uint8Array(40_000), { mask: true })
        for (let i = 0; i < 3; i++) yield* client.send(big)
        for (let minute = 0; minute < 10; minute++) yield* seconds(60)
        assert.strictEqual(taken().length, 0)
        let received = 0
        while (received < 3) received += (yield* server.pull).length
        yield* seconds(22)
        assert.deepStrictEqual(opcodes(taken()), [9])
      })
    ))

  it.effect("gives three times as long to a peer that does not take what we send", () =>
    on(
      {},
      Effect.gen(function*() {
        const [server] = yield* serverOfBytes
        const sending = yield* Effect.forkChild(
          Effect.flip(Effect.forever(server.send(new Uint8Array(60_000)))),
          { startImmediately: true }
        )
        // What was sent before a ping takes its time, too: 120 kB at 64 KiB a second.
        yield* seconds(53)
        assert.isUndefined(sending.pollUnsafe())
        yield* seconds(9)
        const { reason } = yield* Fiber.join(sending)
        assert(reason._tag === "Unresponsive", reason._tag)
        assert.isAtLeast(reason.silent, 53_500)
        const closing = yield* Effect.forkChild(server.closed, { startImmediately: true })
        yield* seconds(6)
        const outcome = yield* Fiber.join(closing)
        assert.isFalse(outcome.clean)
        assert.strictEqual(outcome.error?.reason._tag, "Unresponsive")
      })
    ))

  it.effect("has one fiber for all connections, which ends with the last of them", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        let fibers = 0
        const counting = {
          recordFiberStart: () => {
            fibers++
          },
          recordFiberEnd: () => {
            fibers--
          }
        }
        yield* Effect.gen(function*() {
          const scopes = []
          for (let i = 0; i < 50; i++) {
            const scope = yield* Scope.make()
            yield* Scope.provide(connect(), scope)
            yield* server.next
            scopes.push(scope)
          }
          yield* settle
          assert.strictEqual(fibers, 1)
          for (const scope of scopes.slice(1)) yield* Scope.close(scope, Exit.void)
          yield* settle
          assert.strictEqual(fibers, 1)
          yield* Scope.close(scopes[0], Exit.void)
          yield* settle
          assert.strictEqual(fibers, 0)
          yield* Effect.scoped(Effect.andThen(connect(), settle))
          yield* settle
          assert.strictEqual(fibers, 0)
        }).pipe(Effect.provideService(Metric.FiberRuntimeMetrics, counting))
      })
    ))

  it.effect("tells the dead from the living among many", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        const living = []
        for (let i = 0; i < 100; i++) {
          yield* connect()
          living.push(yield* server.next)
          yield* TestClock.adjust("200 millis")
        }
        yield* upgradedBytes
        const dead = yield* server.next
        const failing = yield* Effect.forkChild(failure(dead), { startImmediately: true })
        yield* seconds(32)
        assert.strictEqual((yield* Fiber.join(failing)).reason._tag, "Unresponsive")
        for (const connection of living) yield* connection.send("are you there?")
        yield* seconds(60)
      })
    ))
})
