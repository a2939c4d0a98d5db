/** What the machine does beyond what RFC 6455 asks, for which see `rfc6455.frames.test.ts` and `rfc6455.closing.test.ts`. */
import { assert, describe, it } from "@effect/vitest"
import { Meter } from "../../src/internal/Meter.ts"
import { type Message, type Options, WebSocketMachine } from "../../src/machines/WebSocketMachine.ts"
import { RateExceeded } from "../../src/WebSocketReason.ts"
import { assembled } from "../rfc6455/peer.ts"
import { concat, cuts, drain, FakeIo, frame, hex, receive, unframe } from "../support.ts"

const setup = (role: Options["role"], options?: Omit<Options, "role">) => ({
  machine: new WebSocketMachine({ role, ...options }),
  io: new FakeIo<Message>()
})

describe("WebSocketMachine", () => {
  it("refuses frames without a byte of payload", () => {
    for (const maxFrameSize of [0, -1, NaN]) assert.throws(() => setup("server", { maxFrameSize }), RangeError)
    for (const maxFrameSize of [1, Infinity]) setup("server", { maxFrameSize })
  })

  for (const role of ["client", "server"] as const) {
    const mask = role === "server"

    describe(`as a ${role}`, () => {
      it("sends every kind of message so that the peer reads the same", () => {
        const messages: ReadonlyArray<Message> = [
          "",
          "a",
          "Hello World!",
          "Hello World, long",
          "Grüße",
          "€".repeat(40),
          "x".repeat(125),
          "x".repeat(126),
          "é".repeat(20_000),
          "x".repeat(32_768),
          "x".repeat(70_000),
          "€".repeat(70_000),
          hex(""),
          hex("00"),
          new Uint8Array(12).fill(1),
          new Uint8Array(13).fill(2),
          new Uint8Array(125).fill(3),
          new Uint8Array(126).fill(4),
          new Uint8Array(32_767).fill(5),
          new Uint8Array(32_768).fill(6),
          new Uint8Array(65_536).fill(7)
        ]
        const { io, machine } = setup(role)
        for (const message of messages) machine.encode(message, io)
        assert.deepStrictEqual(assembled(unframe(concat(io.sent(), ...drain(machine)))), messages)
      })

      it("never writes into what it was given to send", () => {
        for (const size of [5, 100, 40_000, 200_000]) {
          const payload = Uint8Array.from({ length: size }, (_, i) => i)
          const copy = payload.slice()
          const { io, machine } = setup(role)
          machine.encode(payload, io)
          assert.deepStrictEqual(payload, copy)
          machine.ping(payload.subarray(0, 5))
          drain(machine)
          assert.deepStrictEqual(payload, copy)
        }
      })

      it("keeps the rest while there is no room, and goes on with an empty input", () => {
        const input = concat(...Array.from({ length: 5 }, (_, i) => frame(1, `${i}`, { mask })))
        for (const parts of cuts(input)) {
          const { io, machine } = setup(role)
          io.space = 2
          assert.isFalse(machine.receive(parts, io))
          assert.deepStrictEqual(io.emitted, ["0", "1"])
          assert.isFalse(machine.receive([], io))
          io.space = 2
          assert.isFalse(machine.receive([], io))
          assert.deepStrictEqual(io.emitted, ["0", "1", "2", "3"])
          io.space = 5
          assert.isTrue(receive(machine, [], io))
          assert.deepStrictEqual(io.emitted, ["0", "1", "2", "3", "4"])
        }
      })

      it("takes nothing from an empty input", () => {
        const { io, machine } = setup(role)
        assert.isTrue(receive(machine, [], io))
        assert.isTrue(receive(machine, [new Uint8Array(0)], io))
        assert.deepStrictEqual(io.events, [])
      })
    })
  }

  it("counts what it receives, and fails with 1008 on what is more than is allowed", () => {
    for (
      const [what, rates] of [
        ["messages", { maxMessagesPerSecond: 2, maxBytesPerSecond: 1_000 }],
        ["bytes", { maxMessagesPerSecond: 1_000, maxBytesPerSecond: 6 }]
      ] as const
    ) {
      let now = 0
      const machine = new WebSocketMachine({ role: "client", meter: new Meter(rates, () => now) })
      const io = new FakeIo<Message>()
      receive(machine, [concat(frame(1, "one"), frame(2, hex("010203")))], io)
      assert.deepStrictEqual(io.events, [])
      now += 1_000
      receive(machine, [concat(frame(1, "two"), frame(1, "thr"), frame(9, "?"), frame(1, "more"), frame(1, "not"))], io)
      assert.deepStrictEqual(io.emitted, ["one", hex("010203"), "two", "thr"])
      assert.deepStrictEqual(io.reason, new RateExceeded({ what, limit: what === "bytes" ? 6 : 2 }))
      const [{ opcode, payload }, ...more] = unframe(io.sent())
      assert.deepStrictEqual([opcode, payload.subarray(0, 2), more], [8, hex("03f0"), []])
    }
  })

  it("knows what of a large message is not sent", () => {
    const { io, machine } = setup("server", { maxFrameSize: 65_536 })
    assert.deepStrictEqual(machine.unsent(), { messages: 0, bytes: 0 })
    machine.encode(new Uint8Array(100_000), io)
    machine.encode("é", io)
    assert.deepStrictEqual(machine.unsent(), { messages: 2, bytes: 100_002 })
    machine.proceed(io)
    assert.deepStrictEqual(machine.unsent(), { messages: 2, bytes: 34_466 })
    machine.proceed(io)
    assert.deepStrictEqual(machine.unsent(), { messages: 1, bytes: 2 })
    drain(machine)
    assert.deepStrictEqual(machine.unsent(), { messages: 0, bytes: 0 })
  })

  it("a server passes large messages on without a copy, a client does not", () => {
    const payload = new Uint8Array(32_768)
    const server = setup("server")
    server.machine.encode(payload, server.io)
    assert.strictEqual(server.io.writes[0], payload)
    const client = setup("client")
    client.machine.encode(payload, client.io)
    assert.lengthOf(client.io.writes, 0)
  })
})
