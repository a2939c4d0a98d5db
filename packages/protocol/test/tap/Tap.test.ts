import { assert, describe, it } from "@effect/vitest"
import {
  Codec,
  DataTransferReport,
  EstablishmentReport,
  Event,
  LengthPrefixed,
  MemoryTransport,
  type Protocol,
  Recording,
  type Redact,
  Subprotocol,
  Tap,
  Tlv,
  Transport
} from "@wirestack/protocol"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import { Deferred, Effect, type Layer, Logger, Redacted, References, Schema } from "effect"
import { TestClock } from "effect/testing"
import { utf8 } from "../support/bytes.ts"
import { turns } from "../support/turns.ts"
import { connected } from "./support.ts"

const tapped = (options: Partial<Tap.Options> = {}) => {
  const recording = Recording.make()
  return { recording, over: Tap.over(Transport.Bytes)({ to: [recording.sink], ...options }) }
}

const passed = (events: ReadonlyArray<Event.Event>) => events.flatMap((event) => event._tag === "Passed" ? [event] : [])

/** A transport that is tapped keeps every rule of one that is not. */
describe("bytes under a tap", () => {
  const suite = transportSuite({
    shape: Transport.Bytes,
    layer: () => MemoryTransport.layer().pipe(tapped().over),
    endpoint: () => "memory:here",
    nobody: "memory:nobody",
    samples: Samples.bytes,
    capabilities: { halfClose: true, statuses: "memory carries no reason", abortIsSeen: true }
  })
  for (const { name, run } of suite) it.live(name, () => run)
})

