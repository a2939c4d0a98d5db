import { assert, describe, it } from "@effect/vitest"
import {
  Connection,
  ConnectionState,
  Framer,
  Heartbeat,
  LengthPrefixed,
  Lines,
  MemoryTransport,
  Transport
} from "@wirestack/protocol"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import { Deferred, Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { hex, utf8 } from "../support/bytes.ts"
import { failureOf } from "../support/failure.ts"
import { turns } from "../support/turns.ts"

type Bare = Connection.Connection<Transport.Message, Transport.Message>

const [ping, pong] = [hex("c1 00"), hex("c1 01")]

/** A client with a heartbeat, and the server's end without one. */
const facing = (options?: Heartbeat.Options, lower = MemoryTransport.layerMessages()) =>
  Effect.gen(function*() {
    const below = yield* Layer.build(lower)
    const listener = yield* Effect.provideContext(Transport.listen(Transport.Messages)("memory:facing"), below)
    const accepted = yield* Deferred.make<Bare>()
    yield* Effect.forkScoped(
      listener.run((bare) => Effect.andThen(Deferred.succeed(accepted, bare), bare.closed))
    )
    const stack = Heartbeat.over(options)(Layer.succeedContext(below))
    const client = yield* Effect.provideContext(
      Transport.connect(Transport.Messages)("memory:facing"),
      yield* Layer.build(stack)
    )
    const bare = yield* Deferred.await(accepted)
    yield* Effect.addFinalizer(() => Effect.andThen(client.abort, bare.abort))
    return { bare, client }
  })

/** Plays a peer that answers each ping, and tells how many there were. */
const answering = (bare: Bare) => {
  const pings = { count: 0 }
  return Effect.as(
    Effect.forkChild(Stream.runForEach(Connection.messages(bare), (message) => {
      if (typeof message === "string" || message[1] !== 0) return Effect.void
      pings.count++
      return bare.send(pong)
    })),
    pings
  )
}

describe("silence", () => {
  it.effect("is asked about, and fails the connection without an answer", () =>
    Effect.gen(function*() {
      const { bare, client } = yield* facing()
      const states = yield* Effect.forkChild(
        Stream.runCollect(Stream.take(ConnectionState.changes(client), 3))
      )
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* bare.pull, [ping])
      yield* TestClock.adjust("10 seconds")
      assert.deepInclude(failureOf(yield* Effect.exit(client.pull)), { layer: "heartbeat", tag: "Unresponsive" })
      yield* TestClock.adjust("5 seconds")
      const { error } = yield* client.closed
      assert.deepInclude(error?.reason, { _tag: "Unresponsive", silent: 30_000, pings: 2 })
      assert.deepStrictEqual(
        (yield* Fiber.join(states)).map((state) => "viable" in state ? state.viable : state._tag),
        [
          true,
          false,
          "Closing"
        ]
      )
    }).pipe(Effect.scoped))

  it.effect("with an answer is none", () =>
    Effect.gen(function*() {
      const { bare, client } = yield* facing()
      const pings = yield* answering(bare)
      yield* TestClock.adjust("10 minutes")
      yield* client.send("still here")
      assert.isAtLeast(pings.count, 25)
      assert.isAtMost(pings.count, 30)
    }).pipe(Effect.scoped))

  it.effect("is broken by any message", () =>
    Effect.gen(function*() {
      const { bare, client } = yield* facing({ interval: "2 seconds", timeout: "1 seconds", misses: 1 })
      for (let n = 0; n < 20; n++) {
        yield* TestClock.adjust("1 seconds")
        yield* bare.send(`${n}`)
        yield* turns
        assert.deepStrictEqual(yield* client.pull, [`${n}`])
      }
      yield* TestClock.adjust("2500 millis")
      assert.deepStrictEqual(yield* bare.pull, [ping])
    }).pipe(Effect.scoped))

  it.effect("does not count while nobody takes what has arrived", () =>
    Effect.gen(function*() {
      const { bare, client } = yield* facing()
      yield* bare.send("x".repeat(70_000))
      yield* TestClock.adjust("10 minutes")
      yield* client.send("still here")
      assert.deepStrictEqual(yield* bare.pull, ["still here"])
      assert.strictEqual((yield* client.pull)[0].length, 70_000)
      yield* TestClock.adjust("35 seconds")
      assert.deepInclude(failureOf(yield* Effect.exit(client.pull)), { tag: "Unresponsive" })
    }).pipe(Effect.scoped))

  it.effect("of a peer that has ended is none", () =>
    Effect.gen(function*() {
      const { bare, client } = yield* facing()
      yield* bare.end
      yield* TestClock.adjust("10 minutes")
      yield* client.send("for you")
      assert.deepStrictEqual(yield* bare.pull, ["for you"])
    }).pipe(Effect.scoped))
})

