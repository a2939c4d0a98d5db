import { assert, describe, it } from "@effect/vitest"
import {
  ConnectError,
  Connection,
  ConnectionError,
  MemoryTransport,
  Reason,
  Reconnection,
  Resilient,
  Transport,
  Verdict,
  type Wire
} from "@wirestack/protocol"
import { withoutLeaks } from "@wirestack/protocol/testing"
import { Duration, Effect, Exit, Fiber, Option, Schedule, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { failureOf } from "../support/failure.ts"
import { Parting } from "../support/Parting.ts"

type Messages = Connection.Connection<Transport.Message, Transport.Message>

const connect = Transport.connect(Transport.Messages)("memory:server")

/** A server that keeps what it accepts, and can be stopped. */
const server = Effect.gen(function*() {
  const accepted: Array<Messages> = []
  const received: Array<Transport.Message> = []
  const scope = yield* Scope.fork(yield* Effect.scope)
  const listener = yield* Scope.provide(Transport.listen(Transport.Messages)("memory:server"), scope)
  yield* Effect.forkIn(
    listener.run((connection) => {
      accepted.push(connection)
      return Stream.runForEach(Connection.messages(connection), (message) => Effect.sync(() => received.push(message)))
    }),
    scope
  )
  return { accepted, received, stop: Scope.close(scope, Exit.void) }
})

const everySecond = { schedule: Schedule.spaced("1 seconds") }

const stateOf = (connection: Connection.Connection<any, any, Reconnection.Reconnection>) =>
  Effect.map(Connection.detail(connection, Reconnection.Reconnection).state, (state) => state._tag)

const turns = TestClock.adjust(0)

describe("Resilient", () => {
  it.effect("refuses to hold what is no number of messages", () =>
    Effect.gen(function*() {
      const wrong = [{ dropOldest: -1 }, { buffer: NaN }, { buffer: 1, bytes: 0 }]
      for (const between of wrong) {
        const exit = yield* Effect.exit(Connection.resilient(connect, { between }))
        assert.match(String(Exit.isFailure(exit) && exit.cause), /RangeError: (dropOldest|buffer|bytes) is /)
      }
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layerMessages())))

  it.effect("goes on with the next connection when one breaks, for who sends and who pulls", () =>
    Effect.gen(function*() {
      const { accepted, received } = yield* server
      const connection = yield* Connection.resilient(connect, everySecond)
      yield* turns
      const pulling = yield* Effect.forkScoped(connection.pull)
      yield* connection.send("one")
      yield* turns
      yield* accepted[0].abort
      yield* turns
      assert.strictEqual(yield* stateOf(connection), "Waiting")
      assert.deepStrictEqual(failureOf(yield* Effect.exit(connection.send("lost")))?.tag, "Disconnected")
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(yield* stateOf(connection), "Ready")
      yield* connection.send("two")
      yield* accepted[1].send("hello")
      assert.deepStrictEqual(yield* Fiber.join(pulling), ["hello"])
      assert.deepStrictEqual(received, ["one", "two"])
    }).pipe(Effect.provide(MemoryTransport.layerMessages())))

  it.effect("tells each state, and how each connection ended", () =>
    Effect.gen(function*() {
      const { accepted, stop } = yield* server
      const scope = yield* Scope.make()
      const connection = yield* Scope.provide(Connection.resilient(connect, everySecond), scope)
      const { changes } = Connection.detail(connection, Reconnection.Reconnection)
      const seen: Array<string> = []
      const watching = yield* Effect.forkScoped(Stream.runForEach(changes, (state) =>
        Effect.sync(() => {
          const ended = state._tag !== "Waiting"
            ? ""
            : state.ended instanceof ConnectError.ConnectError
            ? ` ${state.attempt} ${state.ended.reason._tag}`
            : ` ${state.attempt} ${state.ended.error?.reason._tag}`
          seen.push(`${state._tag}${ended}`)
        })))
      yield* turns
      yield* accepted[0].abort
      yield* stop
      yield* TestClock.adjust("2 seconds")
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.join(watching)
      assert.deepStrictEqual(seen, [
        "Ready",
        "Waiting 0 Reset",
        "Preparing",
        "Waiting 1 Refused",
        "Preparing",
        "Waiting 2 Refused",
        "Closing",
        "Closed"
      ])
      assert.isTrue((yield* connection.closed).clean)
    }).pipe(Effect.provide(MemoryTransport.layerMessages())))

  it.effect("holds messages up to a limit, and has senders wait beyond it", () =>
    Effect.gen(function*() {
      const connection = yield* Connection.resilient(connect, { ...everySecond, between: { buffer: 2 } })
      yield* connection.sendAll(["one", "two"])
      const third = yield* Effect.forkScoped(connection.send("three"))
      yield* turns
      assert.isUndefined(third.pollUnsafe())
      const { received } = yield* server
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.join(third)
      yield* turns
      assert.deepStrictEqual(received, ["one", "two", "three"])
    }).pipe(Effect.provide(MemoryTransport.layerMessages())))

  it.effect("drops the oldest, and counts them", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const connection = yield* Scope.provide(
        Connection.resilient(connect, { ...everySecond, between: { dropOldest: 2 } }),
        scope
      )
      yield* connection.sendAll(["one", "two", "three", "four"])
      assert.strictEqual(Connection.detail(connection, Resilient.Resilient).dropped, 2)
      const { received } = yield* server
      yield* TestClock.adjust("1 seconds")
      yield* turns
      assert.deepStrictEqual(received, ["three", "four"])
      yield* Scope.close(scope, Exit.void)
      const { clean, unsent } = yield* connection.closed
      assert.deepStrictEqual({ clean, unsent }, { clean: false, unsent: { messages: 2, bytes: 6 } })
    }).pipe(Effect.provide(MemoryTransport.layerMessages())))

  it.effect("who waited for room of a connection that breaks is told", () =>
    Effect.gen(function*() {
      const listener = yield* Transport.listen(Transport.Messages)("memory:server")
      const accepted: Array<Messages> = []
      yield* Effect.forkScoped(listener.run((connection) => {
        accepted.push(connection)
        return connection.closed
      }))
      const connection = yield* Connection.resilient(connect, everySecond)
      yield* turns
      const large = "x".repeat(70_000)
      const sending = yield* Effect.forkScoped(Effect.forever(connection.send(large)))
      yield* turns
      assert.isUndefined(sending.pollUnsafe())
      yield* accepted[0].abort
      yield* turns
      assert.strictEqual(failureOf(yield* Fiber.await(sending))?.tag, "Disconnected")
      yield* accepted[0].abort
    }).pipe(Effect.provide(MemoryTransport.layerMessages())))

  it.effect("closes with a goodbye on the connection that is there, while it connects, and while it waits", () =>
    withoutLeaks(
      Effect.gen(function*() {
        const { accepted } = yield* server
        yield* Effect.scoped(Effect.andThen(Connection.resilient(connect), turns))
        assert.isTrue((yield* accepted[0].closed).clean)
        const waiting = Effect.gen(function*() {
          const connection = yield* Connection.resilient(connect, { ...everySecond, between: { buffer: 1 } })
          yield* turns
          yield* accepted.at(-1)!.abort
          yield* turns
          yield* connection.send("held")
          return connection
        })
        const { unsent } = yield* Effect.flatMap(Effect.scoped(waiting), ({ closed }) => closed)
        assert.deepStrictEqual(unsent, { messages: 1, bytes: 4 })
        const never = Connection.resilient(Effect.andThen(Effect.never, connect))
        assert.isTrue((yield* Effect.flatMap(Effect.scoped(never), ({ closed }) => closed)).clean)
        const aborted = Effect.tap(never, ({ abort }) => abort)
        assert.isFalse((yield* Effect.flatMap(Effect.scoped(aborted), ({ closed }) => closed)).clean)
      }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layerMessages()))
    ))

  it.effect("is no cleaner at its end than what carries it", () =>
    Effect.gen(function*() {
      yield* server
      const scope = yield* Scope.make()
      // The server does not know the goodbye, and so does not answer it.
      const unanswered = Effect.flatMap(
        Transport.connect(Transport.Messages)("memory:server", { closeWithin: "1 seconds" }),
        (lower) => Connection.fuse(lower, new Parting("client"), { layer: "parting" })
      )
      const connection = yield* Scope.provide(Connection.resilient(unanswered), scope)
      yield* turns
      yield* Effect.forkScoped(Scope.close(scope, Exit.void))
      yield* turns
      yield* TestClock.adjust("1 seconds")
      assert.isFalse((yield* connection.closed).clean)
    }).pipe(Effect.provide(MemoryTransport.layerMessages())))

  it.effect("is given up when it would be the same again, or when the schedule ends", () =>
    Effect.gen(function*() {
      const wrong = yield* Connection.resilient(Transport.connect(Transport.Messages)("tcp://127.0.0.1:1"))
      const failure = failureOf(yield* Effect.exit(wrong.pull))
      assert(failure?.tag === "GivenUp")
      const { ended } = failure.reason as ConnectionError.GivenUp
      assert.strictEqual((ended as ConnectError.ConnectError).reason._tag, "InvalidEndpoint")
      const once = yield* Connection.resilient(connect, {
        schedule: Schedule.spaced("1 seconds").pipe(Schedule.upTo({ times: 1 })),
        between: { buffer: 9 }
      })
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(failureOf(yield* Effect.exit(once.send("?")))?.tag, "GivenUp")
      const bug = yield* Connection.resilient(Effect.die("a bug") as typeof connect)
      assert.strictEqual(failureOf(yield* Effect.exit(bug.pull))?.tag, "GivenUp")
    }).pipe(Effect.provide(MemoryTransport.layerMessages())))

  it.effect("waits 0 to 5 seconds first, and then from a time that doubles; a connection that stayed begins anew", () =>
    Effect.gen(function*() {
      const delays: Array<number> = []
      const { accepted, stop } = yield* server
      const connection = yield* Connection.resilient(connect)
      const { changes } = Connection.detail(connection, Reconnection.Reconnection)
      yield* Effect.forkScoped(Stream.runForEach(changes, (state) =>
        Effect.sync(() => {
          if (state._tag === "Waiting") delays.push(Duration.toMillis(state.delay))
        })))
      yield* TestClock.adjust("10 seconds")
      yield* accepted[0].abort
      yield* stop
      yield* TestClock.adjust("10 minutes")
      const [first, second, third, ...others] = delays
      assert.isBelow(first, 5_000)
      assert.isBelow(second, 10_000)
      assert.isBelow(third, 20_000)
      assert.isAbove(Math.max(...others), 20_000)
      assert.isAtMost(Math.max(...others), 30_000)
      const again = yield* server
      yield* TestClock.adjust("1 minutes")
      const before = delays.length
      yield* again.accepted[0].abort
      yield* turns
      assert.isBelow(delays[before], 5_000)
    }).pipe(Effect.provide(MemoryTransport.layerMessages())))

  it.effect("reconnects at once when it is told to", () =>
    Effect.gen(function*() {
      const connection = yield* Connection.resilient(connect, { schedule: Schedule.spaced("1 hours") })
      const { current, restart } = Connection.detail(connection, Reconnection.Reconnection)
      yield* turns
      assert.isTrue(Option.isNone(yield* current))
      yield* server
      yield* restart
      yield* turns
      assert.isTrue(Option.isSome(yield* current))
    }).pipe(Effect.provide(MemoryTransport.layerMessages())))

  it.effect("survives a hundred cuts, and leaves nothing of them", () =>
    withoutLeaks(
      Effect.gen(function*() {
        const { accepted, received } = yield* server
        const connection = yield* Connection.resilient(connect, { schedule: Schedule.spaced(1) })
        for (let i = 0; i < 100; i++) {
          yield* turns
          yield* connection.send(`${i}`)
          yield* turns
          yield* accepted[i].abort
          yield* TestClock.adjust(1)
        }
        assert.deepStrictEqual(received, Array.from({ length: 100 }, (_, i) => `${i}`))
      }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layerMessages()))
    ))
})

