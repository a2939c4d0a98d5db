import { assert, describe, it } from "@effect/vitest"
import * as Connection from "@wirestack/protocol/Connection"
import type { ConnectionError, ConnectionReason } from "@wirestack/protocol/ConnectionError"
import { TimedOut } from "@wirestack/protocol/Reason"
import * as DataTransferReport from "@wirestack/protocol/reports/DataTransferReport"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { collect, pattern, reasonOf, until } from "@wirestack/test-support"
import { WebStreams, WebStreamsInfo } from "@wirestack/transport-streams"
import { Effect, Fiber } from "effect"
import * as Net from "node:net"
import * as Stream from "node:stream"
import type { QueuingStrategy, ReadableStreamDefaultController, UnderlyingSink } from "node:stream/web"
import { live, network } from "./support.ts"

/** Two ends of a pair of streams. */
const pair = () => {
  const up = new TransformStream<Uint8Array, Uint8Array>()
  const down = new TransformStream<Uint8Array, Uint8Array>()
  return [
    { readable: down.readable, writable: up.writable },
    { readable: up.readable, writable: down.writable }
  ] as const
}

describe("two TransformStreams", () => {
  const suite = transportSuite({
    shape: Transport.Bytes,
    layer: () => WebStreams.layer(network<WebStreams.WebStreamPair>(pair)),
    endpoint: () => "memory:here",
    nobody: "memory:nobody",
    samples: Samples.bytes,
    capabilities: { halfClose: true, statuses: "a stream carries no reason", abortIsSeen: true }
  })
  for (const { name, run } of suite) it.live(name, () => run)
})

/** Streams of which a test sees both far ends. */
const make = (
  sink: UnderlyingSink<Uint8Array> = {},
  strategy?: QueuingStrategy<Uint8Array>
) => {
  let controller!: ReadableStreamDefaultController<unknown>
  const cancelled: Array<unknown> = []
  const readable = new ReadableStream<unknown>({
    start: (given) => {
      controller = given
    },
    cancel: (reason) => void cancelled.push(reason)
  })
  return { streams: { readable, writable: new WritableStream(sink, strategy) }, controller, cancelled }
}

