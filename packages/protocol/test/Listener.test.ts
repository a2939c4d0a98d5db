import { assert, it } from "@effect/vitest"
import {
  Connection,
  Endpoint,
  LengthPrefixed,
  Listener,
  ListenError,
  MemoryTransport,
  Protocol,
  Reason,
  Transport
} from "@wirestack/protocol"
import { ConnectError } from "@wirestack/protocol/ConnectError"
import { Cause, Deferred, Effect, Exit, Fiber, Latch, Layer, Logger, Option, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Parting from "./support/Parting.ts"
import { turns } from "./support/turns.ts"

const reasonOf = (exit: Exit.Exit<unknown, { readonly reason: { readonly _tag: string } }>): string => {
  if (Exit.isSuccess(exit)) return "success"
  const error = Cause.findErrorOption(exit.cause)
  return Option.isSome(error) ? error.value.reason._tag : "defect"
}

it.effect("a listener is run once: a second run fails, and the first goes on", () =>
  Effect.gen(function*() {
    const listener = yield* Transport.listen(Transport.Bytes)("memory:once")
    const first = yield* Effect.forkScoped(listener.run((peer) => Effect.ignore(peer.pull)))
    yield* turns
    assert.strictEqual(reasonOf(yield* Effect.exit(listener.run(() => Effect.void))), "NotListening")
    yield* turns
    assert.isUndefined(first.pollUnsafe())
    const connection = yield* Transport.connect(Transport.Bytes)("memory:once")
    yield* connection.send(Uint8Array.of(1))
  }).pipe(Effect.provide(MemoryTransport.layer())))

it.effect("a connection built while its listener drains is born closing", () =>
  Effect.gen(function*() {
    const slow = Protocol.make(Transport.Bytes, Transport.Messages, {
      layer: "slow",
      client: (lower) => Connection.fuse(lower, LengthPrefixed.make().machine(), { layer: "slow" }),
      server: (lower) =>
        Effect.andThen(
          Effect.sleep("300 millis"),
          Connection.fuse(lower, LengthPrefixed.make().machine(), { layer: "slow" })
        )
    })
    yield* Effect.gen(function*() {
      const scope = yield* Scope.make()
      const sent = yield* Deferred.make<string>()
      const listener = yield* Scope.provide(Transport.listen(Transport.Messages)("memory:slow"), scope)
      yield* Effect.forkScoped(
        Effect.ignore(listener.run((peer) =>
          Effect.flatMap(Effect.exit(peer.send("zombie")), (exit) => Deferred.succeed(sent, reasonOf(exit)))
        ))
      )
      const client = yield* Transport.connect(Transport.Messages)("memory:slow")
      yield* turns
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* turns
      yield* TestClock.adjust("300 millis")
      assert.strictEqual(yield* Deferred.await(sent), "Closing")
      yield* client.abort
      yield* Fiber.join(closing)
      assert.deepInclude(yield* listener.drained, { open: 1, ended: 1, interrupted: 0, waiting: 0 })
    }).pipe(Effect.provide(slow(MemoryTransport.layer())))
  }))

it.effect("a handler that is not interruptible does not hold up a drain for ever", () =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const listener = yield* Scope.provide(
      Transport.listen(Transport.Bytes)("memory:stubborn", { drain: { within: "1 seconds" } }),
      scope
    )
    yield* Effect.forkScoped(Effect.ignore(listener.run(() => Effect.uninterruptible(Effect.sleep("1 hours")))))
    yield* Transport.connect(Transport.Bytes)("memory:stubborn", { closeWithin: "1 millis" })
    yield* turns
    const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
    yield* turns
    yield* TestClock.adjust("1 seconds")
    yield* turns
    yield* TestClock.adjust("1 seconds")
    yield* Fiber.join(closing)
    assert.deepInclude(yield* listener.drained, { open: 1, ended: 0, interrupted: 1, waiting: 0 })
    yield* TestClock.adjust("1 hours")
  }).pipe(Effect.provide(MemoryTransport.layer())))

