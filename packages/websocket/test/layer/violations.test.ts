import { assert, describe, it } from "@effect/vitest"
import { Transport } from "@wirestack/protocol"
import * as Connection from "@wirestack/protocol/Connection"
import { WebSocket } from "@wirestack/websocket"
import { Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { closeBody, concat, frame, hex, toHex, unframe } from "../support.ts"
import {
  all,
  answer,
  bytes,
  connect,
  ending,
  failure,
  head,
  here,
  on,
  type Options,
  pair,
  serve,
  serveBytes,
  upgradedBytes
} from "./support.ts"

/** Our client, let in by a server of bytes. */
const upgradedByBytes = Effect.gen(function*() {
  const server = yield* serveBytes
  const connecting = yield* Effect.forkChild(connect())
  const connection = yield* server.next
  yield* connection.send(answer(yield* head(connection)))
  return [yield* Fiber.join(connecting), connection] as const
})

describe("what a peer does wrong", () => {
  it.effect("a message over the limit is 1009 to the peer, and TooLarge here", () =>
    on(
      { server: { maxMessageSize: 10 } },
      Effect.gen(function*() {
        const [client, server] = yield* pair
        yield* client.send("0123456789")
        assert.deepStrictEqual([...yield* server.pull], ["0123456789"])
        yield* client.send("0123456789a")
        const error = yield* failure(server)
        assert.deepInclude(error, { layer: "websocket" })
        assert.deepInclude(error.reason, { _tag: "TooLarge", limit: 10 })
        assert.strictEqual((yield* ending(client)).received?.code, 1009)
        const outcome = yield* server.closed
        assert.deepInclude(outcome, { first: "local", clean: false })
        assert.strictEqual(outcome.sent?.code, 1009)
        assert.strictEqual(outcome.error?.reason._tag, "TooLarge")
      })
    ))

  const wrong = (name: string, sent: Uint8Array, code: number) =>
    it.effect(`RFC 6455 7.1.7: ${name}, and the server ends the connection below`, () =>
      on(
        {},
        Effect.gen(function*() {
          const server = yield* serve()
          const client = yield* upgradedBytes
          const connection = yield* server.next
          yield* client.send(concat(frame(1, "fine", { mask: true }), sent))
          assert.deepStrictEqual([...yield* connection.pull], ["fine"])
          const { reason } = yield* failure(connection)
          assert.strictEqual(reason._tag, "Violation")
          const said = yield* all(client)
          assert.strictEqual(said[0], 0x88)
          assert.strictEqual(said[2] << 8 | said[3], code)
          yield* client.end
          assert.strictEqual((yield* connection.closed).sent?.code, code)
        })
      ))

  wrong("text that is not UTF-8 is 1007", frame(1, hex("cebae1bdb9cf83cebcceb5eda080"), { mask: true }), 1007)
  wrong("a frame of a client without a mask is 1002", frame(1, "bare"), 1002)
  wrong("a reserved bit is 1002", frame(1, "deflated?", { mask: true, rsv: 4 }), 1002)
  wrong("an unknown opcode is 1002", frame(3, "", { mask: true }), 1002)

  it.effect("RFC 6455 7.1.7: a masked frame of a server is 1002, and the client ends the connection below", () =>
    on(
      {},
      Effect.gen(function*() {
        const [client, connection] = yield* upgradedByBytes
        yield* connection.send(frame(1, "masked", { mask: true }))
        assert.strictEqual((yield* failure(client)).reason._tag, "Violation")
        const said = yield* Effect.forkChild(all(connection), { startImmediately: true })
        yield* TestClock.adjust("5 seconds")
        yield* TestClock.adjust("100 millis")
        const [{ key, opcode, payload }] = unframe(yield* Fiber.join(said))
        assert.deepStrictEqual([opcode, toHex(payload.subarray(0, 2))], [8, "03ea"])
        assert.isDefined(key)
        assert.strictEqual((yield* client.closed).sent?.code, 1002)
      })
    ))

  const lost = {
    "between messages": hex(""),
    "in a frame": frame(1, "cut").subarray(0, 3),
    "in a message": frame(1, "cut", { fin: false })
  }
  for (const [where, sent] of Object.entries(lost)) {
    it.effect(`RFC 6455 7.2.1: the client fails if the connection below is lost ${where}`, () =>
      on(
        {},
        Effect.gen(function*() {
          const [client, connection] = yield* upgradedByBytes
          yield* connection.send(concat(frame(1, "fine"), sent))
          yield* connection.end
          assert.deepStrictEqual([...yield* client.pull], ["fine"])
          assert.strictEqual((yield* failure(client)).reason._tag, "Truncated")
          const outcome = yield* client.closed
          assert.deepInclude(outcome, { first: "none", clean: false })
          assert.isUndefined(outcome.received)
        })
      ))
  }
})

describe("the connection below", () => {
  it.effect("RFC 6455 5.5.1: the server ends it at once when both have said Close, whoever was first", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        const client = yield* upgradedBytes
        const connection = yield* server.next
        yield* client.send(frame(8, closeBody(1001), { mask: true }))
        assert.strictEqual(toHex(yield* all(client)), "880203e9")
        yield* client.end
        assert.deepInclude(yield* connection.closed, { first: "remote", clean: true })

        const other = yield* upgradedBytes
        const closing = yield* Effect.forkChild(
          Connection.detail(yield* server.next, WebSocket.WebSocket).close(1000),
          {
            startImmediately: true
          }
        )
        assert.strictEqual(toHex(yield* bytes(other, 4)), "880203e8")
        yield* other.send(frame(8, closeBody(1000), { mask: true }))
        assert.strictEqual((yield* all(other)).length, 0)
        yield* other.end
        assert.deepInclude(yield* Fiber.join(closing), { first: "local", clean: true })
      })
    ))

  it.effect("RFC 6455 5.5.1, 7.1.1: the client waits for the server to end it", () =>
    on(
      {},
      Effect.gen(function*() {
        const [client, connection] = yield* upgradedByBytes
        yield* connection.send(frame(8, closeBody(1000)))
        assert.strictEqual((yield* ending(client)).received?.code, 1000)
        const said = yield* Effect.forkChild(all(connection), { startImmediately: true })
        yield* TestClock.adjust("4 seconds")
        assert.isUndefined(said.pollUnsafe())
        yield* connection.end
        assert.deepInclude(yield* client.closed, { first: "remote", clean: true })
        assert.deepStrictEqual(unframe(yield* Fiber.join(said)).map(({ payload }) => toHex(payload)), ["03e8"])
      })
    ))

  it.effect("RFC 6455 5.5.1, 7.1.1: the client does not wait forever", () =>
    on(
      {},
      Effect.gen(function*() {
        const [client, connection] = yield* upgradedByBytes
        yield* connection.send(frame(8, closeBody(1000)))
        assert.strictEqual((yield* ending(client)).received?.code, 1000)
        const said = yield* Effect.forkChild(all(connection), { startImmediately: true })
        yield* TestClock.adjust("5 seconds")
        yield* TestClock.adjust("100 millis")
        assert.lengthOf(unframe(yield* Fiber.join(said)), 1)
        assert.deepInclude(yield* client.closed, { first: "remote", clean: false })
      })
    ))
})

