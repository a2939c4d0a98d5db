/** Draining: who is told what and when, what holds it up and what doesn't, and what it reports. */
import { assert, describe, it } from "@effect/vitest"
import { Channels, Connection, type Listener, MemoryTransport, Protocol, Resume, Transport } from "@wirestack/protocol"
import { fromConnectionError } from "@wirestack/protocol/ConnectError"
import type { Message } from "@wirestack/protocol/Transport"
import { Clock, Deferred, Effect, Exit, Fiber, Layer, Random, Scope } from "effect"
import { TestClock } from "effect/testing"
import { failureOf } from "./support/failure.ts"
import * as Parting from "./support/Parting.ts"
import { turns } from "./support/turns.ts"

type Messages = Connection.Connection<Message, Message>
type Can = Transport.Connect | Transport.Listen
type Needs = Scope.Scope | Transport.MessageTransport<Can> | Transport.At<"parted", Can>

const here = "memory:drain"

/** A program on one network, with bare messages and with those of a layer that says goodbye with a code: 3 is away, 4 a restart. */
const on = <E>(name: string, program: Effect.Effect<unknown, E, Needs>) =>
  it.effect(name, () => {
    const network = MemoryTransport.layerMessages()
    return Effect.provide(Effect.scoped(program), Layer.merge(network, Parting.over()(network)))
  })

/** Until its connection ends, as a handler that does not care how that is said. */
const echoes = (connection: Messages) => Effect.forever(Effect.flatMap(connection.pull, connection.sendAll))

/** Until its connection ends. */
const stays = (connection: Messages) => Effect.ignore(Effect.forever(connection.pull))

const serving = (
  handler: (connection: Messages) => Effect.Effect<void, unknown>,
  options?: Transport.ListenOptions<Messages>
) =>
  Effect.gen(function*() {
    const incidents: Array<Listener.Incident> = []
    const listener = yield* Transport.listen(Parting.Parted)(here, options)
    const onIncident = (incident: Listener.Incident) => Effect.sync(() => void incidents.push(incident))
    const running = yield* Effect.forkScoped(listener.run(handler, { onIncident }))
    yield* turns
    return { listener, running, incidents }
  })

/** What a client receives, and when; a bare one reads but answers nothing, so that it never ends by itself. */
const client = <S>(shape: Transport.Shape<S, Message, Message>) =>
  Effect.gen(function*() {
    const heard: Array<readonly [message: Message | undefined, at: number]> = []
    const connection = yield* Transport.connect(shape)(here)
    yield* Effect.addFinalizer(() => connection.abort)
    const hear = (message: Message | undefined) =>
      Effect.map(Clock.currentTimeMillis, (now) => void heard.push([message, now]))
    yield* Effect.forkScoped(
      Effect.exit(Effect.forever(Effect.flatMap(connection.pull, ([message]) => hear(message)))).pipe(
        Effect.andThen(connection.closed),
        Effect.andThen(({ received }) => hear(received && `bye ${received.code}`))
      )
    )
    yield* turns
    return { connection, heard }
  })

const answering = client(Parting.Parted)
const silent = client(Transport.Messages)

/** Lets a time pass in small steps. */
const pass = (millis: number) =>
  Effect.gen(function*() {
    for (let passed = 0; passed < millis; passed += 50) {
      yield* TestClock.adjust("50 millis")
      yield* turns
    }
  })

const clean = { forced: 0, failed: 0, waiting: 0, refused: 0, unsent: { messages: 0, bytes: 0 }, undelivered: 0 }

