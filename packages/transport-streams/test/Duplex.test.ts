import { assert, describe, it } from "@effect/vitest"
import * as Connection from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import type { Outcome } from "@wirestack/protocol/Outcome"
import { TimedOut } from "@wirestack/protocol/Reason"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { collect, pattern, reasonOf, until } from "@wirestack/test-support"
import { Duplex, DuplexInfo, type Source } from "@wirestack/transport-streams"
import { Deferred, Effect, type Layer } from "effect"
import * as Http2 from "node:http2"
import type * as Net from "node:net"
import * as Stream from "node:stream"
import { live, network } from "./support.ts"

/** Two ends of a pair of one-way streams. Whoever destroys one has destroyed the other. */
const pair = () => {
  const up = new Stream.PassThrough()
  const down = new Stream.PassThrough()
  return [Duplex.join(down, up), Duplex.join(up, down)] as const
}

describe("two streams joined", () => {
  const suite = transportSuite({
    shape: Transport.Bytes,
    layer: () => Duplex.layer(network(pair)),
    endpoint: () => "memory:here",
    nobody: "memory:nobody",
    samples: Samples.bytes,
    capabilities: { halfClose: true, statuses: "a stream carries no reason", abortIsSeen: true }
  })
  for (const { name, run } of suite) it.live(name, () => run)
})

type Both = Transport.Connect | Transport.Listen

const quiet = { onIncident: () => Effect.void }

/** A stream that does nothing by itself. */
const still = (options?: Stream.DuplexOptions) => new Stream.Duplex({ read() {}, write() {}, ...options })

describe("any duplex", () => {
  live("carries bytes both ways over a stream of HTTP/2, and half-closes", () =>
    Effect.gen(function*() {
      const server = Http2.createServer()
      yield* Effect.addFinalizer(() => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void))))
      const stack = Duplex.layer({
        connect: ({ place }) =>
          Effect.map(
            Effect.acquireRelease(
              Effect.sync(() => Http2.connect(`http://127.0.0.1:${place._tag === "Tcp" ? place.port : 0}`)),
              (session) => Effect.sync(() => session.destroy())
            ),
            (session) => session.request({ ":method": "POST" }, { endStream: false })
          ),
        listen: (_, accept) =>
          Effect.callback((resume) => {
            server.on("stream", (stream) => {
              stream.respond()
              accept(stream)
            })
            server.listen(0, "127.0.0.1", () => {
              const { port } = server.address() as Net.AddressInfo
              resume(Effect.succeed(Endpoint.tcp("127.0.0.1", port)))
            })
          })
      })
      const sent = pattern(200_000)
      yield* Effect.scoped(Effect.gen(function*() {
        const listener = yield* Transport.listen(Transport.Bytes)("127.0.0.1:0")
        yield* Effect.forkScoped(
          listener.run((connection) => Effect.flatMap(collect(connection), (all) => connection.send(all)), quiet)
        )
        const connection = yield* Transport.connect(Transport.Bytes)<DuplexInfo>(listener.address)
        yield* connection.send(sent)
        yield* connection.end
        assert.isTrue(sent.equals(yield* collect(connection)))
        assert.instanceOf(Connection.detail(connection, DuplexInfo).duplex, Stream.Duplex)
      })).pipe(Effect.provide(stack))
    }))

  live("keeps its output open when the input of a stream ends that would end both", () =>
    Effect.gen(function*() {
      const written: Array<string> = []
      const duplex = new Stream.Duplex({
        allowHalfOpen: false,
        read() {},
        write: (chunk, _, done) => {
          written.push(`${chunk}`)
          done()
        }
      })
      const connection = yield* Duplex.connection(duplex)
      duplex.push("question")
      duplex.push(null)
      assert.strictEqual(`${yield* collect(connection)}`, "question")
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      yield* connection.send(Buffer.from("answer"))
      yield* connection.end
      assert.deepStrictEqual(written, ["answer"])
    }))

  const unusable: ReadonlyArray<readonly [string, string, () => Duplex.DuplexLike]> = [
    ["gives objects", "it gives objects, not bytes", () => still({ readableObjectMode: true })],
    ["takes objects", "it takes objects, not bytes", () => still({ writableObjectMode: true })],
    ["gives text", "it gives text, not bytes", () => still().setEncoding("utf8")],
    ["is closed", "it is closed", () => still().destroy()],
    ["has ended its output", "its output has ended", () => still().end()],
    ["is half closed", "it is closed", () => Duplex.join(still(), still().destroy())]
  ]
  for (const [which, detail, make] of unusable) {
    live(`refuses a stream that ${which}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Duplex.connection(make()))
        assert.strictEqual(error.message, `duplex: the stream can't be used: ${detail}`)
      }))
  }

  live("tells an error of the stream, and what it means", () =>
    Effect.gen(function*() {
      const reset = still()
      const connection = yield* Duplex.connection(reset)
      reset.destroy(new Error("unplugged"))
      const reason = yield* reasonOf(collect(connection))
      assert.strictEqual(reason._tag === "Reset" && reason.message, "the connection was cut: unplugged")
      const timed = still()
      const other = yield* Duplex.connection(timed, { reasonOf: () => new TimedOut({ phase: "baud", after: 9 }) })
      timed.destroy(new Error("late"))
      assert.strictEqual((yield* reasonOf(collect(other)))._tag, "TimedOut")
      assert.strictEqual((yield* other.closed).error?.layer, "duplex")
    }))

  live("takes a close without an end for a reset, behind what was read", () =>
    Effect.gen(function*() {
      const duplex = still()
      const connection = yield* Duplex.connection(duplex)
      duplex.push("last words")
      assert.strictEqual(Buffer.concat(yield* connection.pull).toString(), "last words")
      duplex.destroy()
      assert.strictEqual((yield* reasonOf(collect(connection)))._tag, "Reset")
      assert.strictEqual((yield* connection.closed).endOfInput, "unannounced")
    }))

  live("delivers what was read before a failure, though the listener was not run yet", () =>
    Effect.gen(function*() {
      const duplex = new Stream.Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() })
      const stack = Duplex.layer({ listen: (_, accept) => Effect.sync(() => void accept(duplex)) })
      const listener = yield* Effect.provide(Transport.listen(Transport.Bytes)("memory:here"), stack)
      duplex.push(pattern(10))
      duplex.destroy(new Error("unplugged"))
      yield* until(() => duplex.closed)
      const received: Array<Uint8Array> = []
      const outcome = yield* Deferred.make<Outcome>()
      yield* Effect.forkChild(
        listener.run((connection) =>
          Effect.forever(Effect.map(connection.pull, (batch) => received.push(...batch))).pipe(
            Effect.exit,
            Effect.andThen(connection.closed),
            Effect.flatMap((closed) => Deferred.succeed(outcome, closed))
          )
        )
      )
      assert.strictEqual((yield* Deferred.await(outcome)).error?.reason._tag, "Reset")
      assert.deepStrictEqual(received, [new Uint8Array(pattern(10))])
    }))

  live("cuts one of two joined streams with the other", () =>
    Effect.gen(function*() {
      const input = new Stream.PassThrough()
      const output = new Stream.PassThrough()
      const connection = yield* Duplex.connection(Duplex.join(input, output))
      input.destroy()
      assert.strictEqual((yield* reasonOf(collect(connection)))._tag, "Reset")
      assert.isTrue(output.destroyed)
    }))
})