it.effect("a drain waits for what the scope of a handler that has ended still does, and a defect in it is reported", () =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const incidents: Array<string> = []
    const listener = yield* Scope.provide(Transport.listen(Transport.Bytes)("memory:tidy"), scope)
    const tidying = Effect.addFinalizer(() => Effect.sleep("1 seconds"))
    const failing = Effect.addFinalizer(() => Effect.die("untidy"))
    yield* Effect.forkScoped(Effect.ignore(listener.run(
      (peer) => Effect.andThen(Effect.flatMap(peer.pull, ([[first]]) => first === 1 ? tidying : failing), Effect.void),
      { onIncident: ({ _tag }) => Effect.sync(() => void incidents.push(_tag)) }
    )))
    for (const which of [2, 1]) {
      const connection = yield* Transport.connect(Transport.Bytes)("memory:tidy")
      yield* connection.send(Uint8Array.of(which))
      yield* turns
      yield* connection.abort
      yield* turns
    }
    assert.deepStrictEqual(incidents, ["HandlerFailed"])
    const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
    yield* turns
    yield* TestClock.adjust("900 millis")
    yield* turns
    assert.isUndefined(closing.pollUnsafe())
    yield* TestClock.adjust("100 millis")
    yield* Fiber.join(closing)
    assert.deepInclude(yield* listener.drained, { open: 1, ended: 1, interrupted: 0, waiting: 0 })
  }).pipe(Effect.provide(MemoryTransport.layer())))

it.effect("a handshake that is late is interrupted and reported, and the layers below close as failed", () =>
  Effect.gen(function*() {
    let interrupted = 0
    const slow = Protocol.make(Parting.Parted, Transport.Messages, {
      layer: "slow",
      handshakeWithin: "1 seconds",
      client: (lower) => Effect.succeed(lower),
      server: () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
    })
    yield* Effect.gen(function*() {
      const incidents: Array<Listener.Incident> = []
      const listener = yield* Transport.listen(Transport.Messages)("memory:late")
      yield* Effect.forkScoped(
        listener.run(() => Effect.die("no handshake was made"), {
          onIncident: (incident) => Effect.sync(() => incidents.push(incident))
        })
      )
      const client = yield* Transport.connect(Transport.Messages)("memory:late")
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(interrupted, 0)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(interrupted, 1)
      assert.deepStrictEqual(
        incidents.map((incident) => incident._tag === "HandshakeFailed" && incident.error.message),
        [
          "slow: handshake took longer than 1000 ms"
        ]
      )
      assert.deepStrictEqual((yield* client.closed).received, { code: 2, reason: "" })
    }).pipe(Effect.provide(slow(Parting.over()(MemoryTransport.layerMessages()))))
  }))

it.effect("who leaves is no incident, and a failure is one also if the listener closes at once", () =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const incidents: Array<string> = []
    const listener = yield* Scope.provide(Transport.listen(Transport.Bytes)("memory:leaving"), scope)
    yield* Effect.forkScoped(Effect.ignore(listener.run(
      (peer) =>
        Effect.forever(Effect.flatMap(peer.pull, ([[first]]) => first === 1 ? Effect.void : Effect.fail("boom"))),
      { onIncident: ({ _tag }) => Effect.sync(() => void incidents.push(_tag)) }
    )))
    yield* Effect.scoped(Effect.flatMap(
      Transport.connect(Transport.Bytes)("memory:leaving"),
      (connection) => connection.send(Uint8Array.of(1))
    ))
    assert.deepStrictEqual(incidents, [])
    const connection = yield* Transport.connect(Transport.Bytes)("memory:leaving")
    yield* connection.send(Uint8Array.of(2))
    yield* Effect.flip(connection.pull)
    yield* connection.abort
    yield* Scope.close(scope, Exit.void)
    assert.deepStrictEqual(incidents, ["HandlerFailed"])
  }).pipe(Effect.provide(MemoryTransport.layer())))

it.effect("a drain does not wait for a handshake that has taken the connection below", () =>
  Effect.gen(function*() {
    const taking = Protocol.make(Transport.Bytes, Transport.Bytes, {
      layer: "taking",
      client: (lower) => Effect.succeed(lower),
      server: (lower) => {
        Connection.release(lower)
        return Effect.never
      }
    })
    yield* Effect.gen(function*() {
      const scope = yield* Scope.make()
      const incidents: Array<Listener.Incident> = []
      const listener = yield* Scope.provide(Transport.listen(Transport.Bytes)("memory:taking"), scope)
      yield* Effect.forkScoped(
        listener.run(() => Effect.die("no handshake was made"), {
          onIncident: (incident) => Effect.sync(() => incidents.push(incident))
        })
      )
      const client = yield* Transport.connect(Transport.Bytes)("memory:taking")
      yield* turns
      yield* client.abort
      yield* Scope.close(scope, Exit.void)
      assert.deepInclude(yield* listener.drained, { open: 1, ended: 1, interrupted: 0, waiting: 0 })
      assert.deepStrictEqual(incidents, [])
    }).pipe(Effect.provide(taking(MemoryTransport.layer())))
  }))

