/** The server under attack, in a process of its own, whose memory is its own too. */
import * as NodeZlib from "@wirestack/node/NodeZlib"
import * as Connection from "@wirestack/protocol/Connection"
import { ConnectionError } from "@wirestack/protocol/ConnectionError"
import type { Incident } from "@wirestack/protocol/Listener"
import type { Outcome } from "@wirestack/protocol/Outcome"
import * as Transport from "@wirestack/protocol/Transport"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import * as DevelopmentCertificates from "@wirestack/transport-tls/testing/DevelopmentCertificates"
import * as Tls from "@wirestack/transport-tls/Tls"
import * as PerMessageDeflate from "@wirestack/websocket/extensions/PerMessageDeflate"
import * as WebSocket from "@wirestack/websocket/WebSocket"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { answer } from "../support/Child.ts"
import { memory } from "../support/Memory.ts"
import type { Drained, Serving } from "./Serving.ts"

const identity = Effect.flatMap(DevelopmentCertificates.make(), (authority) => authority.issue())

const stackOf = ({ compresses, tls, websocket }: Serving) => {
  const extensions = compresses === true ? [PerMessageDeflate.make()] : []
  const below: Layer.Layer<Transport.ByteTransport<Transport.Listen>, unknown> = tls === undefined
    ? Tcp.layer()
    : Layer.unwrap(Effect.map(identity, (identity) => Tls.server({ ...tls, identity })(Tcp.layer())))
  return Layer.provide(WebSocket.server({ ...websocket, extensions })(below), NodeZlib.layer)
}

let news: Record<string, number> = {}
let scope: Scope.Closeable | undefined
let drained: Effect.Effect<Omit<Drained, "took">> | undefined
let peak = 0

setInterval(() => {
  peak = Math.max(peak, process.memoryUsage.rss() / 1_048_576)
}, 10).unref()

const tell = (what: string, count = 1): void => {
  news[what] = (news[what] ?? 0) + count
}

const nameOf = (cause: Cause.Cause<unknown>): string => {
  const failure = Option.getOrUndefined(Cause.findErrorOption(cause))
  return failure instanceof ConnectionError ? `${failure.layer}: ${failure.reason._tag}` : Cause.pretty(cause)
}

const onIncident = (incident: Incident): Effect.Effect<void> =>
  Effect.sync(() => {
    switch (incident._tag) {
      case "HandshakeFailed":
        return tell(`${incident.error.layer}: ${incident.error.reason._tag}`)
      case "HandlerFailed":
        return tell(nameOf(incident.cause))
      case "TooManyConnections":
        return tell(`${incident.of}: TooManyConnections`, incident.count)
    }
  })

type Guest = Connection.Connection<Transport.Message, Transport.Message, WebSocket.WebSocket>

const flood = new Uint8Array(16_384)

const handle = (guest: Guest) => {
  switch (Connection.detail(guest, WebSocket.WebSocket).path) {
    case "/pour":
      return Effect.forever(guest.send(flood))
    case "/part":
      return Effect.void
    default:
      return Stream.runForEachArray(Connection.messages(guest), guest.sendAll)
  }
}

const parted = ({ layers }: Outcome): void => {
  for (const { layer, settled } of layers) if (!settled) tell(`${layer}: not closed in time`)
}

const serve = (guest: Guest) =>
  Effect.andThen(
    Effect.forkDetach(Effect.map(guest.closed, parted)),
    handle(guest)
  )

const open = (serving: Serving): Promise<number> =>
  Effect.runPromise(Effect.gen(function*() {
    news = {}
    scope = yield* Scope.make()
    const stack = yield* Scope.provide(Layer.build(stackOf(serving)), scope)
    const url = serving.tls === undefined ? "ws://127.0.0.1:0/" : "wss://127.0.0.1:0/"
    const listener = yield* Transport.listen(Transport.Messages)<WebSocket.WebSocket>(url, serving.listen).pipe(
      Scope.provide(scope),
      Effect.provideContext(stack)
    )
    drained = listener.drained
    yield* Effect.forkIn(listener.run(serve, { onIncident }), scope)
    const { place } = listener.address
    return place._tag === "Tcp" ? place.port : 0
  }))

const close = (): Promise<Drained> =>
  Effect.runPromise(Effect.gen(function*() {
    const from = performance.now()
    yield* Scope.close(scope!, Exit.void)
    const took = performance.now() - from
    const { ended, interrupted, open } = yield* drained!
    return { took, open, ended, interrupted }
  }))

answer({
  open,
  close,
  usage: memory,
  news: () => news,
  peak: () => {
    const most = peak
    peak = 0
    return most
  }
})
