import { assert, describe, it } from "@effect/vitest"
import { detail } from "@wirestack/protocol/Connection"
import { reasonOf } from "@wirestack/test-support"
import { WebSocket } from "@wirestack/websocket"
import { Deferred, Duration, Effect, Exit, Fiber, Option, Stream } from "effect"
import { TestClock } from "effect/testing"
import { concat, frame, hex, text, toHex, utf8 } from "../support.ts"
import { bytes, collecting, ending, failure, on, pair, serve, serverOfBytes, settle, upgradedBytes } from "./support.ts"

describe("ping", () => {
  it.effect("gives the time until its pong", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        const client = yield* upgradedBytes
        const { ping } = detail(yield* server.next, WebSocket.WebSocket)
        const pinging = yield* Effect.forkChild(ping, { startImmediately: true })
        const sent = yield* bytes(client, 3)
        assert.strictEqual(sent[0], 0x89)
        yield* TestClock.adjust("25 millis")
        yield* client.send(frame(10, "not this", { mask: true }))
        yield* client.send(frame(10, sent.subarray(2), { mask: true }))
        assert.strictEqual(Duration.toMillis(yield* Fiber.join(pinging)), 25)
      })
    ))

  it.effect("is answered by our other side, from either", () =>
    on(
      {},
      Effect.gen(function*() {
        for (const connection of yield* pair) {
          const { ping } = detail(connection, WebSocket.WebSocket)
          const times = yield* Effect.all([ping, ping, ping], { concurrency: "unbounded" })
          for (const time of times) assert.isTrue(Duration.isDuration(time))
        }
      })
    ))

  it.effect("fails when the connection closes meanwhile, and afterwards", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        const client = yield* upgradedBytes
        const connection = yield* server.next
        const { ping } = detail(connection, WebSocket.WebSocket)
        const pinging = yield* Effect.forkChild(reasonOf(ping), { startImmediately: true })
        yield* bytes(client, 3)
        yield* client.send(frame(8, hex("03e8"), { mask: true }))
        yield* client.end
        assert.strictEqual((yield* ending(connection)).received?.code, 1000)
        assert.strictEqual((yield* Fiber.join(pinging))._tag, "Closed")
        assert.strictEqual((yield* reasonOf(ping))._tag, "Closed")
      })
    ))

  it.effect("fails when the connection is cut meanwhile", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        const client = yield* upgradedBytes
        const connection = yield* server.next
        const pinging = yield* Effect.forkChild(reasonOf(detail(connection, WebSocket.WebSocket).ping))
        yield* bytes(client, 3)
        yield* client.abort
        assert.strictEqual((yield* failure(connection)).reason._tag, "Reset")
        assert.strictEqual((yield* Fiber.join(pinging))._tag, "Closed")
      })
    ))

  it.effect("fails while our own side is closing", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        const client = yield* upgradedBytes
        const { close, ping } = detail(yield* server.next, WebSocket.WebSocket)
        const closing = yield* Effect.forkChild(close(1000), { startImmediately: true })
        assert.strictEqual(toHex(yield* bytes(client, 4)), "880203e8")
        assert.strictEqual((yield* reasonOf(ping))._tag, "Closed")
        yield* client.send(frame(8, hex("03e8"), { mask: true }))
        yield* client.end
        assert.isTrue((yield* Fiber.join(closing)).clean)
      })
    ))
})

/** The payloads of unmasked frames of this opcode. */
const payloads = (bytes: Uint8Array, opcode: number): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (let at = 0; at < bytes.length; at += 2 + bytes[at + 1]) {
    if (bytes[at] === (0x80 | opcode)) found.push(text(bytes.subarray(at + 2, at + 2 + bytes[at + 1])))
  }
  return found
}

const pong = (payload: string) => frame(10, payload, { mask: true })

/** A client that does not read, and a server whose output is full. */
const congested = Effect.gen(function*() {
  const [connection, client] = yield* serverOfBytes
  yield* Effect.forkScoped(Effect.ignore(Effect.forever(connection.send(new Uint8Array(60_000)))), {
    startImmediately: true
  })
  yield* settle
  return [detail(connection, WebSocket.WebSocket), client, connection] as const
})