/** A layer that knows where connections come from: all from one address. */
const knowing = (peersAreTold: boolean) =>
  Protocol.make(Transport.Bytes, Transport.Bytes, {
    layer: "knowing",
    below: (ask) => ({ ...ask, peersAreTold }),
    client: (lower) => Effect.succeed(lower),
    server: (lower) =>
      Effect.as(
        Effect.mapError(
          Connection.comesFrom(lower, "192.0.2.1"),
          (reason) => new ConnectError({ layer: "knowing", reason })
        ),
        lower
      )
  })

/** Which peers two clients are, and what the listener reports, if an address may have one connection. */
const two = (peersAreTold: boolean) =>
  Effect.gen(function*() {
    const seen: Array<string | undefined> = []
    const incidents: Array<Listener.Incident> = []
    const listener = yield* Transport.listen(Transport.Bytes)("memory:told", { maxConnectionsPerPeer: 1 })
    yield* Effect.forkScoped(listener.run(
      (peer) => Effect.andThen(Effect.sync(() => seen.push(Connection.peer(peer))), Effect.ignore(peer.pull)),
      { onIncident: (incident) => Effect.sync(() => incidents.push(incident)) }
    ))
    for (const _ of [1, 2]) yield* Transport.connect(Transport.Bytes)("memory:told")
    yield* turns
    return { seen, incidents }
  }).pipe(Effect.scoped, Effect.provide(knowing(peersAreTold)(MemoryTransport.layer())))

it.effect("a layer says where connections come from, and they are counted by that", () =>
  Effect.gen(function*() {
    const incident = { _tag: "TooManyConnections", count: 1, limit: 1, of: "peer", peer: "192.0.2.1" } as const
    assert.deepStrictEqual(yield* two(true), { seen: ["192.0.2.1"], incidents: [incident] })
  }))

it.effect("a layer that has not announced it says it all the same, and nothing is counted by that", () =>
  Effect.gen(function*() {
    assert.deepStrictEqual(yield* two(false), { seen: ["192.0.2.1", "192.0.2.1"], incidents: [] })
  }))

it.effect("those who are turned away are told one at a time, and those that come meanwhile together", () =>
  Effect.gen(function*() {
    const told: Array<Listener.Incident> = []
    const go = yield* Latch.make()
    const listener = yield* Transport.listen(Transport.Bytes)("memory:flood", { maxConnections: 1 })
    yield* Effect.forkScoped(listener.run((peer) => Effect.ignore(peer.pull), {
      onIncident: (incident) => Effect.andThen(Effect.sync(() => told.push(incident)), go.await)
    }))
    yield* turns
    const visit = Transport.connect(Transport.Bytes)("memory:flood")
    yield* Effect.replicateEffect(visit, 101)
    yield* turns
    const incident = { _tag: "TooManyConnections", of: "listener", limit: 1, peer: undefined } as const
    assert.deepStrictEqual(told, [{ ...incident, count: 1 }])
    yield* go.open
    yield* turns
    assert.deepStrictEqual(told.slice(1), [{ ...incident, count: 99 }])
    yield* visit
    yield* turns
    assert.deepStrictEqual(told.slice(2), [{ ...incident, count: 1 }])
  }).pipe(Effect.provide(MemoryTransport.layer())))

it.effect("a flood of incidents is no flood of the log", () =>
  Effect.gen(function*() {
    const logged: Array<unknown> = []
    const log = Logger.layer([Logger.make(({ message }) => void logged.push(message))])
    const visits = (count: number) =>
      Effect.andThen(
        Effect.replicateEffect(Effect.scoped(Transport.connect(Transport.Bytes)("memory:log")), count),
        turns
      )
    yield* Effect.gen(function*() {
      const listener = yield* Transport.listen(Transport.Bytes)("memory:log")
      yield* Effect.forkScoped(listener.run(() => Effect.fail("boom")))
      yield* turns
      yield* visits(25)
      assert.lengthOf(logged, 10)
      yield* TestClock.adjust("1 second")
      yield* visits(1)
      assert.deepStrictEqual(logged.length, 12)
      assert.deepStrictEqual(logged[10], ["15 more incidents were not logged"])
    }).pipe(Effect.provide(log))
  }).pipe(Effect.provide(MemoryTransport.layer())))

