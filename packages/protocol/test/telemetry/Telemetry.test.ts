import { assert, describe, it } from "@effect/vitest"
import { Codec, Connection, LengthPrefixed, MemoryTransport, Subprotocol, Telemetry } from "@wirestack/protocol"
import { Effect, Layer, Metric, Option, Schema, Stream, Tracer } from "effect"
import { TestClock } from "effect/testing"

class Chat extends Subprotocol.Service<Chat>()("chat.v1", { client: Schema.String, server: Schema.String }) {}

const stack = () => MemoryTransport.layer().pipe(LengthPrefixed.over(), Chat.over(Codec.json()))

it.effect("prints", () =>
  Effect.gen(function*() {
    const spans: Array<Tracer.NativeSpan> = []
    const tracer = Tracer.make({
      span: (o) => {
        const s = new Tracer.NativeSpan(o)
        spans.push(s)
        return s
      }
    })
    yield* Effect.gen(function*() {
      const listener = yield* Chat.listen("memory:chat")
      yield* Effect.forkScoped(listener.run((connection) =>
        Stream.runForEach(
          Connection.messages(connection),
          (message) => Effect.withSpan(connection.sendAll([message, message]), "echo")
        )
      ))
      yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* Chat.connect("memory:chat")
        yield* connection.send("hello")
        yield* Stream.runDrain(Stream.take(Connection.messages(connection), 2))
        yield* TestClock.adjust("2 seconds")
        console.log(yield* Metric.dump)
      })).pipe(Effect.withSpan("main"))
      yield* TestClock.adjust("2 seconds")
      console.log(yield* Metric.dump)
    }).pipe(
      Effect.scoped,
      Effect.provide(stack().pipe(Layer.provideMerge(Telemetry.layer()))),
      Effect.provideService(Tracer.Tracer, tracer),
      Effect.provideService(Metric.MetricRegistry, new Map())
    )
    for (const s of spans) {
      console.log(
        s.name,
        s.kind,
        s.spanId,
        Option.map(s.parent, (p) => p.spanId).pipe(Option.getOrUndefined),
        s.status,
        Object.fromEntries(s.attributes),
        s.links.map((l) => l.span.spanId),
        s.events
      )
    }
  }))