/** What a test does with a connection whose wire it plays. */
class Played implements Wire.Wire<string, string> {
  readonly layer = "played"
  readonly lower = undefined
  readonly halfClose = false
  readonly writable = true
  readonly written: Array<string> = []
  receiver!: Wire.Receiver<string>
  attach(receiver: Wire.Receiver<string>): void {
    this.receiver = receiver
  }
  write(message: string): void {
    this.written.push(message)
  }
  flush(): void {}
  pause(): void {}
  resume(): void {}
  end(): void {}
  close(_: unknown, settled: () => void): void {
    settled()
  }
  abort(): void {}
  report(): void {}
  tally(): void {}

  receive(messages: ReadonlyArray<string>): void {
    this.receiver.receive(messages, messages.length)
  }

  break(): void {
    this.receiver.failed(
      new ConnectionError.ConnectionError({ layer: "played", reason: new ConnectionError.Reset({ cause: "?" }) })
    )
  }
}

describe("Resilient, of which nobody pulls", () => {
  const make = Effect.gen(function*() {
    const wires: Array<Played> = []
    const connection = yield* Connection.resilient(
      Effect.suspend(() => Connection.make(wires[wires.push(new Played()) - 1])),
      everySecond
    )
    yield* turns
    wires[0].receive(Array.from({ length: 5_000 }, () => "early"))
    wires[0].break()
    yield* TestClock.adjust("1 seconds")
    yield* connection.send("heard")
    assert.deepStrictEqual(wires[1].written, ["heard"])
    return { connection, wires }
  })

  it.effect("has who sends told of a connection that breaks, and connects again", () =>
    Effect.gen(function*() {
      const { connection, wires } = yield* make
      wires[1].break()
      assert.strictEqual(failureOf(yield* Effect.exit(connection.send("lost")))?.tag, "Disconnected")
      yield* TestClock.adjust("1 seconds")
      yield* connection.send("again")
      assert.deepStrictEqual(wires[2].written, ["again"])
    }))

  it.effect("keeps what came with a connection that breaks, and connects again when it is pulled", () =>
    Effect.gen(function*() {
      const { connection, wires } = yield* make
      wires[1].receive(["late"])
      wires[1].break()
      assert.strictEqual(failureOf(yield* Effect.exit(connection.send("lost")))?.tag, "Disconnected")
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual([wires.length, (yield* connection.pull).length, yield* connection.pull], [2, 5_000, [
        "late"
      ]])
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(wires.length, 3)
    }))
})

