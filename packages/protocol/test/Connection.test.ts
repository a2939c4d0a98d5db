import { assert, describe, it } from "@effect/vitest"
import { Ask, Codec, Connection, type Machine, MemoryTransport, Transport } from "@wirestack/protocol"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { Truncated } from "@wirestack/protocol/Reason"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import type { Message } from "@wirestack/protocol/Transport"
import { Cause, Clock, Context, Effect, Exit, Fiber, Option, References, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { over, Parted, Parting } from "./support/Parting.ts"
import { turns } from "./support/turns.ts"

const failure = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "success"
  const error = Cause.findErrorOption(exit.cause) as Option.Option<ConnectionError | Cause.Done>
  return Option.isNone(error) ? "defect" : Cause.isDone(error.value) ? "Done" : error.value.reason._tag
}

/** A connection with the parting protocol on one end of a pipe, and the bare other end. */
const facing = (role: "client" | "server" = "server", closeWithin: "5 seconds" | "1 seconds" = "5 seconds") =>
  Effect.gen(function*() {
    const [near, far] = MemoryTransport.pair<Message>()
    const bare = yield* Connection.make(far)
    const scope = yield* Scope.make()
    const lower = yield* Scope.provide(Connection.make(near, { ask: { closeWithin } }), scope)
    let control!: Connection.Control
    const options = {
      layer: "parting",
      begun: (given: Connection.Control) => {
        control = given
      }
    }
    const connection = yield* Scope.provide(Connection.fuse(lower, new Parting(role), options), scope)
    return {
      bare,
      control,
      connection,
      lower,
      close: (exit: Exit.Exit<unknown, unknown> = Exit.void) => Scope.close(scope, exit)
    }
  })

/** How long an effect takes on the test clock, stepping it until it is done. */
const elapsed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const started = yield* Clock.currentTimeMillis
    const fiber = yield* Effect.forkChild(effect)
    while (fiber.pollUnsafe() === undefined) {
      for (let i = 0; i < 5; i++) yield* Effect.yieldNow
      if (fiber.pollUnsafe() === undefined) yield* TestClock.adjust("10 millis")
    }
    yield* Fiber.join(fiber)
    return (yield* Clock.currentTimeMillis) - started
  })

describe("details", () => {
  it.effect("are made when somebody looks, once, while the layer has its control at once", () =>
    Effect.gen(function*() {
      const [near] = MemoryTransport.pair<Message>()
      const calls: Array<string> = []
      const controls: Array<Connection.Control> = []
      const options = (layer: string, protocol: string) => ({
        layer,
        begun: (control: Connection.Control) => {
          calls.push(`${layer} begins`)
          controls.push(control)
        },
        details: (control: Connection.Control) => {
          calls.push(`${layer} tells`)
          assert.include(controls, control)
          return Context.make(Ask.Negotiated, { protocol })
        }
      })
      const lower = yield* Connection.make(near, options("lower", "old"))
      const connection = yield* Connection.fuse(lower, new Parting("client"), options("upper", "new"))
      assert.deepStrictEqual(calls, ["lower begins", "upper begins"])
      for (let i = 0; i < 2; i++) assert.strictEqual(Connection.detail(connection, Ask.Negotiated).protocol, "new")
      assert.deepStrictEqual(calls.slice(2), ["lower tells", "upper tells"])
      yield* connection.abort
    }))
})

