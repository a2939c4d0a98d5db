import { assert, describe, it } from "@effect/vitest"
import type { TooLarge, Violation } from "@wirestack/protocol/Reason"
import { failed, FrameDecoder, type Limits, needMore, part } from "../../src/frames/FrameDecoder.ts"
import { Opcode } from "../../src/frames/Opcode.ts"
import { concat, cuts, frame, hex, random, utf8 } from "../support.ts"

const limits: Limits = { maxMessageSize: 100_000, maxFragments: 8 }

interface Outcome {
  readonly found: ReadonlyArray<readonly [opcode: number, message: string | Uint8Array]>
  readonly failure: Violation | TooLarge | undefined
  readonly inside: string | undefined
}

/** Everything a decoder finds in the parts. What it finds is copied at the end, so that overwritten bytes show. */
const decode = (parts: ReadonlyArray<Uint8Array>, masked: boolean, bounds = limits): Outcome => {
  const decoder = new FrameDecoder({ masked, ...bounds })
  const found: Array<readonly [number, string | Uint8Array]> = []
  for (const part of parts) {
    decoder.feed(part)
    for (let opcode = decoder.next(); opcode !== needMore; opcode = decoder.next()) {
      if (opcode === failed) return { found, failure: decoder.failure, inside: decoder.inside }
      const { message, size } = decoder
      assert.strictEqual(size, typeof message === "string" ? utf8(message).length : message.length)
      found.push([opcode, message])
    }
    assert.isFalse(decoder.fed)
  }
  return { found, failure: undefined, inside: decoder.inside }
}

const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i * 7)