it.effect("a connection counts once, however often it is told where it comes from, and not once it is over", () =>
  Effect.gen(function*() {
    const handled: Array<Connection.Connection<Uint8Array, Uint8Array>> = []
    const incidents: Array<Listener.Incident> = []
    const listener = yield* Transport.listen(Transport.Bytes)("memory:told", { maxConnectionsPerPeer: 1 })
    const handler = (peer: Connection.Connection<Uint8Array, Uint8Array>) =>
      Effect.gen(function*() {
        yield* Connection.comesFrom(peer, "192.0.2.1")
        if (handled.length > 0) yield* Connection.comesFrom(peer, "192.0.2.2")
        handled.push(peer)
        yield* Effect.ignore(peer.pull)
      })
    const onIncident = (incident: Listener.Incident) => Effect.sync(() => void incidents.push(incident))
    yield* Effect.forkScoped(listener.run(handler, { onIncident }))
    for (const count of [1, 2]) {
      const client = yield* Transport.connect(Transport.Bytes)("memory:told")
      yield* turns
      assert.deepStrictEqual([handled.length, incidents], [count, []])
      yield* Effect.andThen(client.abort, turns)
      yield* Connection.comesFrom(handled[0], "192.0.2.2")
    }
  }).pipe(Effect.scoped, Effect.provide(knowing(true)(MemoryTransport.layer()))))

it.effect("a listener that is lost while it serves is told", () =>
  Effect.gen(function*() {
    const reason = new Reason.Other({ cause: "the socket is gone" })
    const lost = new ListenError.ListenError({ layer: "weak", reason })
    const start: Listener.Acceptor<Uint8Array, Uint8Array, never>["start"] = (_, lose) => lose(lost)
    const acceptor = { layer: "weak", address: Endpoint.memory("weak"), start, stop: Effect.void }
    const weak = Transport.layer<"bytes", Uint8Array, Uint8Array, Uint8Array, Uint8Array, Transport.Listen>(
      Transport.Bytes,
      Effect.succeed({ connect: () => Effect.never, listen: (ask) => Listener.make(acceptor, ask) })
    )
    const logged: Array<unknown> = []
    const logger = Logger.layer([Logger.make(({ message }) => void logged.push(message))])
    const serving = Transport.serve(Transport.Bytes)()("memory:weak", () => Effect.void)
    yield* Layer.build(Layer.provide(serving, [weak, logger]))
    yield* turns
    assert.deepStrictEqual(logged, [["listener lost:", lost.message]])
  }))

it.effect("options that bound nothing are refused by name, and leave the address free", () =>
  Effect.gen(function*() {
    const refused: ReadonlyArray<readonly [name: string, options: Transport.ListenOptions<any>]> = [
      ["maxConnections", { maxConnections: 0 }],
      ["maxConnections", { maxConnections: NaN }],
      ["maxConnectionsPerPeer", { maxConnectionsPerPeer: -1 }],
      ["maxWaiting", { maxWaiting: NaN }],
      ["closeWithin", { closeWithin: -1 }],
      ["maxLifetime", { maxLifetime: NaN }],
      ["within", { drain: { within: "-1 seconds" } }],
      ["over", { drain: { over: -5 } }]
    ]
    for (const [name, options] of refused) {
      const exit = yield* Effect.exit(Effect.scoped(Transport.listen(Transport.Bytes)("memory:bounds", options)))
      assert(Exit.isFailure(exit))
      const defect = Cause.squash(exit.cause)
      assert.instanceOf(defect, RangeError, JSON.stringify(options))
      assert.include((defect as RangeError).message, `${name} is `)
    }
    yield* Transport.listen(Transport.Bytes)("memory:bounds", {
      maxWaiting: 0,
      drain: { within: 0 },
      closeWithin: Infinity
    })
  }).pipe(Effect.provide(MemoryTransport.layer())))
