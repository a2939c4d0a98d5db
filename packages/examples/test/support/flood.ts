/**
 * A program for the test of backpressure: offers 256 MiB as a Stream to the URL in its arguments, and tells how far it is and
 * how much memory it takes, more than it had at the beginning, whenever it is asked for by a line of input.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { sink } from "@wirestack/protocol/Connection"
import * as Transport from "@wirestack/protocol/Transport"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import * as Tls from "@wirestack/transport-tls/Tls"
import * as WebSocket from "@wirestack/websocket/WebSocket"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import * as fs from "node:fs"

const [url, ca] = process.argv.slice(2)
const size = 65_536
const total = 256 * 16

const stack: Layer.Layer<Transport.MessageTransport<Transport.Connect>, unknown> = ca === undefined
  ? WebSocket.client()(Tcp.layer())
  : WebSocket.client()(Tls.client({ trust: { ca: fs.readFileSync(ca, "utf8") } })(Tcp.layer()))

/** Made once, so that what memory is taken is taken by the stack. */
const samples = Array.from({ length: 17 }, (_, n) => new Uint8Array(size).fill(n))

const memory = () => {
  // Twice: the buffers that one collection finds are freed beside it, and awaited by the next.
  for (let n = 0; n < 2; n++) (globalThis as { gc?: () => void }).gc?.()
  const { arrayBuffers, rss } = process.memoryUsage()
  return { arrayBuffers, rss }
}

const program = Effect.scoped(Effect.gen(function*() {
  const connection = yield* Transport.connect(Transport.Messages)(url)
  const before = memory()
  const peak = { rss: 0, arrayBuffers: 0 }
  const hash = createHash("sha256")
  let sent = 0
  const look = () => {
    const { arrayBuffers, rss } = memory()
    peak.rss = Math.max(peak.rss, rss - before.rss)
    peak.arrayBuffers = Math.max(peak.arrayBuffers, arrayBuffers - before.arrayBuffers)
  }
  process.stdin.on("data", () => {
    look()
    console.log(`at ${sent} rss ${peak.rss} arrayBuffers ${peak.arrayBuffers}`)
  })
  const messages = Stream.map(Stream.rechunk(Stream.range(1, total), 4), (n) => {
    const message = samples[n % samples.length]
    hash.update(message)
    sent = n
    if (n % 512 === 0) look()
    return message
  })
  yield* Console.log("ready")
  yield* Stream.run(messages, sink(connection))
  process.stdin.destroy()
  yield* Console.log(`sent ${sent} ${hash.digest("hex")} rss ${peak.rss} arrayBuffers ${peak.arrayBuffers}`)
}))

NodeRuntime.runMain(Effect.provide(program, stack))