describe("signs", () => {
  it.effect("are answered, and a flood of them with one answer a turn", () =>
    Effect.gen(function*() {
      const { bare } = yield* facing()
      yield* bare.send(ping)
      assert.deepStrictEqual(yield* bare.pull, [pong])
      yield* bare.sendAll([ping, ping, ping])
      assert.deepStrictEqual(yield* bare.pull, [pong])
    }).pipe(Effect.scoped))

  it.effect("are told from messages that look like them", () =>
    Effect.gen(function*() {
      const { bare, client } = yield* facing()
      const messages = [hex("c1"), hex("c1 00"), hex("c1 c1 01"), hex(""), hex("c2 00"), "\u00c1\u0000"] as const
      yield* client.sendAll(messages)
      const sent = yield* bare.pull
      assert.deepStrictEqual(sent.slice(0, 3), [hex("c1 c1"), hex("c1 c1 00"), hex("c1 c1 c1 01")])
      yield* bare.sendAll(sent)
      assert.deepStrictEqual(yield* client.pull, [...messages])
    }).pipe(Effect.scoped))

  for (const wrong of ["c1", "c1 02", "c1 00 00"]) {
    it.effect(`that are none fail the connection: ${wrong}`, () =>
      Effect.gen(function*() {
        const { bare, client } = yield* facing()
        yield* bare.sendAll(["before", hex(wrong)])
        assert.deepStrictEqual(yield* client.pull, ["before"])
        assert.deepInclude(failureOf(yield* Effect.exit(client.pull)), { layer: "heartbeat", tag: "Violation" })
      }).pipe(Effect.scoped))
  }

  it.effect("may be those of a protocol of lines", () =>
    Effect.gen(function*() {
      const signs = { ping: "PING", pong: utf8("PONG") }
      const lines = Lines.over()(MemoryTransport.layer())
      const { bare, client } = yield* facing({ signs }, lines)
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* bare.pull, ["PING"])
      yield* bare.sendAll(["PONG", "PING", "PING?"])
      assert.deepStrictEqual([yield* client.pull, yield* bare.pull], [["PING?"], ["PONG"]])
      for (const sign of ["PING", utf8("PING"), "PONG"]) {
        assert.deepInclude(failureOf(yield* Effect.exit(client.send(sign))), { layer: "heartbeat", tag: "Unencodable" })
      }
      assert.throws(() => Heartbeat.over({ signs: { ping: "same", pong: utf8("same") } }), RangeError)
    }).pipe(Effect.scoped))
})

describe("a stack with a heartbeat", () => {
  const suite = transportSuite({
    endpoint: () => "memory:here",
    nobody: "memory:nobody",
    capabilities: { halfClose: true, statuses: "a heartbeat carries no reason", abortIsSeen: true },
    shape: Transport.Messages,
    layer: () => MemoryTransport.layer().pipe(LengthPrefixed.over(), Heartbeat.over()),
    samples: Samples.messages({ text: false })
  })
  for (const { name, run } of suite) it.live(name, () => run)
})

