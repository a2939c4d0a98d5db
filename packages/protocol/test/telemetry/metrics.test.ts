import { assert, describe, it } from "@effect/vitest"
import {
  Codec,
  ConnectError,
  Connection,
  Heartbeat,
  LengthPrefixed,
  MemoryTransport,
  Policy,
  Protocol,
  Reason,
  Reconnection,
  Recording,
  Requests,
  Resume,
  Subprotocol,
  Tap,
  Telemetry,
  Topic,
  Transport
} from "@wirestack/protocol"
import { Effect, Exit, Fiber, Layer, Metric, Option, Schedule, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { recorded, seriesOf, valuesOf } from "../support/telemetry.ts"
import { turns } from "../support/turns.ts"
import { connect as connectOn, Valve } from "../support/Valve.ts"

class Chat extends Subprotocol.Service<Chat>()("chat.v1", { client: Schema.String, server: Schema.String }) {}

const stack = () => MemoryTransport.layer().pipe(LengthPrefixed.over(), Chat.over(Codec.json()))

const echo = <In, Out extends In>(connection: Connection.Connection<Out, In>) =>
  Stream.runForEach(Connection.messages(connection), connection.send)

const serving = Effect.gen(function*() {
  const listener = yield* Chat.listen("memory:chat")
  yield* Effect.forkScoped(listener.run(echo))
  return listener
})

class Files extends Requests.Service<Files>()("files.v1", { client: { slow: Requests.call() } }) {}

const client = { "wirestack.role": "client" }
const server = { "wirestack.role": "server" }
const established = { "network.protocol.name": "chat.v1" }
const open = "wirestack.connections.open"

/** Runs with telemetry over a stack. */
const on = <E, R, E2>(
  name: string,
  lower: () => Layer.Layer<R, E2>,
  program: Effect.Effect<unknown, E, R | Scope.Scope>,
  options?: Telemetry.Options
) =>
  it.effect(
    name,
    () =>
      recorded(() =>
        program.pipe(
          Effect.scoped,
          Effect.provide(Layer.provideMerge(lower(), Telemetry.layer({ spans: false, ...options })))
        )
      )
  )

describe("metrics", () => {
  on(
    "tell of connections as they begin, are ready and end, with exact times and numbers",
    stack,
    Effect.gen(function*() {
      yield* serving
      const scope = yield* Scope.fork(yield* Effect.scope)
      const connection = yield* Scope.provide(Chat.connect("memory:chat"), scope)
      yield* turns
      assert.deepStrictEqual(yield* valuesOf(open, { ...client, ...established }), [1])
      assert.deepStrictEqual(yield* valuesOf(open, { ...server, ...established }), [1])
      yield* connection.send("hello")
      yield* connection.pull
      const chat = { "wirestack.layer": "chat.v1", "network.io.direction": "transmit" }
      const memory = { "wirestack.layer": "memory", "network.io.direction": "transmit" }
      assert.deepStrictEqual(yield* valuesOf("wirestack.layer.messages", { ...client, ...chat }), [1])
      // What was read once is not added again.
      assert.deepStrictEqual(yield* valuesOf("wirestack.layer.messages", { ...client, ...chat }), [1])
      assert.deepStrictEqual(yield* valuesOf("wirestack.layer.bytes", { ...client, ...memory }), [11])
      yield* TestClock.adjust("90 seconds")
      yield* Scope.close(scope, Exit.void)
      yield* turns
      for (const role of [client, server]) {
        assert.deepStrictEqual(yield* valuesOf(open, role), [0, 0])
        assert.deepStrictEqual(yield* valuesOf("wirestack.connections.opened", role), [1])
        assert.deepStrictEqual(yield* valuesOf("wirestack.connection.duration", role), [[1, 90]])
        assert.deepStrictEqual(yield* valuesOf("wirestack.layer.messages", { ...role, ...chat }), [1])
      }
      assert.deepStrictEqual(yield* seriesOf("wirestack.connections.closed"), [
        [1, {
          ...server,
          ...established,
          "network.transport": "memory",
          "wirestack.close.first": "remote",
          "wirestack.close.clean": "true"
        }],
        [1, {
          ...client,
          ...established,
          "network.transport": "memory",
          "wirestack.close.first": "local",
          "wirestack.close.clean": "true"
        }]
      ])
      assert.deepStrictEqual(yield* valuesOf("wirestack.connect.duration"), [[1, 0]])
      assert.strictEqual((yield* valuesOf("wirestack.handshake.duration")).length, 6)
    })
  )

  on(
    "of a thousand connections are sums, and nothing is left of those",
    stack,
    Effect.gen(function*() {
      yield* serving
      const scope = yield* Scope.fork(yield* Effect.scope)
      const connections = yield* Effect.forEach(
        Array.from({ length: 1_000 }),
        () => Scope.provide(Chat.connect("memory:chat"), scope)
      )
      assert.deepStrictEqual(yield* valuesOf(open, { ...server, ...established }), [1_000])
      const series = (yield* Metric.snapshot).length
      for (const connection of connections) yield* connection.send("hello")
      for (const connection of connections) yield* connection.pull
      const chat = { "wirestack.layer": "chat.v1" }
      assert.deepStrictEqual(yield* valuesOf("wirestack.layer.messages", chat), [1_000, 1_000, 1_000, 1_000])
      assert.strictEqual((yield* Metric.snapshot).length, series)
      yield* Scope.close(scope, Exit.void)
      yield* turns
      assert.deepStrictEqual(new Set(yield* valuesOf(open)), new Set([0]))
      assert.deepStrictEqual(yield* valuesOf("wirestack.connections.closed"), [1_000, 1_000])
      assert.deepStrictEqual(yield* valuesOf("wirestack.layer.messages", chat), [1_000, 1_000, 1_000, 1_000])
    })
  )

  on(
    "of connections that are over before their layers are ready are sums too",
    () => {
      const slowly = <A>(lower: A) => Effect.as(Effect.sleep("1 seconds"), lower)
      return Protocol.within(Transport.Messages)({ layer: "slow", client: slowly, server: slowly })(
        MemoryTransport.layerMessages()
      )
    },
    Effect.gen(function*() {
      const listener = yield* Transport.listen(Transport.Messages)("memory:slow")
      yield* Effect.forkScoped(listener.run((connection) => Effect.asVoid(connection.closed)))
      const connecting = yield* Effect.forkChild(Effect.exit(Effect.scoped(
        Effect.flatMap(Transport.connect(Transport.Messages)("memory:slow"), ({ closed }) => closed)
      )))
      yield* turns
      yield* listener.drain({ within: 0 })
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(connecting)
      yield* turns
      assert.deepStrictEqual(yield* valuesOf("wirestack.connections.opened"), [1, 1])
      assert.deepStrictEqual(yield* valuesOf("wirestack.connections.closed"), [1, 1])
      assert.deepStrictEqual(new Set(yield* valuesOf(open)), new Set([0]))
    })
  )

  on(
    "tell why connecting failed, and which layer of a listener refused",
    MemoryTransport.layer,
    Effect.gen(function*() {
      const refused = new ConnectError.ConnectError({
        layer: "picky",
        reason: new Reason.Violation({ rule: "nobody gets in" })
      })
      const picky = Protocol.within(Transport.Bytes)({
        layer: "picky",
        client: (lower) => Effect.succeed(lower),
        server: () => Effect.fail(refused)
      })
      const bytes = yield* Effect.context<Transport.ByteTransport<Transport.Connect | Transport.Listen>>()
      const above = yield* Layer.build(picky(Layer.succeedContext(bytes)))
      const listener = yield* Effect.provideContext(Transport.listen(Transport.Bytes)("memory:picky"), above)
      yield* Effect.forkScoped(listener.run(() => Effect.void, { onIncident: () => Effect.void }))
      yield* Effect.exit(Effect.scoped(Transport.connect(Transport.Bytes)("memory:nobody")))
      yield* Effect.scoped(
        Effect.flatMap(
          Transport.connect(Transport.Bytes)("memory:picky"),
          ({ pull }) => Effect.exit(pull)
        )
      )
      yield* turns
      assert.deepStrictEqual(yield* valuesOf("wirestack.connect.duration", { "error.type": "Refused" }), [[1, 0]])
      assert.deepStrictEqual(
        yield* valuesOf("wirestack.handshake.duration", { "error.type": "Refused", "wirestack.layer": "memory" }),
        [[1, 0]]
      )
      assert.deepStrictEqual(
        yield* valuesOf("wirestack.handshake.duration", { ...server, "error.type": "Violation" }),
        [[1, 0]]
      )
      // It never got a protocol.
      const ended = (yield* seriesOf("wirestack.connections.closed")).filter(([, has]) =>
        has["wirestack.role"] === "server"
      )
      assert.strictEqual(ended.length, 1)
      assert.notProperty(ended[0][1], "network.protocol.name")
      assert.deepStrictEqual(new Set(yield* valuesOf(open)), new Set([0]))
    })
  )

  const layerTapped = () =>
    MemoryTransport.layerMessages().pipe(Tap.over(Transport.Messages)({ to: [Recording.make().sink] }))
  for (const lower of [MemoryTransport.layerMessages, layerTapped]) {
    on(
      `tell what waits, and what was lost${lower === layerTapped ? ", also under a tap" : ""}`,
      lower,
      Effect.gen(function*() {
        const listener = yield* Transport.listen(Transport.Messages)("memory:mute")
        yield* Effect.forkScoped(listener.run((connection) => Effect.asVoid(connection.closed)))
        const connection = yield* Transport.connect(Transport.Messages)("memory:mute")
        for (let i = 0; i < 6; i++) yield* connection.send("x".repeat(30_000))
        yield* Effect.forkChild(Effect.ignore(connection.send("one that has to wait")))
        yield* turns
        const inbox = { ...server, "wirestack.queue": "inbox" }
        const senders = { ...client, "wirestack.queue": "senders" }
        const outbox = { ...client, "wirestack.queue": "outbox" }
        assert.deepStrictEqual(yield* valuesOf("wirestack.queue.messages", inbox), [3])
        assert.deepStrictEqual(yield* valuesOf("wirestack.queue.bytes", inbox), [90_000])
        assert.deepStrictEqual(yield* valuesOf("wirestack.queue.bytes", outbox), [90_000])
        assert.deepStrictEqual(yield* valuesOf("wirestack.queue.messages", senders), [1])
        yield* listener.drain({ within: 0 })
        yield* connection.abort
        yield* turns
        assert.deepStrictEqual(new Set(yield* valuesOf("wirestack.queue.bytes")), new Set([0]))
        assert.deepStrictEqual(yield* valuesOf("wirestack.lost.messages", { "wirestack.lost": "undelivered" }), [3])
      })
    )
  }

  on(
    "tell of connections that a listener did not take",
    MemoryTransport.layer,
    Effect.gen(function*() {
      const listener = yield* Transport.listen(Transport.Bytes)("memory:small", { maxConnections: 1 })
      yield* Effect.forkScoped(listener.run(echo, { onIncident: () => Effect.void }))
      yield* turns
      for (let i = 0; i < 3; i++) {
        const connection = yield* Transport.connect(Transport.Bytes)("memory:small")
        yield* Effect.addFinalizer(() => connection.abort)
      }
      yield* turns
      assert.deepStrictEqual(yield* seriesOf("wirestack.connections.refused"), [[2, {
        "wirestack.reason": "listener"
      }]])
    })
  )

  on(
    "tell of connections that waited when a listener drained",
    MemoryTransport.layer,
    Effect.gen(function*() {
      const listener = yield* Transport.listen(Transport.Bytes)("memory:paused")
      yield* Effect.forkScoped(Effect.ignore(listener.run(echo)))
      yield* listener.pause
      for (let i = 0; i < 3; i++) yield* Transport.connect(Transport.Bytes)("memory:paused")
      yield* turns
      yield* listener.drain()
      assert.deepStrictEqual(yield* seriesOf("wirestack.connections.refused"), [[3, {
        "wirestack.reason": "draining"
      }]])
    })
  )

  on(
    "tell of sessions that were resumed",
    () => Resume.over({ client: { schedule: Schedule.spaced("1 seconds") } })(MemoryTransport.layerMessages()),
    Effect.gen(function*() {
      const listener = yield* Transport.listen(Transport.Messages)("memory:session")
      yield* Effect.forkScoped(listener.run(echo))
      const session = yield* Transport.connect(Transport.Messages)("memory:session")
      yield* turns
      const reconnection = Option.getOrThrow(Connection.detailOption(session, Reconnection.Reconnection))
      yield* Option.getOrThrow(yield* reconnection.current).abort
      yield* TestClock.adjust("2 seconds")
      yield* session.send("again")
      assert.deepStrictEqual(yield* session.pull, ["again"])
      assert.deepStrictEqual(yield* seriesOf("wirestack.sessions.resumed"), [[1, {}]])
      assert.deepStrictEqual(yield* seriesOf("wirestack.reconnections"), [[1, {}]])
      // The session is a connection, and so are the two that carried it.
      assert.deepStrictEqual(yield* valuesOf("wirestack.connections.opened", client), [2, 1])
    })
  )

  on(
    "tell of calls",
    () => Files.over(Codec.json())(MemoryTransport.layerMessages()),
    Effect.gen(function*() {
      const listener = yield* Files.listen("memory:files")
      yield* Effect.forkScoped(listener.run({ slow: () => Effect.sleep("3 seconds") }))
      const { call } = yield* Files.connect()("memory:files", {})
      const calling = yield* Effect.forkChild(call.slow(undefined))
      const waiting = yield* Effect.forkChild(Effect.exit(call.slow(undefined, { within: "1 seconds" })))
      yield* turns
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(calling)
      yield* Fiber.join(waiting)
      const slow = { "rpc.method": "files.v1/slow" }
      assert.deepStrictEqual(yield* valuesOf("rpc.client.call.duration", slow), [[1, 1], [1, 3]])
      assert.deepStrictEqual(yield* valuesOf("rpc.server.call.duration", slow), [[1, 1], [1, 3]])
      assert.deepStrictEqual(
        yield* valuesOf("rpc.client.call.duration", { ...slow, "error.type": "TimedOut" }),
        [[1, 1]]
      )
    })
  )

  on(
    "tell how long an answer takes",
    () => Heartbeat.over({ interval: "10 seconds" })(MemoryTransport.layerMessages()),
    Effect.gen(function*() {
      const listener = yield* Transport.listen(Transport.Messages)("memory:beating")
      yield* Effect.forkScoped(listener.run(echo))
      yield* Transport.connect(Transport.Messages)("memory:beating")
      yield* TestClock.adjust("15 seconds")
      const [[count, sum]] = (yield* valuesOf("wirestack.round_trip.duration", client)) as Array<[number, number]>
      assert.deepStrictEqual([count, sum], [1, 0])
    })
  )

  on(
    "tell of connecting again",
    MemoryTransport.layerMessages,
    Effect.gen(function*() {
      const serve = Effect.gen(function*() {
        const scope = yield* Scope.fork(yield* Effect.scope)
        const listener = yield* Scope.provide(Transport.listen(Transport.Messages)("memory:home"), scope)
        yield* Effect.forkIn(listener.run(echo), scope)
        return { stop: Scope.close(scope, Exit.void) }
      })
      const { stop } = yield* serve
      yield* Connection.resilient(Transport.connect(Transport.Messages)("memory:home"), {
        schedule: Schedule.spaced("1 seconds"),
        verdict: () => "retry"
      })
      yield* turns
      assert.deepStrictEqual(yield* seriesOf("wirestack.reconnections"), [])
      yield* stop
      yield* TestClock.adjust("2500 millis")
      yield* serve
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(yield* seriesOf("wirestack.reconnections"), [[2, { "error.type": "Refused" }], [1, {}]])
    })
  )

  on(
    "tell of topics, as long as their scope is open",
    MemoryTransport.layer,
    Effect.gen(function*() {
      const topic = Topic.make<string>()
      const scope = yield* Scope.fork(yield* Effect.scope)
      yield* Scope.provide(Telemetry.topic("prices", topic), scope)
      const valve = new Valve<string>(0)
      yield* topic.join(yield* connectOn(valve), Policy.dropOldest({ maxWaiting: 2, gap: () => undefined }))
      yield* Metric.snapshot
      for (const price of ["1", "2", "3"]) yield* topic.publish(price)
      const prices = { "wirestack.topic": "prices" }
      assert.deepStrictEqual(yield* valuesOf("wirestack.topic.members", prices), [1])
      assert.deepStrictEqual(yield* valuesOf("wirestack.topic.messages", prices), [2])
      assert.deepStrictEqual(yield* valuesOf("wirestack.topic.dropped", prices), [1])
      yield* topic.publish("4")
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* valuesOf("wirestack.topic.dropped", prices), [2])
      assert.deepStrictEqual(yield* seriesOf("wirestack.topic.members"), [])
    })
  )

  on(
    "have so many series at most, and one for the rest",
    MemoryTransport.layer,
    Effect.gen(function*() {
      const topics = Array.from({ length: 4 }, () => Topic.make<string>())
      for (const [index, topic] of topics.entries()) yield* Telemetry.topic(`topic ${index}`, topic)
      assert.strictEqual((yield* seriesOf("wirestack.topic.members")).length, 0)
      const series = yield* seriesOf("wirestack.topic.members")
      assert.deepStrictEqual(series.map(([, has]) => has), [
        { "wirestack.topic": "topic 0" },
        { "wirestack.topic": "topic 1" },
        { "otel.metric.overflow": "true" }
      ])
    }),
    { maxSeries: 2 }
  )

  it.effect("stay as they were when the layer is gone, and look at nothing any more", () =>
    recorded(() =>
      Effect.gen(function*() {
        const program = Effect.gen(function*() {
          yield* serving
          const connection = yield* Chat.connect("memory:chat")
          yield* connection.send("hello")
          yield* connection.pull
        })
        yield* program.pipe(Effect.scoped, Effect.provide(Layer.provideMerge(stack(), Telemetry.layer())))
        assert.deepStrictEqual(yield* seriesOf("wirestack.telemetry.duration"), [])
        assert.deepStrictEqual(yield* valuesOf("wirestack.connections.closed"), [1, 1])
        assert.deepStrictEqual(new Set(yield* valuesOf(open)), new Set([0]))
      })
    ))

  it.effect("are those of all stacks that have them in one registry, each with a layer of its own", () =>
    recorded(() =>
      Effect.gen(function*() {
        const built = (scope: Scope.Scope) =>
          Layer.buildWithScope(Layer.provideMerge(stack(), Telemetry.layer({ spans: false })), scope)
        const chatting = (scope: Scope.Scope) =>
          Effect.flatMap(built(scope), (context) =>
            Effect.provideContext(Effect.andThen(serving, Chat.connect("memory:chat")), context))
        const later = yield* Scope.make()
        const first = yield* chatting(yield* Effect.scope)
        const second = yield* chatting(later)
        const sent = {
          ...client,
          "wirestack.layer": "chat.v1",
          "network.io.direction": "transmit"
        }
        yield* first.sendAll(["a", "b"])
        yield* second.send("c")
        assert.deepStrictEqual(yield* valuesOf("wirestack.layer.messages", sent), [3])
        yield* Scope.close(later, Exit.void)
        yield* first.send("d")
        assert.deepStrictEqual(yield* valuesOf("wirestack.layer.messages", sent), [4])
        assert.lengthOf(yield* seriesOf("wirestack.telemetry.duration"), 1)
      }).pipe(Effect.scoped)
    ))

  it("have one series at least", () => {
    assert.throws(() => Telemetry.layer({ maxSeries: 0 }), RangeError)
  })

  it.effect("are not there without the layer", () =>
    recorded(() =>
      Effect.gen(function*() {
        yield* serving
        const connection = yield* Chat.connect("memory:chat")
        yield* connection.send("hello")
        yield* connection.pull
        yield* Telemetry.topic("nobody asks", Topic.make())
        assert.deepStrictEqual(yield* Metric.snapshot, [])
      }).pipe(Effect.scoped, Effect.provide(stack()))
    ))
})
