import { assert, describe, it } from "@effect/vitest"
import {
  Codec,
  ConnectError,
  Connection,
  ConnectionState,
  Heartbeat,
  LengthPrefixed,
  MemoryTransport,
  Protocol,
  Reason,
  Requests,
  Subprotocol,
  Telemetry,
  TraceContext,
  Traced,
  Transport
} from "@wirestack/protocol"
import { Effect, Exit, Fiber, Layer, Schema, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { attributesOf, parentOf, type Recorded, recorded, timesOf } from "../support/telemetry.ts"
import { turns } from "../support/turns.ts"

/** A layer whose handshake takes a second, or fails after one. */
const slow = (layer: string, fails: () => boolean = () => false) => {
  const handshake = <A>(lower: A) =>
    Effect.andThen(
      Effect.sleep("1 seconds"),
      Effect.suspend(() =>
        fails()
          ? Effect.fail(new ConnectError.ConnectError({ layer, reason: new Reason.Violation({ rule: "not today" }) }))
          : Effect.succeed(lower)
      )
    )
  return Protocol.within(Transport.Messages)({ layer, client: handshake, server: (lower) => Effect.succeed(lower) })
}

const messages = Transport.Messages

const on = <E, R, E2>(
  name: string,
  lower: () => Layer.Layer<R, E2>,
  program: (recorded: Recorded) => Effect.Effect<unknown, E, R | Scope.Scope>,
  options?: Telemetry.Options
) =>
  it.effect(name, () =>
    recorded((own) =>
      program(own).pipe(
        Effect.scoped,
        Effect.provide(Layer.provideMerge(lower(), Telemetry.layer({ metrics: false, ...options })))
      )
    ))

const echo = <In, Out extends In>(connection: Connection.Connection<Out, In>) =>
  Stream.runForEach(Connection.messages(connection), connection.send)

const serving = (handler: (connection: Connection.Connection<any, any>) => Effect.Effect<void, unknown> = echo) =>
  Effect.gen(function*() {
    const listener = yield* Transport.listen(messages)("memory:home")
    yield* Effect.forkScoped(listener.run(handler, { onIncident: () => Effect.void }))
    yield* turns
  })

/** Lets the time pass that something takes. */
const during = <A, E, R>(effect: Effect.Effect<A, E, R>, time: number) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    yield* TestClock.adjust(time)
    return yield* Fiber.await(fiber)
  })

describe("connecting", () => {
  on(
    "is a span with a child for each layer, and their times",
    () => slow("second")(slow("first")(MemoryTransport.layerMessages())),
    (own) =>
      Effect.gen(function*() {
        yield* serving()
        yield* TestClock.adjust("5 seconds")
        const exit = yield* during(
          Effect.withSpan(Effect.asVoid(Transport.connect(messages)("memory:home")), "main"),
          2_000
        )
        assert.isTrue(Exit.isSuccess(exit))
        const connect = own.one("connect")
        assert.strictEqual(parentOf(connect), own.one("main"))
        assert.deepStrictEqual(timesOf(connect), [5_000, 7_000])
        assert.deepStrictEqual(own.below(connect), [
          ["connect memory", 5_000, 5_000],
          ["connect first", 5_000, 6_000],
          ["connect second", 6_000, 7_000]
        ])
        assert.deepStrictEqual(attributesOf(connect), { "server.address": "home" })
      })
  )

  let tries = 0
  on(
    "has a child for each attempt, and says how it failed",
    () => slow("first", () => tries++ === 0)(MemoryTransport.layerMessages()),
    (own) =>
      Effect.gen(function*() {
        yield* serving()
        const exit = yield* during(
          Effect.asVoid(Transport.connect(messages)(["memory:nobody", "memory:home", "memory:home"])),
          2_000
        )
        assert.isTrue(Exit.isSuccess(exit))
        const steps = own.spans.filter((span) => parentOf(span) === own.one("connect"))
        assert.deepStrictEqual(
          steps.map((span) => {
            const { "error.type": error, "wirestack.attempt": attempt } = attributesOf(span)
            return [attempt, span.name, error, span.status._tag === "Ended" && span.status.exit._tag]
          }),
          [
            [1, "connect memory", "Refused", "Failure"],
            [2, "connect memory", undefined, "Success"],
            [2, "connect first", "Violation", "Failure"],
            [3, "connect memory", undefined, "Success"],
            [3, "connect first", undefined, "Success"]
          ]
        )
      })
  )

  on("that fails is a span that failed", MemoryTransport.layerMessages, (own) =>
    Effect.gen(function*() {
      yield* Effect.exit(Transport.connect(messages)("memory:nobody"))
      const { status } = own.one("connect")
      assert.isTrue(status._tag === "Ended" && Exit.isFailure(status.exit))
      assert.strictEqual(attributesOf(own.one("connect"))["error.type"], "Refused")
      assert.strictEqual(own.spans.length, 2)
    }))

  on(
    "that is interrupted is a span that says so",
    () => slow("first")(MemoryTransport.layerMessages()),
    (own) =>
      Effect.gen(function*() {
        yield* serving()
        const fiber = yield* Effect.forkChild(Transport.connect(messages)("memory:home"))
        yield* turns
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(attributesOf(own.one("connect"))["error.type"], "interrupted")
      })
  )
})

