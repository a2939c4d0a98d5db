import { assert, describe, it } from "@effect/vitest"
import * as Connection from "@wirestack/protocol/Connection"
import * as DataTransferReport from "@wirestack/protocol/reports/DataTransferReport"
import * as EstablishmentReport from "@wirestack/protocol/reports/EstablishmentReport"
import * as Transport from "@wirestack/protocol/Transport"
import { reasonOf, until } from "@wirestack/test-support"
import { BrowserCloseCode, BrowserWebSocket } from "@wirestack/websocket/browser"
import { Duration, Effect, Exit, Fiber, Option, Scope } from "effect"
import { TestClock } from "effect/testing"
import { FakeWebSocket, FakeWebSocketStream, globally } from "./fakes.ts"

const url = "wss://chat.example/room?id=1"

const connect = (options?: BrowserWebSocket.Options, offers: ReadonlyArray<string> = [], to = url) =>
  Effect.flatMap(
    Effect.context<Scope.Scope>(),
    (context) =>
      Transport.connect({ ...Transport.Messages, offers })<BrowserWebSocket.BrowserWebSocket>(to).pipe(
        Effect.provide(BrowserWebSocket.layer(options)),
        Effect.provideContext(context)
      )
  )

const failureOf = (options?: BrowserWebSocket.Options, to?: string) =>
  Effect.map(Effect.flip(Effect.scoped(connect(options, [], to))), ({ reason }) => reason)

/** Lets other fibers and promises go on. */
const turns = Effect.promise(() => new Promise<void>((done) => setImmediate(done)))

/** A connection on a socket that the test plays, and how its scope is closed. */
const opened = Effect.fnUntraced(function*(options?: BrowserWebSocket.Options) {
  yield* globally("WebSocket", FakeWebSocket)
  const scope = yield* Scope.fork(yield* Effect.scope)
  const connecting = yield* Effect.forkChild(Scope.provide(connect({ api: "websocket", ...options }), scope), {
    startImmediately: true
  })
  const socket = FakeWebSocket.latest
  socket.happens("open")
  const connection = yield* Fiber.join(connecting)
  return { connection, socket, close: (exit: Exit.Exit<unknown, unknown> = Exit.void) => Scope.close(scope, exit) }
})

const message = (data: unknown) => ({ data })

/** How a connection ends that is read to its end. */
const outcomeOf = ({ closed, pull }: Connection.Connection<unknown, never>) =>
  Effect.andThen(Effect.exit(Effect.forever(pull)), closed)

