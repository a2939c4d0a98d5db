/** How much may come, at once and in a time, and how large messages leave. */
import { assert, describe, it } from "@effect/vitest"
import type { Transport } from "@wirestack/protocol"
import { detail } from "@wirestack/protocol/Connection"
import { WebSocket } from "@wirestack/websocket"
import { Cause, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { concat, frame, hex, text, utf8 } from "../support.ts"
import {
  all,
  bytes,
  clientOfBytes,
  collecting,
  type Messages,
  on,
  type Options,
  pair,
  serverOfBytes,
  settle
} from "./support.ts"

const masked = (payload: Uint8Array | string, options: { readonly fin?: boolean; readonly opcode?: number } = {}) =>
  frame(options.opcode ?? (typeof payload === "string" ? 1 : 2), payload, { mask: true, fin: options.fin ?? true })

/** What is pulled until the connection fails, and how it does. */
const untilFailure = (connection: Messages) =>
  Effect.gen(function*() {
    const received: Array<Transport.Message> = []
    const error = yield* Effect.flip(
      Effect.forever(Effect.map(connection.pull, (batch) => received.push(...batch)))
    )
    assert(!Cause.isDone(error), "the input ended in order")
    return { received, reason: error.reason }
  })

/** Code and reason of the Close frame at the end of these bytes. */
const goodbye = (bytes: Uint8Array) => {
  const at = bytes.lastIndexOf(0x88)
  return { code: bytes[at + 2] << 8 | bytes[at + 3], reason: text(bytes.subarray(at + 4)) }
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}`)

describe("messages a second", () => {
  it.effect("RFC 6455 7.4.1: more are 1008, behind those that came before", () =>
    on(
      { server: { maxMessagesPerSecond: 10 } },
      Effect.gen(function*() {
        const [server, client] = yield* serverOfBytes
        yield* client.send(concat(...numbers(12).map((n) => masked(n))))
        const { reason, received } = yield* untilFailure(server)
        assert.deepStrictEqual(received, numbers(10))
        assert(reason._tag === "RateExceeded", reason._tag)
        assert.deepInclude(reason, { what: "messages", limit: 10 })
        assert.deepStrictEqual(goodbye(yield* all(client)), { code: 1008, reason: "more than 10 messages a second" })
        yield* client.end
        const outcome = yield* server.closed
        assert.strictEqual(outcome.sent?.code, 1008)
        assert.strictEqual(outcome.error?.reason._tag, "RateExceeded")
      })
    ))

  it.effect("refill with the time, up to those of one second", () =>
    on(
      { server: { maxMessagesPerSecond: 10, heartbeat: "off" } },
      Effect.gen(function*() {
        const [server, client] = yield* serverOfBytes
        const burst = (count: number) =>
          Effect.gen(function*() {
            yield* client.send(concat(...numbers(count).map((n) => masked(n))))
            let left = count
            while (left > 0) left -= (yield* server.pull).length
          })
        yield* burst(10)
        yield* TestClock.adjust("500 millis")
        yield* burst(5)
        yield* TestClock.adjust("100 millis")
        yield* burst(1)
        yield* TestClock.adjust("1 second")
        yield* burst(10)
        for (let i = 0; i < 50; i++) {
          yield* TestClock.adjust("200 millis")
          yield* burst(2)
        }
        yield* TestClock.adjust("1 hour")
        yield* burst(5)
        yield* client.send(concat(...numbers(6).map((n) => masked(n))))
        assert.lengthOf((yield* untilFailure(server)).received, 5)
      })
    ))

  it.effect("are never more at once than those of one second", () =>
    on(
      { server: { maxMessagesPerSecond: 10, maxBytesPerSecond: 1_000 } },
      Effect.gen(function*() {
        const [server, client] = yield* serverOfBytes
        yield* client.send(concat(...numbers(5).map((n) => masked(n))))
        assert.lengthOf(yield* server.pull, 5)
        yield* TestClock.adjust("1 second")
        yield* client.send(concat(...numbers(11).map((n) => masked(n))))
        assert.lengthOf((yield* untilFailure(server)).received, 10)
      })
    ))

  it.effect("are counted when they are complete, and pings are none", () =>
    on(
      { server: { maxMessagesPerSecond: 2 } },
      Effect.gen(function*() {
        const [server, client] = yield* serverOfBytes
        const ping = masked("?", { opcode: 9 })
        yield* client.send(
          concat(masked("a", { fin: false }), ...numbers(50).map(() => masked("b", { fin: false, opcode: 0 })))
        )
        yield* client.send(concat(...numbers(30).map(() => ping), masked("c", { opcode: 0 }), masked("d")))
        const received: Array<Transport.Message> = []
        while (received.length < 2) received.push(...yield* server.pull)
        assert.deepStrictEqual(received, [`a${"b".repeat(50)}c`, "d"])
        yield* client.send(masked("e"))
        assert.deepInclude((yield* untilFailure(server)).reason, { _tag: "RateExceeded" })
      })
    ))

  it.effect("bound what a server sends, too", () =>
    on(
      { client: { maxMessagesPerSecond: 1 } },
      Effect.gen(function*() {
        const [client, server] = yield* clientOfBytes
        yield* server.send(concat(frame(1, "one"), frame(1, "two")))
        const { reason, received } = yield* untilFailure(client)
        assert.deepStrictEqual(received, ["one"])
        assert.strictEqual(reason._tag, "RateExceeded")
      })
    ))
})

describe("bytes a second", () => {
  it.effect("more are 1008, behind what came before", () =>
    on(
      { server: { maxBytesPerSecond: 1_000 } },
      Effect.gen(function*() {
        const [server, client] = yield* serverOfBytes
        const message = masked(new Uint8Array(100))
        yield* client.send(concat(...numbers(12).map(() => message)))
        const { reason, received } = yield* untilFailure(server)
        assert.lengthOf(received, 10)
        assert.deepInclude(reason, { _tag: "RateExceeded", what: "bytes", limit: 1_000 })
        assert.deepStrictEqual(goodbye(yield* all(client)), { code: 1008, reason: "more than 1000 bytes a second" })
      })
    ))

  it.effect("may be overdrawn by one message, which then has to be waited for", () =>
    on(
      { server: { maxBytesPerSecond: 1_000 } },
      Effect.gen(function*() {
        const [server, client] = yield* serverOfBytes
        yield* client.send(masked(new Uint8Array(3_000)))
        assert.lengthOf(yield* server.pull, 1)
        yield* TestClock.adjust("2100 millis")
        yield* client.send(masked(new Uint8Array(100)))
        assert.lengthOf(yield* server.pull, 1)
        yield* client.send(masked(new Uint8Array(1)))
        assert.strictEqual((yield* untilFailure(server)).reason._tag, "RateExceeded")
      })
    ))

  it.effect("are those of the messages, not of the frames around them", () =>
    on(
      { server: { maxBytesPerSecond: 10 } },
      Effect.gen(function*() {
        const [server, client] = yield* serverOfBytes
        yield* client.send(concat(masked("12345"), masked("12345"), masked("", { opcode: 9 })))
        assert.lengthOf(yield* server.pull, 2)
        yield* client.send(masked("1"))
        assert.strictEqual((yield* untilFailure(server)).reason._tag, "RateExceeded")
      })
    ))
})

describe("size and fragments", () => {
  const tooLarge = (options: Options, sent: ReadonlyArray<Uint8Array>) =>
    on(
      options,
      Effect.gen(function*() {
        const [server, client] = yield* serverOfBytes
        yield* client.send(concat(masked("before"), ...sent))
        const { reason, received } = yield* untilFailure(server)
        assert.deepStrictEqual(received, ["before"])
        assert(reason._tag === "TooLarge", reason._tag)
        assert.strictEqual(goodbye(yield* all(client)).code, 1009)
        return reason.limit
      })
    )

  it.effect("RFC 6455 10.4: a message of more than 1 MiB is 1009, as soon as its head says so", () =>
    Effect.gen(function*() {
      const head = masked(new Uint8Array(1_048_577)).slice(0, 14)
      assert.strictEqual(yield* tooLarge({}, [head]), 1_048_576)
      const half = masked(new Uint8Array(600_000), { fin: false })
      const other = masked(new Uint8Array(600_000), { opcode: 0 }).slice(0, 14)
      assert.strictEqual(yield* tooLarge({}, [half, other]), 1_048_576)
    }))

  it.effect("RFC 6455 10.4: a message of more fragments than allowed is 1009", () =>
    Effect.gen(function*() {
      const parts = [masked("a", { fin: false }), masked("b", { fin: false, opcode: 0 }), masked("c", { opcode: 0 })]
      assert.strictEqual(yield* tooLarge({ server: { maxFragments: 2 } }, parts), 2)
      yield* on(
        { server: { maxFragments: 3 } },
        Effect.gen(function*() {
          const [server, client] = yield* serverOfBytes
          yield* client.send(concat(...parts, ...parts))
          assert.deepStrictEqual([...yield* server.pull], ["abc", "abc"])
        })
      )
    }))

  it.effect("of exactly the limit are fine", () =>
    on(
      { server: { maxMessageSize: 100_000 } },
      Effect.gen(function*() {
        const [client, server] = yield* pair
        yield* client.send(new Uint8Array(100_000))
        const [message] = yield* server.pull
        assert.strictEqual(message.length, 100_000)
        yield* client.send(new Uint8Array(100_001))
        assert.strictEqual((yield* untilFailure(server)).reason._tag, "TooLarge")
      })
    ))
})

/** Opcode, end and size of each frame in these bytes of a server. */
const framesOf = (bytes: Uint8Array) => {
  const found: Array<{ readonly opcode: number; readonly fin: boolean; readonly size: number }> = []
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  for (let at = 0; at < bytes.length;) {
    const short = bytes[at + 1] & 0x7f
    const size = short < 126 ? short : short === 126 ? view.getUint16(at + 2) : Number(view.getBigUint64(at + 2))
    found.push({ opcode: bytes[at] & 0x0f, fin: bytes[at] >> 7 === 1, size })
    at += 2 + (short < 126 ? 0 : short === 126 ? 2 : 8) + size
  }
  return found
}

describe("frames", () => {
  it.effect("RFC 6455 5.4: a message larger than a frame leaves in several", () =>
    on(
      { server: { maxFrameSize: 1_000 } },
      Effect.gen(function*() {
        const [server, client] = yield* serverOfBytes
        const taken = yield* collecting(client)
        yield* server.send(new Uint8Array(2_500))
        yield* server.send("x".repeat(1_000))
        yield* server.send("y".repeat(1_001))
        yield* server.send("")
        yield* settle
        assert.deepStrictEqual(framesOf(taken()), [
          { opcode: 2, fin: false, size: 1_000 },
          { opcode: 0, fin: false, size: 1_000 },
          { opcode: 0, fin: true, size: 500 },
          { opcode: 1, fin: true, size: 1_000 },
          { opcode: 1, fin: false, size: 1_000 },
          { opcode: 0, fin: true, size: 1 },
          { opcode: 1, fin: true, size: 0 }
        ])
      })
    ))

  it.effect("are put together again on the other side, in both directions", () =>
    on(
      { client: { maxFrameSize: 7 }, server: { maxFrameSize: 1 } },
      Effect.gen(function*() {
        const [client, server] = yield* pair
        const message = "Größenwahnsinnig 🦄".repeat(100)
        for (const [from, to] of [[client, server], [server, client]] as const) {
          yield* from.sendAll([message, utf8(message), "", message])
          const received: Array<Transport.Message> = []
          while (received.length < 4) received.push(...yield* to.pull)
          assert.deepStrictEqual(received, [message, utf8(message), "", message])
        }
      })
    ))

  it.effect("RFC 6455 5.4: a pong goes between two of a large message", () =>
    on(
      { server: { maxFrameSize: 65_536 } },
      Effect.gen(function*() {
        const [server, client] = yield* serverOfBytes
        const size = 10 * 1_048_576
        yield* server.send(new Uint8Array(size))
        const second = yield* Effect.forkChild(server.send("behind"), { startImmediately: true })
        yield* settle
        assert.isUndefined(second.pollUnsafe())
        yield* client.send(masked("now", { opcode: 9 }))
        yield* settle
        const taken = yield* collecting(client)
        yield* settle
        yield* Fiber.join(second)
        yield* settle
        const frames = framesOf(taken())
        const at = frames.findIndex(({ opcode }) => opcode === 10)
        assert.isAbove(at, 0)
        assert.isBelow(at, 20, "frames before the pong")
        assert.isAbove(frames.length, 160)
        const last = frames.pop()
        assert.deepStrictEqual(last, { opcode: 1, fin: true, size: 6 })
        const data = frames.filter(({ opcode }) => opcode !== 10)
        assert.strictEqual(data.reduce((all, { size }) => all + size, 0), size)
        assert.isTrue(data.slice(0, -1).every(({ fin }) => !fin))
        assert.isTrue(data.at(-1)!.fin)
      })
    ))

  it.effect("a ping of ours does so as well, and is answered meanwhile", () =>
    on(
      { client: { maxMessageSize: 10 * 1_048_576 } },
      Effect.gen(function*() {
        const [client, server] = yield* pair
        yield* server.send(new Uint8Array(10 * 1_048_576))
        const pinging = yield* Effect.forkChild(detail(server, WebSocket.WebSocket).ping, { startImmediately: true })
        yield* Fiber.join(pinging)
        const [message] = yield* client.pull
        assert.strictEqual(message.length, 10 * 1_048_576)
      })
    ))

  it.effect("what a large message had not sent when the peer left is unsent", () =>
    on(
      {},
      Effect.gen(function*() {
        const [server, client] = yield* serverOfBytes
        yield* server.send(new Uint8Array(4 * 1_048_576))
        yield* settle
        yield* client.abort
        assert.strictEqual((yield* untilFailure(server)).reason._tag, "Reset")
        const { clean, unsent } = yield* server.closed
        assert.isFalse(clean)
        assert.strictEqual(unsent.messages, 1)
        assert.isAbove(unsent.bytes, 1_048_576)
        assert.isBelow(unsent.bytes, 4 * 1_048_576)
      })
    ))

  it.effect("our Close goes behind them", () =>
    on(
      { server: { maxFrameSize: 65_536 } },
      Effect.gen(function*() {
        const [server, client] = yield* serverOfBytes
        yield* server.send(new Uint8Array(1_048_576))
        const closing = yield* Effect.forkChild(detail(server, WebSocket.WebSocket).close(1000), {
          startImmediately: true
        })
        yield* settle
        const frames = framesOf(yield* bytes(client, 1_048_576 + 16 * 10 + 4))
        assert.strictEqual(frames.pop()?.opcode, 8)
        assert.strictEqual(frames.reduce((all, { size }) => all + size, 0), 1_048_576)
        yield* client.send(masked(hex("03e8"), { opcode: 8 }))
        yield* client.end
        assert.isTrue((yield* Fiber.join(closing)).clean)
      })
    ))
})