describe("a source", () => {
  live("releases what it acquired after the connection has closed", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const [near, far] = pair()
      far.on("end", () => log.push("closed"))
      far.resume()
      const stack = Duplex.layer({
        connect: () =>
          Effect.as(
            Effect.addFinalizer(() => Effect.sync(() => log.push("released"))),
            near
          )
      })
      yield* Effect.provide(Effect.scoped(Transport.connect(Transport.Bytes)("memory:a", { closeWithin: 100 })), stack)
      assert.deepStrictEqual(log, ["closed", "released"])
    }))

  live("does what it can, and no more", () =>
    Effect.gen(function*() {
      const nothing = Duplex.layer({}) as Layer.Layer<any> as Layer.Layer<Transport.ByteTransport<Both>>
      const connected = Effect.provide(Transport.connect(Transport.Bytes)("memory:a"), nothing)
      assert.strictEqual(
        (yield* Effect.flip(connected)).message,
        "duplex: \"memory:a\" is not a usable endpoint: this transport does not connect"
      )
      const listening = Effect.provide(Transport.listen(Transport.Bytes)("memory:a"), nothing)
      assert.strictEqual((yield* Effect.flip(listening)).reason._tag, "InvalidEndpoint")
      const secure = Effect.provide(Transport.connect(Transport.Bytes)("tls://a:1"), nothing)
      assert.strictEqual((yield* Effect.flip(secure)).reason._tag, "LayersMissing")
    }))

  live(
    "has streams wait that come early, bounded, and takes none once the listener has closed",
    () =>
      Effect.gen(function*() {
        let accept: Source.Accept<Duplex.DuplexLike> = () => undefined
        const stack = Duplex.layer({
          listen: (_, given) =>
            Effect.sync(() => {
              accept = given
            })
        })
        let handled = 0
        const streams = Array.from({ length: 10 }, () => still())
        yield* Effect.gen(function*() {
          const listener = yield* Transport.listen(Transport.Bytes)("memory:a", { closeWithin: 0, maxWaiting: 9 })
          assert.strictEqual(accept(still({ objectMode: true }))?._tag, "StreamUnusable")
          for (const stream of streams) assert.isUndefined(accept(stream))
          yield* Effect.forkScoped(listener.run(() => Effect.sync(() => handled++), quiet))
          yield* until(() => handled === 9)
        }).pipe(Effect.scoped, Effect.provide(stack))
        assert.isTrue(streams[9].destroyed)
        const late = still()
        assert.strictEqual(accept(late)?._tag, "Refused")
        assert.isTrue(late.destroyed)
      })
  )
})