describe("several pings", () => {
  it.effect("RFC 6455 5.5.3: a pong answers those before its own as well", () =>
    on(
      {},
      Effect.gen(function*() {
        const [connection, client] = yield* serverOfBytes
        const { ping } = detail(connection, WebSocket.WebSocket)
        const pinging = []
        for (let i = 0; i < 3; i++) {
          pinging.push(yield* Effect.forkChild(ping, { startImmediately: true }))
          yield* TestClock.adjust("10 millis")
        }
        const [, second] = payloads(yield* bytes(client, 9), 9)
        yield* client.send(pong(second))
        assert.strictEqual(Duration.toMillis(yield* Fiber.join(pinging[0])), 30)
        assert.strictEqual(Duration.toMillis(yield* Fiber.join(pinging[1])), 20)
        yield* settle
        assert.isUndefined(pinging[2].pollUnsafe())
        yield* Fiber.interrupt(pinging[2])
      })
    ))

  it.effect("are at most 16, whoever sends them", () =>
    on(
      {},
      Effect.gen(function*() {
        const [connection, client] = yield* serverOfBytes
        const taken = yield* collecting(client)
        const { ping } = detail(connection, WebSocket.WebSocket)
        const pinging = []
        for (let i = 0; i < 16; i++) pinging.push(yield* Effect.forkChild(ping, { startImmediately: true }))
        assert.deepInclude(yield* reasonOf(ping), { _tag: "TooLarge", size: 17, limit: 16 })
        yield* settle
        const sent = payloads(taken(), 9)
        assert.lengthOf(sent, 16)
        yield* client.send(pong(sent[7]))
        yield* Effect.forEach(pinging.slice(0, 8), Fiber.join)
        for (let i = 0; i < 8; i++) pinging.push(yield* Effect.forkChild(ping, { startImmediately: true }))
        assert.strictEqual((yield* reasonOf(ping))._tag, "TooLarge")
        for (const fiber of pinging.slice(8)) yield* Fiber.interrupt(fiber)
        yield* settle
        assert.lengthOf(payloads(taken(), 9), 8)
        const last = yield* Effect.forkChild(ping, { startImmediately: true })
        yield* settle
        yield* client.send(pong(payloads(taken(), 9)[0]))
        yield* Fiber.join(last)
      })
    ))

  it.effect("are not confused by the answer to one that was interrupted, nor by strange ones", () =>
    on(
      {},
      Effect.gen(function*() {
        const [connection, client] = yield* serverOfBytes
        const taken = yield* collecting(client)
        const { ping } = detail(connection, WebSocket.WebSocket)
        const first = yield* Effect.forkChild(ping, { startImmediately: true })
        yield* settle
        yield* Fiber.interrupt(first)
        const second = yield* Effect.forkChild(ping, { startImmediately: true })
        yield* settle
        const [one, two] = payloads(taken(), 9)
        for (const strange of [one, "", "0", "-1", "NaN", "Infinity", "9".repeat(100), "\ufffd", one]) {
          yield* client.send(pong(strange))
        }
        yield* client.send(frame(10, hex("ff"), { mask: true }))
        yield* settle
        assert.isUndefined(second.pollUnsafe())
        yield* client.send(pong(two))
        yield* Fiber.join(second)
      })
    ))

  it.effect("of the heartbeat take nobody's place", () =>
    on(
      { server: { heartbeat: { misses: 100 } } },
      Effect.gen(function*() {
        const [connection, client] = yield* serverOfBytes
        const taken = yield* collecting(client)
        const { ping } = detail(connection, WebSocket.WebSocket)
        const first = yield* Effect.forkChild(ping, { startImmediately: true })
        for (let i = 0; i < 40; i++) yield* TestClock.adjust("5 seconds")
        const sent = payloads(taken(), 9)
        assert.isAbove(sent.length, 32)
        const second = yield* Effect.forkChild(ping, { startImmediately: true })
        yield* settle
        assert.isUndefined(first.pollUnsafe())
        assert.isUndefined(second.pollUnsafe())
        yield* client.send(pong(payloads(taken(), 9)[0]))
        assert.strictEqual(Duration.toSeconds(yield* Fiber.join(first)), 200)
        assert.strictEqual(Duration.toSeconds(yield* Fiber.join(second)), 0)
      })
    ))

  it.effect("and pongs wait for a peer that does not read, at most 16", () =>
    on(
      {},
      Effect.gen(function*() {
        const [{ ping, pong }, client, connection] = yield* congested
        const waiting = []
        for (let i = 0; i < 40; i++) {
          const pinging = yield* Effect.forkChild(Effect.exit(ping), { startImmediately: true })
          if (i < 8) waiting.push(pinging)
          else yield* Fiber.interrupt(pinging)
        }
        assert.deepInclude(yield* reasonOf(ping), { _tag: "TooLarge", size: 17, limit: 16 })
        assert.deepInclude(yield* reasonOf(pong()), { _tag: "TooLarge", size: 17, limit: 16 })
        yield* client.abort
        assert.strictEqual((yield* failure(connection)).reason._tag, "Reset")
        for (const fiber of waiting) assert.isTrue(Exit.isFailure(yield* Fiber.join(fiber)))
      })
    ))
})

