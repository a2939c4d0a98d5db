import { assert, describe, it } from "@effect/vitest"
import { ConnectionError } from "@wirestack/protocol/ConnectionError"
import * as MemoryTransport from "@wirestack/protocol/MemoryTransport"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { collect, pattern, reasonOf, until } from "@wirestack/test-support"
import { ProvidedWebStreams, WebStreams } from "@wirestack/transport-streams"
import { Effect, Fiber, Layer } from "effect"
import { ends, live, provided } from "./support.ts"

describe("handed out, and made a transport again", () => {
  const source = provided<ProvidedWebStreams.ProvidedWebStreams<Uint8Array, Uint8Array>>(ProvidedWebStreams)
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

const bytes = Effect.provide(MemoryTransport.layer())
const messages = Effect.provide(MemoryTransport.layerMessages())

/** What a promise rejects with. */
const rejection = (promise: Promise<unknown>) =>
  Effect.promise(() => promise.then(() => undefined, (error: unknown) => error))

const assertReason = (error: unknown, tag: string) => {
  assert.instanceOf(error, ConnectionError)
  assert.strictEqual((error as ConnectionError).reason._tag, tag)
}

describe("readable", () => {
  live("is the body of a Response", () =>
    Effect.gen(function*() {
      const { connect, far } = yield* ends(Transport.Bytes)
      const { readable, writable } = yield* ProvidedWebStreams.open(connect)
      const body = Effect.promise(() => new Response(readable as never).arrayBuffer())
      const reading = yield* Effect.forkChild(body, { startImmediately: true })
      const peer = yield* far
      const sent = pattern(200_000)
      yield* peer.send(sent)
      yield* peer.end
      assert.isTrue(sent.equals(new Uint8Array(yield* Fiber.join(reading))))
      yield* Effect.promise(() => writable.close())
    }).pipe(bytes))

  live("reads nothing ahead that nobody has asked for", () =>
    Effect.gen(function*() {
      const { connect, far } = yield* ends(Transport.Bytes)
      const { close, readable } = yield* ProvidedWebStreams.open(connect)
      const peer = yield* far
      let accepted = 0
      const chunk = new Uint8Array(10_000)
      const sending = Effect.forever(Effect.tap(peer.send(chunk), Effect.sync(() => accepted += chunk.length)))
      const flood = yield* Effect.forkChild(Effect.exit(sending), { startImmediately: true })
      for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
      const before = accepted
      assert.isBelow(before, 400_000)
      const reader = readable.getReader()
      for (let read = 0; read < 100_000;) read += (yield* Effect.promise(() => reader.read())).value!.length
      yield* until(() => accepted > before)
      assert.isBelow(accepted, before + 400_000)
      yield* Fiber.interrupt(flood)
      yield* Effect.promise(close)
    }).pipe(bytes))

  live("keeps the boundaries of messages, and closes with the peer's goodbye", () =>
    Effect.gen(function*() {
      const { connect, far } = yield* ends(Transport.Messages)
      const { closed, readable } = yield* ProvidedWebStreams.open(connect)
      const peer = yield* far
      yield* peer.sendAll(["a", "", "b"])
      yield* peer.end
      const received: Array<unknown> = []
      yield* Effect.promise(async () => {
        for await (const message of readable) received.push(message)
      })
      assert.deepStrictEqual(received, ["a", "", "b"])
      yield* peer.abort
      yield* Effect.promise(() => closed)
    }).pipe(messages))

  live("cancelled closes the connection: as done, or as failed if there is a reason", () =>
    Effect.gen(function*() {
      const { connect, far } = yield* ends(Transport.Bytes)
      for (const reason of [undefined, new Error("enough")]) {
        const { closed, readable, writable } = yield* ProvidedWebStreams.open(connect)
        const peer = yield* far
        const writer = writable.getWriter()
        yield* Effect.promise(() => writer.write(new Uint8Array(3)))
        const cancelled = readable.cancel(reason)
        assert.lengthOf(yield* collect(peer), 3)
        yield* peer.end
        yield* Effect.promise(() => cancelled)
        assert.isTrue((yield* Effect.promise(() => closed)).clean)
        assertReason(yield* rejection(writer.closed), "Closed")
      }
    }).pipe(bytes))

  live("fails with what the connection fails with, and so does writable", () =>
    Effect.gen(function*() {
      const { connect, far } = yield* ends(Transport.Bytes)
      const { readable, writable } = yield* ProvidedWebStreams.open(connect)
      const writer = writable.getWriter()
      const reading = readable.getReader().read()
      yield* (yield* far).abort
      assertReason(yield* rejection(reading), "Reset")
      assertReason(yield* rejection(writer.closed), "Reset")
    }).pipe(bytes))
})

describe("writable", () => {
  live("is written as fast as the peer reads", () =>
    Effect.gen(function*() {
      const { connect, far } = yield* ends(Transport.Bytes)
      const { close, readable, writable } = yield* ProvidedWebStreams.open(connect)
      const peer = yield* far
      let written = 0
      const source = new ReadableStream<Uint8Array>({
        pull: (controller) => {
          written += 10_000
          if (written > 2_000_000) controller.close()
          else controller.enqueue(new Uint8Array(10_000))
        }
      }, { highWaterMark: 0 })
      const piping = source.pipeTo(writable)
      for (let turn = 0; turn < 50; turn++) yield* Effect.promise(() => Promise.resolve())
      assert.isBelow(written, 400_000)
      assert.lengthOf(yield* collect(peer), 2_000_000)
      yield* Effect.promise(() => piping)
      yield* peer.end
      yield* Effect.promise(() => new Response(readable as never).arrayBuffer())
      yield* Effect.promise(close)
    }).pipe(bytes))

  live("aborted cuts the connection, also while a write waits", () =>
    Effect.gen(function*() {
      const { connect, far } = yield* ends(Transport.Bytes)
      const { closed, writable } = yield* ProvidedWebStreams.open(connect)
      const peer = yield* far
      const writer = writable.getWriter()
      const writes = Promise.all(Array.from({ length: 50 }, () => writer.write(new Uint8Array(20_000))))
      const failed = yield* Effect.forkChild(rejection(writes), { startImmediately: true })
      yield* Effect.promise(() => writer.abort(new Error("no more")))
      assert.isDefined(yield* Fiber.join(failed))
      assert.isFalse((yield* Effect.promise(() => closed)).clean)
      assert.strictEqual((yield* reasonOf(collect(peer)))._tag, "Reset")
    }).pipe(bytes))

  live("closed where there is no half-close leaves what is received", () =>
    Effect.gen(function*() {
      const { connect, far } = yield* ends(Transport.Messages)
      const open = yield* ProvidedWebStreams.open(connect)
      const peer = yield* far
      const writer = open.writable.getWriter()
      yield* Effect.promise(() => writer.write("question"))
      yield* Effect.promise(() => writer.close())
      assert.deepStrictEqual(yield* peer.pull, ["question"])
      yield* peer.send("answer")
      assert.strictEqual((yield* Effect.promise(() => open.readable.getReader().read())).value, "answer")
      yield* Effect.promise(open.close)
    }).pipe(messages))
})

describe("a handler", () => {
  live("has its connection until its promise is settled", () =>
    Effect.gen(function*() {
      const incidents: Array<string> = []
      const listener = yield* Transport.listen(Transport.Bytes)("memory:handled")
      const handler = ProvidedWebStreams.handler<Uint8Array, Uint8Array>(async ({ readable, writable }) => {
        const reader = readable.getReader()
        const { value } = await reader.read()
        if (value![0] === 0) throw new Error("no zeros")
        await writable.getWriter().write(value!)
      })
      yield* Effect.forkScoped(Effect.exit(listener.run(handler, {
        onIncident: (incident) => Effect.sync(() => void incidents.push(incident._tag))
      })))
      const good = yield* Transport.connect(Transport.Bytes)("memory:handled")
      yield* good.send(Uint8Array.of(1))
      assert.deepStrictEqual(Array.from(yield* collect(good)), [1])
      const bad = yield* Transport.connect(Transport.Bytes)("memory:handled")
      yield* bad.send(Uint8Array.of(0))
      assert.lengthOf(yield* collect(bad), 0)
      yield* Effect.all([good.end, bad.end])
      yield* until(() => incidents.length > 0)
      assert.deepStrictEqual(incidents, ["HandlerFailed"])
    }).pipe(bytes))
})

live("a connect that fails leaves nothing", () =>
  Effect.gen(function*() {
    const error = yield* Effect.flip(ProvidedWebStreams.open(Transport.connect(Transport.Bytes)("memory:nobody")))
    assert.strictEqual(error.reason._tag, "Refused")
  }).pipe(bytes))
