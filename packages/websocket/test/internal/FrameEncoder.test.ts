import { assert, describe, it } from "@effect/vitest"
import * as Utf8 from "@wirestack/protocol/bytes/Utf8"
import { MachineSuite } from "@wirestack/protocol/testing"
import type { ExtensionChain } from "../../src/extensions/ExtensionChain.ts"
import { Opcode } from "../../src/frames/Opcode.ts"
import { FrameEncoder } from "../../src/internal/FrameEncoder.ts"
import { type Message, type Options, WebSocketMachine } from "../../src/machines/WebSocketMachine.ts"
import { invertingChain } from "../extensions/inverting.ts"
import { concat, frame, framesOf, text, utf8 } from "../support.ts"

const { Binary, Text } = Opcode

const setup = (masks: boolean, maxFrameSize: number, extensions?: ExtensionChain) => {
  const encoder = new FrameEncoder(masks, maxFrameSize, extensions)
  const io = new MachineSuite.Probe<never, Uint8Array>()
  const write = (data: Message, last = true, plain = false) => {
    const bytes = typeof data === "string" ? utf8(data) : data
    encoder.write(typeof data === "string" ? Text : Binary, bytes, bytes.length, last, plain, io)
  }
  /** The frames written since the last call. */
  const frames = () => {
    io.settle()
    return framesOf(concat(...io.written.splice(0)), masks).map(({ first, payload }) => [first, text(payload)])
  }
  /** The frames it writes in so many steps. */
  const proceed = (steps = Infinity) => {
    for (let step = 0; step < steps && encoder.busy; step++) encoder.proceed(io)
    return frames()
  }
  return { encoder, io, write, frames, proceed }
}

for (const masks of [true, false]) {
  describe(masks ? "masked" : "unmasked", () => {
    it("5.4: writes at once what fits into a frame, and has the rest wait, frame by frame", () => {
      const { encoder, frames, proceed, write } = setup(masks, 4)
      write("1234")
      assert.deepStrictEqual(frames(), [[0x81, "1234"]])
      assert.isFalse(encoder.busy)
      write("123456789")
      assert.deepStrictEqual(frames(), [])
      assert.isTrue(encoder.busy)
      assert.deepStrictEqual(proceed(1), [[0x01, "1234"]])
      assert.deepStrictEqual(proceed(1), [[0x00, "5678"]])
      assert.isTrue(encoder.busy)
      assert.deepStrictEqual(proceed(1), [[0x80, "9"]])
      assert.isFalse(encoder.busy)
      write("12345678")
      assert.deepStrictEqual(proceed(), [[0x01, "1234"], [0x80, "5678"]])
    })

    it("keeps the order: what comes while something waits, waits behind it", () => {
      const { encoder, frames, proceed, write } = setup(masks, 3)
      write("abcd")
      write("e")
      write("", true)
      write(utf8("fghij"))
      assert.deepStrictEqual(frames(), [])
      assert.deepStrictEqual(proceed(), [
        [0x01, "abc"],
        [0x80, "d"],
        [0x81, "e"],
        [0x81, ""],
        [0x02, "fgh"],
        [0x80, "ij"]
      ])
      assert.isFalse(encoder.busy)
    })

    it("cuts parts of a message like whole ones, and no frame ends it but the last", () => {
      const { proceed, write, frames } = setup(masks, 3)
      write("ab", false)
      assert.deepStrictEqual(frames(), [[0x01, "ab"]])
      write("cdefg", false)
      write("", false)
      write("h", false)
      write("", true)
      assert.deepStrictEqual(proceed(), [[0x00, "cde"], [0x00, "fg"], [0x00, "h"], [0x80, ""]])
    })

    it("cuts large frames too, whose payload a server passes on as it is", () => {
      const { io, encoder, write } = setup(masks, 65_536)
      const large = Uint8Array.from({ length: 200_000 }, (_, i) => i * 7)
      const copy = large.slice()
      write(large)
      while (encoder.busy) encoder.proceed(io)
      io.settle()
      const all = framesOf(concat(...io.written), masks)
      assert.deepStrictEqual(all.map(({ first, payload }) => [first, payload.length]), [
        [0x02, 65_536],
        [0x00, 65_536],
        [0x00, 65_536],
        [0x80, 3_392]
      ])
      assert.deepStrictEqual(concat(...all.map(({ payload }) => payload)), copy)
      assert.deepStrictEqual(large, copy)
      assert.strictEqual(io.written.filter((chunk) => chunk.buffer === large.buffer).length, masks ? 0 : 3)
    })

    it("keeps a copy of what lies in the scratch, and of nothing else", () => {
      const { encoder, io, proceed } = setup(masks, 4)
      encoder.write(Text, Utf8.scratch, Utf8.encodeScratch("123456"), true, false, io)
      Utf8.encodeScratch("overwritten")
      assert.deepStrictEqual(proceed(), [[0x01, "1234"], [0x80, "56"]])
    })

    it("counts what is not written to its end", () => {
      const { encoder, proceed, write } = setup(masks, 4)
      assert.deepStrictEqual(encoder.unsent, { messages: 0, bytes: 0 })
      write("1234567890")
      write("ab")
      assert.deepStrictEqual(encoder.unsent, { messages: 2, bytes: 12 })
      proceed(1)
      assert.deepStrictEqual(encoder.unsent, { messages: 2, bytes: 8 })
      proceed(2)
      assert.deepStrictEqual(encoder.unsent, { messages: 1, bytes: 2 })
      write("cd", false)
      assert.deepStrictEqual(encoder.unsent, { messages: 1, bytes: 4 })
      proceed()
      assert.deepStrictEqual(encoder.unsent, { messages: 0, bytes: 0 })
    })

    it("drops what waits, and tells what that was", () => {
      const { encoder, proceed, write } = setup(masks, 4)
      write("1234567890")
      write("ab")
      proceed(1)
      assert.deepStrictEqual(encoder.drop(), { messages: 2, bytes: 8 })
      assert.isFalse(encoder.busy)
      assert.deepStrictEqual(encoder.unsent, { messages: 0, bytes: 0 })
      assert.deepStrictEqual(encoder.drop(), { messages: 0, bytes: 0 })
    })

    it("transforms a large message piece by piece, when each is written", () => {
      const { proceed, write } = setup(masks, 4, invertingChain())
      write(utf8("123456789"))
      const [first, ...others] = proceed()
      assert.strictEqual(first[0], 0x22)
      assert.deepStrictEqual(others.map(([first]) => first), [0x00, 0x80])
      write("plain", true, true)
      assert.deepStrictEqual(proceed(), [[0x01, "plai"], [0x80, "n"]])
      write("")
      assert.deepStrictEqual(proceed(), [[0x81, ""]])
    })
  })
}

