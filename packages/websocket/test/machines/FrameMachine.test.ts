import { assert, describe, it } from "@effect/vitest"
import { Closed, Closing, Unencodable } from "@wirestack/protocol/ConnectionError"
import { TooLarge, Truncated, Violation } from "@wirestack/protocol/Reason"
import { MachineSuite } from "@wirestack/protocol/testing"
import { Rsv } from "../../src/extensions/Extension.ts"
import { Opcode } from "../../src/frames/Opcode.ts"
import { Meter } from "../../src/internal/Meter.ts"
import { type Frame, FrameMachine, type Options } from "../../src/machines/FrameMachine.ts"
import { RateExceeded } from "../../src/WebSocketReason.ts"
import { invertingChain } from "../extensions/inverting.ts"
import { concat, cuts, frame as bytesOf, type FrameOptions, framesOf, hex, utf8 } from "../support.ts"

const { Binary, Close, Continuation, Ping, Pong, Text } = Opcode

const close = (code: number, reason = ""): Uint8Array => concat(Uint8Array.of(code >> 8, code & 255), utf8(reason))
const none = new Uint8Array(0)
const frame = (opcode: Opcode, payload: Uint8Array | string = none, fin = true): Frame => ({
  opcode,
  fin,
  payload: typeof payload === "string" ? utf8(payload) : payload
})

const thrown = (f: () => void): unknown => {
  try {
    f()
  } catch (reason) {
    return reason
  }
  return undefined
}