describe("close", () => {
  it.effect("a silent peer costs the budget once, and each layer below its floor", () =>
    Effect.gen(function*() {
      const { close, connection } = yield* facing()
      assert.strictEqual(yield* elapsed(close()), 5_100)
      const outcome = yield* connection.closed
      assert.strictEqual(outcome.clean, false)
      assert.deepStrictEqual(outcome.sent, undefined)
      assert.strictEqual(outcome.first, "local")
      assert.deepStrictEqual(outcome.layers, [
        { layer: "parting", took: 5_000, settled: false },
        { layer: "memory", took: 100, settled: false }
      ])
    }))

  it.effect("the budget is the connection's own", () =>
    Effect.gen(function*() {
      const { close } = yield* facing("server", "1 seconds")
      assert.strictEqual(yield* elapsed(close()), 1_100)
    }))

  it.effect("the goodbye follows the exit, and what was accepted goes before it", () =>
    Effect.gen(function*() {
      const exits = [[Exit.void, 1], [Exit.fail("x"), 2], [Exit.die("x"), 2], [Exit.interrupt(1), 3]] as const
      for (const [exit, code] of exits) {
        const { bare, close, connection } = yield* facing()
        yield* connection.send("last")
        const closing = yield* Effect.forkChild(close(exit))
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(Connection.messages(bare), 2)), [
          "last",
          `bye ${code}`
        ])
        yield* bare.send("bye 7")
        yield* bare.end
        yield* Fiber.join(closing)
        const outcome = yield* connection.closed
        assert.deepStrictEqual(outcome, {
          first: "local",
          clean: true,
          sent: { code, reason: "" },
          received: { code: 7, reason: "" },
          endOfInput: "announced",
          unsent: { messages: 0, bytes: 0 },
          undelivered: 0,
          layers: [{ layer: "parting", took: 0, settled: true }, { layer: "memory", took: 0, settled: true }]
        })
      }
    }))

  it.effect("a client waits for the server to end the layer below, within the budget", () =>
    Effect.gen(function*() {
      const { bare, close } = yield* facing("client")
      const closing = yield* Effect.forkChild(elapsed(close()))
      yield* bare.pull
      yield* bare.send("bye 1")
      assert.strictEqual(yield* Fiber.join(closing), 5_100)
    }))

  it.effect("after the peer's goodbye: received stays pullable, sends fail, and the lower layers close by themselves", () =>
    Effect.gen(function*() {
      const { bare, close, connection } = yield* facing()
      yield* bare.sendAll(["a", "b", "bye 4"])
      assert.deepStrictEqual(yield* Effect.exit(bare.pull).pipe(Effect.map(Exit.isSuccess)), true)
      assert.strictEqual(failure(yield* Effect.exit(bare.pull)), "Done")
      assert.strictEqual(failure(yield* Effect.exit(connection.send("late"))), "Closed")
      assert.deepStrictEqual(yield* connection.pull, ["a", "b"])
      const end = yield* Effect.flip(connection.pull)
      assert.isTrue(Cause.isDone(end) && end.value.received?.code === 4 && end.value.first === "remote")
      yield* bare.end
      yield* close(Exit.fail("too late to matter"))
      const outcome = yield* connection.closed
      assert.strictEqual(outcome.clean, true)
      assert.strictEqual(outcome.sent?.code, 4)
    }))

  it.effect("what is not pulled when the scope closes is counted, also after the peer's goodbye", () =>
    Effect.gen(function*() {
      const { bare, close, connection } = yield* facing()
      yield* bare.sendAll(["a", "b", "bye 4"])
      yield* bare.end
      yield* turns
      const closed = yield* Effect.forkChild(connection.closed)
      yield* turns
      assert.isUndefined(closed.pollUnsafe())
      yield* close()
      assert.strictEqual((yield* connection.closed).undelivered, 2)
    }))

  it.effect("what arrives while we close is discarded and counted, and the goodbye behind it is seen", () =>
    Effect.gen(function*() {
      const { bare, close, connection } = yield* facing()
      const closing = yield* Effect.forkChild(close())
      yield* bare.pull
      for (let n = 0; n < 40; n++) yield* bare.send("x".repeat(8_000))
      yield* bare.send("bye 1")
      yield* bare.end
      yield* Fiber.join(closing)
      const outcome = yield* connection.closed
      assert.isTrue(outcome.clean)
    }))

  it.effect("what arrives while a connection that was given up closes is discarded and counted, pulled or not", () =>
    Effect.gen(function*() {
      const { bare, close, connection, control } = yield* facing()
      yield* bare.send("before")
      yield* turns
      control.fail(new Truncated({ inside: "our patience" }))
      assert.deepStrictEqual(yield* bare.pull, ["bye 2"])
      for (let n = 0; n < 40; n++) yield* bare.send("x".repeat(8_000))
      yield* bare.send("bye 1")
      yield* bare.end
      yield* turns
      assert.deepStrictEqual(yield* connection.pull, ["before"])
      assert.strictEqual(failure(yield* Effect.exit(connection.pull)), "Truncated")
      yield* close()
      assert.strictEqual((yield* connection.closed).undelivered, 40)
    }))

  it.effect("what closes already is not given up", () =>
    Effect.gen(function*() {
      const { bare, close, connection, control } = yield* facing()
      const closing = yield* Effect.forkChild(close())
      assert.deepStrictEqual(yield* bare.pull, ["bye 1"])
      control.fail(new Truncated({ inside: "our patience" }))
      yield* bare.send("bye 1")
      yield* bare.end
      yield* Fiber.join(closing)
      const outcome = yield* connection.closed
      assert.isTrue(outcome.clean)
      assert.isUndefined(outcome.error)
    }))

  it.effect("who waits for `closed` may interrupt who pulls, which has the last batch by then", () =>
    Effect.gen(function*() {
      const { bare, connection } = yield* facing()
      yield* bare.sendAll(["a", "b", "c", "d", "e", "bye 1"])
      yield* bare.end
      yield* turns
      const pulled: Array<Message> = []
      yield* Effect.scoped(Effect.gen(function*() {
        const consume = Effect.map(connection.pull, (batch) => pulled.push(...batch))
        yield* Effect.forkScoped(Effect.ignore(Effect.forever(consume)))
        yield* connection.closed
      }))
      assert.deepStrictEqual(pulled, ["a", "b", "c", "d", "e"])
    }))

  it.effect("a goodbye that has no answer is all there is", () =>
    Effect.gen(function*() {
      const status = { code: 0, reason: "" }
      for (const sent of [status, undefined]) {
        const [near, far] = MemoryTransport.pair<Message>()
        const scope = yield* Scope.make()
        const peer = yield* Scope.make()
        yield* Scope.provide(Connection.make(far), peer)
        const machine: Machine.Machine<Message, Message, Message, Message> = {
          receive: () => true,
          encode: () => {},
          ended: (endOfInput, io) => io.end(endOfInput),
          close: (_, io) => io.closed({ first: "local", unanswered: true, ...sent && { sent } })
        }
        const lower = yield* Scope.provide(Connection.make(near), scope)
        const connection = yield* Scope.provide(Connection.fuse(lower, machine, { layer: "leaving" }), scope)
        yield* Effect.all([Scope.close(scope, Exit.void), Scope.close(peer, Exit.void)], { concurrency: "unbounded" })
        assert.deepInclude(yield* connection.closed, { first: "local", clean: sent !== undefined })
      }
    }))

  it.effect("an end without a goodbye is an error", () =>
    Effect.gen(function*() {
      const { bare, close, connection } = yield* facing()
      yield* bare.send("a")
      yield* bare.end
      assert.deepStrictEqual(yield* connection.pull, ["a"])
      assert.strictEqual(failure(yield* Effect.exit(connection.pull)), "Truncated")
      yield* close()
      const outcome = yield* connection.closed
      assert.strictEqual(outcome.clean, false)
      assert.strictEqual(outcome.error?.layer, "parting")
    }))

  it.effect("a violation: what came before is delivered, nothing after, and the goodbye tells why", () =>
    Effect.gen(function*() {
      const { bare, close, connection } = yield* facing()
      yield* bare.sendAll(["a", "bad", "b"])
      assert.deepStrictEqual(yield* connection.pull, ["a"])
      assert.strictEqual(failure(yield* Effect.exit(connection.pull)), "Violation")
      assert.deepStrictEqual(yield* bare.pull, ["bye 9"])
      yield* bare.end
      yield* close()
      const outcome = yield* connection.closed
      assert.strictEqual(outcome.sent?.code, 9)
      assert.strictEqual(outcome.error?.reason._tag, "Violation")
    }))

  it.effect("a bug in a machine fails the connection, not the program", () =>
    Effect.gen(function*() {
      const { bare, close, connection } = yield* facing()
      yield* bare.send("bug")
      assert.strictEqual(failure(yield* Effect.exit(connection.pull)), "Other")
      yield* bare.end
      yield* close()
    }))

  it.effect("an abort settles a close that is under way", () =>
    Effect.gen(function*() {
      const { close, connection } = yield* facing()
      const closing = yield* Effect.forkChild(close())
      yield* turns
      yield* connection.abort
      yield* Fiber.join(closing)
      assert.strictEqual((yield* connection.closed).clean, false)
    }))

  it.effect("a connection that was built upon is used through what was built", () =>
    Effect.gen(function*() {
      const { close, connection, lower, bare } = yield* facing()
      assert.strictEqual(failure(yield* Effect.exit(lower.send("x"))), "Closed")
      assert.strictEqual(failure(yield* Effect.exit(lower.pull)), "Closed")
      const pulling = yield* Effect.forkChild(connection.pull)
      yield* turns
      assert.throws(() => Connection.release(connection), /built upon/)
      yield* Fiber.interrupt(pulling)
      yield* lower.abort
      assert.strictEqual(failure(yield* Effect.exit(connection.pull)), "Aborted")
      assert.notStrictEqual(failure(yield* Effect.exit(bare.pull)), "success")
      yield* close()
    }))
})