describe("a machine whose message waits", () => {
  const waiting = (role: "client" | "server", options?: Partial<Options>) => {
    const machine = new WebSocketMachine({ role, maxFrameSize: 4, ...options })
    const io = new MachineSuite.Probe<Message, Uint8Array>()
    const step = () => {
      machine.proceed(io)
      io.settle()
      return framesOf(concat(...io.written.splice(0)), role === "client").map((
        { first, payload }
      ) => [first, text(payload)])
    }
    return { machine, io, step }
  }

  for (const role of ["client", "server"] as const) {
    const ping = (payload: string) => frame(9, payload, { mask: role === "server" })

    it(`5.4: pongs and pings go between its frames (${role})`, () => {
      const { io, machine, step } = waiting(role)
      machine.encode("123456789", io)
      assert.deepStrictEqual(step(), [[0x01, "1234"]])
      machine.receive([ping("?")], io)
      machine.ping(utf8("!"))
      assert.deepStrictEqual(step(), [[0x8a, "?"]])
      assert.deepStrictEqual(step(), [[0x89, "!"]])
      assert.deepStrictEqual(step(), [[0x00, "5678"]])
      machine.receive([ping("again")], io)
      assert.deepStrictEqual(step(), [[0x8a, "again"]])
      assert.deepStrictEqual(step(), [[0x80, "9"]])
      assert.isFalse(machine.proceed(io))
    })

    it(`5.5.1: a Close goes behind it, and pongs still before (${role})`, () => {
      const { io, machine, step } = waiting(role)
      machine.encode("12345", io)
      machine.close("done", io)
      machine.receive([ping("?")], io)
      assert.isTrue(machine.busy)
      assert.deepStrictEqual(step(), [[0x8a, "?"]])
      assert.deepStrictEqual(step(), [[0x01, "1234"]])
      assert.deepStrictEqual(step(), [[0x80, "5"]])
      assert.deepStrictEqual(step(), [[0x88, "\u0003\ufffd"]])
      assert.isFalse(machine.busy)
      assert.deepStrictEqual(machine.unsent(), { messages: 0, bytes: 0 })
    })

    it(`5.5.1: the peer's Close is answered behind it (${role})`, () => {
      const { io, machine, step } = waiting(role)
      machine.encode("12345", io)
      machine.receive([frame(8, "", { mask: role === "server" })], io)
      assert.strictEqual(io.ending, "closed")
      assert.deepStrictEqual([step(), step(), step()], [[[0x01, "1234"]], [[0x80, "5"]], [[0x88, ""]]])
    })

    it(`7.1.7: a peer that breaks the protocol gets nothing more of it, and it counts as unsent (${role})`, () => {
      for (const parting of [false, true]) {
        const { io, machine, step } = waiting(role)
        machine.encode("1234567", io)
        machine.encode("x", io)
        step()
        if (parting) machine.close("done", io)
        machine.receive([frame(3, "", { mask: role === "server" })], io)
        assert.strictEqual(io.ending, "Violation")
        assert.isFalse(machine.busy)
        assert.deepStrictEqual(machine.unsent(), { messages: 2, bytes: 4 })
        io.settle()
        const last = framesOf(concat(...io.written), role === "client")
        assert.lengthOf(last, 1)
        assert.strictEqual(last[0].first, 0x88)
        assert.deepStrictEqual(last[0].payload.slice(0, 2), Uint8Array.of(3, parting ? 0xe8 : 0xea))
      }
    })
  }
})