for (const role of ["client", "server"] as const) {
  const make = (options?: Partial<Options>) => new FrameMachine({ role, ...options })
  const wire = ({ fin, opcode, payload }: Frame, options?: FrameOptions) =>
    bytesOf(opcode, payload, { fin, mask: role === "server", ...options })
  const probe = () => new MachineSuite.Probe<Frame, Uint8Array>()
  const sent = (io: MachineSuite.Probe<Frame, Uint8Array>) => {
    io.settle()
    return framesOf(concat(...io.written), role === "client")
  }
  /** Shows it the input in these pieces, and holds it to its contract. */
  const feed = (machine: FrameMachine, pieces: ReadonlyArray<Uint8Array>, room?: number) => {
    const io = MachineSuite.feed(machine, pieces.map((piece) => [piece]), { room })
    io.verify("raw")
    return io
  }
  const everyWay = (input: Uint8Array, see: (io: ReturnType<typeof feed>, machine: FrameMachine) => void) => {
    for (const room of [undefined, 1, 2]) {
      for (const pieces of cuts(input)) {
        const machine = make()
        see(feed(machine, pieces, room), machine)
      }
    }
  }

  describe(`as a ${role}`, () => {
    it("5.2: gives frames as they are, fragments and control frames too, and answers nothing", () => {
      const frames = [
        frame(Text, "Grüße"),
        frame(Binary, Uint8Array.from({ length: 300 }, (_, i) => i)),
        frame(Text, "a", false),
        frame(Ping, "are you there?"),
        frame(Continuation, "", false),
        frame(Pong, "nobody asked"),
        frame(Continuation, "b"),
        frame(Text, hex("ff")),
        frame(Ping)
      ]
      everyWay(concat(...frames.map((frame) => wire(frame))), (io, machine) => {
        assert.deepStrictEqual(io.emitted, frames)
        assert.deepStrictEqual(io.sizes, frames.map(({ payload }) => payload.length))
        assert.strictEqual(io.ending, "open")
        assert.isFalse(machine.proceed(io))
        assert.deepStrictEqual(sent(io), [])
      })
    })

    it("gives a large frame whole, and reads it into its place", () => {
      const large = frame(Binary, new Uint8Array(200_000).fill(7))
      const input = wire(large)
      const machine = make()
      const io = probe()
      assert.isTrue(machine.receive([input.slice(0, 65_536)], io))
      const memory = machine.memory()!
      const rest = input.subarray(65_536)
      const first = Math.min(memory.length, rest.length)
      memory.set(rest.subarray(0, first))
      assert.isTrue(machine.receive([memory.subarray(0, first), rest.slice(first)], io))
      assert.deepStrictEqual(io.emitted, [large])
    })

    it("sends frames as they are", () => {
      const machine = make()
      const io = probe()
      const large = new Uint8Array(200_000).fill(3)
      for (
        const each of [
          frame(Text, "a", false),
          frame(Ping, "?"),
          frame(Continuation, "", false),
          frame(Pong, "!"),
          frame(Continuation),
          frame(Binary, large),
          frame(Text, hex("ff"))
        ]
      ) machine.encode(each, io)
      assert.isFalse(machine.busy)
      const bytes = large.slice()
      assert.deepStrictEqual(sent(io), [
        { first: 0x01, payload: utf8("a") },
        { first: 0x89, payload: utf8("?") },
        { first: 0x00, payload: none },
        { first: 0x8a, payload: utf8("!") },
        { first: 0x80, payload: none },
        { first: 0x82, payload: bytes },
        { first: 0x81, payload: hex("ff") }
      ])
      assert.deepStrictEqual(large, bytes)
    })

    it("tells of pings and pongs beside giving them", () => {
      const machine = make()
      const told: Array<string> = []
      machine.onPing = (payload) => told.push(`ping ${payload}`)
      machine.onPong = (payload) => told.push(`pong ${payload}`)
      feed(machine, [wire(frame(Ping, hex("01"))), wire(frame(Pong, hex("02")))])
      assert.deepStrictEqual(told, ["ping 1", "pong 2"])
    })

    it("5.5.1: gives the peer's Close as the last frame, and leaves the answer to the user", () => {
      const input = concat(wire(frame(Text, "a")), wire(frame(Close, close(4001, "bye"))), wire(frame(Text, "ignored")))
      everyWay(input, (io, machine) => {
        assert.deepStrictEqual(io.emitted, [frame(Text, "a"), frame(Close, close(4001, "bye"))])
        assert.strictEqual(io.ending, "open")
        assert.deepStrictEqual(sent(io), [])
        machine.encode(frame(Text, "one more"), io)
        machine.encode(frame(Close, close(4002)), io)
        assert.strictEqual(io.ending, "closed")
        assert.deepStrictEqual(io.goodbye, {
          first: "remote",
          sent: { code: 4002, reason: "" },
          received: { code: 4001, reason: "bye" }
        })
        assert.deepStrictEqual(sent(io).map(({ first }) => first), [0x81, 0x88])
        assert.instanceOf(thrown(() => machine.encode(frame(Text, "x"), io)), Closed)
      })
    })

    it("waits with a Close for room, like with any frame", () => {
      const machine = make()
      const io = probe()
      io.capacity = 1
      const input = concat(wire(frame(Text, "a")), wire(frame(Close)))
      assert.isFalse(machine.receive([input], io))
      assert.isFalse(machine.receive([], io))
      io.capacity = 1
      assert.isTrue(machine.receive([], io))
      io.verify("a Close")
      assert.deepStrictEqual(io.emitted, [frame(Text, "a"), frame(Close)])
    })

    it("5.5.1: closing the connection answers the Close, if the user has not", () => {
      for (const [why, code] of [["done", 1000], ["failed", 1011], ["away", 1001]] as const) {
        const machine = make()
        const io = feed(machine, [wire(frame(Close, close(1000)))])
        machine.close(why, io)
        machine.close(why, io)
        assert.deepStrictEqual(sent(io), [{ first: 0x88, payload: close(code) }])
        assert.strictEqual(io.ending, "closed")
        assert.strictEqual(io.goodbye?.first, "remote")
        assert.strictEqual(io.goodbye?.sent?.code, code)
      }
    })

    it("5.5.1: is done when the peer has answered a Close of the user, and gives the answer too", () => {
      const machine = make()
      const io = probe()
      machine.encode(frame(Close, close(4001)), io)
      machine.close("done", io)
      assert.deepStrictEqual(sent(io), [{ first: 0x88, payload: close(4001) }])
      assert.instanceOf(thrown(() => machine.encode(frame(Ping), io)), Closing)
      assert.instanceOf(thrown(() => machine.encode(frame(Close), io)), Closing)
      machine.receive([wire(frame(Text, "on its way"))], io)
      while (!machine.receive([wire(frame(Close, close(4001)))], io));
      assert.deepStrictEqual(io.emitted, [frame(Text, "on its way"), frame(Close, close(4001))])
      assert.strictEqual(io.ending, "closed")
      const status = { code: 4001, reason: "" }
      assert.deepStrictEqual(io.goodbye, { first: "local", sent: status, received: status })
      assert.lengthOf(sent(io), 1)
    })

    it("7.1.2: closing the connection sends a Close, and waits for the peer's", () => {
      const machine = make()
      const io = probe()
      machine.close("away", io)
      assert.strictEqual(io.ending, "open")
      machine.receive([wire(frame(Close))], io)
      assert.deepStrictEqual(io.goodbye, {
        first: "local",
        sent: { code: 1001, reason: "" },
        received: { code: 1005, reason: "" }
      })
      assert.deepStrictEqual(sent(io), [{ first: 0x88, payload: close(1001) }])
    })

    it("7.1.5: the layer below that ends behind an unanswered Close ends in order, without one it fails", () => {
      const answered = MachineSuite.feed(make(), [[wire(frame(Close, close(1000)))]], {})
      assert.strictEqual(answered.ending, "open")
      const machine = make()
      const io = feed(machine, [wire(frame(Close, close(1000)))])
      machine.ended("announced", io)
      assert.strictEqual(io.ending, "closed")
      assert.deepStrictEqual(io.goodbye, { first: "remote", received: { code: 1000, reason: "" } })
      const cut = MachineSuite.feed(make(), [[wire(frame(Text, "abc")).slice(0, -1)]], { end: "announced" })
      assert.deepStrictEqual(cut.reason, new Truncated({ inside: "a frame" }))
      const open = MachineSuite.feed(make(), [[wire(frame(Text, "abc", false))]], { end: "announced" })
      assert.deepStrictEqual(open.reason, new Truncated({ inside: "a fragmented message" }))
    })

    const wrong: ReadonlyArray<readonly [string, Uint8Array, number]> = [
      ["5.1: masking in the wrong direction", wire(frame(Text, "x"), { mask: role === "client" }), 1002],
      ["5.2: a reserved bit", wire(frame(Text, "x"), { rsv: 1 }), 1002],
      ["5.2: a reserved opcode for data", wire({ ...frame(Text), opcode: 3 as Opcode }), 1002],
      ["5.2: a reserved opcode for control", wire({ ...frame(Text), opcode: 11 as Opcode }), 1002],
      ["5.2: a length that is not in its shortest form", wire(frame(Text, "x"), { lengthBytes: 2 }), 1002],
      ["5.4: a continuation of nothing", wire(frame(Continuation, "x")), 1002],
      ["5.4: a message inside another", concat(wire(frame(Text, "x", false)), wire(frame(Text, "y"))), 1002],
      ["5.5: a control frame in fragments", wire(frame(Ping, "x", false)), 1002],
      ["5.5: a control frame of 126 bytes", wire(frame(Ping, new Uint8Array(126))), 1002],
      ["5.5.1: a Close of one byte", wire(frame(Close, "x")), 1002],
      ["7.4: a Close with a code that is not legal", wire(frame(Close, close(1005))), 1002],
      ["8.1: a Close whose reason is not UTF-8", wire(frame(Close, concat(close(1000), hex("ff")))), 1007],
      ["10.4: a frame over the limit", wire(frame(Binary, new Uint8Array(1_001))), 1009]
    ]
    for (const [name, bytes, code] of wrong) {
      it(`${name} fails with ${code}, after what came before`, () => {
        for (const room of [undefined, 1]) {
          for (const pieces of cuts(concat(wire(frame(Text, "before")), bytes.slice()))) {
            const io = feed(make({ maxMessageSize: 1_000 }), pieces, room)
            assert.deepStrictEqual(io.emitted[0], frame(Text, "before"))
            assert.instanceOf(io.reason, (code === 1009 ? TooLarge : Violation) as never)
            assert.deepStrictEqual(sent(io).map(({ first, payload }) => [first, payload.slice(0, 2)]), [[
              0x88,
              close(code)
            ]])
          }
        }
      })
    }

    it("5.4, 10.4: a message may be larger than a frame may be, in any number of fragments", () => {
      const fragments = [frame(Binary, new Uint8Array(1_000), false)]
      for (let i = 0; i < 50; i++) fragments.push(frame(Continuation, new Uint8Array(1_000), i === 49))
      const io = feed(make({ maxMessageSize: 1_000, maxFragments: 1 }), fragments.map((each) => wire(each)))
      assert.lengthOf(io.emitted, 51)
      assert.strictEqual(io.ending, "open")
    })

    const unencodable: ReadonlyArray<readonly [string, Frame]> = [
      ["5.5: a control frame in fragments", frame(Ping, "", false)],
      ["5.5: a control frame of 126 bytes", frame(Pong, new Uint8Array(126))],
      ["5.5.1: a Close of one byte", frame(Close, "x")],
      ["7.4: a Close with a code that is not legal", frame(Close, close(1006))],
      ["8.1: a Close whose reason is not UTF-8", frame(Close, concat(close(1000), hex("ff")))],
      ["5.4: a continuation of nothing", frame(Continuation)],
      ["5.2: a reserved opcode for data", frame(3 as Opcode)],
      ["5.2: a reserved opcode for control", frame(11 as Opcode)],
      ["5.2: a reserved bit", { ...frame(Text), rsv: Rsv.Rsv1 }]
    ]
    for (const [name, bad] of unencodable) {
      it(`${name} is not sent`, () => {
        const machine = make()
        const reason = MachineSuite.verifyRefusal(machine, bad, "Unencodable")
        assert.instanceOf(reason, Unencodable)
        const io = probe()
        machine.encode(frame(Text, "goes on"), io)
        assert.lengthOf(sent(io), 1)
      })
    }

    it("5.4: a message inside another is not sent, and the first goes on", () => {
      const machine = make()
      const io = probe()
      machine.encode(frame(Text, "a", false), io)
      for (const opcode of [Text, Binary]) {
        assert.instanceOf(thrown(() => machine.encode(frame(opcode, "b"), io)), Unencodable)
      }
      machine.encode(frame(Ping), io)
      machine.encode(frame(Continuation, "c"), io)
      machine.encode(frame(Binary, "d"), io)
      assert.deepStrictEqual(sent(io).map(({ first }) => first), [0x01, 0x89, 0x80, 0x82])
    })

    it("9.2: what extensions have transformed stays so, and its bits tell it, both ways", () => {
      const machine = make({ extensions: invertingChain() })
      const bits = { rsv: 2 }
      const frames = [
        { ...frame(Text, "x", false), rsv: Rsv.Rsv2 },
        frame(Ping),
        frame(Continuation, "y"),
        frame(Text, "plain")
      ]
      const io = feed(machine, frames.map((each) => wire(each, each.rsv === undefined ? {} : bits)))
      assert.deepStrictEqual(io.emitted, frames)
      for (const each of frames) machine.encode(each, io)
      assert.deepStrictEqual(sent(io).map(({ first }) => first), [0x21, 0x89, 0x80, 0x81])
      for (const bad of [{ ...frame(Text), rsv: Rsv.Rsv1 }, { ...frame(Ping), rsv: Rsv.Rsv2 }, frame(Continuation)]) {
        assert.instanceOf(thrown(() => machine.encode(bad, io)), Unencodable)
      }
    })

    it("7.4.1: more frames in a time than are allowed are a violation of policy", () => {
      const meter = new Meter({ maxMessagesPerSecond: 2, maxBytesPerSecond: Infinity }, () => 0)
      const frames = [frame(Ping, "1"), frame(Text, "2"), frame(Text, "3")]
      const io = feed(make({ meter }), frames.map((each) => wire(each)))
      assert.deepStrictEqual(io.emitted, frames.slice(0, 2))
      assert.deepStrictEqual(io.reason, new RateExceeded({ what: "messages", limit: 2 }))
    })
  })
}

it("neither a ping nor a pong is the first message, and any part of one is", () => {
  for (const opcode of [Continuation, Text, Binary]) {
    const machine = new FrameMachine({ role: "server" })
    const take = (opcode: Opcode, fin = true) =>
      MachineSuite.feed(machine, [[bytesOf(opcode, "?", { mask: true, fin })]])
    take(Ping)
    take(Pong)
    assert.isFalse(machine.spoken)
    take(opcode === Continuation ? Text : opcode, opcode !== Continuation)
    take(Ping)
    assert.isTrue(machine.spoken)
  }
})