describe("a goodbye below", () => {
  it.effect("closes the layers below a codec too, without waiting for the user", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryTransport.pair<Message>()
      const bare = yield* Connection.make(far)
      const lower = yield* Connection.make(near)
      const parting = yield* Connection.fuse(lower, new Parting("server"), { layer: "parting" })
      const machine = Codec.json().machine(Schema.Finite, Schema.Finite)()
      const connection = yield* Connection.fuse(parting, machine, { layer: "numbers" })
      yield* bare.sendAll(["1", "2", "bye 4"])
      assert.deepStrictEqual(yield* connection.pull, [1, 2])
      assert.strictEqual(failure(yield* Effect.exit(connection.pull)), "Done")
      assert.strictEqual(failure(yield* Effect.exit(connection.send(3))), "Closed")
      assert.deepStrictEqual(yield* Stream.runCollect(Connection.messages(bare)), ["bye 4"])
      yield* bare.end
      const outcome = yield* connection.closed
      assert.isTrue(outcome.clean)
      assert.deepStrictEqual(outcome.layers.map(({ layer }) => layer), ["numbers", "parting", "memory"])
    }))
})

describe("robustness", () => {
  const faulty = (fault: "ended" | "close") =>
    Effect.gen(function*() {
      const [near, far] = MemoryTransport.pair<Message>()
      const bare = yield* Connection.make(far)
      const scope = yield* Scope.make()
      const lower = yield* Scope.provide(Connection.make(near, { ask: { closeWithin: "1 seconds" } }), scope)
      const bug = () => {
        throw new Error(`a bug in ${fault}`)
      }
      const machine = {
        receive: () => true,
        encode: () => {},
        ended: fault === "ended" ? bug : () => {},
        ...(fault === "close" ? { close: bug } : undefined)
      }
      const connection = yield* Scope.provide(Connection.fuse(lower, machine, { layer: "faulty" }), scope)
      return { bare, connection, scope }
    })

  it.effect("a machine that throws at the end of its input fails the connection", () =>
    Effect.gen(function*() {
      const { bare, connection, scope } = yield* faulty("ended")
      yield* bare.end
      assert.strictEqual(failure(yield* Effect.exit(connection.pull)), "Other")
      yield* Scope.close(scope, Exit.void)
    }))

  it.effect("a machine that throws at its goodbye does not hang the scope", () =>
    Effect.gen(function*() {
      const { bare, connection, scope } = yield* faulty("close")
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* turns
      yield* bare.end
      yield* Fiber.join(closing)
      const outcome = yield* connection.closed
      assert.isFalse(outcome.clean)
      assert.strictEqual(outcome.error?.layer, "faulty")
    }))

  it.effect("an abort with messages unpulled resolves `closed`, also after the peer's goodbye", () =>
    Effect.gen(function*() {
      const { bare, connection } = yield* facing()
      yield* bare.sendAll(["a", "bye 1"])
      yield* bare.end
      yield* turns
      yield* connection.abort
      assert.strictEqual((yield* connection.closed).undelivered, 1)
    }))

  it.effect("an interrupted pull does not keep a layer from being put on top", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryTransport.pair<Message>()
      const bare = yield* Connection.make(far)
      const lower = yield* Connection.make(near)
      const pulling = yield* Effect.forkChild(lower.pull)
      yield* turns
      yield* Fiber.interrupt(pulling)
      const connection = yield* Connection.fuse(lower, new Parting("server"), { layer: "parting" })
      yield* bare.send("a")
      assert.deepStrictEqual(yield* connection.pull, ["a"])
      yield* bare.abort
    }))

  it.effect("a cut is nobody's goodbye, whenever the scope closes", () =>
    Effect.gen(function*() {
      for (const wait of [Effect.void, turns]) {
        const { bare, close, connection } = yield* facing()
        yield* bare.abort
        yield* Effect.exit(connection.pull)
        yield* wait
        yield* close()
        assert.strictEqual((yield* connection.closed).first, "none")
      }
    }))

  it.effect("an end takes its turn among the senders, and those behind it are refused", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryTransport.pair<Message>()
      const bare = yield* Connection.make(far)
      const connection = yield* Connection.make(near)
      const send = Effect.forever(connection.send("x".repeat(70_000)))
      const senders = yield* Effect.forkChild(Effect.forEach([send, send, send], Effect.exit, { concurrency: 3 }))
      yield* turns
      const ending = yield* Effect.forkChild(connection.end)
      yield* turns
      yield* Stream.runDrain(Connection.messages(bare))
      yield* Fiber.join(ending)
      assert.deepStrictEqual((yield* Fiber.join(senders)).map(failure), ["Ended", "Ended", "Ended"])
      yield* bare.end
    }))

  it.effect("empty messages wait for room too", () =>
    Effect.gen(function*() {
      const [near] = MemoryTransport.pair<Message>()
      const connection = yield* Connection.make(near)
      let sent = 0
      const sending = yield* Effect.forkChild(
        Effect.forever(Effect.andThen(connection.send(""), Effect.sync(() => sent++)))
      )
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 50)))
      yield* Fiber.interrupt(sending)
      assert.isBelow(sent, 10_000)
      yield* connection.abort
    }))
})