describe("FrameDecoder", () => {
  it("says where the rule is written", () => {
    const { failure } = decode([hex("c100")], false)
    assert.strictEqual(failure?.message, "the reserved bits are 0 without an extension (RFC 6455 section 5.2)")
  })

  it("stays failed", () => {
    const decoder = new FrameDecoder({ masked: false, ...limits })
    decoder.feed(concat(hex("c100"), frame(1, "later")))
    assert.strictEqual(decoder.next(), failed)
    assert.strictEqual(decoder.next(), failed)
    decoder.feed(frame(1, "later"))
    assert.strictEqual(decoder.next(), failed)
  })

  it("needs input to find anything", () => {
    const decoder = new FrameDecoder({ masked: false, ...limits })
    assert.strictEqual(decoder.next(), needMore)
    decoder.feed(new Uint8Array(0))
    assert.strictEqual(decoder.next(), needMore)
  })

  it("gives a whole payload as a piece of its chunk, and copies none of it", () => {
    const chunk = concat(frame(2, bytes(300), { mask: true }), frame(9, "ping", { mask: true }))
    const { found } = decode([chunk], true)
    for (const [, message] of found) assert.strictEqual((message as Uint8Array).buffer, chunk.buffer)
  })

  it("holds memory for what has arrived, not for what is announced", () => {
    const before = process.memoryUsage().arrayBuffers
    const decoders: Array<FrameDecoder> = []
    for (let i = 0; i < 200; i++) {
      const decoder = new FrameDecoder({ masked: false, maxMessageSize: 2 ** 30, maxFragments: 8 })
      decoder.feed(concat(hex("827f0000000040000000"), bytes(10)))
      assert.strictEqual(decoder.next(), needMore)
      decoder.feed(new Uint8Array(0))
      decoders.push(decoder)
    }
    assert.isBelow(process.memoryUsage().arrayBuffers - before, 4_000_000)
    assert.lengthOf(decoders, 200)
  })

  it("does not keep much more memory alive than a message has", () => {
    const fragments = [
      ...Array.from({ length: 7 }, (_, i) => frame(i === 0 ? 2 : 0, bytes(3_000), { fin: false })),
      frame(0, "")
    ]
    const { found } = decode(fragments, false)
    const message = found[0][1] as Uint8Array
    assert.strictEqual(message.length, 21_000)
    assert.isAtMost(message.buffer.byteLength, 42_000)
  })

  it("gives every frame by itself if it is told to, with its last bit and its reserved ones", () => {
    for (const mask of [true, false]) {
      const input = concat(
        frame(1, hex("ff"), { mask, fin: false, rsv: 4 }),
        frame(9, "?", { mask }),
        frame(0, "", { mask, fin: false }),
        frame(0, bytes(300), { mask }),
        frame(2, bytes(70_000), { mask, rsv: 6 }),
        frame(8, "", { mask })
      )
      for (const parts of cuts(input)) {
        const decoder = new FrameDecoder({ masked: mask, ...limits, unit: "frame", rsv: 0x60 })
        const found: Array<readonly [number, boolean, number, string | Uint8Array]> = []
        for (const part of parts) {
          decoder.feed(part)
          for (let opcode = decoder.next(); opcode !== needMore; opcode = decoder.next()) {
            found.push([opcode, decoder.fin, opcode < 8 ? decoder.rsv : 0, decoder.message])
          }
        }
        assert.deepStrictEqual(found, [
          [1, false, 0x40, hex("ff")],
          [9, true, 0, utf8("?")],
          [0, false, 0, hex("")],
          [0, true, 0, bytes(300)],
          [2, true, 0x60, bytes(70_000)],
          [8, true, 0, hex("")]
        ])
        assert.isUndefined(decoder.inside)
      }
    }
  })

  it("gives frames by themselves only in their order", () => {
    for (
      const [wrong, section] of [
        [frame(0, ""), "5.4"],
        [concat(frame(1, "", { fin: false }), frame(2, "")), "5.4"],
        [concat(frame(1, "", { fin: false }), frame(0, "", { rsv: 4 })), "5.2"],
        [frame(2, "", { rsv: 2 }), "5.2"],
        [frame(2, bytes(9), { lengthBytes: 8 }), "5.2"]
      ] as const
    ) {
      for (const parts of cuts(wrong)) {
        const decoder = new FrameDecoder({ masked: false, ...limits, unit: "frame", rsv: 0x40 })
        for (const part of parts) {
          decoder.feed(part)
          while (decoder.next() >= 0);
        }
        assert.strictEqual((decoder.failure as Violation).section, `RFC 6455 section ${section}`)
      }
    }
  })

  it("gives messages in parts if it is told to, as their bytes arrive", () => {
    const input = concat(
      frame(1, "abc", { mask: true, fin: false }),
      frame(9, "?", { mask: true }),
      frame(0, "", { mask: true, fin: false }),
      frame(0, "", { mask: true }),
      frame(2, bytes(3_000), { mask: true })
    )
    for (const parts of cuts(input)) {
      const decoder = new FrameDecoder({ masked: true, ...limits, unit: "part" })
      const messages: Array<readonly [number, Uint8Array]> = []
      let whole = new Uint8Array(0)
      for (const piece of parts) {
        decoder.feed(piece)
        for (let found = decoder.next(); found !== needMore; found = decoder.next()) {
          if (found !== part) {
            assert.deepStrictEqual([found, decoder.message], [9, utf8("?")])
            continue
          }
          assert.isTrue(decoder.size > 0 || decoder.last)
          assert.isUndefined(decoder.memory)
          whole = new Uint8Array(concat(whole, decoder.message as Uint8Array))
          if (!decoder.last) continue
          messages.push([decoder.type, whole])
          whole = new Uint8Array(0)
        }
      }
      assert.deepStrictEqual(messages, [[1, utf8("abc")], [2, bytes(3_000)]])
    }
  })

  it("reads random traffic in random splits", () => {
    for (let seed = 1; seed <= 8; seed++) {
      const next = random(seed)
      const mask = next() < 0.5
      const frames: Array<Uint8Array> = []
      const expected: Array<readonly [number, string | Uint8Array]> = []
      for (let i = 0; i < 30; i++) {
        const isText = next() < 0.5
        const size = Math.floor(next() ** 4 * 3_000)
        const message = isText
          ? Array.from({ length: size }, () => "aé€😀"[Math.floor(next() * 3)]).join("")
          : bytes(size)
        const payload = typeof message === "string" ? utf8(message) : message
        const fragments = next() < 0.6 ? 1 : 1 + Math.floor(next() * 7)
        for (let part = 0; part < fragments; part++) {
          if (next() < 0.2) {
            const ping = bytes(Math.floor(next() * 126))
            frames.push(frame(9, ping, { mask }))
            expected.push([9, ping])
          }
          const start = Math.floor((payload.length * part) / fragments)
          const end = Math.floor((payload.length * (part + 1)) / fragments)
          frames.push(
            frame(part > 0 ? 0 : isText ? 1 : 2, payload.slice(start, end), { mask, fin: part === fragments - 1 })
          )
        }
        expected.push([isText ? Opcode.Text : Opcode.Binary, message])
      }
      for (const parts of cuts(concat(...frames))) {
        const outcome = decode(parts, mask)
        assert.isUndefined(outcome.failure)
        assert.deepStrictEqual(outcome.found, expected)
      }
    }
  })
})