describe("answering by hand", () => {
  it.effect("tells the pings, and sends the pongs one asks for", () =>
    on(
      { server: { answersPings: false } },
      Effect.gen(function*() {
        const [connection, client] = yield* serverOfBytes
        const taken = yield* collecting(client)
        const { pings, pong } = detail(connection, WebSocket.WebSocket)
        const asked: Array<string> = []
        const listening = yield* Effect.forkChild(
          Stream.runForEach(pings, (payload) => Effect.sync(() => asked.push(text(payload)))),
          { startImmediately: true }
        )
        yield* client.send(concat(frame(9, "one", { mask: true }), frame(9, "two", { mask: true })))
        yield* settle
        assert.deepStrictEqual(asked, ["one", "two"])
        assert.strictEqual(taken().length, 0)
        yield* pong(utf8("two"))
        yield* pong()
        yield* settle
        assert.deepStrictEqual(payloads(taken(), 10), ["two", ""])
        yield* client.send(frame(8, hex("03e8"), { mask: true }))
        yield* client.end
        yield* Fiber.join(listening)
        assert.strictEqual((yield* reasonOf(pong()))._tag, "Closed")
      })
    ))

  it.effect("keeps the latest 16 for a slow listener", () =>
    on(
      { server: { answersPings: false } },
      Effect.gen(function*() {
        const [connection, client] = yield* serverOfBytes
        const { pings } = detail(connection, WebSocket.WebSocket)
        const begun = yield* Deferred.make<void>()
        const asked: Array<string> = []
        yield* Effect.forkScoped(
          Stream.runForEach(pings, (payload) => {
            asked.push(text(payload))
            return Deferred.await(begun)
          }),
          { startImmediately: true }
        )
        yield* client.send(frame(9, "first", { mask: true }))
        yield* settle
        for (let i = 0; i < 900; i++) yield* client.send(frame(9, `${i}`, { mask: true }))
        yield* settle
        yield* Deferred.succeed(begun, undefined)
        yield* settle
        assert.strictEqual(asked[0], "first")
        assert.isAtMost(asked.length, 33)
        assert.strictEqual(asked.at(-1), "899")
      })
    ))

  it.effect("tells the pings also when they are answered by themselves", () =>
    on(
      {},
      Effect.gen(function*() {
        const [connection, client] = yield* serverOfBytes
        const { pings } = detail(connection, WebSocket.WebSocket)
        const first = yield* Effect.forkChild(Stream.runHead(pings), { startImmediately: true })
        yield* client.send(frame(9, "told", { mask: true }))
        assert.deepStrictEqual(payloads(yield* bytes(client, 6), 10), ["told"])
        const told = yield* Fiber.join(first)
        assert.strictEqual(Option.match(told, { onNone: () => "", onSome: text }), "told")
      })
    ))

  it.effect("RFC 6455 5.5: a pong has at most 125 bytes", () =>
    on(
      {},
      Effect.gen(function*() {
        const [connection, client] = yield* serverOfBytes
        const { pong } = detail(connection, WebSocket.WebSocket)
        const error = yield* Effect.flip(pong(new Uint8Array(126)))
        assert.strictEqual(error.layer, "websocket")
        assert.strictEqual(error.reason._tag, "Unencodable")
        yield* pong(new Uint8Array(125))
        assert.strictEqual(toHex((yield* bytes(client, 127)).subarray(0, 3)), "8a7d00")
      })
    ))
})

