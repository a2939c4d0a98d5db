/** Requests that somebody else has read: who answers them, and from when on the connection is ours. */
import { assert, describe, it } from "@effect/vitest"
import { Connection, type Listener, MemoryTransport } from "@wirestack/protocol"
import { Closed } from "@wirestack/protocol/ConnectionError"
import type { Wire } from "@wirestack/protocol/wire/Wire"
import { type Arrival, Route, Router, type ServerHandshake } from "@wirestack/websocket"
import { Context, Deferred, Effect, Stream } from "effect"
import { TestClock } from "effect/testing"
import { frame } from "../support.ts"
import * as net from "./support.ts"

class Name extends Context.Service<Name, string>()("test/Name") {}

/** A request that has arrived, the other end of its connection, and what it is answered by whoever has read it. */
const arrival = (made: Partial<Arrival.Arrival> = {}) => {
  const [near, far] = MemoryTransport.pair<Uint8Array>() as readonly [Wire<Uint8Array, Uint8Array>, Wire<any, any>]
  const refused: Array<ServerHandshake.Refused> = []
  const opened = { times: 0 }
  const given: Arrival.Arrival = {
    head: net.request(),
    place: { _tag: "Memory", name: "here" },
    peer: "192.0.2.1",
    details: () => Context.empty(),
    services: Context.empty(),
    open: Effect.sync(() => {
      opened.times++
      return { wire: near, leftover: [] }
    }),
    refuse: (answer) => void refused.push(answer),
    ...made
  }
  return { given, far: Connection.make<Uint8Array, Uint8Array>(far), near, opened, refused }
}

const echo = (peer: net.Messages) => Stream.run(Connection.messages(peer), Connection.sink(peer))

const mounted = (route: Route.Route, options?: Router.Options) =>
  Effect.gen(function*() {
    const incidents: Array<Listener.Incident> = []
    const mount = yield* Router.mount([route], options)
    const onIncident = (incident: Listener.Incident) => Effect.sync(() => void incidents.push(incident))
    yield* Effect.forkScoped(Effect.exit(mount.run({ onIncident })), { startImmediately: true })
    return { ...mount, incidents }
  })

describe("a request that has arrived", () => {
  it.effect("is answered on its connection once it is opened, with all that came behind it", () =>
    net.alone(Effect.gen(function*() {
      const mount = yield* mounted(Route.messages("/", echo))
      const { far, given, near, refused } = arrival()
      mount.accept({
        ...given,
        open: Effect.succeed({
          wire: near,
          leftover: [frame(1, "a", { mask: true }), frame(1, "b", { mask: true })]
        })
      })
      const client = yield* far
      yield* net.settle
      const answer = Buffer.concat(yield* client.pull).toString("latin1")
      assert.match(answer, /^HTTP\/1\.1 101 [^]*\r\n\r\n\x81\x01a\x81\x01b$/)
      assert.deepStrictEqual(refused, [])
      yield* client.abort
    })))

  it.effect("is refused by whoever has read it, and its connection not opened", () =>
    net.alone(Effect.gen(function*() {
      const mount = yield* mounted(Route.messages("/chat", echo))
      const { given, opened, refused } = arrival()
      mount.accept(given)
      yield* net.settle
      assert.deepStrictEqual(refused.map(({ status }) => status), [404])
      assert.strictEqual(opened.times, 0)
      assert.strictEqual(mount.incidents.length, 1)
    })))

  it.effect("goes to the route of the path that it is given, and has its services", () =>
    net.alone(Effect.gen(function*() {
      const seen = yield* Deferred.make<readonly [string, string, string]>()
      const route = Route.messages(
        "/rooms/:room",
        (_, { params, path }) => Effect.flatMap(Name, (name) => Deferred.succeed(seen, [params.room, path, name])),
        { accept: () => Effect.asVoid(Name) }
      )
      const mount = yield* mounted(route as Route.Route)
      const { far, given } = arrival({
        head: net.request({}, "/v1/rooms/a"),
        path: "/rooms/a",
        services: Context.make(Name, "ann") as Context.Context<never>
      })
      mount.accept(given)
      assert.deepStrictEqual(yield* Deferred.await(seen), ["a", "/v1/rooms/a", "ann"])
      yield* (yield* far).abort
    })))

  it.effect("is refused once, with 503, if its time is up or there is no room", () =>
    net.alone(Effect.gen(function*() {
      const mount = yield* mounted(Route.messages("/", echo, { accept: () => Effect.never }), {
        handshakeWithin: "3 seconds",
        maxConnections: 1
      })
      const [late, many] = [arrival(), arrival()]
      mount.accept(late.given)
      mount.accept(many.given)
      assert.deepStrictEqual(many.refused.map(({ status }) => status), [503])
      assert.deepStrictEqual(late.refused, [])
      yield* TestClock.adjust("3 seconds")
      yield* net.settle
      assert.deepStrictEqual(late.refused.map(({ status }) => status), [503])
      assert.strictEqual(late.opened.times, 0)
    })))

  it.effect("whose connection is gone, or can't be given up, is answered too if it still can be", () =>
    net.alone(Effect.gen(function*() {
      const mount = yield* mounted(Route.messages("/", echo))
      const { given, refused } = arrival({ open: Effect.fail(new Closed()) })
      mount.accept(given)
      yield* net.settle
      assert.deepStrictEqual(refused.map(({ status }) => status), [503])
      const [incident] = mount.incidents
      assert(incident._tag === "HandshakeFailed")
      assert.strictEqual(incident.error.reason._tag, "Closed")
      assert.strictEqual(incident.peer, "192.0.2.1")
    })))

  it.effect("comes too late when the routes have drained", () =>
    net.alone(Effect.gen(function*() {
      const mount = yield* mounted(Route.messages("/", echo))
      yield* mount.drain()
      const { given, refused } = arrival()
      mount.accept(given)
      assert.deepStrictEqual(refused.map(({ status }) => status), [503])
    })))
})

it.effect("routes know their hosts and paths", () =>
  net.alone(Effect.gen(function*() {
    const route = Route.messages("/a/:b", echo, { host: "*.chat.example" })
    const { knows } = yield* Router.mount([route])
    assert.isTrue(knows("eu.chat.example", "/a/1"))
    assert.isFalse(knows("chat.example", "/a/1"))
    assert.isFalse(knows("eu.chat.example", "/a"))
  })))
