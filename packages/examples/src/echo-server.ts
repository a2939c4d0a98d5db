/**
 * Echoes every message over the stack its options ask for; what conformance and load tools are pointed at.
 *
 *     npm run example -- echo-server --port 9000
 *     npm run example -- echo-server --tls --max-message 16777216
 *     npm run example -- echo-server --transport tcp --framer lines
 *
 * It prints `listening ws://127.0.0.1:PORT/` when it is ready, and closes with 1001 on SIGTERM and SIGINT.
 */
import { messages } from "@wirestack/protocol/Connection"
import * as LengthPrefixed from "@wirestack/protocol/LengthPrefixed"
import * as Lines from "@wirestack/protocol/Lines"
import * as Transport from "@wirestack/protocol/Transport"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import * as Tls from "@wirestack/transport-tls/Tls"
import * as WebSocket from "@wirestack/websocket/WebSocket"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { parseArgs } from "node:util"
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
      "max-message": { type: "string", default: "1048576" }
    }
  })
  const maxMessageSize = Number(values["max-message"])
  if (!Number.isSafeInteger(maxMessageSize) || maxMessageSize < 0) {
    throw new Error("--max-message takes a number of bytes")
  }
  if (!["websocket", "tcp"].includes(values.transport)) throw new Error("--transport is websocket or tcp")
  if (!["lines", "length"].includes(values.framer)) throw new Error("--framer is lines or length")
  return { ...values, maxMessageSize }
}

const bytes = Effect.fnUntraced(function*(options: Options) {
  if (!options.tls) return Tcp.layer() as Layer.Layer<Transport.ByteTransport<Transport.Listen>>
  const authority = yield* DevelopmentCertificates.make()
  const identity = yield* authority.issue({ names: ["localhost", "127.0.0.1", "::1"] })
  return Tls.server({ identity })(Tcp.layer()) as Layer.Layer<Transport.ByteTransport<Transport.Listen>>
})

const framed = ({ framer, maxMessageSize, transport }: Options) =>
  transport === "websocket" ?
    WebSocket.server({ maxMessageSize })
    : framer === "lines" ?
    Lines.over({ maxLineSize: maxMessageSize })
    : LengthPrefixed.over({ maxFrameSize: maxMessageSize })

export const main = Effect.fnUntraced(function*(args: ReadonlyArray<string>) {
  const options = yield* readOptions(() => parse(args))
  const { host, port, tls, transport } = options
  const scheme = transport === "websocket" ? (tls ? "wss" : "ws") : (tls ? "tls" : "tcp")
  const path = transport === "websocket" ? "/" : ""
  const authority = host.includes(":") ? `[${host}]` : host
  const stack: Layer.Layer<Transport.MessageTransport<Transport.Listen>, unknown> = framed(options)(
    yield* bytes(options)
  )
  const serving = Effect.gen(function*() {
    const listener = yield* Transport.listen(Transport.Messages)(`${scheme}://${authority}:${port}${path}`)
    const { place } = listener.address
    yield* Console.log(`listening ${scheme}://${authority}:${place._tag === "Tcp" ? place.port : port}${path}`)
    return yield* listener.run((connection) => Stream.runForEachArray(messages(connection), connection.sendAll))
  })
  return yield* Effect.provide(Effect.scoped(serving), stack)
})
