/** The trace context of the opening handshake. */
import { assert, describe, it } from "@effect/vitest"
import { MemoryTransport, Telemetry, Transport } from "@wirestack/protocol"
import { detail } from "@wirestack/protocol/Connection"
import { WebSocket } from "@wirestack/websocket"
import { Effect, Layer, Metric, Option, Tracer } from "effect"
import { TestClock } from "effect/testing"
import type { Details, Options } from "./support.ts"

const remote = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" }
const header = ["traceparent", `00-${remote.traceId}-${remote.spanId}-01`] as const

/** Connects within a span; what the server was sent, and the span of its handshake. */
const visited = (options: Options, telemetry: Layer.Layer<never> = Telemetry.layer()) =>
  Effect.gen(function*() {
    const spans: Array<Tracer.Span> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    const visit = Effect.gen(function*() {
      const sent: Array<ReadonlyArray<string>> = []
      const listener = yield* Transport.listen(Transport.Messages)<Details>("memory:here")
      yield* Effect.forkScoped(listener.run((connection) => {
        sent.push(
          detail(connection, WebSocket.WebSocket).headers.flatMap(([name, value]) =>
            name === "traceparent" ? [value] : []
          )
        )
        return Effect.asVoid(connection.closed)
      }))
      yield* Effect.withSpan(Effect.scoped(Transport.connect(Transport.Messages)("memory:here")), "visit")
      yield* TestClock.adjust(1)
      return sent[0]
    })
    const sent = yield* visit.pipe(
      Effect.scoped,
      Effect.provide(Layer.provideMerge(WebSocket.over(options)(MemoryTransport.layer()), telemetry)),
      Effect.provideService(Tracer.Tracer, tracer),
      Effect.provideService(Metric.MetricRegistry, new Map())
    )
    const named = (wanted: string) => spans.find(({ name }) => name === wanted)
    const parent = Option.getOrUndefined(named("accept")?.parent ?? Option.none())
    return { sent, connect: named("connect"), parent: parent?.spanId }
  })

const asking = { trace: true, headers: [header] }

describe("the trace of a handshake", () => {
  it.effect("goes on at the server, if both say so", () =>
    Effect.gen(function*() {
      const { connect, parent, sent } = yield* visited({ client: { trace: true }, server: { trace: true } })
      assert.deepStrictEqual(sent, [`00-${connect!.traceId}-${connect!.spanId}-01`])
      assert.strictEqual(parent, connect!.spanId)
    }))

  it.effect("is not sent unless a client says so", () =>
    Effect.gen(function*() {
      const { parent, sent } = yield* visited({ server: { trace: true } })
      assert.deepStrictEqual([sent, parent], [[], undefined])
    }))

  it.effect("is not continued unless a server says so", () =>
    Effect.gen(function*() {
      const { parent, sent } = yield* visited({ client: { trace: true } })
      assert.deepStrictEqual([sent.length, parent], [1, undefined])
    }))

  it.effect("is that of a header which is there already", () =>
    Effect.gen(function*() {
      const { parent, sent } = yield* visited({ client: asking, server: { trace: true } })
      assert.deepStrictEqual([sent, parent], [[header[1]], remote.spanId])
    }))

  for (const wrong of [[["traceparent", "nonsense"]], [header, header]] as const) {
    it.effect(`begins at the server with ${wrong.length} headers that name no span`, () =>
      Effect.gen(function*() {
        const { parent } = yield* visited({ client: { headers: wrong }, server: { trace: true } })
        assert.isUndefined(parent)
      }))
  }

  it.effect("is nowhere without telemetry, or with metrics alone", () =>
    Effect.gen(function*() {
      const both = { client: { trace: true }, server: { trace: true } }
      for (const telemetry of [Layer.empty, Telemetry.layer({ spans: false })]) {
        const { connect, sent } = yield* visited(both, telemetry)
        assert.deepStrictEqual([connect, sent], [undefined, []])
      }
    }))
})