describe("opening", () => {
  it.effect("offers the names of the layers above, and tells what was chosen", () =>
    Effect.gen(function*() {
      yield* globally("WebSocket", FakeWebSocket)
      const connecting = yield* Effect.forkChild(connect({ api: "websocket" }, ["chat.v2", "chat.v1"]), {
        startImmediately: true
      })
      const socket = FakeWebSocket.latest
      assert.deepStrictEqual([socket.url, socket.protocols], ["wss://chat.example:443/room?id=1", [
        "chat.v2",
        "chat.v1"
      ]])
      assert.strictEqual(socket.binaryType, "arraybuffer")
      socket.protocol = "chat.v1"
      socket.extensions = "permessage-deflate"
      yield* TestClock.adjust("5 millis")
      socket.happens("open")
      const connection = yield* Fiber.join(connecting)
      const { close: _, openingTime, ...told } = Connection.detail(connection, BrowserWebSocket.BrowserWebSocket)
      const facts = { api: "websocket", url: socket.url, extensions: "permessage-deflate" }
      assert.deepStrictEqual(told, { ...facts, protocol: "chat.v1" } as typeof told)
      assert.strictEqual(Duration.toMillis(openingTime), 5)
      assert.deepStrictEqual(
        EstablishmentReport.of(connection).attempts.at(-1)?.map(({ facts }) => facts),
        [{ ...facts, subprotocol: "chat.v1" }]
      )
      yield* connection.abort
    }))

  it.effect("is a stream where there is one, unless it is said otherwise", () =>
    Effect.gen(function*() {
      yield* globally("WebSocketStream", FakeWebSocketStream)
      const connecting = yield* Effect.forkChild(connect({}, ["chat.v1"]), { startImmediately: true })
      assert.deepStrictEqual(FakeWebSocketStream.latest.protocols, ["chat.v1"])
      FakeWebSocketStream.latest.opens("chat.v1")
      const connection = yield* Fiber.join(connecting)
      const { api, protocol } = Connection.detail(connection, BrowserWebSocket.BrowserWebSocket)
      assert.deepStrictEqual([api, protocol], ["stream", "chat.v1"])
      yield* connection.abort
    }))

  it.effect("has its time", () =>
    Effect.gen(function*() {
      yield* globally("WebSocket", FakeWebSocket)
      const failing = yield* Effect.forkChild(failureOf({ api: "websocket" }), { startImmediately: true })
      yield* TestClock.adjust("10 seconds")
      assert.deepInclude(yield* Fiber.join(failing), { _tag: "TimedOut", phase: "opening", after: 10_000 })
      assert.deepStrictEqual([FakeWebSocket.latest.closes, FakeWebSocket.latest.listened], [[[]], 0])
    }))

  it.effect("that is interrupted leaves no socket", () =>
    Effect.gen(function*() {
      yield* globally("WebSocket", FakeWebSocket)
      const connecting = yield* Effect.forkChild(Effect.scoped(connect({ api: "websocket" })), {
        startImmediately: true
      })
      yield* Fiber.interrupt(connecting)
      assert.deepStrictEqual([FakeWebSocket.latest.closes, FakeWebSocket.latest.listened], [[[]], 0])
    }))

  it.effect("fails as browsers tell it", () =>
    Effect.gen(function*() {
      yield* globally("WebSocket", FakeWebSocket)
      const failing = yield* Effect.forkChild(failureOf({ api: "websocket" }), { startImmediately: true })
      FakeWebSocket.latest.closed(1006)
      assert.deepInclude(yield* Fiber.join(failing), { _tag: "OpeningFailed", offered: [] })
      yield* globally("WebSocketStream", FakeWebSocketStream)
      const alike = yield* Effect.forkChild(failureOf(), { startImmediately: true })
      FakeWebSocketStream.latest.fails()
      assert.deepInclude(yield* Fiber.join(alike), { _tag: "OpeningFailed", retryAfter: 0 })
    }))

  it.effect("that is not even tried says why", () =>
    Effect.gen(function*() {
      const throwing = (name: string) =>
        function() {
          throw Object.assign(new Error("no"), { name })
        }
      yield* globally("WebSocket", throwing("SecurityError"))
      assert.strictEqual((yield* failureOf({ api: "websocket" }))._tag, "Forbidden")
      yield* globally("WebSocket", throwing("SyntaxError"))
      assert.strictEqual((yield* failureOf({ api: "websocket" }))._tag, "Other")
      yield* globally("WebSocket", undefined)
      assert.strictEqual((yield* failureOf({ api: "websocket" })).message, "there is no WebSocket here")
      assert.strictEqual((yield* failureOf({ api: "stream" })).message, "there is no WebSocketStream here")
    }))

  it.effect("is for URLs of WebSockets that carry no password", () =>
    Effect.gen(function*() {
      for (
        const to of ["chat.example:443", "tls://chat.example:443", "unix:/run/chat", "ws://me:secret@chat.example/"]
      ) {
        assert.strictEqual((yield* failureOf({}, to))._tag, "InvalidEndpoint", to)
      }
    }))

  it.effect("loses nothing that comes with it", () =>
    Effect.gen(function*() {
      yield* globally("WebSocket", FakeWebSocket)
      const connecting = yield* Effect.forkChild(connect({ api: "websocket" }), { startImmediately: true })
      const socket = FakeWebSocket.latest
      socket.happens("open")
      socket.happens("message", message("hello"))
      socket.closed(1000, "bye")
      const connection = yield* Fiber.join(connecting)
      assert.deepStrictEqual(yield* connection.pull, ["hello"])
      assert.deepInclude(yield* connection.closed, { first: "remote", received: { code: 1000, reason: "bye" } })
    }))
})

