/** Machines that do something in time, at every place of a stack. */
import { assert, describe, it } from "@effect/vitest"
import { Connection, type Machine, MemoryTransport } from "@wirestack/protocol"
import { TimedOut } from "@wirestack/protocol/Reason"
import { MachineSuite, withoutLeaks } from "@wirestack/protocol/testing"
import { Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { failureOf } from "./support/failure.ts"
import { turns } from "./support/turns.ts"

/** Passes messages on; says "tick" below and, if there is room, gives "tock" above each `every` milliseconds; with "stop" it fails. */
class Ticking implements Machine.Machine<string, string, string, string> {
  wakeups = 0
  released = false
  private readonly every: number
  private owed = 0
  private timer!: Machine.Timer
  private kept: Array<string> = []

  constructor(every: number) {
    this.every = every
  }

  start(io: Machine.Io<string, string>, timer: Machine.Timer): void {
    this.timer = timer
    io.write("start")
    timer.wake(this.every)
  }

  wakeup(io: Machine.Io<string, string>): boolean {
    this.wakeups++
    this.timer.wake(this.every)
    io.write("tick")
    this.owed++
    return this.give(io)
  }

  receive(input: ReadonlyArray<string>, io: Machine.Io<string, string>): boolean {
    this.kept.push(...input)
    return this.give(io)
  }

  private give(io: Machine.Io<string, string>): boolean {
    for (; this.kept.length > 0; this.kept.shift()) {
      if (!io.room()) return false
      if (this.kept[0] === "stop") io.fail(new TimedOut({ phase: "a test", after: this.timer.now }))
      else io.emit(this.kept[0], this.kept[0].length)
    }
    for (; this.owed > 0; this.owed--) {
      if (!io.room()) return false
      io.emit("tock", 4)
    }
    return true
  }

  encode(message: string, io: Machine.Io<string, string>): void {
    io.write(message)
  }

  end(): void {}

  ended(endOfInput: "announced" | "unannounced" | "unknown", io: Machine.Io<string, string>): void {
    io.end(endOfInput)
  }

  release(): void {
    this.released = true
  }
}

/** A stack of these machines, the lowest first, on one end of a pipe; the other end is bare. */
const stack = (...machines: ReadonlyArray<Ticking>) =>
  Effect.gen(function*() {
    const [near, far] = MemoryTransport.pair<string>()
    const bare = yield* Connection.make(far)
    const scope = yield* Scope.fork(yield* Effect.scope)
    let connection: Connection.Connection<string, string> = yield* Scope.provide(Connection.make(near), scope)
    for (const [at, machine] of machines.entries()) {
      connection = yield* Scope.provide(Connection.fuse(connection, machine, { layer: `layer ${at}` }), scope)
    }
    yield* Effect.addFinalizer(() => Effect.andThen(connection.abort, bare.abort))
    return { bare, connection, close: Effect.forkChild(Scope.close(scope, Exit.void)) }
  })

describe("a machine is woken", () => {
  it.effect("by the clock of its connection, and what it says then leaves at once", () =>
    Effect.gen(function*() {
      const machine = new Ticking(1_000)
      const { bare, connection } = yield* stack(machine)
      assert.deepStrictEqual(yield* bare.pull, ["start"])
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(machine.wakeups, 0)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* bare.pull, ["tick"])
      assert.deepStrictEqual(yield* connection.pull, ["tock"])
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual([machine.wakeups, yield* bare.pull, yield* connection.pull], [3, ["tick", "tick"], [
        "tock",
        "tock"
      ]])
    }).pipe(Effect.scoped))

  it.effect("at each place of a stack, each by its own time", () =>
    Effect.gen(function*() {
      const machines = [new Ticking(100), new Ticking(250), new Ticking(1_000)]
      yield* stack(...machines)
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(machines.map(({ wakeups }) => wakeups), [10, 4, 1])
    }).pipe(Effect.scoped))

  it.effect("also while nobody takes what it has, which waits in it", () =>
    Effect.gen(function*() {
      const machine = new Ticking(1_000)
      const { bare, connection } = yield* stack(machine)
      const many = Array.from({ length: 5_000 }, (_, n) => String(n))
      const sending = yield* Effect.forkChild(bare.sendAll(many as [string, ...Array<string>]))
      yield* turns
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(machine.wakeups, 3)
      const received: Array<string> = []
      while (received.length < 5_003) received.push(...yield* connection.pull)
      yield* Fiber.join(sending)
      assert.deepStrictEqual(received.filter((message) => message !== "tock"), many)
    }).pipe(Effect.scoped))

  it.effect("not after it has failed, and nothing is left", () =>
    withoutLeaks(Effect.scoped(Effect.gen(function*() {
      const machine = new Ticking(1_000)
      const { bare, connection } = yield* stack(new Ticking(10_000), machine)
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(yield* connection.pull, ["tock"])
      yield* bare.send("stop")
      const failure = failureOf(yield* Effect.exit(connection.pull))
      assert.deepInclude(failure, { layer: "layer 0", tag: "TimedOut" })
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual([machine.wakeups, machine.released], [1, true])
    }))))

  it.effect("not after NaN ms, for which the connection fails", () =>
    Effect.gen(function*() {
      const machine = new Ticking(NaN)
      const { connection } = yield* stack(machine)
      assert.deepInclude(failureOf(yield* Effect.exit(connection.pull)), { layer: "layer 0", tag: "Other" })
      assert.strictEqual(machine.wakeups, 0)
    }).pipe(Effect.scoped))

  it.effect("not while it closes, and nothing is left", () =>
    withoutLeaks(Effect.scoped(Effect.gen(function*() {
      const machine = new Ticking(1_000)
      const { close } = yield* stack(machine)
      const closing = yield* close
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(machine.wakeups, 0)
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(closing)
      assert.isTrue(machine.released)
    }))))
})

it("a probe has a clock of its own", () => {
  const machine = new Ticking(100)
  const io = MachineSuite.feed(machine, [["a"]])
  io.advance(machine, 250)
  io.verify("ticking")
  assert.deepStrictEqual(io.written, ["start", "tick", "tick"])
  assert.deepStrictEqual(io.emitted, ["a", "tock", "tock"])
  assert.strictEqual(io.wakesAt, 300)
})
