/** The chat, as a collector of OpenTelemetry sees it. */
import { assert, it } from "@effect/vitest"
import { Codec, Connection, Telemetry } from "@wirestack/protocol"
import { Tcp } from "@wirestack/transport-tcp"
import { WebSocket } from "@wirestack/websocket"
import { Effect, Layer, Metric, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { Otlp } from "effect/observability"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { Chat } from "../src/chat/Chat.ts"
import * as Rooms from "../src/chat/Rooms.ts"
import { serve } from "../src/chat/server.ts"
import { tls } from "./support/stacks.ts"

interface KeyValue {
  readonly key: string
  readonly value: { readonly [type: string]: unknown }
}

interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: ReadonlyArray<KeyValue>
  readonly status: { readonly code: number }
  readonly links: ReadonlyArray<{ readonly spanId: string }>
}

interface Point {
  readonly attributes: ReadonlyArray<KeyValue>
  readonly asDouble?: number
  readonly count?: number
}

interface Exported {
  readonly name: string
  readonly unit: string
  readonly sum?: { readonly isMonotonic: boolean; readonly dataPoints: ReadonlyArray<Point> }
  readonly gauge?: { readonly dataPoints: ReadonlyArray<Point> }
  readonly histogram?: { readonly dataPoints: ReadonlyArray<Point> }
}

/** As OTLP numbers them. */
const [internal, server, client] = [1, 2, 3]

const attributesOf = ({ attributes }: { readonly attributes: ReadonlyArray<KeyValue> }) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))

