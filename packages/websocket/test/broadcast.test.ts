/** Topics over WebSockets: what is made once for all is what each would have been sent, and who is too slow is told. */
import { assert, describe, it } from "@effect/vitest"
import { NodeZlib } from "@wirestack/node"
import {
  Codec,
  Connection,
  MemoryTransport,
  Policy,
  Prepared,
  Subprotocol,
  Topic,
  Transport
} from "@wirestack/protocol"
import type { Message } from "@wirestack/protocol/Transport"
import { PerMessageDeflate, WebSocket } from "@wirestack/websocket"
import { Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { ExtensionChain } from "../src/extensions/ExtensionChain.ts"
import { WebSocketMachine } from "../src/machines/WebSocketMachine.ts"
import { concat, random, unframe } from "./support.ts"

const prose = "the quick brown fox jumps over the lazy dog, "

/** Messages of all sizes at which something changes, and some others. */
const messages = (seed: number): ReadonlyArray<Message> => {
  const next = random(seed)
  const sizes = [0, 1, 125, 126, 300, 1_023, 1_024, 5_000, 32_767, 32_768, 65_535, 65_536, 70_000]
  return [...sizes, ...sizes.map((size) => Math.floor(next() * size))].map((size) => {
    const text = prose.repeat(size / prose.length + 1).slice(0, size)
    return next() < 0.4
      ? Uint8Array.from({ length: size }, (_, at) => (at * at) >> 3)
      : next() < 0.5
      ? text
      : text.replaceAll("o", "é")
  })
}

interface Kind {
  readonly role: "client" | "server"
  readonly deflate?: PerMessageDeflate.Options
  readonly maxFrameSize?: number
  readonly transforms?: (message: Message) => boolean
}

const noTakeover = { serverNoContextTakeover: true, clientNoContextTakeover: true }
const takeover = { serverNoContextTakeover: false, clientNoContextTakeover: false }

const kinds: Record<string, Kind> = {
  "a server": { role: "server" },
  "a server of small frames": { role: "server", maxFrameSize: 1_000 },
  "a server that compresses": { role: "server", deflate: { ...noTakeover, threshold: 0 } },
  "a server that compresses the large": { role: "server", deflate: { ...noTakeover, threshold: 1_024, level: 1 } },
  "a server with a small window": { role: "server", deflate: { ...noTakeover, serverMaxWindowBits: 9 } },
  "a server that remembers": { role: "server", deflate: { ...takeover, threshold: 0 } },
  "a server that compresses texts": {
    role: "server",
    deflate: noTakeover,
    transforms: (message) => typeof message === "string"
  },
  "a client": { role: "client" },
  "a client that compresses": { role: "client", deflate: { ...noTakeover, threshold: 0 } }
}

/** The extensions of one connection after another. */
const extending = ({ deflate }: Kind) =>
  deflate === undefined ? Effect.succeed(() => undefined) : Effect.map(PerMessageDeflate.make(deflate), (extension) => {
    const { params, session } = extension.answer(extension.offers[0])!
    return () => new ExtensionChain([{ name: extension.name, params, rsv: extension.rsv, session }])
  })

/** A connection of a kind, and what is written to it. */
const connecting = Effect.fnUntraced(
  function*({ maxFrameSize, role, transforms }: Kind, extensions: () => ExtensionChain | undefined) {
    const [near, far] = MemoryTransport.pair<Uint8Array>()
    const written: Array<Uint8Array> = []
    const nothing = () => {}
    far.attach({
      receive: (batch) => void written.push(...batch),
      drained: nothing,
      ended: nothing,
      goodbye: nothing,
      failed: nothing
    })
    far.resume()
    const machine = new WebSocketMachine({ role, maxFrameSize, transforms, extensions: extensions() })
    const bytes = yield* Connection.make<Uint8Array, Uint8Array>(near)
    const connection = yield* Connection.fuse<Uint8Array, Uint8Array, never, Message, Message>(bytes, machine, {
      layer: "websocket"
    })
    yield* Effect.addFinalizer(() => connection.abort)
    return { connection, machine, written }
  }
)

/** The frames without their masks, which are others each time. */
const unmasked = (bytes: Uint8Array) => unframe(bytes).map(({ key: _, ...frame }) => frame)

const turn = Effect.promise(() => new Promise((resume) => setImmediate(resume)))

describe("what is published", () => {
  it.live("is, byte by byte, what would have been sent, on connections of all kinds at once", () =>
    Effect.gen(function*() {
      for (let seed = 1; seed <= 2; seed++) {
        const topic = Topic.make<Message>()
        const said = messages(seed)
        const sides = []
        for (const [name, kind] of Object.entries(kinds)) {
          const make = connecting(kind, yield* extending(kind))
          const alone = yield* make
          const both = [yield* make, yield* make]
          for (const { connection } of both) yield* topic.join(connection)
          sides.push({ name, kind, alone, both })
        }
        for (const message of said) {
          yield* topic.publish(message)
          for (const { alone } of sides) yield* alone.connection.send(message)
          yield* turn
        }
        const machines = sides.flatMap(({ alone, both }) => [alone.machine, ...both.map(({ machine }) => machine)])
        while (topic.counts.messages > 0 || machines.some(({ busy }) => busy)) yield* turn
        yield* turn
        for (const { alone, both, kind, name } of sides) {
          for (const { machine, written } of both) {
            const [sent, published] = [concat(...alone.written), concat(...written)]
            if (kind.role === "client") assert.deepStrictEqual(unmasked(published), unmasked(sent), name)
            else assert.isTrue(Buffer.from(published).equals(sent), `${name}, seed ${seed}`)
            assert.strictEqual(machine.encoded, alone.machine.encoded, name)
            assert.strictEqual(machine.handed, alone.machine.handed, name)
          }
        }
      }
    }).pipe(Effect.scoped, Effect.provide(NodeZlib.layer)))

  it("is not framed in vain where it leaves in several frames", () => {
    for (const payload of ["x".repeat(100_000), new Uint8Array(100_000)]) {
      const message = new Prepared.Prepared(payload)
      assert.isUndefined(new WebSocketMachine({ role: "server", maxFrameSize: 1_000 }).prepare(message))
      assert.strictEqual(message.weight, 100_000)
    }
  })

  it.effect("is encoded once for 1,000 connections, and each owns what it receives", () =>
    Effect.gen(function*() {
      let printed = 0
      const counting = Codec.make({
        format: "counting",
        parse: (message) => JSON.parse(String(message)),
        print: (value) => {
          printed++
          return JSON.stringify(value)
        }
      })
      const machine = counting.machine(Schema.Never, Schema.Struct({ n: Schema.Finite }))
      const topic = Topic.make<{ readonly n: number }>()
      const make = connecting({ role: "server" }, () => undefined)
      const all = yield* Effect.forEach(
        Array.from({ length: 1_000 }),
        () =>
          Effect.gen(function*() {
            const { connection, written } = yield* make
            const top = yield* Connection.fuse(connection, machine(), { layer: "counting" })
            yield* Effect.addFinalizer(() => top.abort)
            yield* topic.join(top)
            return written
          })
      )
      yield* topic.publish({ n: 7 })
      yield* Effect.yieldNow
      assert.strictEqual(printed, 1)
      all[0][0].fill(0)
      assert.isTrue(all.slice(1).every((written) => Buffer.from(written[0]).toString("latin1") === "\x81\x07{\"n\":7}"))
      assert.strictEqual(all.length, 1_000)
    }).pipe(Effect.scoped))
})

class News extends Subprotocol.Service<News>()("news.v1", {
  client: Schema.Never,
  server: Schema.Union([
    Schema.Struct({ n: Schema.Finite, text: Schema.String }),
    Schema.Struct({ gap: Schema.Finite })
  ])
}) {}

type Item = typeof News.server.Type

/** Serves a topic by a policy, until the connections end. */
const serving = Effect.fnUntraced(function*(topic: Topic.Topic<Item>, policy: Policy.Policy<Item>) {
  const listener = yield* News.listen("memory:news")
  yield* Effect.forkScoped(
    listener.run((peer) => Effect.andThen(topic.join(peer, policy), Effect.ignore(peer.pull)), {
      onIncident: () => Effect.void
    })
  )
})

const large = "x".repeat(10_000)

const on = <A, E>(program: Effect.Effect<A, E, any>) =>
  Effect.scoped(program).pipe(
    Effect.provide(MemoryTransport.layer().pipe(WebSocket.over(), News.over(Codec.json())))
  ) as Effect.Effect<A, E>

const settle = Effect.gen(function*() {
  for (let i = 0; i < 50; i++) yield* Effect.yieldNow
})

describe("a client that reads nothing", () => {
  it.effect("is closed with 1013, behind what was sent before", () =>
    on(Effect.gen(function*() {
      const topic = Topic.make<Item>()
      yield* serving(topic, Policy.close({ maxWaiting: 3 }))
      const client = yield* News.connect("memory:news")
      yield* settle
      assert.strictEqual(topic.size, 1)
      let published = 0
      while (topic.size > 0) {
        yield* topic.publish({ n: ++published, text: large })
        yield* settle
      }
      assert.isTrue(published < 50)
      const received: Array<number> = []
      const reading = yield* Effect.forkScoped(
        Effect.ignore(Effect.forever(Effect.map(client.pull, (batch) => {
          for (const item of batch) if ("n" in item) received.push(item.n)
        })))
      )
      yield* Fiber.join(reading)
      const outcome = yield* client.closed
      assert.deepStrictEqual(outcome.received, { code: 1013, reason: "" })
      // The last four were waiting: three that may, and the one too many.
      assert.deepStrictEqual(received, Array.from({ length: published - 4 }, (_, at) => at + 1))
    })))

  it.effect("is told of the gap, and goes on", () =>
    on(Effect.gen(function*() {
      const topic = Topic.make<Item>()
      yield* serving(topic, Policy.dropOldest({ maxWaiting: 3, gap: (gap): Item => ({ gap }) }))
      const client = yield* News.connect("memory:news")
      yield* settle
      for (let n = 1; n <= 60; n++) {
        yield* topic.publish({ n, text: large })
        yield* settle
      }
      let due = 1
      let gaps = 0
      while (due <= 60) {
        for (const item of yield* client.pull) {
          if ("gap" in item) {
            due += item.gap
            gaps++
          } else assert.strictEqual(item.n, due++)
        }
      }
      assert.strictEqual(gaps, 1)
      yield* TestClock.adjust("1 minute")
      yield* topic.publish({ n: 61, text: "" })
      assert.deepStrictEqual([...yield* client.pull], [{ n: 61, text: "" }])
    })))
})

it.live("a message transport is sent it too", () =>
  Effect.gen(function*() {
    const topic = Topic.make<Message>()
    const listener = yield* Transport.listen(Transport.Messages)("memory:plain")
    yield* Effect.forkScoped(
      listener.run((peer) => Effect.andThen(topic.join(peer), Effect.ignore(peer.pull)), {
        onIncident: () => Effect.void
      })
    )
    const [one, two] = yield* Effect.all([
      Transport.connect(Transport.Messages)("memory:plain"),
      Transport.connect(Transport.Messages)("memory:plain")
    ])
    yield* turn
    const bytes = Uint8Array.of(1, 2, 3)
    yield* topic.publish(bytes)
    const [[first], [second]] = [yield* one.pull, yield* two.pull]
    assert.deepStrictEqual([first, second], [bytes, bytes])
    assert.notStrictEqual((first as Uint8Array).buffer, (second as Uint8Array).buffer)
  }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layerMessages())))