describe("a connection", () => {
  on(
    "has a span from when it is ready until it is over",
    MemoryTransport.layerMessages,
    (own) =>
      Effect.gen(function*() {
        yield* serving((connection) => Effect.withSpan(echo(connection), "handler"))
        const visit = Effect.scoped(Effect.gen(function*() {
          const connection = yield* Transport.connect(messages)("memory:home")
          yield* connection.send("hello")
          yield* connection.pull
          yield* TestClock.adjust("3 seconds")
        }))
        yield* Effect.withSpan(visit, "visit")
        yield* turns
        const [near, far] = [own.one("connection", "client"), own.one("connection", "server")]
        assert.deepStrictEqual([timesOf(near), timesOf(far)], [[0, 3_000], [0, 3_000]])
        assert.strictEqual(parentOf(near), own.one("visit"))
        assert.strictEqual(parentOf(far), undefined)
        assert.deepStrictEqual(near.links.map(({ span }) => span), [own.one("connect")])
        assert.deepStrictEqual(far.links.map(({ span }) => span), [own.one("accept")])
        assert.strictEqual(parentOf(own.one("handler")), far)
        assert.deepInclude(attributesOf(near), {
          "network.transport": "memory",
          "network.protocol.name": "memory",
          "wirestack.close.first": "local",
          "wirestack.close.clean": "true",
          "memory.sent.messages": 1
        })
        assert.deepStrictEqual(near.events.map(([name, at]) => [name, Number(at) / 1e6]), [["closing", 3_000]])
      })
  )

  on(
    "whose peer is silent says so, and how it ended",
    () => Heartbeat.over({ interval: "10 seconds", timeout: "2 seconds" })(MemoryTransport.layerMessages()),
    (own) =>
      Effect.gen(function*() {
        const [near] = MemoryTransport.pair<Transport.Message>()
        const pair = Layer.succeed(messages.key, {
          connect: ({ closeWithin }) =>
            Connection.make(near, { ask: closeWithin === undefined ? {} : { closeWithin } }),
          listen: () => Effect.die("nobody listens")
        } as Transport.Transport<Transport.Message, Transport.Message>)
        const stack = yield* Layer.build(
          Heartbeat.over({ interval: "10 seconds", timeout: "2 seconds" })(
            pair as unknown as Layer.Layer<Transport.MessageTransport<Transport.Connect>>
          )
        )
        const connection = yield* Effect.provideContext(Transport.connect(messages)("memory:silent"), stack)
        yield* TestClock.adjust("20 seconds")
        yield* connection.closed
        const span = own.one("connection")
        assert.deepStrictEqual(span.events.map(([name]) => name), ["unresponsive", "closing"])
        assert.strictEqual(attributesOf(span)["error.type"], "Unresponsive")
        assert.isTrue(span.status._tag === "Ended" && Exit.isFailure(span.status.exit))
      })
  )

  on(
    "that never got ready has a span of what it did until then",
    MemoryTransport.layerMessages,
    (own) =>
      Effect.gen(function*() {
        const bare = yield* Effect.context<Transport.MessageTransport<Transport.Connect | Transport.Listen>>()
        const picky = Protocol.within(messages)({
          layer: "picky",
          client: (lower) => Effect.succeed(lower),
          server: () =>
            Effect.andThen(
              Effect.sleep("1 seconds"),
              Effect.fail(
                new ConnectError.ConnectError({ layer: "picky", reason: new Reason.Violation({ rule: "nobody" }) })
              )
            )
        })
        const above = yield* Layer.build(picky(Layer.succeedContext(bare)))
        const listener = yield* Effect.provideContext(Transport.listen(messages)("memory:picky"), above)
        yield* Effect.forkScoped(listener.run(() => Effect.void, { onIncident: () => Effect.void }))
        yield* turns
        const connection = yield* Transport.connect(messages)("memory:picky")
        yield* TestClock.adjust("1 seconds")
        yield* Effect.exit(connection.pull)
        yield* connection.abort
        yield* turns
        const accept = own.one("accept")
        assert.deepStrictEqual(own.below(accept), [["accept memory", 0, 0], ["accept picky", 0, 1_000]])
        assert.strictEqual(attributesOf(own.one("accept picky"))["error.type"], "Violation")
        assert.strictEqual(own.spans.filter(({ name, kind }) => name === "connection" && kind === "server").length, 0)
      })
  )

  on("of a trace that is not recorded is not recorded", MemoryTransport.layerMessages, (own) =>
    Effect.gen(function*() {
      yield* serving()
      yield* Effect.withSpan(Effect.scoped(Transport.connect(messages)("memory:home")), "main", { sampled: false })
      yield* turns
      const near = own.spans.filter(({ kind }) => kind === "client")
      assert.strictEqual(near.length, 3)
      assert.isTrue(near.every(({ sampled }) => !sampled))
    }))

  on("has no spans where there are none", MemoryTransport.layerMessages, (own) =>
    Effect.gen(function*() {
      yield* serving()
      yield* Effect.scoped(Transport.connect(messages)("memory:home"))
      yield* turns
      assert.deepStrictEqual(own.spans, [])
    }).pipe(Effect.withTracerEnabled(false)))

  on("has none without being asked for", MemoryTransport.layerMessages, (own) =>
    Effect.gen(function*() {
      yield* serving()
      const connection = yield* Transport.connect(messages)("memory:home")
      assert.strictEqual((yield* ConnectionState.of(connection))._tag, "Ready")
      assert.deepStrictEqual(own.spans, [])
    }), { spans: false })
})