describe("a drain", () => {
  on(
    "closes every connection cleanly, and says so to all who ask",
    Effect.gen(function*() {
      const { listener, running } = yield* serving(stays)
      const begun = yield* Effect.forkChild(listener.draining)
      const { heard } = yield* answering
      assert.isUndefined(begun.pollUnsafe())
      const report = yield* listener.drain()
      assert.deepStrictEqual(report, { ...clean, open: 1, ended: 1, interrupted: 0, clean: 1, took: 0 })
      assert.deepStrictEqual(heard, [["bye 3", 0]])
      yield* Fiber.join(begun)
      assert.strictEqual(yield* listener.drain({ within: 0 }), report)
      assert.strictEqual(yield* listener.drained, report)
      assert.strictEqual(failureOf(yield* Fiber.await(running))?.tag, "NotListening")
      assert.strictEqual((yield* Effect.flip(Effect.scoped(answering))).reason._tag, "Refused")
    })
  )

  on(
    "may be a restart",
    Effect.gen(function*() {
      const { listener } = yield* serving(stays, { drain: { as: "restart" } })
      const { heard } = yield* answering
      yield* listener.drain()
      assert.deepStrictEqual(heard, [["bye 4", 0]])
    })
  )

  on(
    "tells connections one after the other, by chance that can be repeated, and at once if they go by themselves",
    Effect.gen(function*() {
      const { listener } = yield* serving(stays)
      const clients = yield* Effect.replicateEffect(answering, 8)
      const draining = yield* Effect.forkChild(
        Random.withSeed(listener.drain({ over: "4 seconds", within: "9 seconds" }), "drain")
      )
      yield* pass(3_000)
      const told = clients.flatMap(({ heard }) => heard.map(([, at]) => at))
      assert.lengthOf(told, 6)
      for (const [n, at] of told.entries()) assert.isTrue(at >= n * 500 && at <= (n + 1) * 500, `${n} at ${at}`)
      assert.isAbove(new Set(told.map((at) => at % 500)).size, 3)
      yield* Effect.forEach(clients.slice(6), ({ connection }) => connection.abort)
      assert.deepInclude(yield* Fiber.join(draining), { open: 8, clean: 6, failed: 2, took: 3_000 })
    })
  )

  on(
    "has one deadline, whatever connections do",
    Effect.gen(function*() {
      const ignoring = (connection: Messages) =>
        Effect.flatMap(connection.pull, ([what]) => what === "stay" ? Effect.never : stays(connection))
      const { listener } = yield* serving(ignoring)
      const good = yield* answering
      const stubborn = yield* answering
      const mute = yield* silent
      yield* Effect.forEach([good, mute], ({ connection }) => connection.send("go"))
      yield* stubborn.connection.send("stay")
      yield* turns
      const draining = yield* Effect.forkChild(listener.drain({ within: "2 seconds" }))
      yield* turns
      assert.deepStrictEqual([good.heard, mute.heard], [[["bye 3", 0]], [["bye 3", 0]]])
      yield* pass(1_950)
      assert.isUndefined(draining.pollUnsafe())
      yield* pass(50)
      assert.deepInclude(yield* Fiber.join(draining), { open: 3, interrupted: 2, clean: 2, forced: 1, took: 2_000 })
    })
  )

  on(
    "leaves a connection its own time to close, if that is less",
    Effect.gen(function*() {
      const { listener } = yield* serving(stays, { closeWithin: "300 millis", drain: { within: "1 minute" } })
      yield* silent
      const draining = yield* Effect.forkChild(listener.drain())
      yield* pass(500)
      assert.deepInclude(yield* Fiber.join(draining), { open: 1, ended: 1, interrupted: 0, clean: 0, forced: 1 })
    })
  )

  on(
    "sums up what was lost",
    Effect.gen(function*() {
      const { listener } = yield* serving((connection) =>
        Effect.andThen(connection.send("x".repeat(2_000)), Effect.never)
      )
      const clients = [yield* answering, yield* answering]
      yield* Effect.forEach(clients, ({ connection }) => connection.sendAll(["one", "two", "three"]))
      yield* turns
      const draining = yield* Effect.forkChild(listener.drain({ within: "100 millis" }))
      yield* pass(100)
      assert.deepInclude(yield* Fiber.join(draining), { undelivered: 6, interrupted: 2 })
    })
  )

  on(
    "tells of handlers that fail for another reason than that it closed their connections",
    Effect.gen(function*() {
      const { incidents, listener } = yield* serving((connection) =>
        Effect.flatMap(
          connection.pull,
          ([message]) =>
            message === "fail" ? Effect.andThen(stays(connection), Effect.die("unfinished")) : echoes(connection)
        )
      )
      const clients = [yield* answering, yield* answering]
      yield* clients[0].connection.send("fail")
      yield* clients[1].connection.send("echo")
      yield* turns
      assert.deepInclude(yield* listener.drain(), { open: 2, clean: 2 })
      assert.deepStrictEqual(incidents.map(({ _tag }) => _tag), ["HandlerFailed"])
    })
  )

  on(
    "before the listener is run, or while it is paused, cuts who waits",
    Effect.gen(function*() {
      const listener = yield* Transport.listen(Parting.Parted)(here)
      yield* Transport.connect(Transport.Messages)(here)
      assert.deepInclude(yield* listener.drain(), { open: 0, waiting: 1, took: 0 })
      const error = yield* Effect.flip(listener.run(stays))
      assert.strictEqual(error.reason._tag, "NotListening")
      const paused = (yield* serving(stays)).listener
      yield* answering
      yield* paused.pause
      yield* Transport.connect(Transport.Messages)(here)
      yield* turns
      assert.deepInclude(yield* paused.drain(), { open: 1, clean: 1, waiting: 1 })
    })
  )

  on(
    "goes on if whoever asked for it is interrupted",
    Effect.gen(function*() {
      const { listener } = yield* serving(stays)
      yield* silent
      const draining = yield* Effect.forkChild(listener.drain({ within: "1 second" }))
      yield* turns
      yield* Fiber.interrupt(draining)
      yield* pass(1_000)
      assert.deepInclude(yield* listener.drained, { open: 1, took: 1_000 })
    })
  )
})