describe("a flood of pings", () => {
  const flood = (from: number, to: number) =>
    concat(...Array.from({ length: to - from }, (_, i) => frame(9, `${from + i}`, { mask: true })))

  const ping = frame(9, "?", { mask: true })
  const pong = frame(10, "!", { mask: true })
  const times = (count: number, bytes: Uint8Array) => concat(...Array.from({ length: count }, () => bytes))

  it.effect("is over after those of one second, by default 1,000, with 1008", () =>
    on(
      {},
      Effect.gen(function*() {
        const [connection, client] = yield* serverOfBytes
        yield* collecting(client)
        yield* client.send(times(1_000, ping))
        yield* settle
        yield* connection.send("still here")
        yield* client.send(ping)
        const { reason } = yield* failure(connection)
        assert(reason._tag === "RateExceeded", reason._tag)
        assert.deepInclude(reason, { what: "control frames", limit: 1_000 })
        yield* client.end
        assert.strictEqual((yield* connection.closed).sent?.code, 1008)
      })
    ))

  it.effect("counts pongs too, and fills up with the time", () =>
    on(
      { server: { maxControlsPerSecond: 4, heartbeat: "off" } },
      Effect.gen(function*() {
        const [connection, client] = yield* serverOfBytes
        yield* collecting(client)
        yield* client.send(concat(times(2, ping), times(2, pong)))
        yield* settle
        yield* TestClock.adjust("500 millis")
        yield* client.send(concat(times(2, pong), frame(1, "in time", { mask: true })))
        assert.deepStrictEqual(yield* connection.pull, ["in time"])
        yield* client.send(pong)
        assert.strictEqual((yield* failure(connection)).reason._tag, "RateExceeded")
      })
    ))

  it.effect("RFC 6455 5.5.3: in one read is answered with the latest of them, and a few more", () =>
    on(
      { server: { maxControlsPerSecond: Infinity } },
      Effect.gen(function*() {
        const [connection, client] = yield* serverOfBytes
        const taken = yield* collecting(client)
        yield* client.send(flood(0, 10_000))
        yield* settle
        const answers = payloads(taken(), 10)
        assert.isAtMost(answers.length, 64)
        assert.strictEqual(answers[0], "0")
        assert.strictEqual(answers.at(-1), "9999")
        yield* connection.send("still here")
        yield* settle
        assert.deepStrictEqual(payloads(taken(), 1), ["still here"])
      })
    ))

  it.effect("in many reads is answered as it comes", () =>
    on(
      { server: { maxControlsPerSecond: Infinity } },
      Effect.gen(function*() {
        const [, client] = yield* serverOfBytes
        const taken = yield* collecting(client)
        for (let i = 0; i < 10_000; i += 10) {
          yield* client.send(flood(i, i + 10))
          yield* settle
        }
        const answers = payloads(taken(), 10)
        assert.lengthOf(answers, 10_000)
        assert.strictEqual(answers.at(-1), "9999")
      })
    ))

  it.effect("from a peer that does not read is bounded, and the latest is answered when it reads", () =>
    on(
      { server: { maxControlsPerSecond: Infinity } },
      Effect.gen(function*() {
        const [, client] = yield* serverOfBytes
        // Enough for the pongs to fill all there is between the two, and then wait in the machine.
        const padding = "x".repeat(110)
        const many = concat(
          ...Array.from({ length: 500 }, (_, i) => frame(9, `${padding}${i}`, { mask: true }))
        )
        for (let i = 0; i < 20; i++) {
          yield* client.send(many)
          yield* settle
        }
        yield* client.send(frame(9, "the last", { mask: true }))
        yield* settle
        const taken = yield* collecting(client)
        yield* settle
        const answers = payloads(taken(), 10)
        assert.isBelow(answers.length, 2_000)
        assert.strictEqual(answers.at(-1), "the last")
      })
    ))
})