class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { reason: Schema.String }) {}

const calls = {
  client: {
    read: Requests.call({ payload: Schema.String, success: Schema.String, error: NotFound }),
    wait: Requests.call()
  },
  server: { changed: Requests.notification(Schema.String) }
}

class Files extends Requests.Service<Files>()("files.v1", { ...calls, trace: true }) {}
class Silent extends Requests.Service<Silent>()("silent.v1", calls) {}

const answering = <const P extends typeof Files | typeof Silent>(protocol: P) =>
  Effect.gen(function*() {
    const listener = yield* (protocol as typeof Files).listen("memory:files")
    yield* Effect.forkScoped(listener.run({
      read: (path, peer) =>
        Effect.withSpan(
          path === "a"
            ? Effect.as(Effect.orDie(peer.call.changed("a")), "1")
            : Effect.fail(new NotFound({ reason: "gone" })),
          "look"
        ),
      wait: () => Effect.never
    }))
    yield* turns
    return yield* (protocol as typeof Files).connect()("memory:files", {
      changed: (path) => Effect.withSpan(Effect.void, `changed ${path}`)
    })
  })

const over = <const P extends typeof Files | typeof Silent>(protocol: P) => () =>
  (protocol as typeof Files).over(Codec.json())(LengthPrefixed.over()(MemoryTransport.layer()))