describe("in the words of a protocol", () => {
  const Words: Transport.Shape<"words", { readonly say: string }, { readonly say: string }> = Transport.shape("words")
  const words = Framer.onto(Words)(Framer.map(Lines.make(), {
    decode: (line) => ({ say: String(line) }),
    encode: ({ say }: { readonly say: string }) => say
  }))

  const speaking = (options: Partial<Heartbeat.Vocabulary<{ readonly say: string }, { readonly say: string }>>) =>
    Effect.gen(function*() {
      const below = words(Layer.succeedContext(yield* Layer.build(MemoryTransport.layer())))
      const network = yield* Layer.build(below)
      const listener = yield* Effect.provideContext(Transport.listen(Words)("memory:words"), network)
      const accepted = yield* Deferred.make<Connection.Connection<{ readonly say: string }, { readonly say: string }>>()
      yield* Effect.forkScoped(listener.run((bare) => Effect.andThen(Deferred.succeed(accepted, bare), bare.closed)))
      const heartbeat = Heartbeat.within(Words)(() => ({
        interval: "20 seconds",
        ping: { say: "ping" },
        kindOf: ({ say }) => say === "ping" || say === "pong" ? say : "message",
        sizeOf: ({ say }) => say.length,
        ...options
      }))
      const client = yield* Effect.provide(
        Transport.connect(Words)("memory:words"),
        heartbeat(Layer.succeedContext(network))
      )
      const bare = yield* Deferred.await(accepted)
      yield* Effect.addFinalizer(() => Effect.andThen(client.abort, bare.abort))
      return { bare, client }
    })

  it.effect("asks, is answered, and keeps both from above", () =>
    Effect.gen(function*() {
      const { bare, client } = yield* speaking({})
      const reading = yield* Effect.forkChild(Stream.runCollect(Stream.take(Connection.messages(client), 1)))
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* bare.pull, [{ say: "ping" }])
      yield* bare.sendAll([{ say: "pong" }, { say: "hello" }])
      assert.deepStrictEqual(yield* Fiber.join(reading), [{ say: "hello" }])
    }).pipe(Effect.scoped))

  for (const pong of [{ say: "pong" }, undefined]) {
    it.effect(`${pong === undefined ? "leaves a ping without an answer that has none" : "answers a ping"}`, () =>
      Effect.gen(function*() {
        const { bare, client } = yield* speaking(pong === undefined ? {} : { pong })
        const reading = yield* Effect.forkChild(client.pull)
        yield* bare.send({ say: "ping" })
        yield* turns
        yield* client.send({ say: "mine" })
        const heard = yield* Stream.runCollect(Stream.take(Connection.messages(bare), pong === undefined ? 1 : 2))
        assert.deepStrictEqual(heard, pong === undefined ? [{ say: "mine" }] : [pong, { say: "mine" }])
        yield* Fiber.interrupt(reading)
      }).pipe(Effect.scoped))
  }

  for (const keepAlive of [true, false]) {
    it.effect(`${keepAlive ? "pings" : "does not ping"} a peer that speaks while we say nothing`, () =>
      Effect.gen(function*() {
        const { bare, client } = yield* speaking({ keepAlive })
        yield* Effect.forkChild(Stream.runDrain(Connection.messages(client)))
        let pings = 0
        yield* Effect.forkChild(
          Stream.runForEach(Connection.messages(bare), ({ say }) => Effect.sync(() => say === "ping" && pings++))
        )
        for (let n = 0; n < 24; n++) {
          yield* bare.send({ say: "news" })
          if (n === 10) yield* client.send({ say: "mine" })
          yield* TestClock.adjust("5 seconds")
        }
        // Every 20 seconds, but from 50 on, when something was said: at 20, 40, 70, 90 and 110.
        assert.strictEqual(pings, keepAlive ? 5 : 0)
      }).pipe(Effect.scoped))
  }
})
