/**
 * A message larger than memory over TCP, each end a process of its own: all of it arrives, neither end takes much memory for it, and
 * pings are answered meanwhile. `WIRESTACK_STREAMED` is its size in MiB, 64 by default: `npm run streamed` has it 1 GiB.
 */
import { assert, describe, it } from "@effect/vitest"
import { Transport } from "@wirestack/protocol"
import { messages } from "@wirestack/protocol/Connection"
import { Tcp } from "@wirestack/transport-tcp"
import { WebSocket } from "@wirestack/websocket"
import { Opcode } from "@wirestack/websocket/frames/Opcode"
import { Effect, Layer, Schedule, Stream } from "effect"
import { fileURLToPath } from "node:url"
import { run } from "./support/processes.ts"

const mebibyte = 1_048_576
const size = Number(process.env.WIRESTACK_STREAMED ?? 64) * mebibyte
const figures = process.env.WIRESTACK_FIGURES !== undefined || process.env.WIRESTACK_STREAMED !== undefined

interface Seen {
  readonly rss: number
  readonly external: number
  readonly used: number
  readonly pings: number
  readonly slowest: number
  readonly late: number
  readonly seconds: number
  readonly same?: boolean
}

const program = (...args: ReadonlyArray<string>) =>
  run(process.execPath, [
    "--expose-gc",
    "--max-semi-space-size=1",
    "--conditions=@wirestack/source",
    fileURLToPath(new URL("./support/streamed.ts", import.meta.url)),
    ...args
  ])

const minutes = 10

describe(`one message of ${size / mebibyte} MiB`, () => {
  for (const kind of ["plain", "deflate"]) {
    for (const way of ["echo", "source"] as const) {
      const title = way === "echo" ? "to an echo server and back" : "from the server"
      it.live(`${title}, ${kind}`, () =>
        Effect.gen(function*() {
          // Compressing takes its time.
          const bytes = kind === "deflate" ? size / 4 : size
          const server = yield* program("server", kind)
          const [, port] = yield* server.says(/^listening (\d+)$/m)
          const client = yield* program("client", kind, `ws://127.0.0.1:${port}/${way}?${bytes}`, String(bytes))
          for (const [who, { says }] of [["served", server], ["visited", client]] as const) {
            const [, told] = yield* says(new RegExp(`^${who} (.*)$`, "m"), `${minutes} minutes`)
            const seen = JSON.parse(told) as Seen
            const mb = (n: number) => `+${(n / mebibyte).toFixed(1)} MiB`
            const memory = `rss ${mb(seen.rss)}, buffers ${mb(seen.external)}, in use ${mb(seen.used)}`
            const pings = `${seen.pings} pings, the slowest ${seen.slowest.toFixed(0)} ms, ${seen.late} late`
            const speed = `${(bytes / 1e6 / seen.seconds).toFixed(0)} MB/s`
            const said = `${kind}, ${way}, ${who}: ${speed}; ${memory}; ${pings}`
            if (figures) console.log(said)
            if (who === "visited") assert.isTrue(seen.same)
            assert.isBelow(seen.used, 16 * mebibyte, said)
            assert.isBelow(seen.rss, 64 * mebibyte, said)
            assert.isAbove(seen.pings, 0, said)
            // What is compressed waits in the buffers of the system, which nobody can see into: megabytes that take long to inflate.
            if (kind === "plain") assert.strictEqual(seen.late, 0, said)
          }
        }).pipe(Effect.scoped), minutes * 60_000)
    }
  }
})

const { Binary, Continuation, Ping, Pong } = Opcode

describe("one whole message of 64 MiB", () => {
  it.live("a peer that reads slowly has its pings answered within a second", () =>
    Effect.gen(function*() {
      const message = new Uint8Array(64 * mebibyte).fill(7)
      const listener = yield* Effect.provide(
        Transport.listen(Transport.Messages)("ws://127.0.0.1:0/"),
        yield* Layer.build(WebSocket.server()(Tcp.layer()))
      )
      yield* Effect.forkScoped(
        listener.run((connection) => Effect.andThen(connection.send(message), Stream.runDrain(messages(connection))))
      )
      const peer = yield* Effect.provide(
        Transport.connect(WebSocket.Frames)(listener.address),
        yield* Layer.build(WebSocket.raw.client({ heartbeat: "off" })(Tcp.layer()))
      )
      const asked: Array<number> = []
      const took: Array<number> = []
      yield* Effect.forkScoped(Effect.repeat(
        Effect.suspend(() => {
          asked.push(performance.now())
          return peer.send({ opcode: Ping, fin: true, payload: new Uint8Array(0) })
        }),
        Schedule.spaced("100 millis")
      ))
      let size = 0
      let frames = 0
      for (let fin = false; !fin;) {
        for (const frame of yield* peer.pull) {
          if (frame.opcode === Pong) took.push(performance.now() - asked[took.length])
          else {
            assert.strictEqual(frame.opcode, frames++ === 0 ? Binary : Continuation)
            size += frame.payload.length
            fin = frame.fin
          }
        }
        yield* Effect.sleep("20 millis")
      }
      const said = `${frames} frames, ${took.length} pongs, the slowest ${Math.max(...took).toFixed(0)} ms`
      if (figures) console.log(`64 MiB, whole: ${said}`)
      assert.strictEqual(size, message.length)
      assert.isAbove(took.length, 5, said)
      assert.isBelow(Math.max(...took), 1_000, said)
    }).pipe(Effect.scoped), 60_000)
})