describe("what comes before the end, in one read", () => {
  /** An echo server until the connection is over, and a client of bytes. */
  const echoed = (sent: Uint8Array, options: Options = {}) =>
    on(
      options,
      Effect.gen(function*() {
        const listener = yield* Transport.listen(Transport.Messages)(here)
        yield* Effect.forkScoped(
          listener.run(
            (connection) => Stream.run(Connection.messages(connection), Connection.sink(connection)),
            { onIncident: () => Effect.void }
          ),
          { startImmediately: true }
        )
        const client = yield* upgradedBytes
        yield* client.send(sent)
        const said = yield* all(client)
        yield* client.end
        return said
      })
    )

  const masked = (opcode: number, payload: Uint8Array | string) => frame(opcode, payload, { mask: true })

  it.effect("RFC 6455 5.5.1: a text is echoed before the Close", () =>
    Effect.gen(function*() {
      const said = yield* echoed(concat(masked(1, "one"), masked(1, "two"), masked(8, hex("03e8"))))
      assert.strictEqual(toHex(said), toHex(concat(frame(1, "one"), frame(1, "two"), frame(8, hex("03e8")))))
    }))

  it.effect("a large text is echoed in whole before the Close", () =>
    Effect.gen(function*() {
      const big = "x".repeat(300_000)
      const said = yield* echoed(concat(masked(1, big), masked(8, hex("03e9"))))
      assert.isAbove(said.length, 300_000)
      assert.strictEqual(toHex(said.subarray(-4)), "880203e9")
    }))

  it.effect("RFC 6455 7.1.7: a text is echoed before a violation is answered", () =>
    Effect.gen(function*() {
      const said = yield* echoed(concat(masked(1, "one"), masked(3, "")))
      assert.strictEqual(toHex(said.subarray(0, 5)), toHex(frame(1, "one")))
      assert.strictEqual(toHex(said.subarray(5, 6)), "88")
      assert.strictEqual(said[7] << 8 | said[8], 1002)
    }))

  it.effect("a text is echoed before a message that is too large is answered", () =>
    Effect.gen(function*() {
      const said = yield* echoed(concat(masked(1, "one"), masked(1, "0123456789")), { server: { maxMessageSize: 5 } })
      assert.strictEqual(toHex(said.subarray(0, 5)), toHex(frame(1, "one")))
      assert.strictEqual(said[7] << 8 | said[8], 1009)
    }))

  it.effect("RFC 6455 7.4.1: a text is echoed before one too many is answered", () =>
    Effect.gen(function*() {
      const said = yield* echoed(concat(masked(1, "one"), masked(1, "two")), { server: { maxMessagesPerSecond: 1 } })
      assert.strictEqual(toHex(said.subarray(0, 5)), toHex(frame(1, "one")))
      assert.strictEqual(said[7] << 8 | said[8], 1008)
    }))

  it.effect("RFC 6455 5.5.1: what comes behind the Close is ignored", () =>
    Effect.gen(function*() {
      const said = yield* echoed(concat(masked(1, "one"), masked(8, hex("03e8")), masked(1, "late"), hex("ffff")))
      assert.strictEqual(toHex(said), toHex(concat(frame(1, "one"), frame(8, hex("03e8")))))
    }))

  it.effect("RFC 6455 5.5.2: a ping is answered before the Close", () =>
    Effect.gen(function*() {
      const said = yield* echoed(concat(masked(1, "one"), masked(9, "?"), masked(8, hex("03e8"))))
      assert.strictEqual(toHex(said), toHex(concat(frame(10, "?"), frame(1, "one"), frame(8, hex("03e8")))))
    }))
})