describe("a tap", () => {
  it.effect("shows what passes, when it did, and how it ended", () =>
    Effect.gen(function*() {
      const { over, recording } = tapped({ name: "here" })
      const { client, close, server } = yield* connected(over)
      yield* TestClock.adjust("20 millis")
      yield* client.send(utf8("hello"))
      yield* server.pull
      yield* TestClock.adjust("30 millis")
      yield* server.send(utf8("you"))
      yield* client.pull
      yield* client.send(utf8(" there"))
      yield* server.end
      yield* turns
      yield* close
      const [opened, ...events] = recording.events
      assert.deepInclude(opened, {
        _tag: "Opened",
        name: "here",
        kind: "bytes",
        role: "client",
        layer: "memory",
        since: 0
      })
      const { tap } = opened as Event.Opened
      assert.deepStrictEqual(events.slice(0, 4), [
        { _tag: "Passed", tap, at: 20, way: "sent", payload: { bytes: utf8("hello") }, size: 5, offset: 0 },
        { _tag: "Passed", tap, at: 50, way: "received", payload: { bytes: utf8("you") }, size: 3, offset: 0 },
        { _tag: "Passed", tap, at: 50, way: "sent", payload: { bytes: utf8(" there") }, size: 6, offset: 5 },
        { _tag: "Ended", tap, at: 50, way: "received", how: "announced" }
      ])
      const closed = events.at(-1)!
      assert(closed._tag === "Closed")
      assert.deepStrictEqual(closed.outcome, Event.ending(yield* client.closed))
    }).pipe(Effect.scoped))

  it.effect("is seen in no report, and a connection that no sink wants is not tapped", () =>
    Effect.gen(function*() {
      const plain = yield* connected((stack) => stack as any)
      const { client } = yield* connected(tapped().over)
      const declined: Array<Tap.Subject> = []
      const decline: Tap.Sink = (subject) => void declined.push(subject)
      const other = yield* connected(Tap.over(Transport.Bytes)({ to: [decline] }))
      assert.lengthOf(declined, 1)
      assert.strictEqual(declined[0].connection, other.client as any)
      for (const one of [client, other.client]) {
        assert.deepStrictEqual(
          (yield* DataTransferReport.of(one)).layers,
          (yield* DataTransferReport.of(plain.client)).layers
        )
        assert.deepStrictEqual(EstablishmentReport.of(one), EstablishmentReport.of(plain.client))
      }
    }).pipe(Effect.scoped))

  it.effect("goes on when a sink or a redaction throws when it is asked, and shows nothing unmasked", () =>
    Effect.gen(function*() {
      const broken = (): never => {
        throw new Error("broken")
      }
      const recording = Recording.make()
      const echoes = (over: Protocol.Over<"bytes", never, "bytes", never>) =>
        Effect.gen(function*() {
          const { client, server } = yield* connected(over)
          yield* client.send(utf8("a"))
          assert.strictEqual(Buffer.concat([...yield* server.pull]).toString(), "a")
        })
      yield* echoes(Tap.over(Transport.Bytes)({ to: [broken, recording.sink] }))
      assert.lengthOf(passed(recording.events), 1)
      yield* echoes(Tap.over(Transport.Bytes)({ to: [recording.sink], redact: broken }))
      assert.lengthOf(passed(recording.events), 1)
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([]))))

  it.effect("goes on when a sink or a redaction throws, and tells them nothing more but the end", () =>
    Effect.gen(function*() {
      const logs: Array<unknown> = []
      const logger = Logger.make(({ message }) => void logs.push(message))
      let told = 0
      let ends = 0
      const broken: Tap.Sink = () => ({
        passed: () => {
          told++
          throw new Error("broken")
        },
        ended: () => {},
        closed: () => ends++
      })
      const recording = Recording.make()
      yield* Effect.gen(function*() {
        const { client, server } = yield* connected(Tap.over(Transport.Bytes)({ to: [broken, recording.sink] }))
        yield* client.sendAll([utf8("a"), utf8("b")])
        assert.strictEqual(Buffer.concat([...yield* server.pull]).toString(), "ab")
        assert.strictEqual(told, 1)
        assert.lengthOf(passed(recording.events), 2)
        const failing: Redact.Redact = () => () => {
          throw new Error("can't mask")
        }
        const masked = tapped({ redact: failing })
        const other = yield* connected(masked.over)
        yield* other.client.send(utf8("secret"))
        yield* other.server.pull
        assert.lengthOf(passed(masked.recording.events), 0)
      }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
      assert.lengthOf(logs, 2)
      assert.strictEqual(ends, 1)
    }))

  it.effect("shows messages, records, datagrams and values, what is Redacted in them not", () =>
    Effect.gen(function*() {
      class Login extends Subprotocol.Service<Login>()("login.v1", {
        client: Schema.Struct({ name: Schema.String, password: Schema.Redacted(Schema.String) }),
        server: Schema.Struct({ data: Schema.Uint8Array })
      }) {}
      const recording = Recording.make()
      const to = [recording.sink]
      const echo = <S, M>(shape: Transport.Shape<S, M, M>, message: M, stack: Layer.Layer<any>) =>
        Effect.gen(function*() {
          const listener = yield* Transport.listen(shape)("memory:here")
          yield* Effect.forkScoped(listener.run((peer) => Effect.flatMap(peer.pull, peer.sendAll)))
          const client = yield* Transport.connect(shape)("memory:here")
          yield* client.send(message)
          assert.deepStrictEqual(yield* client.pull, [message])
        }).pipe(Effect.scoped, Effect.provide(stack)) as Effect.Effect<void, unknown>
      yield* echo(
        Transport.Messages,
        "text",
        MemoryTransport.layerMessages().pipe(Tap.over(Transport.Messages)({ to }))
      )
      yield* echo(
        Transport.Records,
        { type: 7, value: utf8("v") },
        MemoryTransport.layer().pipe(Tlv.over(), Tap.over(Transport.Records)({ to }))
      )
      yield* echo(
        Transport.Datagrams,
        utf8("d"),
        MemoryTransport.layerDatagrams().pipe(Tap.over(Transport.Datagrams)({ to }))
      )
      yield* Effect.gen(function*() {
        const listener = yield* Login.listen("memory:here")
        yield* Effect.forkScoped(listener.run((peer) =>
          Effect.flatMap(peer.pull, () => {
            assert.strictEqual(peer.protocol, "login.v1")
            return peer.send({ data: new Uint8Array(9) })
          })
        ))
        const client = yield* Login.connect("memory:here")
        assert.strictEqual(client.protocol, "login.v1")
        yield* client.send({ name: "ada", password: Redacted.make("s3cret") })
        yield* client.pull
      }).pipe(
        Effect.scoped,
        Effect.provide(
          MemoryTransport.layerMessages().pipe(Login.over(Codec.json()), Tap.over(Login)({ name: "top", to }))
        )
      )
      const payloads = passed(recording.events).filter(({ way }) => way === "sent").map(({ payload }) => payload)
      assert.deepInclude(payloads, { text: "text" })
      assert.deepInclude(payloads, { type: 7, bytes: utf8("v") })
      assert.deepInclude(payloads, { bytes: utf8("d") })
      assert.deepInclude(payloads, { json: "{\"name\":\"ada\",\"password\":\"<redacted>\"}" })
      assert.deepInclude(payloads, { json: "{\"data\":\"<9 bytes>\"}" })
      assert.notInclude(Recording.format(recording.events.filter(({ _tag }) => _tag === "Passed")), "s3cret")
    }))

  it.effect("names the connection alike at each place, and is put on one in hand", () =>
    Effect.gen(function*() {
      const recording = Recording.make()
      const to = [recording.sink]
      const stack = MemoryTransport.layer().pipe(
        Tap.over(Transport.Bytes)({ name: "below", to }),
        LengthPrefixed.over(),
        Tap.over(Transport.Messages)({ name: "above", to })
      )
      yield* Effect.gen(function*() {
        const listener = yield* Transport.listen(Transport.Messages)("memory:here")
        const heard = yield* Deferred.make<string>()
        yield* Effect.forkScoped(listener.run((peer) =>
          Effect.gen(function*() {
            const own = yield* Tap.on(Transport.Messages, { name: "own", to })(peer, {
              endpoint: "here",
              role: "server"
            })
            assert.strictEqual(Tap.connectionOf(own), Tap.connectionOf(peer))
            yield* Deferred.succeed(heard, String((yield* own.pull)[0]))
          })
        ))
        const client = yield* Transport.connect(Transport.Messages)("memory:here")
        yield* client.send("hi")
        yield* Deferred.await(heard)
      }).pipe(Effect.scoped, Effect.provide(stack))
      const opened = recording.events.flatMap((event) => event._tag === "Opened" ? [event] : [])
      const ids = (role: string) => new Set(opened.filter((event) => event.role === role).map(({ id }) => id))
      assert.deepStrictEqual(opened.map(({ name }) => name).sort(), ["above", "above", "below", "below", "own"])
      assert.strictEqual(ids("client").size, 1)
      assert.strictEqual(ids("server").size, 1)
      const [server] = ids("server")
      const own = Recording.connection(recording.events, server)
      assert.deepStrictEqual(passed(own).map(({ payload, way }) => [way, "text" in payload ? payload.text : "bytes"]), [
        ["received", "bytes"],
        ["received", "bytes"],
        ["received", "bytes"]
      ])
    }))

  it.effect("is logged: text, bytes in hex, how much more there is, and the end", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
      yield* Effect.gen(function*() {
        const { client, close, server } = yield* connected(
          Tap.over(Transport.Bytes)({ name: "tap", to: [Tap.log({ keep: 4 })] })
        )
        yield* client.send(utf8("text and more"))
        yield* server.pull
        yield* client.send(Uint8Array.of(1, 2))
        yield* server.pull
        yield* close
      }).pipe(
        Effect.scoped,
        Effect.provide(Logger.layer([logger])),
        Effect.provideService(References.MinimumLogLevel, "Debug")
      )
      const id = /#(\d+)/.exec(lines[0])![1]
      assert.deepStrictEqual(lines.map((line) => line.replace(`#${id}`, "#")), [
        "Debug tap #, 0.0 ms: client memory:here",
        "Debug tap #, 0.0 ms: sent 13\ntext\n(9 more)",
        `Debug tap #, 0.0 ms: sent 2\n0000  01 02${" ".repeat(42)}  ..`,
        "Debug tap #, 0.0 ms: received ended, announced",
        "Debug tap #, 0.0 ms: closed, local first"
      ])
    }))

  it.effect("leaves what is lent to the layer above, which may write to it", () =>
    Effect.gen(function*() {
      const { over, recording } = tapped()
      const { client, server } = yield* connected(over)
      const chunk = utf8("abc")
      yield* server.send(chunk)
      const [received] = yield* client.pull
      received.fill(0)
      assert.deepStrictEqual(passed(recording.events)[0].payload, { bytes: utf8("abc") })
    }).pipe(Effect.scoped))
})