describe("a WebSocket", () => {
  it.effect("holds a sender back until it is seen to have passed on what it was given", () =>
    Effect.gen(function*() {
      const { connection, socket } = yield* opened({ maxBufferedAmount: 10 })
      yield* connection.send("0123456789")
      const waiting = yield* Effect.forkChild(connection.send("next"), { startImmediately: true })
      yield* TestClock.adjust("200 millis")
      assert.deepStrictEqual(socket.sent, ["0123456789"])
      socket.bufferedAmount = 9
      yield* TestClock.adjust("32 millis")
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(socket.sent, ["0123456789", "next"])
      const prompted = yield* Effect.forkChild(connection.send("last"), { startImmediately: true })
      socket.bufferedAmount = 0
      socket.happens("message", message("an answer"))
      yield* Fiber.join(prompted)
      assert.deepStrictEqual(socket.sent, ["0123456789", "next", "last"])
      yield* connection.abort
    }))

  it.effect("that can't be held back is bounded, small messages and all", () =>
    Effect.gen(function*() {
      const { connection, socket } = yield* opened({ maxInboxSize: 1_000 })
      for (let n = 0; n < 4_096; n++) socket.happens("message", message(""))
      for (let n = 0; n < 15; n++) socket.happens("message", message(new ArrayBuffer(2)))
      assert.deepStrictEqual(socket.closes, [])
      socket.happens("message", message("x".repeat(40)))
      socket.happens("message", message("late"))
      const [[code, reason]] = socket.closes
      assert.deepStrictEqual([code, reason], [1000, "what waits to be pulled of 1094 is over the limit of 1000"])
      const batch = yield* connection.pull
      assert.deepStrictEqual([batch.length, batch.at(4_096), batch.at(-1)], [4_112, new Uint8Array(2), "x".repeat(40)])
      yield* Effect.exit(connection.pull)
      socket.closed(1000)
      const outcome = yield* connection.closed
      assert.deepInclude(outcome, { first: "local", clean: false, undelivered: 1 })
      assert.strictEqual(outcome.error?.reason._tag, "TooLarge")
    }))

  it.effect("has its bounds also where the options say undefined", () =>
    Effect.gen(function*() {
      const unsaid: object = {
        maxMessageSize: undefined,
        maxInboxSize: undefined,
        maxBufferedAmount: undefined,
        codes: undefined
      }
      const { connection, socket } = yield* opened(unsaid)
      yield* Effect.timeout(connection.send("hello"), 0)
      socket.happens("message", message("x".repeat(1_048_577)))
      socket.closed(1000)
      assert.strictEqual((yield* outcomeOf(connection)).error?.reason._tag, "TooLarge")
    }))

  it.effect("delivers what waited once there is room", () =>
    Effect.gen(function*() {
      const { connection, socket } = yield* opened()
      socket.happens("message", message("x".repeat(70_000)))
      socket.happens("message", message("then"))
      assert.strictEqual((yield* connection.pull).length, 1)
      yield* turns
      assert.deepStrictEqual(yield* connection.pull, ["then"])
      const { received } = (yield* DataTransferReport.of(connection)).layers[0]
      assert.deepStrictEqual(received, { messages: 2, bytes: 70_004 })
      yield* connection.abort
    }))

  it.effect("tells why our side closes as far as a page may", () =>
    Effect.gen(function*() {
      const codes = { failed: BrowserCloseCode.privateUse(4_011) }
      for (
        const [exit, status] of [
          [Exit.void, [1000, ""]],
          [Exit.interrupt(), [1000, "going away"]],
          [Exit.fail("boom"), [4_011, "failed"]]
        ] as const
      ) {
        const { close, connection, socket } = yield* opened({ codes })
        const closing = yield* Effect.forkChild(close(exit), { startImmediately: true })
        assert.deepStrictEqual(socket.closes, [status])
        socket.happens("message", message("too late"))
        socket.closed(status[0], status[1])
        yield* Fiber.join(closing)
        const [code, reason] = status
        assert.deepInclude(yield* connection.closed, { clean: true, sent: { code, reason }, undelivered: 1 })
      }
    }))

  it.effect("is closed with a code and a reason that can be sent", () =>
    Effect.gen(function*() {
      const { connection, socket } = yield* opened()
      const { close } = Connection.detail(connection, BrowserWebSocket.BrowserWebSocket)
      assert.strictEqual((yield* reasonOf(close(1001 as 1000)))._tag, "Unencodable")
      assert.strictEqual((yield* reasonOf(close(1000, "€".repeat(42))))._tag, "Unencodable")
      const closing = yield* Effect.forkChild(close(1000, "€".repeat(41)), { startImmediately: true })
      assert.deepStrictEqual(socket.closes, [[1000, "€".repeat(41)]])
      socket.closed(1000)
      assert.strictEqual((yield* Fiber.join(closing)).clean, true)
      assert.isTrue(Option.isNone(BrowserCloseCode.make(1001)) && Option.isSome(BrowserCloseCode.make(3_000)))
    }))

  it.effect("says that something is lost", () =>
    Effect.gen(function*() {
      const cut = yield* opened()
      yield* cut.connection.send("lost")
      cut.socket.closed(1006)
      const outcome = yield* outcomeOf(cut.connection)
      assert.deepInclude(outcome, { clean: false, first: "none", unsent: { messages: 0, bytes: 4 } })
      assert.strictEqual(outcome.error?.reason._tag, "Reset")
      const left = yield* opened()
      yield* left.connection.send("lost")
      left.socket.closed(4_000, "", false)
      assert.deepInclude(yield* outcomeOf(left.connection), {
        clean: false,
        first: "remote",
        received: { code: 4_000, reason: "" },
        endOfInput: "announced"
      })
      const aborted = yield* opened()
      yield* aborted.connection.send("lost")
      yield* aborted.connection.abort
      assert.deepInclude(yield* aborted.connection.closed, { clean: false, unsent: { messages: 0, bytes: 4 } })
      assert.deepStrictEqual([aborted.socket.closes, aborted.socket.listened], [[[]], 0])
    }))

  it.effect("that does not close costs the budget", () =>
    Effect.gen(function*() {
      const { close, connection, socket } = yield* opened()
      const closing = yield* Effect.forkChild(close(), { startImmediately: true })
      yield* TestClock.adjust("6 seconds")
      yield* Fiber.join(closing)
      assert.strictEqual((yield* connection.closed).clean, false)
      assert.strictEqual(socket.listened, 0)
    }))
})

