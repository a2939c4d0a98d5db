import { assert, describe, it } from "@effect/vitest"
import {
  ConnectError,
  Connection,
  ConnectionState,
  Establishment,
  MemoryTransport,
  Reason,
  Transport
} from "@wirestack/protocol"
import { Effect, Exit, Fiber, Schedule, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"

type Bytes = Connection.Connection<Uint8Array, Uint8Array>

const connect = Transport.connect(Transport.Bytes)("memory:server")

const listen = Effect.gen(function*() {
  const listener = yield* Transport.listen(Transport.Bytes)("memory:server")
  yield* Effect.forkScoped(listener.run((connection) => Stream.runDrain(Connection.messages(connection))))
})

const shown = (state: ConnectionState.ConnectionState): string => {
  switch (state._tag) {
    case "Preparing":
      return `Preparing ${state.attempt}`
    case "Waiting":
      return `Waiting ${state.attempt}: ${state.error.reason._tag}`
    case "Failed":
      return `Failed: ${state.error.reason._tag}`
    default:
      return state._tag
  }
}

/** The states an establishment goes through, as they come. */
const watched = (establishment: Establishment.Establishment<any, any>) =>
  Effect.gen(function*() {
    const seen: Array<string> = []
    const watching = yield* Effect.forkScoped(
      Stream.runForEach(establishment.changes, (state) => Effect.sync(() => seen.push(shown(state))))
    )
    yield* TestClock.adjust(0)
    return { seen, over: Fiber.join(watching) }
  })

const everySecond = { retry: Schedule.spaced("1 seconds") }

describe("Establishment", () => {
  it.effect("goes from setup to closed", () =>
    Effect.gen(function*() {
      yield* listen
      const scope = yield* Scope.make()
      const establishment = yield* Scope.provide(Establishment.make(connect), scope)
      const { over, seen } = yield* watched(establishment)
      assert.deepStrictEqual(seen, ["Setup"])
      const connection: Bytes = yield* establishment.connection
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(seen, ["Setup", "Preparing 1", "Ready"])
      yield* Scope.close(scope, Exit.void)
      yield* over
      assert.deepStrictEqual(seen, ["Setup", "Preparing 1", "Ready", "Closing", "Closed"])
      assert.isTrue((yield* connection.closed).clean)
      assert.strictEqual((yield* establishment.state)._tag, "Closed")
    }).pipe(Effect.provide(MemoryTransport.layer())))

  it.effect("waits as the schedule has it, and is ready once somebody listens", () =>
    Effect.gen(function*() {
      const establishment = yield* Establishment.make(connect, everySecond)
      const { seen } = yield* watched(establishment)
      yield* establishment.start
      yield* establishment.start
      yield* TestClock.adjust("1999 millis")
      assert.deepStrictEqual(seen, ["Setup", "Preparing 1", "Waiting 1: Refused", "Preparing 2", "Waiting 2: Refused"])
      yield* listen
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(seen.slice(5), ["Preparing 3", "Ready"])
    }).pipe(Effect.provide(MemoryTransport.layer())))

  it.effect("tries at once when it is restarted, and only if it waits", () =>
    Effect.gen(function*() {
      const establishment = yield* Establishment.make(connect, { retry: Schedule.spaced("1 hours") })
      const { seen } = yield* watched(establishment)
      yield* establishment.restart
      yield* establishment.start
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(seen, ["Setup", "Preparing 1", "Waiting 1: Refused"])
      yield* listen
      yield* establishment.restart
      yield* establishment.connection
      yield* establishment.restart
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(seen.slice(3), ["Preparing 2", "Ready"])
    }).pipe(Effect.provide(MemoryTransport.layer())))

  it.effect("fails with the last reason when the schedule ends", () =>
    Effect.gen(function*() {
      const establishment = yield* Establishment.make(connect, {
        retry: Schedule.spaced("1 seconds").pipe(Schedule.upTo({ times: 2 }))
      })
      const { over, seen } = yield* watched(establishment)
      const connecting = yield* Effect.forkScoped(Effect.flip(establishment.connection))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(connecting)).reason._tag, "Refused")
      yield* over
      assert.deepStrictEqual(seen, [
        "Setup",
        "Preparing 1",
        "Waiting 1: Refused",
        "Preparing 2",
        "Waiting 2: Refused",
        "Preparing 3",
        "Failed: Refused"
      ])
    }).pipe(Effect.provide(MemoryTransport.layer())))

  it.effect("does not wait for what won't pass", () =>
    Effect.gen(function*() {
      const establishment = yield* Establishment.make(Transport.connect(Transport.Bytes)("tcp://127.0.0.1:1"))
      const { over, seen } = yield* watched(establishment)
      yield* establishment.start
      yield* over
      assert.deepStrictEqual(seen, ["Setup", "Preparing 1", "Failed: InvalidEndpoint"])
    }).pipe(Effect.provide(MemoryTransport.layer())))

  it.effect("waits for what it is told to wait for", () =>
    Effect.gen(function*() {
      const establishment = yield* Establishment.make(connect, { ...everySecond, waitsFor: () => false })
      yield* establishment.start
      yield* TestClock.adjust(0)
      assert.strictEqual((yield* establishment.state)._tag, "Failed")
    }).pipe(Effect.provide(MemoryTransport.layer())))

  it.effect("ends with its scope, also while it waits", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const establishment = yield* Scope.provide(Establishment.make(connect, everySecond), scope)
      const connecting = yield* Effect.forkScoped(Effect.flip(establishment.connection))
      yield* TestClock.adjust("500 millis")
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(connecting)).reason._tag, "Closing")
      assert.strictEqual((yield* establishment.state)._tag, "Failed")
    }).pipe(Effect.provide(MemoryTransport.layer())))

  it.effect("is over with its scope, also if it never began", () =>
    Effect.gen(function*() {
      const closedAfter = (first: (establishment: Establishment.Establishment<any, any>) => Effect.Effect<void>) =>
        Effect.gen(function*() {
          const scope = yield* Scope.make()
          const establishment = yield* Scope.provide(Establishment.make(connect), scope)
          const { over, seen } = yield* watched(establishment)
          yield* first(establishment)
          yield* Scope.close(scope, Exit.void)
          yield* over
          assert.deepStrictEqual(seen, ["Setup", "Failed: Closing"])
          assert.strictEqual((yield* Effect.flip(establishment.connection)).reason._tag, "Closing")
        })
      yield* closedAfter(() => Effect.void)
      // The scope closes in the turn in which it was started.
      yield* closedAfter(({ start }) => start)
    }).pipe(Effect.provide(MemoryTransport.layer())))

  it.effect("an attempt that failed leaves no connection", () =>
    Effect.gen(function*() {
      yield* listen
      const connections: Array<Bytes> = []
      const late = new ConnectError.ConnectError({
        layer: "login",
        reason: new Reason.TimedOut({ phase: "login", after: 1 })
      })
      const login = Effect.flatMap(connect, (connection: Bytes) => {
        connections.push(connection)
        return Effect.as(connections.length < 3 ? Effect.fail(late) : Effect.void, connection)
      })
      const establishment = yield* Establishment.make(login, everySecond)
      yield* establishment.start
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* establishment.state)._tag, "Ready")
      const [first, second, third] = yield* Effect.forEach(connections, ConnectionState.of)
      assert.deepStrictEqual([first._tag, second._tag, third._tag], ["Closed", "Closed", "Ready"])
    }).pipe(Effect.provide(MemoryTransport.layer())))

  it.effect("goes on although who waited for the connection was interrupted", () =>
    Effect.gen(function*() {
      const establishment = yield* Establishment.make(connect, everySecond)
      const connecting = yield* Effect.forkScoped(establishment.connection)
      yield* TestClock.adjust("500 millis")
      yield* Fiber.interrupt(connecting)
      yield* listen
      yield* TestClock.adjust("500 millis")
      assert.strictEqual((yield* establishment.state)._tag, "Ready")
    }).pipe(Effect.provide(MemoryTransport.layer())))

  it.effect("tells a defect instead of waiting for ever", () =>
    Effect.gen(function*() {
      const establishment = yield* Establishment.make(Effect.die("a bug") as Effect.Effect<Bytes>)
      const error = yield* Effect.flip(establishment.connection)
      assert(error.reason._tag === "Other")
      assert.strictEqual(error.reason.cause, "a bug")
    }))

  it("waits only if all addresses failed in ways that may pass", () => {
    const failed = (...reasons: ReadonlyArray<ConnectError.ConnectReason>) =>
      new ConnectError.ConnectError({
        layer: "tcp",
        reason: new ConnectError.NoneReached({ attempts: reasons.map((reason) => ({ address: "a:1", reason })) })
      })
    const refused = new ConnectError.Refused({ address: "a:1" })
    assert.isTrue(Establishment.mayPass(failed(refused, new ConnectError.Unreachable({ address: "a:1" }))))
    assert.isFalse(Establishment.mayPass(failed(refused, new Reason.Other({ cause: "?" }))))
  })
})