describe("send", () => {
  it.effect("a message that can't be encoded leaves the wire untouched and the connection usable", () =>
    Effect.gen(function*() {
      const { bare, connection } = yield* facing()
      assert.strictEqual(failure(yield* Effect.exit(connection.send("unencodable"))), "Unencodable")
      assert.strictEqual(failure(yield* Effect.exit(connection.sendAll(["a", "unencodable", "b"]))), "Unencodable")
      yield* connection.send("c")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(Connection.messages(bare), 2)), ["a", "c"])
      yield* bare.abort
    }))

  it.effect("urgent messages go ahead of queued ones, and only the latest answer is kept", () =>
    Effect.gen(function*() {
      const { bare, connection } = yield* facing()
      const large = (n: number) => String(n).repeat(40_000)
      const sending = yield* Effect.forkChild(
        connection.sendAll([1, 2, 3, 4, 5, 6, 7, 8].map(large) as [string, ...Array<string>])
      )
      yield* turns
      yield* bare.sendAll(["?1", "?2"])
      yield* turns
      const seen: Array<string> = []
      while (seen.length < 9) for (const m of yield* bare.pull) seen.push(String(m).slice(0, 2))
      yield* Fiber.join(sending)
      assert.deepStrictEqual(seen.filter((m) => m !== "!2"), ["11", "22", "33", "44", "55", "66", "77", "88"])
      assert.isTrue(seen.indexOf("!2") < 8)
      yield* bare.abort
      yield* connection.abort
    }))

  it.effect("an answer leaves at once, with no message beside it", () =>
    Effect.gen(function*() {
      const { bare, connection } = yield* facing()
      yield* bare.send("?1")
      assert.deepStrictEqual(yield* bare.pull, ["!1"])
      yield* connection.abort
    }))

  it.effect("what waits in many pieces is handed down in several turns, and an answer goes ahead of the rest", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryTransport.pair<Message>()
      const bare = yield* Connection.make(far)
      const pieces: Array<string> = []
      const answers: Array<string> = []
      let written = 0
      const machine: Machine.Machine<Message, Message, Message, Message> = {
        receive: (input) => {
          answers.push(...input.map((message) => `!${message}`))
          return true
        },
        encode: (message) => pieces.push(...message as string),
        get busy() {
          return pieces.length > 0
        },
        proceed: (io) => {
          const next = answers.shift() ?? pieces.shift()
          if (next === undefined) return false
          written++
          io.write(next)
          return true
        },
        ended: (endOfInput, io) => io.end(endOfInput)
      }
      const connection = yield* Connection.fuse(yield* Connection.make(near), machine, { layer: "pieces" })
      yield* connection.send("x".repeat(100))
      yield* Effect.promise(() => Promise.resolve())
      assert.strictEqual(written, 16)
      yield* bare.send("1")
      const seen = yield* Stream.runCollect(Stream.take(Connection.messages(bare), 101))
      assert.deepStrictEqual(seen.filter((message) => message !== "!1"), Array.from({ length: 100 }, () => "x"))
      assert.isBelow(seen.indexOf("!1"), 100)
      yield* bare.abort
    }))

  it.effect("a goodbye behind queued data leaves as soon as there is room", () =>
    Effect.gen(function*() {
      const { bare, close, connection } = yield* facing()
      yield* connection.sendAll([1, 2].map((n) => String(n).repeat(65_536)) as [string, ...Array<string>])
      const closing = yield* Effect.forkChild(elapsed(close()))
      const seen: Array<string> = []
      while (seen.length < 3) for (const m of yield* bare.pull) seen.push(String(m).slice(0, 5))
      assert.deepStrictEqual(seen, ["11111", "22222", "bye 1"])
      yield* bare.send("bye 1")
      yield* bare.end
      yield* Fiber.join(closing)
      assert.isTrue((yield* connection.closed).clean)
    }))

  it.effect("waiting sends are served first come, first served", () =>
    Effect.gen(function*() {
      const { bare, connection } = yield* facing()
      const sending = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 30 }, (_, n) => connection.send(String.fromCharCode(65 + n).repeat(9_000))),
          { concurrency: "unbounded" }
        )
      )
      let seen = ""
      while (seen.length < 30) for (const m of yield* bare.pull) seen += String(m)[0]
      yield* Fiber.join(sending)
      assert.strictEqual(seen, Array.from({ length: 30 }, (_, n) => String.fromCharCode(65 + n)).join(""))
      yield* bare.abort
    }))
})

