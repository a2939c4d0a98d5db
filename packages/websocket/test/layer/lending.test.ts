/** Messages that are lent: how long they stay, and what becomes of those who send them. */
import { assert, describe, it } from "@effect/vitest"
import { Connection, type Transport } from "@wirestack/protocol"
import * as Loan from "@wirestack/protocol/bytes/Loan"
import * as Pool from "@wirestack/protocol/bytes/Pool"
import type { Machine } from "@wirestack/protocol/Machine"
import { MachineSuite } from "@wirestack/protocol/testing"
import { Cause, Effect, Fiber } from "effect"
import { Rsv } from "../../src/extensions/Extension.ts"
import { FrameDecoder, needMore, part } from "../../src/frames/FrameDecoder.ts"
import { Opcode } from "../../src/frames/Opcode.ts"
import { Assembly } from "../../src/internal/Assembly.ts"
import { FrameMachine } from "../../src/machines/FrameMachine.ts"
import { StreamedMachine } from "../../src/machines/StreamedMachine.ts"
import { WebSocketMachine } from "../../src/machines/WebSocketMachine.ts"
import { concat, frame } from "../support.ts"
import { type Messages, on, pair, serverOfBytes, settle } from "./support.ts"

const lent = { server: { payloads: "lent" } } as const

const large = 200_000

const binary = (seed: number, size = large): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length: size }, (_, i) => i * 7 + (i >> 8) + seed)

/** The one message of the next batch. */
const next = (connection: Messages) =>
  Effect.map(connection.pull, (batch) => {
    assert.lengthOf(batch, 1)
    return batch[0] as Uint8Array
  })

const tag = (effect: Effect.Effect<unknown, { readonly reason: { readonly _tag: string } }>) =>
  Effect.map(Effect.flip(effect), (error) => error.reason._tag)