describe("a goodbye of the application", () => {
  on(
    "comes before that of the layers, which comes whatever becomes of it",
    Effect.gen(function*() {
      const { incidents, listener } = yield* serving(stays)
      const clients = [yield* answering, yield* answering, yield* answering]
      let nth = 0
      const goodbye = (connection: Messages) => {
        nth++
        if (nth === 1) return Effect.andThen(Effect.sleep("300 millis"), connection.send("goodbye"))
        return nth === 2 ? Effect.never : Effect.die("speechless")
      }
      const draining = yield* Effect.forkChild(listener.drain({ within: "2 seconds", goodbye }))
      yield* turns
      yield* pass(1_000)
      assert.deepStrictEqual(clients.map(({ heard }) => heard), [
        [["goodbye", 300], ["bye 3", 300]],
        [["bye 3", 1_000]],
        [["bye 3", 0]]
      ])
      assert.deepInclude(yield* Fiber.join(draining), { open: 3, clean: 3, took: 1_000 })
      assert.deepStrictEqual(incidents.map(({ _tag }) => _tag), ["HandlerFailed"])
    })
  )

  on(
    "may wait for a handler that has something to finish",
    Effect.gen(function*() {
      const finished = yield* Deferred.make<void>()
      const listening = yield* Deferred.make<Listener.Listener<Message, Message>>()
      const working = (connection: Messages) =>
        Effect.gen(function*() {
          yield* (yield* Deferred.await(listening)).draining
          yield* connection.send("the last piece")
          yield* Deferred.succeed(finished, undefined)
        })
      const { listener } = yield* serving((connection) => Effect.andThen(working(connection), stays(connection)))
      yield* Deferred.succeed(listening, listener)
      const { heard } = yield* answering
      yield* listener.drain({ goodbye: () => Deferred.await(finished) })
      yield* turns
      assert.deepStrictEqual(heard.map(([message]) => message), ["the last piece", "bye 3"])
    })
  )

  on(
    "ends with its connection, whoever closes that",
    Effect.gen(function*() {
      const { listener } = yield* serving(stays)
      const { connection } = yield* answering
      yield* answering
      let begun = 0
      let interrupted = 0
      const goodbye = (connection: Messages) =>
        Effect.onInterrupt(
          Effect.andThen(++begun === 1 ? Effect.void : connection.abort, Effect.never),
          () => Effect.sync(() => void interrupted++)
        )
      const draining = yield* Effect.forkChild(listener.drain({ goodbye }))
      yield* turns
      yield* connection.abort
      assert.deepInclude(yield* Fiber.join(draining), { open: 2, failed: 1, forced: 1, took: 0 })
      assert.strictEqual(interrupted, 2)
    })
  )
})