describe("pull", () => {
  it.effect("an interrupted pull may be followed by another in the same fiber", () =>
    Effect.gen(function*() {
      const { bare, connection } = yield* facing()
      const result = yield* Effect.forkChild(
        Effect.onInterrupt(connection.pull, () => Effect.asVoid(Effect.orDie(connection.pull)))
      )
      yield* turns
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(result))
      yield* turns
      yield* bare.send("for the finalizer")
      yield* Fiber.join(interrupting)
      yield* bare.send("next")
      assert.deepStrictEqual(yield* connection.pull, ["next"])
      yield* bare.abort
    }))

  it.effect("nothing is lost where an interruption meets the scheduler's yield", () =>
    Effect.gen(function*() {
      const { bare, connection } = yield* facing()
      let pulled = 0
      let interrupted = 0
      for (let n = 0; n < 2_500; n++) {
        yield* bare.send("m")
        yield* Effect.promise(() => Promise.resolve().then(() => {}))
        const pulling = yield* Effect.forkChild(Effect.gen(function*() {
          for (let step = 0; step < n; step++) yield* Effect.sync(() => step)
          return yield* connection.pull
        }))
        yield* Effect.yieldNow
        yield* Fiber.interrupt(pulling)
        const exit = yield* Fiber.await(pulling)
        if (Exit.isSuccess(exit)) pulled += exit.value.length
        else interrupted++
      }
      yield* bare.send("bye 1")
      const rest = yield* Stream.runCollect(Connection.messages(connection))
      assert.strictEqual(pulled + rest.length, 2_500)
      assert.isAbove(interrupted, 100)
      yield* bare.abort
    }))

  it.effect("fibers that yield often pull too", () =>
    Effect.gen(function*() {
      const { bare, connection } = yield* facing()
      for (let n = 0; n < 100; n++) {
        yield* bare.send("m")
        yield* Effect.yieldNow
        assert.deepStrictEqual(yield* connection.pull, ["m"])
      }
      yield* bare.abort
    }).pipe(Effect.provideService(References.MaxOpsBeforeYield, 16)))

  it.effect("reading ahead is bounded, and goes on when there is room", () =>
    Effect.gen(function*() {
      const { bare, connection } = yield* facing()
      const sending = yield* Effect.forkChild(Effect.gen(function*() {
        for (let n = 0; n < 100; n++) yield* bare.send("y".repeat(10_000))
        return yield* bare.send("bye 1")
      }))
      yield* turns
      assert.isUndefined(sending.pollUnsafe())
      const all = yield* Stream.runCollect(Connection.messages(connection))
      assert.strictEqual(all.length, 100)
      yield* Fiber.join(sending)
      yield* bare.abort
    }))
})

