/**
 * Echoes every message over the stack its options ask for; what conformance and load tools are pointed at.
 *
 *     npm run example -- echo-server --port 9000
 *     npm run example -- echo-server --tls --compression
 *     npm run example -- echo-server --streamed
 *     npm run example -- echo-server --max-message 16777216 --max-fragments 262144
 *     npm run example -- echo-server --transport tcp --framer lines
 *
 * With `--streamed` messages of any size are echoed in parts, as they come, and the limits hold only if they are given.
 *
 * It prints `listening ws://127.0.0.1:PORT/` when it is ready, and closes with 1001 on SIGTERM and SIGINT,
 * within 5 seconds; a second signal ends it at once.
 */
import { NodeZlib } from "@wirestack/node"
import { type Connection, messages } from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import * as LengthPrefixed from "@wirestack/protocol/framers/LengthPrefixed"
import * as Lines from "@wirestack/protocol/framers/Lines"
import type { Listener } from "@wirestack/protocol/Listener"
import type { ListenError } from "@wirestack/protocol/ListenError"
import * as Transport from "@wirestack/protocol/Transport"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import * as Tls from "@wirestack/transport-tls/Tls"
import * as PerMessageDeflate from "@wirestack/websocket/extensions/PerMessageDeflate"
import * as Origin from "@wirestack/websocket/handshake/Origin"
import * as StreamedMessage from "@wirestack/websocket/StreamedMessage"
import * as WebSocket from "@wirestack/websocket/WebSocket"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { parseArgs } from "node:util"
import { tellDrained } from "./drained.ts"
import { options as readOptions } from "./runProgram.ts"

type Options = ReturnType<typeof parse>

const parse = (args: ReadonlyArray<string>) => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: "string", default: "0" },
      host: { type: "string", default: "127.0.0.1" },
      tls: { type: "boolean", default: false },
      transport: { type: "string", default: "websocket" },
      framer: { type: "string", default: "length" },
      compression: { type: "boolean", default: false },
      streamed: { type: "boolean", default: false },
      "max-message": { type: "string" },
      "max-fragments": { type: "string" }
    }
  })
  const number = (name: "max-message" | "max-fragments", unit: string, byDefault: number) => {
    const value = values[name] === undefined ? byDefault : Number(values[name])
    if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} takes a number of ${unit}`)
    return value
  }
  const unlimited = Number.MAX_SAFE_INTEGER
  const maxMessageSize = number("max-message", "bytes", values.streamed ? unlimited : 1_048_576)
  const maxFragments = number("max-fragments", "fragments", values.streamed ? unlimited : 131_072)
  if (!["websocket", "tcp"].includes(values.transport)) throw new Error("--transport is websocket or tcp")
  if (!["lines", "length"].includes(values.framer)) throw new Error("--framer is lines or length")
  if (values.streamed && values.transport === "tcp") throw new Error("--streamed is for WebSocket")
  return { ...values, maxMessageSize, maxFragments }
}

const bytes = Effect.fnUntraced(function*(options: Options) {
  if (!options.tls) return Tcp.layer() as Layer.Layer<Transport.ByteTransport<Transport.Listen>>
  const authority = yield* DevelopmentCertificates.make()
  const identity = yield* authority.issue({ names: ["localhost", "127.0.0.1", "::1"] })
  return Tls.server({ identity })(Tcp.layer()) as Layer.Layer<Transport.ByteTransport<Transport.Listen>>
})

/** Every browser may come in, from whatever page: there is nothing here but what it brings itself. */
const serverOptions = ({ compression, maxFragments, maxMessageSize }: Options) => ({
  maxMessageSize,
  maxFragments,
  origins: Origin.any,
  extensions: compression ? [deflate] : []
})

const deflate = PerMessageDeflate.make({ serverNoContextTakeover: false, clientNoContextTakeover: false })

const framed = (options: Options) =>
  options.transport === "websocket" ?
    WebSocket.server(serverOptions(options))
    : options.framer === "lines" ?
    Lines.over({ maxLineSize: options.maxMessageSize })
    : LengthPrefixed.over({ maxFrameSize: options.maxMessageSize })

/** Says where it listens, and handles connections from then on. */
const serve = <I, O, D, R>(
  { host, tls, transport }: Options,
  listening: Effect.Effect<Listener<I, O, D>, ListenError, R | Scope.Scope>,
  echo: (connection: Connection<I, O, D>) => Effect.Effect<void, unknown>
) =>
  Effect.scoped(Effect.gen(function*() {
    const listener = yield* listening
    yield* Console.log(`listening ${urlOf({ host, tls, transport }, Endpoint.portOf(listener.address)!)}`)
    yield* tellDrained(listener)
    return yield* listener.run(echo)
  }))

const urlOf = (
  { host, tls, transport }: Pick<Options, "host" | "tls" | "transport">,
  port: number | string
): string => {
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`
  return transport === "websocket" ? `${tls ? "wss" : "ws"}://${authority}/` : `${tls ? "tls" : "tcp"}://${authority}`
}

export const main = Effect.fnUntraced(function*(args: ReadonlyArray<string>) {
  const options = yield* readOptions(() => parse(args))
  const url = urlOf(options, options.port)
  const below = yield* bytes(options)
  if (options.streamed) {
    const stack = WebSocket.streamed.server(serverOptions(options))(below).pipe(Layer.provide(NodeZlib.layer))
    const echoing = serve(
      options,
      Transport.listen(WebSocket.Parts)<WebSocket.WebSocket>(url),
      (connection) =>
        Stream.runForEach(StreamedMessage.messages(connection), (message) => StreamedMessage.send(connection, message))
    )
    return yield* Effect.provide(echoing, stack)
  }
  const stack: Layer.Layer<Transport.MessageTransport<Transport.Listen>, unknown> = framed(options)(below).pipe(
    Layer.provide(NodeZlib.layer)
  )
  const echoing = serve(
    options,
    Transport.listen(Transport.Messages)(url),
    (connection) => Stream.runForEachArray(messages(connection), connection.sendAll)
  )
  return yield* Effect.provide(echoing, stack)
})