describe("a connection's lifetime", () => {
  on(
    "ends as a drain would end it, up to a tenth earlier",
    Effect.gen(function*() {
      const drain = { as: "restart", goodbye: (connection: Messages) => connection.send("move on") } as const
      const { incidents } = yield* Random.withSeed(
        serving(echoes, { maxLifetime: "10 seconds", drain }),
        "lifetimes"
      )
      const clients = yield* Effect.replicateEffect(answering, 6)
      yield* pass(8_950)
      for (const { heard } of clients) assert.deepStrictEqual(heard, [])
      yield* pass(1_050)
      for (const { heard } of clients) assert.deepStrictEqual(heard.map(([said]) => said), ["move on", "bye 4"])
      assert.isAbove(new Set(clients.map(({ heard: [[, at]] }) => at)).size, 2)
      assert.deepStrictEqual(incidents, [])
      const later = yield* answering
      yield* pass(5_000)
      assert.deepStrictEqual(later.heard, [])
    })
  )

  on(
    "is that of a drain which has told it already",
    Effect.gen(function*() {
      const goodbye = (connection: Messages) => Effect.andThen(Effect.sleep("4 seconds"), connection.send("done"))
      const { listener } = yield* serving(stays, { maxLifetime: "1 second", drain: { within: "2 seconds" } })
      const { heard } = yield* answering
      const draining = yield* Effect.forkChild(listener.drain({ within: "10 seconds", goodbye }))
      yield* pass(4_000)
      assert.deepStrictEqual(heard, [["done", 4_000], ["bye 3", 4_000]])
      assert.deepInclude(yield* Fiber.join(draining), { open: 1, clean: 1, took: 4_000 })
    })
  )

  on(
    "is cut short for a handler that does not care, when a drain would do so",
    Effect.gen(function*() {
      let interrupted = false
      const caring = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (interrupted = true)))
      const { listener } = yield* serving(() => caring, { maxLifetime: "1 second", drain: { within: "2 seconds" } })
      yield* silent
      yield* pass(2_850)
      assert.isFalse(interrupted)
      yield* pass(150)
      assert.isTrue(interrupted)
      assert.deepInclude(yield* listener.drain(), { open: 0 })
    })
  )
})

describe("a layer that can say no", () => {
  /** One that reads a word, and says yes, or after how long to come again. */
  const asking = Protocol.within(Transport.Messages)({
    layer: "asking",
    below: (ask) => ({ ...ask, turnsAway: true }),
    server: (lower) =>
      Effect.onInterrupt(
        Effect.mapError(
          Effect.gen(function*() {
            yield* Effect.catch(lower.pull, () => Effect.interrupt)
            const away = Connection.turnedAway(lower)
            if (away === undefined) Connection.letIn(lower)
            yield* lower.send(away === undefined ? "yes" : `no ${String(away)}`)
            return away === undefined ? yield* Effect.succeed(lower) : yield* Effect.interrupt
          }),
          fromConnectionError
        ),
        () => Effect.ignore(Effect.suspend(() => Connection.turnedAway(lower) ? lower.send("last no") : Effect.void))
      )
  })

  const onAsking = <E>(name: string, program: Effect.Effect<unknown, E, Needs>) =>
    it.effect(name, () => {
      const network = MemoryTransport.layerMessages()
      const above = Layer.effect(Parting.Parted.key, Effect.service(Transport.Messages.key))
      return Effect.provide(Effect.scoped(program), Layer.merge(network, Layer.provide(above, asking(network))))
    })

  const said = (heard: ReadonlyArray<readonly [Message | undefined, number]>) => heard.map(([message]) => message)

  onAsking(
    "says it to who comes and who is there, until all others are gone",
    Effect.gen(function*() {
      const { incidents, listener } = yield* serving(stays)
      const inside = yield* silent
      yield* inside.connection.send("hello")
      yield* turns
      const early = yield* silent
      const mute = yield* silent
      const draining = yield* Effect.forkChild(listener.drain({ within: "2 seconds" }))
      yield* turns
      yield* early.connection.send("hello")
      const late = yield* silent
      yield* late.connection.send("hello")
      yield* turns
      assert.deepStrictEqual([said(inside.heard), said(early.heard), said(late.heard), said(mute.heard)], [
        ["yes"],
        ["no 2000 millis"],
        ["no 2000 millis"],
        []
      ])
      yield* Effect.forEach([inside, early, late], ({ connection }) => connection.abort)
      yield* turns
      assert.deepStrictEqual(said(mute.heard), ["last no"])
      assert.strictEqual((yield* Effect.flip(Effect.scoped(silent))).reason._tag, "Refused")
      yield* mute.connection.abort
      assert.deepInclude(yield* Fiber.join(draining), { open: 1, refused: 3, took: 0 })
      assert.deepStrictEqual(incidents, [])
    })
  )

  onAsking(
    "says it to those that wait, and holds up nobody beyond the deadline",
    Effect.gen(function*() {
      const { listener } = yield* serving(stays, { maxConnections: 1, whenFull: "wait" })
      const first = yield* silent
      yield* first.connection.send("hello")
      const second = yield* silent
      yield* second.connection.send("hello")
      yield* turns
      const draining = yield* Effect.forkChild(listener.drain({ within: "1 second", retryAfter: "1 minute" }))
      yield* turns
      assert.deepStrictEqual([said(first.heard), said(second.heard)], [["yes"], ["no 60000 millis"]])
      yield* pass(1_000)
      assert.deepInclude(yield* Fiber.join(draining), { open: 1, forced: 1, refused: 1, waiting: 0, took: 1_000 })
    })
  )
})