describe("a call", () => {
  on("is a span at either end, in one trace if the protocol says so", over(Files), (own) =>
    Effect.gen(function*() {
      const { call } = yield* answering(Files)
      yield* Effect.withSpan(call.read("a"), "work")
      yield* turns
      const [asked, answered] = [own.one("files.v1/read", "client"), own.one("files.v1/read", "server")]
      assert.strictEqual(parentOf(asked), own.one("work"))
      assert.strictEqual(parentOf(answered)?.spanId, asked.spanId)
      assert.strictEqual(answered.traceId, own.one("work").traceId)
      assert.strictEqual(parentOf(own.one("look")), answered)
      // The peer is told something, in the same trace.
      const [told, heard] = [own.one("files.v1/changed", "producer"), own.one("files.v1/changed", "consumer")]
      assert.strictEqual(parentOf(told), own.one("look"))
      assert.strictEqual(parentOf(heard)?.spanId, told.spanId)
      assert.strictEqual(parentOf(own.one("changed a")), heard)
      assert.deepStrictEqual(answered.links.map(({ span }) => span), [own.one("connection", "server")])
      assert.deepStrictEqual(attributesOf(asked), {
        "rpc.system.name": "wirestack",
        "rpc.method": "files.v1/read"
      })
    }))

  on("that fails, or that nobody waits for any more, says so", over(Files), (own) =>
    Effect.gen(function*() {
      const { call } = yield* answering(Files)
      assert.strictEqual((yield* Effect.flip(call.read("b")))._tag, "NotFound")
      yield* during(Effect.exit(call.wait(undefined, { within: "1 seconds" })), 1_000)
      yield* turns
      const errors = own.spans
        .filter(({ name }) => name.startsWith("files.v1/"))
        .map((span) => [span.name, span.kind, attributesOf(span)["error.type"]])
      assert.deepStrictEqual(errors, [
        ["files.v1/read", "client", "NotFound"],
        ["files.v1/read", "server", "NotFound"],
        ["files.v1/wait", "client", "TimedOut"],
        ["files.v1/wait", "server", "interrupted"]
      ])
    }))

  on("tells nothing to a peer if the protocol does not say so", over(Silent), (own) =>
    Effect.gen(function*() {
      const { call } = yield* answering(Silent)
      yield* Effect.withSpan(call.read("a"), "work")
      yield* turns
      const answered = own.one("silent.v1/read", "server")
      assert.strictEqual(parentOf(answered), own.one("connection", "server"))
      assert.notStrictEqual(answered.traceId, own.one("work").traceId)
    }))

  it.effect("is understood whether the caller says so or not", () =>
    Effect.gen(function*() {
      const network = yield* Layer.build(MemoryTransport.layerMessages())
      const stack = yield* Layer.build(Files.over(Codec.json())(Layer.succeedContext(network)))
      const listener = yield* Effect.provideContext(Files.listen("memory:files"), stack)
      yield* Effect.forkScoped(
        listener.run({ read: (path) => Effect.succeed(path), wait: () => Effect.void })
      )
      const bare = yield* Effect.provideContext(Transport.connect(messages)("memory:files"), network)
      const request = { _tag: "Request", id: 1, call: "read", payload: "a" }
      for (const traceparent of ["", "00-nonsense", "x".repeat(10_000)]) {
        yield* bare.send(JSON.stringify({ ...request, traceparent }))
        assert.deepStrictEqual(JSON.parse(String((yield* bare.pull)[0])), {
          _tag: "Success",
          id: 1,
          call: "read",
          value: "a"
        })
        yield* turns
      }
    }).pipe(Effect.scoped))
})

const Job = Schema.Struct({ name: Schema.String })
class Jobs extends Subprotocol.Service<Jobs>()("jobs.v1", { client: Traced.schema(Job), server: Schema.Void }) {}

const jobs = () => Jobs.over(Codec.json())(LengthPrefixed.over()(MemoryTransport.layer()))

/** Sends a job within a span, and handles it at the other end. */
const oneJob = Effect.gen(function*() {
  const listener = yield* Jobs.listen("memory:jobs")
  const seen: Array<Traced.Traced<unknown>> = []
  yield* Effect.forkScoped(
    listener.run((connection) =>
      Stream.runForEach(Connection.messages(connection), (message) => {
        seen.push(message)
        return Traced.handle(message, "jobs.v1", ({ name }) => Effect.withSpan(Effect.void, name))
      })
    )
  )
  const connection = yield* Jobs.connect("memory:jobs")
  yield* Effect.withSpan(Effect.flatMap(Traced.of({ name: "sweep" }), connection.send), "work")
  yield* turns
  return seen
})

describe("a message", () => {
  on("is handled in the trace in which it was sent", jobs, (own) =>
    Effect.gen(function*() {
      const [message] = yield* oneJob
      assert.strictEqual(message.traceparent, TraceContext.format(own.one("work")))
      const handled = own.one("jobs.v1", "consumer")
      assert.strictEqual(parentOf(handled)?.spanId, own.one("work").spanId)
      assert.strictEqual(parentOf(own.one("sweep")), handled)
    }))

  it.effect("says nothing without telemetry", () =>
    recorded((own) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* oneJob, [{ value: { name: "sweep" } }])
        assert.deepStrictEqual(own.spans.map(({ name }) => name), ["work", "sweep"])
      }).pipe(Effect.scoped, Effect.provide(jobs()))
    ))
})