describe("a pair of WHATWG streams", () => {
  live("carries bytes over a socket whose streams they are", () =>
    Effect.gen(function*() {
      const server = Net.createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket))
      yield* Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void)))
      yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
      const { port } = server.address() as Net.AddressInfo
      const socket = Net.connect({ port, host: "127.0.0.1", allowHalfOpen: true })
      const streams = Stream.Duplex.toWeb(socket)
      const connection = yield* WebStreams.connection(streams)
      const sent = pattern(300_000)
      const receiving = yield* Effect.forkChild(collect(connection))
      yield* connection.send(sent)
      yield* connection.end
      assert.isTrue(sent.equals(yield* Fiber.join(receiving)))
      assert.strictEqual(Connection.detail(connection, WebStreamsInfo).streams, streams)
    }))

  live("reads a stream of bytes into memory of its own, if that is asked for", () =>
    Effect.gen(function*() {
      const sent = pattern(200_000)
      const { streams } = make()
      const readable = new Blob([sent]).stream()
      const connection = yield* WebStreams.connection({ ...streams, readable }, { reader: "byob" })
      assert.isTrue(sent.equals(yield* collect(connection)))
      const [{ received }] = (yield* DataTransferReport.of(connection)).layers
      assert.deepStrictEqual(received, { messages: undefined, bytes: 200_000 })
    }))

  live("refuses streams that are in use, or of which there are no bytes to be had", () =>
    Effect.gen(function*() {
      const reading = make().streams
      reading.readable.getReader()
      const writing = make().streams
      writing.writable.getWriter()
      const message = (streams: WebStreams.WebStreamPair, options?: WebStreams.Options) =>
        Effect.map(Effect.flip(WebStreams.connection(streams, options)), (error) => error.message)
      const what = "web streams: the stream can't be used: "
      assert.strictEqual(yield* message(reading), `${what}its readable side is locked`)
      assert.strictEqual(yield* message(writing), `${what}its writable side is locked`)
      const { streams } = make()
      assert.match(yield* message(streams, { reader: "byob" }), /^web streams: the stream can't be used: .*BYOB/i)
      assert.isFalse(streams.readable.locked || streams.writable.locked)
    }))

  live("writes as much as the stream wants, and one piece beyond", () =>
    Effect.gen(function*() {
      const release: Array<() => void> = []
      const sizes: Array<number> = []
      const { controller, streams } = make({
        write: (chunk) => {
          sizes.push(chunk.length)
          return new Promise((resolve) => release.push(resolve))
        }
      }, { highWaterMark: 2_500, size: (chunk) => chunk?.length ?? 0 })
      let given = 0
      const writable = {
        locked: false,
        getWriter: () => {
          const writer = streams.writable.getWriter()
          const write = writer.write.bind(writer)
          return Object.assign(writer, {
            write: (chunk: Uint8Array) => {
              given++
              return write(chunk)
            }
          })
        }
      }
      const connection = yield* WebStreams.connection({ ...streams, writable })
      for (let n = 0; n < 5; n++) {
        yield* connection.send(new Uint8Array(1_000))
        yield* Effect.yieldNow
      }
      assert.strictEqual(given, 3)
      yield* Effect.repeat(Effect.andThen(Effect.sync(() => release.shift()?.()), Effect.sleep("1 millis")), {
        until: () => sizes.length === 4
      })
      assert.deepStrictEqual(sizes, [1_000, 1_000, 1_000, 2_000])
      controller.close()
      release.shift()?.()
    }))

  live("says when there is room, which is 64 KiB at most", () =>
    Effect.gen(function*() {
      let release = () => {}
      let held: Promise<void> | undefined = new Promise((resolve) => {
        release = resolve
      })
      const { controller, streams } = make({ write: () => held }, { highWaterMark: 1_000 })
      const connection = yield* WebStreams.connection(streams)
      let sent = 0
      const sending = yield* Effect.forkChild(
        Effect.gen(function*() {
          for (; sent < 70; sent++) yield* connection.send(new Uint8Array(1_024))
        }),
        { startImmediately: true }
      )
      yield* until(() => sent >= 64)
      assert.strictEqual(sent, 64)
      held = undefined
      release()
      yield* Fiber.join(sending)
      controller.close()
    }))

  live("gives no memory away but its own", () =>
    Effect.gen(function*() {
      const taken: Array<number> = []
      const { controller, streams } = make({
        write: (chunk) => void taken.push(structuredClone(chunk, { transfer: [chunk.buffer as ArrayBuffer] }).length)
      })
      const connection = yield* WebStreams.connection(streams)
      const sent = pattern(10)
      for (const chunks of [[sent], [sent, sent]] as const) {
        const before = taken.length
        yield* connection.sendAll(chunks)
        yield* Effect.repeat(Effect.yieldNow, { until: () => taken.length > before })
      }
      controller.close()
      assert.deepStrictEqual(taken, [10, 20])
      assert.isTrue(sent.equals(pattern(10)))
    }))

  live("takes what has bytes, and nothing else", () =>
    Effect.gen(function*() {
      const { controller, streams } = make()
      const connection = yield* WebStreams.connection(streams)
      controller.enqueue(new Uint8Array([1]).buffer)
      assert.deepStrictEqual(yield* connection.pull, [new Uint8Array([1])])
      controller.enqueue(new DataView(new Uint8Array([1, 2, 3]).buffer, 1))
      assert.deepStrictEqual(yield* connection.pull, [new Uint8Array([2, 3])])
      controller.enqueue("text")
      const reason = yield* reasonOf(connection.pull as Effect.Effect<never, ConnectionError>)
      assert.strictEqual(reason._tag, "Undecodable")
    }))

  live("leaves turns to others while a stream gives nothing, again and again", () =>
    Effect.gen(function*() {
      let read = 0
      const readable = new ReadableStream<Uint8Array>({
        pull: (controller) => ++read < 100_000 ? controller.enqueue(new Uint8Array(0)) : controller.close()
      })
      yield* WebStreams.connection({ readable, writable: new WritableStream<Uint8Array>() }, {
        closeWithin: "10 millis"
      })
      yield* Effect.sleep("5 millis")
      assert.isBelow(read, 100_000)
    }))

  live("tells why either stream broke, to the other one too", () =>
    Effect.gen(function*() {
      const aborted: Array<unknown> = []
      const reading = make({ abort: (reason) => void aborted.push(reason) })
      const reader = yield* WebStreams.connection(reading.streams)
      reading.controller.error(new Error("gone"))
      assert.strictEqual((yield* reasonOf(collect(reader))).message, "the connection was cut: gone")
      assert.strictEqual((yield* reader.closed).error?.layer, "web streams")
      assert.strictEqual((aborted[0] as ConnectionReason)._tag, "Reset")
      const writing = make({ write: () => Promise.reject(new Error("full")) })
      const reasons = { reasonOf: (cause: unknown) => new TimedOut({ phase: String(cause), after: 1 }) }
      const writer = yield* WebStreams.connection(writing.streams, reasons)
      yield* writer.send(new Uint8Array(5))
      assert.strictEqual((yield* reasonOf(collect(writer))).message, "Error: full took longer than 1 ms")
      assert.strictEqual((writing.cancelled[0] as ConnectionReason)._tag, "TimedOut")
      assert.deepStrictEqual((yield* writer.closed).unsent, { messages: 0, bytes: 5 })
    }))

  live("cancels and aborts when it is cut, and unlocks both", () =>
    Effect.gen(function*() {
      const aborted: Array<unknown> = []
      const { cancelled, streams } = make({ abort: (reason) => void aborted.push(reason) })
      const connection = yield* WebStreams.connection(streams)
      assert.isTrue(streams.readable.locked && streams.writable.locked)
      yield* connection.abort
      yield* connection.closed
      yield* Effect.repeat(Effect.yieldNow, { until: () => !streams.readable.locked && !streams.writable.locked })
      assert.deepStrictEqual([...cancelled, ...aborted].map((reason) => (reason as ConnectionReason)._tag), [
        "Aborted",
        "Aborted"
      ])
    }))

  live("unlocks both after a close", () =>
    Effect.gen(function*() {
      const { controller, streams } = make()
      yield* Effect.scoped(Effect.andThen(WebStreams.connection(streams), Effect.sync(() => controller.close())))
      assert.isFalse(streams.readable.locked || streams.writable.locked)
    }))
})
