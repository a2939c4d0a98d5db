import { assert, describe, it } from "@effect/vitest"
import { ProvidedDuplex } from "@wirestack/node"
import { Connection, type Endpoint, type Listener } from "@wirestack/protocol"
import { ConnectionError } from "@wirestack/protocol/ConnectionError"
import * as MemoryTransport from "@wirestack/protocol/MemoryTransport"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { collect, pattern, reasonOf, until } from "@wirestack/test-support"
import { Duplex, type Source } from "@wirestack/transport-streams"
import { Effect, Fiber, Layer, Queue, Stream } from "effect"
import { once } from "node:events"
import { type Duplex as NodeDuplex, Readable, Transform, Writable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { createGunzip, createGzip } from "node:zlib"

const quiet = { onIncident: () => Effect.void }

/** When a stream has closed, whatever for. */
const closed = (duplex: NodeDuplex) => new Promise<void>((done) => void duplex.once("close", done))

describe("handed out, and made a transport again", () => {
  const source = {
    connect: (endpoint: Endpoint.Endpoint) =>
      Effect.mapError(
        ProvidedDuplex.open(Transport.connect(Transport.Bytes)(endpoint)),
        ({ reason }) => reason
      ),
    listen: (endpoint: Endpoint.Endpoint, accept: Source.Accept<NodeDuplex>) =>
      Effect.gen(function*() {
        const listener = yield* Effect.mapError(
          Transport.listen(Transport.Bytes)(endpoint, { drain: { within: "1 second" } }),
          ({ reason }) => reason
        )
        const handing = ProvidedDuplex.handler((duplex) => {
          accept(duplex)
          return closed(duplex)
        })
        yield* Effect.forkScoped(Effect.exit(listener.run(handing, quiet)))
        return listener.address
      })
  }
  const suite = transportSuite({
    shape: Transport.Bytes,
    layer: () =>
      Layer.provide(
        Duplex.layer(source, { cut: (duplex: NodeDuplex) => void duplex.destroy(new Error("cut")) }),
        MemoryTransport.layer()
      ),
    endpoint: () => "memory:here",
    nobody: "memory:nobody",
    samples: Samples.bytes,
    capabilities: { halfClose: true, statuses: "a stream carries no reason", abortIsSeen: true }
  })
  for (const { name, run } of suite) it.live(name, () => run)
})

/** How a client connects, and the other end of each of its connections. */
const ends = <S extends "bytes" | "messages", M>(shape: Transport.Shape<S, M, M>) =>
  Effect.gen(function*() {
    const accepted = yield* Queue.unbounded<any>()
    const soon = { closeWithin: "200 millis" } as const
    const listener = yield* Transport.listen(shape)("memory:here", soon)
    yield* Effect.forkScoped(Effect.exit(
      listener.run((connection) => Effect.andThen(Queue.offer(accepted, connection), connection.closed), quiet)
    ))
    return { connect: Transport.connect(shape)("memory:here", soon), far: Queue.take(accepted) }
  })

const bytes = <A, E>(program: Effect.Effect<A, E, any>) =>
  Effect.provide(Effect.scoped(program), MemoryTransport.layer()) as Effect.Effect<A, E>
const messages = <A, E>(program: Effect.Effect<A, E, any>) =>
  Effect.provide(Effect.scoped(program), MemoryTransport.layerMessages()) as Effect.Effect<A, E>

const echo = (connection: Connection.Connection<any, any>) =>
  Stream.run(Connection.messages(connection), Connection.sink(connection))

/** What a stream closes with. */
const failure = (duplex: NodeDuplex) =>
  Effect.callback<unknown>((resume) => {
    let error: unknown
    duplex.on("error", (given) => error = given)
    duplex.on("close", () => resume(Effect.succeed(error)))
  })

const assertReason = (error: unknown, tag: string) => {
  assert.instanceOf(error, ConnectionError)
  assert.strictEqual((error as ConnectionError).reason._tag, tag)
}

describe("a stream of bytes", () => {
  it.live("goes through pipeline, there and back", () =>
    bytes(Effect.gen(function*() {
      const listener = yield* Transport.listen(Transport.Bytes)("memory:echo")
      yield* Effect.forkScoped(Effect.exit(listener.run(echo)))
      const duplex = yield* ProvidedDuplex.open(Transport.connect(Transport.Bytes)("memory:echo"))
      const sent = pattern(1_000_000)
      const back: Array<Buffer> = []
      const sink = new Writable({ write: (chunk: Buffer, _, done) => (back.push(chunk), done()) })
      yield* Effect.promise(() => pipeline(Readable.from([sent]), createGzip(), duplex, createGunzip(), sink))
      assert.isTrue(sent.equals(Buffer.concat(back)))
    })))

  it.live("holds the peer back while it is not read, and the writer while the peer does not", () =>
    bytes(Effect.gen(function*() {
      const { connect, far } = yield* ends(Transport.Bytes)
      const duplex = yield* ProvidedDuplex.open(connect)
      const peer = yield* far
      let accepted = 0
      const chunk = new Uint8Array(10_000)
      const sending = Effect.forever(Effect.tap(peer.send(chunk), Effect.sync(() => accepted += chunk.length)))
      const flood = yield* Effect.forkChild(Effect.exit(sending), { startImmediately: true })
      duplex.read(0)
      for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
      const before = accepted
      assert.isBelow(before, 500_000)
      duplex.resume()
      yield* until(() => accepted > before + 1_000_000)
      yield* Fiber.interrupt(flood)
      let written = 0
      while (duplex.write(chunk)) written += chunk.length
      assert.isBelow(written, 400_000)
      const writes = Effect.callback<void>((resume) => void duplex.once("drain", () => resume(Effect.void)))
      const drained = yield* Effect.forkChild(writes, { startImmediately: true })
      yield* peer.pull
      yield* Fiber.join(drained)
      duplex.destroy()
    })))

  it.live("destroyed says goodbye, and with an error is cut", () =>
    bytes(Effect.gen(function*() {
      const { connect, far } = yield* ends(Transport.Bytes)
      const gentle = yield* ProvidedDuplex.open(connect)
      const left = yield* far
      yield* Effect.callback<void>((resume) => void gentle.write(new Uint8Array(3), () => resume(Effect.void)))
      gentle.destroy()
      assert.lengthOf(yield* collect(left), 3)
      yield* left.end
      const rough = yield* ProvidedDuplex.open(connect)
      const failed = yield* Effect.forkChild(failure(rough), { startImmediately: true })
      const cut = yield* far
      const error = new Error("no more")
      rough.destroy(error)
      assert.strictEqual((yield* reasonOf(collect(cut)))._tag, "Reset")
      assert.strictEqual(yield* Fiber.join(failed), error)
    })))

  it.live("gives all that came before a failure, and then that", () =>
    bytes(Effect.gen(function*() {
      const { connect, far } = yield* ends(Transport.Bytes)
      const duplex = yield* ProvidedDuplex.open(connect)
      const failed = yield* Effect.forkChild(failure(duplex), { startImmediately: true })
      const peer = yield* far
      const sent = pattern(10_000)
      yield* peer.send(sent)
      duplex.read(0)
      yield* until(() => duplex.readableLength === sent.length)
      yield* peer.abort
      for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
      const received: Array<Buffer> = []
      duplex.on("data", (chunk: Buffer) => received.push(chunk))
      assertReason(yield* Fiber.join(failed), "Reset")
      assert.isTrue(sent.equals(Buffer.concat(received)))
    })))

  it.live("leaves the other direction open, unless it may not be half open", () =>
    bytes(Effect.gen(function*() {
      const { connect, far } = yield* ends(Transport.Bytes)
      for (const allowHalfOpen of [true, false]) {
        const duplex = yield* ProvidedDuplex.open(connect)
        duplex.allowHalfOpen = allowHalfOpen
        const gone = yield* Effect.forkChild(failure(duplex), { startImmediately: true })
        const peer = yield* far
        yield* peer.end
        duplex.resume()
        yield* Effect.promise(() => once(duplex, "end"))
        if (allowHalfOpen) duplex.end("late")
        assert.strictEqual(String(yield* collect(peer)), allowHalfOpen ? "late" : "")
        assert.isUndefined(yield* Fiber.join(gone))
      }
    })))
})

describe("a stream of messages", () => {
  it.live("keeps their boundaries and kinds", () =>
    messages(Effect.gen(function*() {
      const { connect, far } = yield* ends(Transport.Messages)
      const duplex = yield* ProvidedDuplex.openMessages(connect)
      const peer = yield* far
      yield* peer.sendAll(["a", "", Uint8Array.of(1)])
      const received: Array<unknown> = []
      duplex.on("data", (message) => received.push(message))
      yield* until(() => received.length === 3)
      assert.deepStrictEqual(received, ["a", "", Uint8Array.of(1)])
      duplex.write("b")
      duplex.write(Uint8Array.of(2))
      const back: Array<unknown> = []
      while (back.length < 2) back.push(...(yield* peer.pull))
      assert.deepStrictEqual(back, ["b", Uint8Array.of(2)])
      duplex.destroy()
    })))

  it.live("may be read by whoever is given a message", () =>
    messages(Effect.gen(function*() {
      const { connect, far } = yield* ends(Transport.Messages)
      const duplex = yield* ProvidedDuplex.openMessages(connect)
      const peer = yield* far
      const received: Array<unknown> = []
      duplex.on("data", (message) => {
        received.push(message)
        duplex.read(0)
      })
      for (const n of [3, 6]) {
        yield* peer.sendAll(["a", "b", "c"])
        yield* until(() => received.length === n)
      }
      duplex.destroy()
    })))

  it.live("fails for a message that would end it", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryTransport.pair<string | null>()
      const duplex = yield* ProvidedDuplex.openMessages(Connection.make(near))
      const failed = yield* Effect.forkChild(failure(duplex), { startImmediately: true })
      const received: Array<unknown> = []
      duplex.on("data", (message) => received.push(message))
      const peer = yield* Connection.make(far)
      yield* peer.sendAll(["a", null, "b"])
      assertReason(yield* Fiber.join(failed), "Undecodable")
      assert.deepStrictEqual(received, ["a"])
    }).pipe(Effect.scoped))

  it.live("serves a handler, which fails as its promise does", () =>
    messages(Effect.gen(function*() {
      const incidents: Array<string> = []
      const listener = yield* Transport.listen(Transport.Messages)("memory:handled")
      const shouting = new Transform({ objectMode: true, transform: (text: string, _, done) => done(null, `${text}!`) })
      const handler = ProvidedDuplex.handlerMessages(async (duplex) => {
        await pipeline(duplex, shouting, duplex)
        throw new Error("done")
      })
      const onIncident = ({ _tag }: Listener.Incident) => Effect.sync(() => void incidents.push(_tag))
      yield* Effect.forkScoped(Effect.exit(listener.run(handler, { onIncident })))
      const client = yield* Transport.connect(Transport.Messages)("memory:handled")
      yield* client.send("hello")
      assert.deepStrictEqual(yield* client.pull, ["hello!"])
      yield* client.abort
      yield* until(() => incidents.length > 0)
      assert.deepStrictEqual(incidents, ["HandlerFailed"])
    })))
})
