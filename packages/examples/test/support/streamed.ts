/**
 * Two programs for the test of messages larger than memory, `plain` or `deflate`d. `server KIND` echoes what it gets at `/echo` and
 * sends a message of its own at `/source?SIZE`; `client KIND URL SIZE` sends a message of that size to `/echo`, and in every case checks what comes. Both tell
 * at the end of a connection how much memory they took, more than before, and how long their pings took, one every 100 ms.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { NodeZlib } from "@wirestack/node"
import { detail } from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import * as Transport from "@wirestack/protocol/Transport"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import * as PerMessageDeflate from "@wirestack/websocket/extensions/PerMessageDeflate"
import * as StreamedMessage from "@wirestack/websocket/StreamedMessage"
import * as WebSocket from "@wirestack/websocket/WebSocket"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { createHash, type Hash } from "node:crypto"

const [role, kind, url, bytes] = process.argv.slice(2)
const deflated = kind === "deflate"
const pieceSize = 65_536

/** Made once, so that what memory is taken is taken by the stack: bytes that don't compress, or words that do. */
const material = new Uint8Array(4 * 1_048_576)
let state = 1
const random = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32
if (deflated) {
  const words = Array.from({ length: 2_000 }, () => `${random().toString(36).slice(2, 3 + 9 * random())} `)
  let text = ""
  while (text.length < material.length) text += words[Math.floor(random() ** 2 * words.length)]
  new TextEncoder().encodeInto(text, material)
} else {
  const view = new DataView(material.buffer)
  for (let at = 0; at < material.length; at += 4) view.setUint32(at, random() * 2 ** 32)
}

const data = (size: number, hash: Hash) =>
  Stream.map(Stream.rechunk(Stream.range(0, Math.ceil(size / pieceSize) - 1), 1), (n) => {
    const from = (n * 81_920) % (material.length - pieceSize)
    const piece = material.subarray(from, from + Math.min(pieceSize, size - n * pieceSize))
    hash.update(piece)
    return piece
  })

/** Looks at the memory every 50 ms, collects it every second, and pings every 100 ms, until the effect ends; tells what it has seen. */
const observed = <A, E, R>(connection: StreamedMessage.Streaming, effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const before = process.memoryUsage()
    const seen = { rss: 0, external: 0, used: 0, pings: 0, slowest: 0, late: 0 }
    const look = setInterval(() => {
      const { external, rss } = process.memoryUsage()
      seen.rss = Math.max(seen.rss, rss - before.rss)
      seen.external = Math.max(seen.external, external - before.external)
    }, 50)
    // What is in use is what a collection leaves; it frees buffers beside it, and is awaited by the next.
    const collect = setInterval(() => {
      for (let n = 0; n < 2; n++) (globalThis as { gc?: () => void }).gc?.()
      seen.used = Math.max(seen.used, process.memoryUsage().external - before.external)
    }, 1_000)
    const ping = Effect.tap(detail(connection, WebSocket.WebSocket).ping, (took) =>
      Effect.sync(() => {
        seen.pings++
        seen.slowest = Math.max(seen.slowest, Duration.toMillis(took))
      }))
    // One that is late is waited for no longer than another second, so that each is sent in its time.
    const late = Effect.sync(() => void seen.late++)
    const pinging = Effect.repeat(
      Effect.forkChild(Effect.ignore(Effect.timeoutOrElse(ping, { duration: "1 second", orElse: () => late }))),
      Schedule.spaced("100 millis")
    )
    const started = performance.now()
    const value = yield* Effect.raceFirst(effect, Effect.andThen(pinging, Effect.never))
    clearInterval(look)
    clearInterval(collect)
    return { value, seen: { ...seen, seconds: (performance.now() - started) / 1_000 } }
  })

/** The data of the next message. */
const dataOf = (connection: StreamedMessage.Streaming) =>
  Stream.flatMap(
    Stream.take(StreamedMessage.messages(connection), 1),
    (message) => message.data as Stream.Stream<string | Uint8Array, ConnectionError>
  )

const sha = () => createHash("sha256")

const serve = (connection: StreamedMessage.Streaming) =>
  Effect.gen(function*() {
    const { path, query } = detail(connection, WebSocket.WebSocket)
    const hash = sha()
    const work = path === "/source"
      ? Effect.andThen(
        StreamedMessage.send(connection, { type: "binary", data: data(Number(query), hash) }),
        StreamedMessage.send(connection, {
          type: "text",
          data: Stream.suspend(() => Stream.succeed(hash.digest("hex")))
        })
      )
      : Stream.runForEach(StreamedMessage.messages(connection), (message) => StreamedMessage.send(connection, message))
    const { seen } = yield* observed(connection, work)
    yield* Console.log(`served ${JSON.stringify(seen)}`)
  })

const visit = (connection: StreamedMessage.Streaming) =>
  Effect.gen(function*() {
    const [sent, received] = [sha(), sha()]
    const source = detail(connection, WebSocket.WebSocket).path === "/source"
    const sending = source
      ? Effect.void
      : StreamedMessage.send(connection, { type: "binary", data: data(Number(bytes), sent) })
    const receiving = Stream.runForEach(dataOf(connection), (piece) =>
      Effect.sync(() => {
        received.update(piece)
      }))
    const work = Effect.all([receiving, sending], { concurrency: "unbounded" })
    const { seen } = yield* observed(connection, work)
    const expected = source ? (yield* Stream.runCollect(dataOf(connection))).join("") : sent.digest("hex")
    yield* Console.log(`visited ${JSON.stringify({ ...seen, same: expected === received.digest("hex") })}`)
  })

const extensions = deflated ? [PerMessageDeflate.make()] : []
const stack = Layer.provide(
  WebSocket.streamed.over({ client: { extensions }, server: { extensions } })(Tcp.layer()),
  NodeZlib.layer
)

const program = Effect.gen(function*() {
  if (role === "client") return yield* visit(yield* Transport.connect(WebSocket.Parts)<WebSocket.WebSocket>(url))
  const listener = yield* Transport.listen(WebSocket.Parts)<WebSocket.WebSocket>("ws://127.0.0.1:0/")
  const { place } = listener.address
  if (place._tag === "Tcp") yield* Console.log(`listening ${place.port}`)
  return yield* listener.run(serve)
})

NodeRuntime.runMain(Effect.provide(Effect.scoped(program), stack))