describe("Verdict", () => {
  const outcome: Verdict.Ended = {
    first: "remote",
    clean: true,
    endOfInput: "announced",
    unsent: { messages: 0, bytes: 0 },
    undelivered: 0,
    layers: []
  }
  const withCode = (code: number, codes?: Verdict.Codes) =>
    Verdict.of({ ...outcome, received: { code, reason: "" } }, codes)
  const broken = (reason: ConnectionError.ConnectionReason) =>
    Verdict.of({ ...outcome, error: new ConnectionError.ConnectionError({ layer: "x", reason }) })
  const failed = (reason: ConnectError.ConnectReason) =>
    Verdict.of(new ConnectError.ConnectError({ layer: "x", reason }))

  it("knows the statuses of the peer", () => {
    const later: Verdict.Verdict = { from: "5 seconds", to: "30 seconds" }
    for (const code of [1000, 1002, 1003, 1007, 1008, 1009, 1010]) assert.strictEqual(withCode(code), "stop")
    for (const code of [1001, 1005, 1011, 1014, 3000, 4000]) assert.strictEqual(withCode(code), "retry")
    for (const code of [1012, 1013]) assert.deepStrictEqual(withCode(code), later)
    assert.strictEqual(withCode(4001, { 4001: "stop" }), "stop")
    assert.strictEqual(withCode(1000, { 1000: "retry" }), "retry")
  })

  it("retries what broke on the way, and not what would break again", () => {
    assert.strictEqual(Verdict.of(outcome), "retry")
    assert.strictEqual(broken(new ConnectionError.Reset({ cause: "?" })), "retry")
    assert.strictEqual(broken(new ConnectionError.Unresponsive({ silent: 1, pings: 1 })), "retry")
    assert.strictEqual(broken(new Reason.Violation({ rule: "?" })), "stop")
    assert.strictEqual(failed(new ConnectError.Refused({ address: "?" })), "retry")
    assert.strictEqual(failed(new ConnectionError.Reset({ cause: "?" })), "retry")
    assert.strictEqual(failed(new ConnectError.Denied({ detail: "?" })), "stop")
  })

  it("comes back when the peer says so", () => {
    const busy = (retryAfter: number | undefined) =>
      failed({ _tag: "Busy", message: "busy", retryAfter } as unknown as ConnectError.ConnectReason)
    assert.strictEqual(busy(undefined), "stop")
    assert.strictEqual(busy(0), "retry")
    assert.deepStrictEqual(busy(10_000), { from: 10_000, to: 15_000 })
  })
})