describe("a protocol with a goodbye, over memory", () => {
  const suite = transportSuite({
    shape: Parted,
    layer: () => over()(MemoryTransport.layerMessages()),
    endpoint: () => "memory:here",
    nobody: "memory:nobody",
    samples: Samples.messages({ text: true }),
    capabilities: {
      halfClose: "a closing handshake ends both directions",
      statuses: { done: 1, failed: 2, away: 3 },
      abortIsSeen: true
    }
  })
  for (const { name, run } of suite) it.live(name, () => run)
})

describe("layers", () => {
  it.effect("one stack value used over two transports is two stacks", () =>
    Effect.gen(function*() {
      const stack = over()
      const serve = (reply: string) =>
        Effect.gen(function*() {
          const listener = yield* Transport.listen(Parted)("memory:same")
          yield* Effect.forkScoped(listener.run((c) => Effect.andThen(c.send(reply), Effect.ignore(c.pull))))
          const client = yield* Transport.connect(Parted)("memory:same")
          return yield* client.pull
        })
      const both = yield* Effect.all([
        Effect.scoped(Effect.provide(Effect.scoped(serve("one")), stack(MemoryTransport.layerMessages()))),
        Effect.scoped(Effect.provide(Effect.scoped(serve("two")), stack(MemoryTransport.layerMessages())))
      ])
      assert.deepStrictEqual(both, [["one"], ["two"]])
    }))
})