/** Takes what is exported over HTTP. */
const collector = Effect.acquireRelease(
  Effect.callback<
    { readonly url: string; readonly bodies: (path: string) => ReadonlyArray<any>; readonly close: () => void }
  >(
    (resume) => {
      const received: Array<{ readonly path: string | undefined; readonly body: string }> = []
      const listening = http.createServer((request, response) => {
        let body = ""
        request.on("data", (chunk) => body += chunk)
        request.on("end", () => {
          received.push({ path: request.url, body })
          response.writeHead(200, { "content-type": "application/json" }).end("{}")
        })
      })
      listening.listen(0, "127.0.0.1", () =>
        resume(Effect.succeed({
          url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}`,
          bodies: (path) => received.filter((one) => one.path === path).map(({ body }) => JSON.parse(body)),
          close: () => {
            listening.closeAllConnections()
            listening.close()
          }
        })))
    }
  ),
  ({ close }) => Effect.sync(close)
)

const stack = () =>
  Tcp.layer().pipe(
    tls(),
    WebSocket.over({ client: { path: "/chat", trace: true }, server: { path: "/chat", trace: true } }),
    Chat.over(Codec.json())
  )

const visit = Effect.gen(function*() {
  const listener = yield* Chat.listen("wss://127.0.0.1:0/chat")
  yield* Effect.forkScoped(Effect.ignore(listener.run(serve(Rooms.make()))))
  yield* Effect.withSpan(
    Effect.scoped(Effect.gen(function*() {
      const ada = yield* Chat.connect<WebSocket.WebSocket>({ ...listener.address, demands: ["tls", "websocket"] })
      yield* ada.sendAll([{ _tag: "Join", room: "hall", name: "ada" }, { _tag: "Say", room: "hall", text: "hello" }])
      yield* Stream.runDrain(Stream.take(Connection.messages(ada), 2))
      yield* Connection.detail(ada, WebSocket.WebSocket).ping
    })),
    "visit"
  )
})

it.live("a chat is exported over OTLP", () =>
  Effect.gen(function*() {
    const { bodies, url } = yield* collector
    const otlp = Otlp.layerJson({ baseUrl: url, resource: { serviceName: "chat" } })
    yield* Effect.scoped(visit).pipe(
      Effect.provide(
        stack().pipe(
          Layer.provideMerge(Telemetry.layer()),
          Layer.provideMerge(otlp),
          Layer.provide(FetchHttpClient.layer)
        )
      ),
      Effect.provideService(Metric.MetricRegistry, new Map())
    )
    const spans: ReadonlyArray<Span> = bodies("/v1/traces").flatMap((body) => body.resourceSpans[0].scopeSpans[0].spans)
    const one = (name: string, kind: number): Span => {
      const found = spans.filter((span) => span.name === name && span.kind === kind)
      assert.strictEqual(found.length, 1, name)
      return found[0]
    }
    const visiting = one("visit", internal)
    const connect = one("connect", client)
    const accept = one("accept", server)
    const [here, there] = [one("connection", client), one("connection", server)]

    // The server continues the trace of the handshake.
    assert.deepStrictEqual(new Set(spans.map(({ traceId }) => traceId)), new Set([visiting.traceId]))
    assert.strictEqual(connect.parentSpanId, visiting.spanId)
    assert.strictEqual(accept.parentSpanId, connect.spanId)
    assert.strictEqual(here.parentSpanId, visiting.spanId)
    assert.strictEqual(there.parentSpanId, connect.spanId)
    assert.deepStrictEqual(here.links.map(({ spanId }) => spanId), [connect.spanId])
    assert.deepStrictEqual(there.links.map(({ spanId }) => spanId), [accept.spanId])
    for (const { status } of spans) assert.strictEqual(status.code, 1)

    for (const [establishing, kind] of [[connect, client], [accept, server]] as const) {
      const steps = spans.filter(({ parentSpanId, name }) =>
        parentSpanId === establishing.spanId && name.startsWith(`${establishing.name} `)
      )
      assert.deepStrictEqual(
        steps.map(({ name }) => name),
        ["tcp", "tls", "websocket", "chat.v1"].map((layer) => `${establishing.name} ${layer}`)
      )
      let time = establishing.startTimeUnixNano
      for (const step of steps) {
        assert.strictEqual(step.kind, kind)
        assert.isAtLeast(Number(step.startTimeUnixNano), Number(time) - 1e6)
        assert.isAtLeast(Number(step.endTimeUnixNano), Number(step.startTimeUnixNano))
        time = step.endTimeUnixNano
      }
      assert.isAtMost(Number(time), Number(establishing.endTimeUnixNano) + 1e6)
    }
    assert.deepInclude(attributesOf(one("connect tls", client)), {
      "tls.protocol.version": "1.3",
      "tls.resumed": false
    })
    assert.deepInclude(attributesOf(one("connect websocket", client)), {
      "url.path": "/chat",
      "websocket.subprotocol": "chat.v1"
    })
    const ended = {
      "network.transport": "tcp",
      "network.protocol.name": "chat.v1",
      "wirestack.close.clean": "true",
      "wirestack.close.code": "1000"
    }
    assert.deepInclude(attributesOf(here), { ...ended, "wirestack.close.first": "local", "chat.v1.sent.messages": 2 })
    assert.deepInclude(attributesOf(there), {
      ...ended,
      "wirestack.close.first": "remote",
      "chat.v1.received.messages": 2
    })

    const metrics: ReadonlyArray<Exported> = bodies("/v1/metrics").at(-1).resourceMetrics[0].scopeMetrics[0].metrics
    const value = (name: string, attributes: object): number | undefined => {
      const { gauge, histogram, sum } = metrics.find((metric) => metric.name === name)!
      const points = (sum ?? gauge ?? histogram)!.dataPoints.filter((point) =>
        Object.entries(attributes).every(([key, value]) => attributesOf(point)[key] === value)
      )
      assert.strictEqual(points.length, 1, name)
      return points[0].asDouble ?? points[0].count
    }
    for (const [role, other] of [["client", "server"], ["server", "client"]]) {
      const own = { "wirestack.role": role }
      assert.strictEqual(value("wirestack.connections.opened", own), 1)
      assert.strictEqual(value("wirestack.connections.open", { ...own, "network.protocol.name": "chat.v1" }), 0)
      assert.strictEqual(value("wirestack.connections.closed", { ...own, "wirestack.close.code": "1000" }), 1)
      assert.strictEqual(value("wirestack.handshake.duration", { ...own, "wirestack.layer": "tls" }), 1)
      const chat = { "wirestack.layer": "chat.v1", "network.io.direction": "receive" }
      assert.strictEqual(value("wirestack.layer.messages", { ...own, ...chat }), 2)
      const sent = { "wirestack.layer": "tcp", "network.io.direction": "transmit" }
      const received = { "wirestack.layer": "tcp", "network.io.direction": "receive" }
      assert.strictEqual(
        value("wirestack.layer.bytes", { ...own, ...sent }),
        value("wirestack.layer.bytes", { "wirestack.role": other, ...received })
      )
    }
    assert.strictEqual(value("wirestack.round_trip.duration", { "wirestack.role": "client" }), 1)
    assert.strictEqual(metrics.find(({ name }) => name === "wirestack.layer.bytes")!.unit, "By")
    assert.strictEqual(metrics.find(({ name }) => name === "wirestack.layer.bytes")!.sum!.isMonotonic, true)
  }).pipe(Effect.scoped))
