/**
 * Connects to a server again and again, echoes every message, and ends when the server refuses: what conformance tools
 * want of a client.
 *
 *     npm run example -- echo-client ws://127.0.0.1:9001/ --connections 8
 *
 * However a connection ends, the next one follows. Only a server that can't be found or understood is a failure.
 */
import { NodeZlib } from "@wirestack/node"
import { messages } from "@wirestack/protocol/Connection"
import * as Transport from "@wirestack/protocol/Transport"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import * as PerMessageDeflate from "@wirestack/websocket/extensions/PerMessageDeflate"
import * as WebSocket from "@wirestack/websocket/WebSocket"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { parseArgs } from "node:util"
import { options as readOptions } from "./runProgram.ts"

const deflate = PerMessageDeflate.make({ serverNoContextTakeover: false, clientNoContextTakeover: false })

const parse = (args: ReadonlyArray<string>) => {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      connections: { type: "string", default: "1" },
      compression: { type: "boolean", default: false },
      "max-message": { type: "string", default: "1048576" },
      "max-fragments": { type: "string", default: "131072" }
    }
  })
  if (positionals.length !== 1) throw new Error("echo-client takes the URL of a server")
  const number = (name: "connections" | "max-message" | "max-fragments") => {
    const value = Number(values[name])
    if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} takes a number`)
    return value
  }
  return {
    url: positionals[0],
    connections: number("connections"),
    extensions: values.compression ? [deflate] : [],
    maxMessageSize: number("max-message"),
    maxFragments: number("max-fragments")
  }
}

/** One connection, from its beginning to its end, whatever that is. */
const echo = (url: string) =>
  Effect.scoped(Effect.gen(function*() {
    const connection = yield* Transport.connect(Transport.Messages)(url)
    yield* Effect.ignore(Stream.runForEachArray(messages(connection), connection.sendAll))
  }))

export const main = Effect.fnUntraced(function*(args: ReadonlyArray<string>) {
  const { connections, url, ...options } = yield* readOptions(() => parse(args))
  const untilRefused = Effect.catchIf(
    Effect.forever(echo(url)),
    ({ reason }) => reason._tag === "UpgradeRejected",
    () => Effect.void
  )
  const all = Effect.all(Array.from({ length: connections }, () => untilRefused), {
    concurrency: "unbounded",
    discard: true
  })
  return yield* Effect.provide(all, WebSocket.client(options)(Tcp.layer()).pipe(Layer.provide(NodeZlib.layer)))
})
