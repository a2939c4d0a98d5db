import { assert, describe, it } from "@effect/vitest"
import type { Batch } from "@wirestack/protocol/Connection"
import { ConnectionError } from "@wirestack/protocol/ConnectionError"
import * as MemoryTransport from "@wirestack/protocol/MemoryTransport"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { collect, reasonOf } from "@wirestack/test-support"
import { ProvidedIterator, WebStreams } from "@wirestack/transport-streams"
import { Effect, Layer } from "effect"
import { ends, live, provided } from "./support.ts"

const bytes = Effect.provide(MemoryTransport.layer())
const messages = Effect.provide(MemoryTransport.layerMessages())

const promised = <A>(promise: () => Promise<A>) => Effect.promise(promise)

describe("what is received", () => {
  live("comes in order and once, however many ask at a time", () =>
    Effect.gen(function*() {
      const { connect, far } = yield* ends(Transport.Messages)
      const chat = yield* ProvidedIterator.open(connect)
      const peer = yield* far
      const sent = Array.from({ length: 1_000 }, (_, at) => String(at))
      const asked = Array.from({ length: 400 }, () => chat.next())
      yield* peer.sendAll(sent as unknown as Batch<string>)
      const first = yield* promised(() => Promise.all(asked))
      const rest: Array<unknown> = []
      yield* promised(async () => {
        for await (const message of chat) if (rest.push(message) === 600) break
      })
      assert.deepStrictEqual([...first.map(({ value }) => value), ...rest], sent)
      assert.strictEqual((yield* promised(() => chat.closed)).undelivered, 0)
      assert.deepStrictEqual(yield* promised(() => chat.next()), { done: true, value: undefined })
      yield* peer.closed
    }).pipe(messages))

  live("ends with the peer's goodbye", () =>
    Effect.gen(function*() {
      const { connect, far } = yield* ends(Transport.Bytes)
      const client = yield* ProvidedIterator.open(connect)
      const peer = yield* far
      yield* peer.send(Uint8Array.of(1, 2))
      yield* peer.end
      const received: Array<number> = []
      yield* promised(async () => {
        for await (const chunk of client) received.push(...chunk)
        await client.end()
      })
      assert.deepStrictEqual(received, [1, 2])
      assert.isTrue((yield* promised(() => client.closed)).clean)
    }).pipe(bytes))

  live("fails as the connection does", () =>
    Effect.gen(function*() {
      const { connect, far } = yield* ends(Transport.Bytes)
      const client = yield* ProvidedIterator.open(connect)
      const next = Effect.flip(Effect.tryPromise({
        try: () => client.next(),
        catch: (error) => error as ConnectionError
      }))
      yield* (yield* far).abort
      const error = yield* next
      assert.instanceOf(error, ConnectionError)
      assert.strictEqual(error.reason._tag, "Reset")
      assert.strictEqual((yield* next).reason._tag, "Reset")
      yield* promised(() => client.close())
    }).pipe(bytes))
})

describe("the end", () => {
  live("close in the middle of a loop ends it", () =>
    Effect.gen(function*() {
      const { connect, far } = yield* ends(Transport.Bytes)
      const client = yield* ProvidedIterator.open(connect)
      const peer = yield* far
      const next = client.next()
      void client.close()
      assert.deepStrictEqual(yield* promised(() => next), { done: true, value: undefined })
      assert.lengthOf(yield* collect(peer), 0)
    }).pipe(bytes))

  live("what was accepted before close is flushed, and abort cuts", () =>
    Effect.gen(function*() {
      const { connect, far } = yield* ends(Transport.Bytes)
      const client = yield* ProvidedIterator.open(connect)
      const peer = yield* far
      yield* promised(() => client.sendAll([Uint8Array.of(1), Uint8Array.of(2)]))
      void client.close()
      assert.deepStrictEqual(Array.from(yield* collect(peer)), [1, 2])
      const other = yield* ProvidedIterator.open(connect)
      const cut = yield* far
      yield* promised(() => other.abort())
      assert.strictEqual((yield* reasonOf(collect(cut)))._tag, "Reset")
    }).pipe(bytes))

  live("throw closes as failed, and rejects with what it is given", () =>
    Effect.gen(function*() {
      const { connect } = yield* ends(Transport.Bytes)
      const client = yield* ProvidedIterator.open(connect)
      const wrong = new Error("wrong")
      assert.strictEqual(yield* promised(() => client.throw(wrong).catch((error: unknown) => error)), wrong)
    }).pipe(bytes))
})

live("a handler echoes with promises alone", () =>
  Effect.gen(function*() {
    const listener = yield* Transport.listen(Transport.Messages)("memory:echo")
    const echo = ProvidedIterator.handler<Transport.Message, Transport.Message>(async (peer) => {
      for await (const message of peer) await peer.send(message)
    })
    yield* Effect.forkScoped(Effect.exit(listener.run(echo)))
    const client = yield* ProvidedIterator.open(Transport.connect(Transport.Messages)("memory:echo"))
    yield* promised(() => client.send("hello"))
    assert.deepStrictEqual(yield* promised(() => client.next()), { done: false, value: "hello" })
    yield* promised(() => client.close())
  }).pipe(messages))

describe("handed out, and made a transport again", () => {
  /** Streams of an iterator, as an application would make them. */
  const streamsOf = (client: ProvidedIterator.ProvidedIterator<Uint8Array, Uint8Array>) => ({
    closed: client.closed,
    readable: new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const { done, value } = await client.next()
        if (done === true) controller.close()
        else controller.enqueue(value)
      },
      cancel: () => void client.abort()
    }, { highWaterMark: 0 }),
    writable: new WritableStream<Uint8Array>({
      start: (controller) => {
        void client.closed.then(({ error }) => controller.error(error ?? new Error("closed")))
      },
      write: (chunk) => client.send(chunk),
      close: () => client.end(),
      abort: () => void client.abort()
    })
  })
  const source = provided<ReturnType<typeof streamsOf>>({
    open: (connect) => Effect.map(ProvidedIterator.open(connect), streamsOf),
    handler: (use) => ProvidedIterator.handler<Uint8Array, Uint8Array>((client) => use(streamsOf(client)))
  })
  const suite = transportSuite({
    shape: Transport.Bytes,
    layer: () => Layer.provide(WebStreams.layer(source), MemoryTransport.layer()),
    endpoint: () => "memory:here",
    nobody: "memory:nobody",
    samples: Samples.bytes,
    capabilities: { halfClose: true, statuses: "a stream carries no reason", abortIsSeen: true }
  })
  for (const { name, run } of suite) it.live(name, () => run)
})