/** Connections that say goodbye with a code, and those that they carry. */
const both = (over: ReturnType<typeof Channels.over>) => {
  const carriers = Parting.over()(MemoryTransport.layerMessages())
  const messages = Protocol.make(Parting.Parted, Transport.Messages, {
    layer: "messages",
    client: (lower) => Effect.succeed(lower),
    server: (lower) => Effect.succeed(lower)
  })
  return Layer.merge(carriers, over(messages(carriers)))
}

it.effect("channels drain before the connections that carry them, which have half of the time for their goodbye", () =>
  Effect.gen(function*() {
    const listener = yield* Transport.listen(Transport.Messages)(here, { drain: { within: "1 second" } })
    yield* Effect.forkScoped(Effect.exit(listener.run(stays)))
    const other = yield* Effect.flatMap(Transport.connect(Parting.Parted)(here), Channels.client)
    const channel = yield* Transport.connect(Transport.Messages)(here)
    const draining = yield* Effect.forkChild(listener.drain({
      goodbye: (channel) => Effect.andThen(Effect.sleep("200 millis"), channel.send("goodbye"))
    }))
    yield* turns
    yield* pass(200)
    assert.deepStrictEqual(yield* channel.pull, ["goodbye"])
    yield* Effect.flip(channel.pull)
    yield* pass(300)
    assert.deepStrictEqual((yield* other.closed).received, { code: 2, reason: "away" })
    assert.deepInclude(yield* Fiber.join(draining), { open: 1, interrupted: 0, took: 500 })
    yield* channel.abort
  }).pipe(Effect.scoped, Effect.provide(both(Channels.over()))))

describe.each([["channels", Channels.over()], ["sessions", Resume.over()]] as const)("a listener for %s", (_, over) => {
  const onBoth = <E>(name: string, program: Effect.Effect<unknown, E, Needs>) =>
    it.effect(name, () => Effect.provide(Effect.scoped(program), both(over)))

  const listening = (
    handler: (connection: Messages) => Effect.Effect<void, unknown>,
    options?: Transport.ListenOptions
  ) =>
    Effect.gen(function*() {
      const listener = yield* Transport.listen(Transport.Messages)(here, options)
      const running = yield* Effect.forkScoped(listener.run(handler))
      yield* turns
      return { listener, running }
    })

  /** One that has said something, so that it is handled. */
  const inside = Effect.gen(function*() {
    const connection = yield* Transport.connect(Transport.Messages)(here)
    yield* connection.send("here I am")
    yield* turns
    return connection
  })

  const refused = Effect.gen(function*() {
    const { reason } = yield* Effect.flip(Effect.scoped(Transport.connect(Parting.Parted)(here)))
    assert.strictEqual(reason._tag, "Refused")
  })

  onBoth(
    "accepts nobody any more from when it drains, whoever has it drain",
    Effect.gen(function*() {
      const { listener, running } = yield* listening(() => Effect.never)
      yield* inside
      const draining = yield* Effect.forkChild(listener.drain({ within: "2 seconds" }))
      yield* turns
      yield* refused
      yield* Fiber.interrupt(draining)
      yield* pass(2_000)
      assert.deepInclude(yield* listener.drained, { open: 1, interrupted: 1 })
      assert.strictEqual(failureOf(yield* Fiber.await(running))?.tag, "NotListening")
      yield* Fiber.interrupt((yield* listening(stays)).running)
      yield* refused
    })
  )

  onBoth(
    "has one deadline for those that carry them, too",
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { listener } = yield* Scope.provide(
        listening(() => Effect.never, { drain: { within: "2 seconds" } }),
        scope
      )
      yield* inside
      yield* Transport.connect(Parting.Parted)(here)
      yield* turns
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* pass(2_000)
      yield* Fiber.join(closing)
      assert.isAtMost((yield* listener.drained).took, 2_000)
    })
  )
})