describe("a message", () => {
  it.effect("is there until the next pull, and gone after it; a slice stays", () =>
    on(
      lent,
      Effect.gen(function*() {
        const [client, server] = yield* pair
        yield* client.send(binary(1))
        const message = yield* next(server)
        const view = message.subarray(5, 10)
        yield* client.send(binary(2))
        yield* settle
        assert.deepStrictEqual(message, binary(1))
        const slice = message.slice()
        const second = yield* next(server)
        assert.deepStrictEqual([message.length, view.length], [0, 0])
        assert.deepStrictEqual(slice, binary(1))
        assert.deepStrictEqual(second, binary(2))
      })
    ))

  it.effect("lies in memory of one before it", () =>
    on(
      lent,
      Effect.gen(function*() {
        const [client, server] = yield* pair
        const seen = new Set<Uint8Array>()
        for (let n = 0; n < 10; n++) {
          yield* client.send(binary(n))
          seen.add(yield* next(server))
        }
        yield* Effect.forkChild(server.pull, { startImmediately: true })
        assert.deepStrictEqual([...seen].map((message) => message.length), Array.from(seen, () => 0))
        const [first, second] = [Pool.take(large), Pool.take(large)]
        assert.deepStrictEqual(first, binary(9), "the last one lay there")
        assert.isTrue(second.length === large && second[large - 1] !== binary(8)[large - 1])
      })
    ))

  it.effect("is gone with a pull that is interrupted, and the next one is not lost", () =>
    on(
      lent,
      Effect.gen(function*() {
        const [client, server] = yield* pair
        yield* client.send(binary(1))
        const message = yield* next(server)
        const pulling = yield* Effect.forkChild(server.pull, { startImmediately: true })
        yield* Fiber.interrupt(pulling)
        assert.lengthOf(message, 0)
        yield* client.send(binary(2))
        assert.deepStrictEqual(yield* next(server), binary(2))
      })
    ))

  it.effect("is taken back, and no other is, whatever was done with its batch", () =>
    on(
      { client: { payloads: "lent" }, server: { payloads: "lent" } },
      Effect.gen(function*() {
        const [client, server] = yield* pair
        yield* client.send(binary(1))
        yield* server.send(binary(2))
        const batch = (yield* server.pull) as unknown as Array<Transport.Message>
        const [message] = batch
        const other = yield* next(client)
        batch.splice(0, 1, other)
        yield* Effect.forkChild(server.pull, { startImmediately: true })
        assert.lengthOf(message, 0)
        assert.deepStrictEqual(other, binary(2))
      })
    ))

  it.effect("of less than 16 KiB stays, however it came", () =>
    on(
      lent,
      Effect.gen(function*() {
        const [server, client] = yield* serverOfBytes
        const parts = (size: number) =>
          concat(
            frame(2, binary(1, size), { mask: true, fin: false }),
            frame(0, binary(2, size), { mask: true })
          )
        const both = (size: number) => concat(binary(1, size), binary(2, size))
        yield* client.send(parts(100))
        const small = yield* next(server)
        yield* client.send(parts(8_191))
        const medium = yield* next(server)
        const cut = frame(2, binary(3, 10_000), { mask: true })
        yield* client.send(cut.slice(0, 5_000))
        yield* settle
        yield* client.send(cut.slice(5_000))
        const dense = yield* next(server)
        yield* client.send(parts(8_192))
        const large = yield* next(server)
        assert.deepStrictEqual(large, both(8_192))
        yield* client.send(parts(30_000))
        assert.deepStrictEqual(yield* next(server), both(30_000))
        assert.lengthOf(large, 0)
        assert.deepStrictEqual(small, both(100))
        assert.deepStrictEqual(medium, both(8_191))
        assert.deepStrictEqual(dense, binary(3, 10_000))
      })
    ))

  it.effect("that is text stays, although others use the memory in which it was put together", () =>
    on(
      lent,
      Effect.gen(function*() {
        const [client, server] = yield* pair
        const texts = ["grün ".repeat(40_000), "plain ".repeat(40_000), "€".repeat(100_000)]
        const received: Array<Transport.Message> = []
        for (const text of texts) {
          yield* client.send(text)
          received.push(...yield* server.pull)
          yield* client.send(binary(3))
          yield* next(server)
        }
        assert.isTrue(received.every((text, n) => text === texts[n]))
      })
    ))

  for (const options of [{}, { server: { payloads: "owned" } }] as const) {
    it.effect(`stays for good ${"server" in options ? "where that is asked for" : "by default"}`, () =>
      on(
        options,
        Effect.gen(function*() {
          const [client, server] = yield* pair
          const received: Array<Uint8Array> = []
          for (let n = 0; n < 4; n++) {
            yield* client.send(binary(n))
            received.push(yield* next(server))
          }
          yield* Effect.forkChild(server.pull, { startImmediately: true })
          assert.deepStrictEqual(received, [binary(0), binary(1), binary(2), binary(3)])
        })
      ))
  }

  it.effect("is not taken back from a layer above that lends parts of it", () =>
    on(
      lent,
      Effect.gen(function*() {
        const [client, server] = yield* pair
        const tunnel: Machine<Transport.Message, Transport.Message, Uint8Array, Uint8Array> = {
          receive: (input, io) => {
            for (const message of input) io.emit(message as Uint8Array, message.length)
            return true
          },
          encode: (bytes, io) => io.write(bytes),
          ended: (how, io) => io.end(how)
        }
        const inner = new WebSocketMachine({ role: "server", payloads: "lent" })
        const above = yield* Connection.fuse(yield* Connection.fuse(server, tunnel, { layer: "tunnel" }), inner, {
          layer: "inner"
        })
        const messages = [1, 2, 3, 4].map((n) => binary(n, 40_000))
        yield* client.send(concat(...messages.map((message) => frame(2, message, { mask: true }))))
        for (let n = 0; n < messages.length;) {
          for (const message of yield* above.pull) assert.deepStrictEqual(message, messages[n++])
        }
      })
    ))

  it.effect("stays where a layer is above", () =>
    on(
      lent,
      Effect.gen(function*() {
        const [client, server] = yield* pair
        const passing: Machine<Transport.Message, Transport.Message, Transport.Message, Transport.Message> = {
          receive: (input, io) => {
            for (const message of input) io.emit(message, message.length)
            return true
          },
          encode: (message, io) => io.write(message),
          ended: (how, io) => io.end(how)
        }
        const above = yield* Connection.fuse(server, passing, { layer: "above" })
        yield* client.send(binary(1))
        const [message] = yield* above.pull
        yield* client.send(binary(2))
        assert.deepStrictEqual(yield* above.pull, [binary(2)])
        assert.deepStrictEqual(message, binary(1))
      })
    ))
})