describe("a WebSocketStream", () => {
  const streaming = Effect.fnUntraced(function*(options?: BrowserWebSocket.Options) {
    yield* globally("WebSocketStream", FakeWebSocketStream)
    const scope = yield* Scope.fork(yield* Effect.scope)
    const connecting = yield* Effect.forkChild(Scope.provide(connect(options), scope), { startImmediately: true })
    const stream = FakeWebSocketStream.latest
    stream.opens()
    const connection = yield* Fiber.join(connecting)
    yield* until(() => stream.reads.length === 1)
    return { connection, stream, close: Scope.close(scope, Exit.void) }
  })

  it.effect("is read while there is room", () =>
    Effect.gen(function*() {
      const { connection, stream } = yield* streaming()
      stream.says("x".repeat(70_000))
      yield* turns
      assert.strictEqual(stream.reads.length, 0)
      yield* connection.pull
      yield* until(() => stream.reads.length === 1)
      stream.says(new ArrayBuffer(2))
      assert.deepStrictEqual(yield* connection.pull, [new Uint8Array(2)])
      yield* connection.abort
      assert.deepStrictEqual([stream.closes, stream.cancelled], [[undefined], true])
    }))

  it.effect("holds a sender back until it has taken what it was given", () =>
    Effect.gen(function*() {
      const { connection, stream } = yield* streaming({ maxBufferedAmount: 10 })
      yield* connection.send(new Uint8Array(10))
      const waiting = yield* Effect.forkChild(connection.send("next"), { startImmediately: true })
      yield* turns
      assert.strictEqual(stream.written.length, 1)
      stream.written[0].taken()
      yield* Fiber.join(waiting)
      assert.strictEqual(stream.written[1].chunk, "next")
      yield* connection.abort
      assert.deepInclude(yield* connection.closed, { unsent: { messages: 0, bytes: 4 } })
    }))

  it.effect("closes behind what it was given", () =>
    Effect.gen(function*() {
      const { close, connection, stream } = yield* streaming()
      yield* connection.send("last")
      const closing = yield* Effect.forkChild(close, { startImmediately: true })
      yield* turns
      assert.deepStrictEqual(stream.closes, [])
      stream.written[0].taken()
      yield* until(() => stream.closes.length > 0)
      assert.deepStrictEqual(stream.closes, [{ closeCode: 1000, reason: "" }])
      stream.says("too late")
      yield* until(() => stream.reads.length === 1)
      stream.ends({ closeCode: 1000, reason: "" })
      stream.endsReading()
      yield* Fiber.join(closing)
      assert.deepInclude(yield* connection.closed, { clean: true, first: "local", undelivered: 1 })
    }))

  it.effect("ends behind what came before", () =>
    Effect.gen(function*() {
      const { connection, stream } = yield* streaming()
      stream.ends({})
      yield* turns
      stream.says("last words")
      yield* until(() => stream.reads.length === 1)
      stream.endsReading()
      assert.deepStrictEqual(yield* connection.pull, ["last words"])
      assert.deepInclude(yield* outcomeOf(connection), { clean: true, received: { code: 1005, reason: "" } })
    }))

  it.effect("is cut", () =>
    Effect.gen(function*() {
      const { connection, stream } = yield* streaming()
      stream.breaks(new Error("gone"))
      assert.strictEqual((yield* outcomeOf(connection)).error?.reason._tag, "Reset")
      const other = yield* streaming()
      yield* other.connection.send("lost")
      other.stream.breaks({ closeCode: 4_000, reason: "enough" })
      const outcome = yield* outcomeOf(other.connection)
      assert.deepInclude(outcome, { clean: false, received: { code: 4_000, reason: "enough" } })
    }))
})
