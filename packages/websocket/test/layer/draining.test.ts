/** What peers see of a server that drains: those that are in, those at the door, and those that come too late. */
import { assert, describe, it } from "@effect/vitest"
import { type Listener, Transport } from "@wirestack/protocol"
import { detail } from "@wirestack/protocol/Connection"
import { reasonOf } from "@wirestack/test-support"
import { Route, Router, WebSocket } from "@wirestack/websocket"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { text, utf8 } from "../support.ts"
import * as net from "./support.ts"

const stays = (connection: net.Messages) => Effect.ignore(Effect.forever(connection.pull))

const serving = (options?: Transport.ListenOptions<net.Messages>) =>
  Effect.gen(function*() {
    const incidents: Array<Listener.Incident> = []
    const listener = yield* Transport.listen(Transport.Messages)<net.Details>(net.here, options)
    const onIncident = (incident: Listener.Incident) => Effect.sync(() => void incidents.push(incident))
    yield* Effect.forkScoped(Effect.exit(listener.run(stays, { onIncident })), { startImmediately: true })
    return { listener, incidents }
  })

/** A client of bytes that says something, and what it is answered until the connection ends. */
const saying = (said: Uint8Array) =>
  Effect.gen(function*() {
    const client = yield* net.connectBytes
    yield* Effect.addFinalizer(() => client.abort)
    yield* client.send(said)
    yield* net.settle
    return { answer: Effect.map(net.all(client), text) }
  })

const unavailable = /^HTTP\/1\.1 503 Service Unavailable\r\nRetry-After: 7\r\n(.+\r\n)*Connection: close\r\n\r\n/

describe("a server that drains", () => {
  for (const [as, code] of [["away", 1001], ["restart", 1012]] as const) {
    it.effect(`says ${code}: ${as}`, () =>
      net.on(
        {},
        Effect.gen(function*() {
          const { listener } = yield* serving()
          const client = yield* net.connect()
          yield* Effect.forkChild(listener.drain({ as }), { startImmediately: true })
          assert.strictEqual((yield* net.ending(client)).received?.code, code)
          assert.deepInclude(yield* listener.drained, { open: 1, clean: 1 })
        })
      ))
  }

  it.effect("lets the application say goodbye first, with a code of its own if it likes", () =>
    net.on(
      {},
      Effect.gen(function*() {
        const goodbye = (connection: net.Messages) =>
          Effect.andThen(
            connection.send("see you"),
            detail(connection, WebSocket.WebSocket).close(1013, "in a minute")
          )
        const { listener } = yield* serving({ drain: { goodbye: (connection) => Effect.asVoid(goodbye(connection)) } })
        const client = yield* net.connect()
        const draining = yield* Effect.forkChild(listener.drain(), { startImmediately: true })
        assert.deepStrictEqual(yield* client.pull, ["see you"])
        assert.deepStrictEqual((yield* net.ending(client)).received, { code: 1013, reason: "in a minute" })
        assert.deepInclude(yield* Fiber.join(draining), { open: 1, clean: 1 })
      })
    ))

  it.effect("answers handshakes 503, those under way and those to come, until it is over", () =>
    net.on(
      {},
      Effect.gen(function*() {
        const { incidents, listener } = yield* serving()
        const mute = yield* net.upgradedBytes
        yield* net.settle
        const half = yield* saying(utf8("GET / HTTP/1.1\r\nHost: localh"))
        const draining = yield* Effect.forkChild(listener.drain({ within: "7 seconds" }), { startImmediately: true })
        const late = yield* Effect.scoped(Effect.flatMap(saying(net.request()), ({ answer }) => answer))
        assert.match(late, unavailable)
        assert.deepInclude(yield* reasonOf(Effect.scoped(net.connect())), { _tag: "UpgradeRejected", status: 503 })
        yield* mute.abort
        assert.match(yield* half.answer, unavailable)
        assert.strictEqual((yield* reasonOf(Effect.scoped(net.connectBytes)))._tag, "Refused")
        yield* TestClock.adjust("7 seconds")
        assert.deepInclude(yield* Fiber.join(draining), { open: 1, refused: 3 })
        assert.deepStrictEqual(incidents, [])
      })
    ))

  it.effect("does so, too, if it has yet to decide", () =>
    Effect.gen(function*() {
      const decided = yield* Deferred.make<void>()
      const accept = ({ query }: WebSocket.Request) =>
        query === "later" ? Deferred.await(decided) : query === "never" ? Effect.never : Effect.void
      yield* net.on(
        { server: { accept } },
        Effect.gen(function*() {
          const { listener } = yield* serving({ drain: { retryAfter: "6100 millis" } })
          const inside = yield* net.upgradedBytes
          const [later, never] = [yield* saying(net.request({}, "/?later")), yield* saying(net.request({}, "/?never"))]
          const draining = yield* Effect.forkChild(listener.drain(), { startImmediately: true })
          yield* Deferred.succeed(decided, undefined)
          assert.match(yield* later.answer, unavailable)
          yield* inside.abort
          assert.match(yield* never.answer, unavailable)
          yield* TestClock.adjust("5 seconds")
          assert.deepInclude(yield* Fiber.join(draining), { open: 1, refused: 2 })
        })
      )
    }))

  it.effect("does so for routes, and never holds out for who says half a word", () =>
    net.on(
      {},
      Effect.gen(function*() {
        const routes = [Route.messages("/", (connection) => Effect.asVoid(connection.closed))]
        const listener = yield* Router.listen(net.here, routes, { drain: { within: "7 seconds" } })
        yield* Effect.forkScoped(Effect.exit(listener.run()), { startImmediately: true })
        yield* net.upgradedBytes
        const slow = yield* net.connectBytes
        yield* slow.send(utf8("GET / HTTP/1.1\r\n"))
        yield* net.settle
        const draining = yield* Effect.forkChild(listener.drain(), { startImmediately: true })
        assert.match(yield* Effect.scoped(Effect.flatMap(saying(net.request()), ({ answer }) => answer)), unavailable)
        yield* TestClock.adjust("7 seconds")
        yield* net.settle
        assert.deepInclude(yield* Fiber.join(draining), { open: 1, forced: 1, refused: 2, took: 7_000 })
      })
    ))
})