describe("whoever sends it", () => {
  it.effect("need not wait until it is sent, nor does who sends it on", () =>
    on(
      { client: { payloads: "lent" }, server: { payloads: "lent" } },
      Effect.gen(function*() {
        const [client, server] = yield* pair
        const echoes: Array<Fiber.Fiber<void, unknown>> = []
        for (let n = 0; n < 5; n++) {
          yield* client.send(binary(n))
          const message = yield* next(server)
          echoes.push(yield* Effect.forkChild(server.send(message), { startImmediately: true }))
        }
        yield* Effect.forkChild(Effect.exit(server.pull), { startImmediately: true })
        for (let n = 0; n < 5;) {
          for (const message of yield* client.pull) assert.deepStrictEqual(message, binary(n++))
        }
        yield* Fiber.joinAll(echoes)
      })
    ))

  it.effect("in frames, and masked, sends it whole", () =>
    on(
      { client: { payloads: "lent", maxFrameSize: 9_000 }, server: { payloads: "lent", maxFrameSize: 40_000 } },
      Effect.gen(function*() {
        const [client, server] = yield* pair
        yield* client.send(binary(1))
        yield* server.send(yield* next(server))
        yield* client.send(yield* next(client))
        yield* Effect.forkChild(Effect.exit(client.pull), { startImmediately: true })
        yield* Effect.forkChild(server.send("and"), { startImmediately: true })
        assert.deepStrictEqual(yield* next(server), binary(1))
      })
    ))

  it.effect("too late is told so", () =>
    on(
      lent,
      Effect.gen(function*() {
        const [client, server] = yield* pair
        yield* client.send(binary(1))
        const message = yield* next(server)
        const view = message.subarray(1, 2)
        const late = yield* Effect.forkChild(Effect.andThen(Effect.yieldNow, server.send(message)))
        yield* client.send("go on")
        assert.deepStrictEqual(yield* server.pull, ["go on"])
        assert.strictEqual(yield* tag(Fiber.join(late)), "Unencodable")
        assert.strictEqual(yield* tag(server.send(view)), "Unencodable")
        assert.strictEqual(yield* tag(server.sendAll(["first", message, "never"])), "Unencodable")
        yield* server.send(new Uint8Array(0))
        yield* settle
        assert.deepStrictEqual(yield* client.pull, ["first", new Uint8Array(0)])
      })
    ))

  it("as a part, or a frame, is told so too", () => {
    const data = Loan.lendCopy(binary(1))
    Loan.of(data)!.release()
    const throws = <Out>(machine: Machine<Uint8Array, Uint8Array, any, Out>, message: Out) => {
      const io = new MachineSuite.Probe<any, Uint8Array>()
      let reason: unknown
      try {
        machine.encode(message, io)
      } catch (thrown) {
        reason = thrown
      }
      assert.deepInclude(reason, { _tag: "Unencodable" })
      io.settle()
      assert.deepStrictEqual(io.written, [])
    }
    throws(new WebSocketMachine({ role: "server" }), data)
    throws(new StreamedMachine({ role: "server" }), { type: "binary", data, last: true })
    throws(new FrameMachine({ role: "server" }), { opcode: Opcode.Binary, fin: true, payload: data })
  })

  it.effect("lets go of it with the connection", () =>
    on(
      { client: { maxFrameSize: 70_000 } },
      Effect.gen(function*() {
        const [client] = yield* pair
        const message = Loan.lendCopy(binary(1))
        yield* client.send(binary(0))
        yield* settle
        yield* client.send(message)
        Loan.of(message)!.release()
        yield* settle
        assert.lengthOf(message, large)
        yield* client.abort
        assert.lengthOf(message, 0)
        assert.isAbove((yield* client.closed).unsent.bytes, 0)
        assert.isFalse(Cause.isDone(yield* Effect.flip(client.pull)))
      })
    ))
})

describe("a decoder that lends", () => {
  const limits = { masked: false, maxMessageSize: 4_000_000, maxFragments: 8, lends: true }

  it("lends what came whole, and no part for an extension", () => {
    const decoder = new FrameDecoder({ ...limits, rsv: Rsv.Rsv1 })
    const input = frame(2, binary(1, 40_000))
    decoder.borrow(input, input.length)
    assert.strictEqual(decoder.next(), Opcode.Binary)
    assert.isDefined(Loan.of(decoder.message as Uint8Array))
    const transformed = frame(2, binary(1, 40_000))
    transformed[0] |= Rsv.Rsv1
    decoder.borrow(transformed, transformed.length)
    assert.strictEqual(decoder.next(), part)
    assert.deepStrictEqual(decoder.message, binary(1, 40_000))
    assert.isUndefined(Loan.of(decoder.message as Uint8Array))
  })

  it("lends no text's memory", () => {
    const decoder = new FrameDecoder(limits)
    const input = frame(1, "x".repeat(40_000))
    decoder.feed(input.slice(0, 20_000))
    assert.strictEqual(decoder.next(), needMore)
    decoder.feed(input.slice(20_000))
    assert.strictEqual(decoder.next(), Opcode.Text)
    assert.strictEqual(decoder.message, "x".repeat(40_000))
    const memory = Pool.take(40_000)
    assert.strictEqual(memory[39_999], 120, "it is in the pool again")
  })

  it("lends memory that is half full at least, as far as the pool allows", () => {
    const assembly = new Assembly()
    assembly.append(binary(1, 10_000), 0, 10_000, 4_000_000, true)
    assembly.append(binary(2, 10_000), 0, 10_000, 4_000_000, true)
    const message = assembly.lend()
    assert.deepStrictEqual(message, concat(binary(1, 10_000), binary(2, 10_000)))
    assert.isDefined(Loan.of(message))
    assert.strictEqual(message.buffer.byteLength, 32_768)
  })
})
