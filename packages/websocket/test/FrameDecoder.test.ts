import { assert, describe, it } from "@effect/vitest"
import type { TooLarge, Violation } from "@wirestack/protocol/Reason"
import { fromViolation } from "../src/CloseCode.ts"
import { failed, FrameDecoder, type Limits, needMore } from "../src/FrameDecoder.ts"
import { Opcode } from "../src/Opcode.ts"
import { concat, cuts, frame, hex, random, utf8 } from "./support.ts"

const limits: Limits = { maxMessageSize: 100_000, maxFragments: 8 }

interface Outcome {
  readonly found: ReadonlyArray<readonly [opcode: number, message: string | Uint8Array]>
  readonly failure: Violation | TooLarge | undefined
  readonly inside: string | undefined
}

/** Everything a decoder finds in the parts. What it finds is copied at the end, so that overwritten bytes show. */
const decode = (parts: ReadonlyArray<Uint8Array>, masked: boolean, bounds = limits): Outcome => {
  const decoder = new FrameDecoder(masked, bounds)
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

const vectors: ReadonlyArray<
  readonly [string, boolean, Uint8Array, ReadonlyArray<readonly [number, string | Uint8Array]>]
> = [
  ["5.7: an unmasked text", false, hex("810548656c6c6f"), [[1, "Hello"]]],
  ["5.7: a masked text", true, hex("818537fa213d7f9f4d5158"), [[1, "Hello"]]],
  ["5.7: a fragmented text", false, hex("010348656c 80026c6f"), [[1, "Hello"]]],
  ["5.7: an unmasked ping", false, hex("890548656c6c6f"), [[9, utf8("Hello")]]],
  ["5.7: a masked pong", true, hex("8a8537fa213d7f9f4d5158"), [[10, utf8("Hello")]]],
  ["5.7: 256 bytes", false, concat(hex("827e0100"), bytes(256)), [[2, bytes(256)]]],
  ["5.7: 64 KiB", false, concat(hex("827f0000000000010000"), bytes(65_536)), [[2, bytes(65_536)]]],
  ["5.6: empty messages", true, concat(frame(1, "", { mask: true }), frame(2, "", { mask: true })), [[1, ""], [
    2,
    bytes(0)
  ]]],
  [
    "5.2: the lengths around 126 and 65,536",
    false,
    concat(
      frame(2, bytes(125)),
      frame(2, bytes(126)),
      frame(2, bytes(127)),
      frame(2, bytes(65_535)),
      frame(2, bytes(65_537))
    ),
    [[2, bytes(125)], [2, bytes(126)], [2, bytes(127)], [2, bytes(65_535)], [2, bytes(65_537)]]
  ],
  [
    "5.4: control frames between fragments",
    true,
    concat(
      frame(2, bytes(3), { mask: true, fin: false }),
      frame(9, "p", { mask: true }),
      frame(0, "", { mask: true, fin: false }),
      frame(10, bytes(125), { mask: true }),
      frame(0, bytes(200), { mask: true, fin: false }),
      frame(8, "", { mask: true }),
      frame(0, "", { mask: true }),
      frame(1, "next", { mask: true })
    ),
    [[9, utf8("p")], [10, bytes(125)], [8, bytes(0)], [2, concat(bytes(3), bytes(200))], [1, "next"]]
  ],
  [
    "8.1: characters cut by fragments",
    true,
    concat(
      frame(1, hex("f09f"), { mask: true, fin: false }),
      frame(0, hex("98"), { mask: true, fin: false }),
      frame(0, hex("80e282"), { mask: true, fin: false }),
      frame(0, hex("ac"), { mask: true })
    ),
    [[1, "😀€"]]
  ],
  [
    "8.1: long text",
    true,
    concat(frame(1, "größer€😀".repeat(700), { mask: true }), frame(1, "kleiner", { mask: true })),
    [[1, "größer€😀".repeat(700)], [1, "kleiner"]]
  ]
]

describe("FrameDecoder", () => {
  describe("reads whole, byte by byte and in random splits", () => {
    for (const [name, masked, input, found] of vectors) {
      it(name, () => {
        for (const parts of cuts(input)) {
          const outcome = decode(parts, masked)
          assert.isUndefined(outcome.failure)
          assert.deepStrictEqual(outcome.found, found)
          assert.isUndefined(outcome.inside)
        }
      })
    }
  })

  it("knows that it is inside of something, wherever the input is cut off", () => {
    for (const [name, masked, input] of vectors) {
      if (input.length > 1_000) continue
      const complete = new Set<number>([0])
      const decoder = new FrameDecoder(masked, limits)
      for (let end = 1; end <= input.length; end++) {
        decoder.feed(input.slice(end - 1, end))
        while (decoder.next() !== needMore);
        if (decoder.inside === undefined) complete.add(end)
      }
      for (let end = 0; end <= input.length; end++) {
        const { failure, inside } = decode([input.slice(0, end)], masked)
        assert.isUndefined(failure)
        assert.strictEqual(inside === undefined, complete.has(end), `${name} cut at ${end}`)
      }
    }
    assert.strictEqual(decode([hex("0101")], false).inside, "a frame")
    assert.strictEqual(decode([hex("81")], false).inside, "a frame")
    assert.strictEqual(decode([hex("010161")], false).inside, "a fragmented message")
  })

  /** Name, role, input, the code, and the offset of the byte that breaks the rule. */
  const violations: ReadonlyArray<readonly [string, boolean, Uint8Array, number, number]> = [
    ["5.1: a server fails on an unmasked frame", true, hex("810548656c6c6f"), 1002, 1],
    ["5.1: a server fails on an unmasked control frame", true, hex("8900"), 1002, 1],
    ["5.1: a client fails on a masked frame", false, hex("818537fa213d7f9f4d5158"), 1002, 1],
    ["5.2: RSV1 is 0 without an extension", false, hex("c100"), 1002, 0],
    ["5.2: RSV2 is 0 without an extension", false, hex("a100"), 1002, 0],
    ["5.2: RSV3 is 0 without an extension", false, hex("9100"), 1002, 0],
    ["5.2: RSV is 0 in a control frame", false, hex("c900"), 1002, 0],
    ["5.2: opcode 3 is reserved", false, hex("8300"), 1002, 0],
    ["5.2: opcode 7 is reserved", false, hex("8700"), 1002, 0],
    ["5.2: opcode 11 is reserved", false, hex("8b00"), 1002, 0],
    ["5.2: opcode 15 is reserved", false, hex("8f00"), 1002, 0],
    ["5.2: a length has its shortest form, 125 in 16 bits", false, frame(2, bytes(125), { lengthBytes: 2 }), 1002, 3],
    ["5.2: a length has its shortest form, 0 in 16 bits", true, frame(2, "", { mask: true, lengthBytes: 2 }), 1002, 3],
    ["5.2: a length has its shortest form, 125 in 64 bits", false, frame(2, bytes(125), { lengthBytes: 8 }), 1002, 9],
    [
      "5.2: a length has its shortest form, 65,535 in 64 bits",
      false,
      frame(2, bytes(65_535), { lengthBytes: 8 }),
      1002,
      9
    ],
    ["5.2: the most significant bit of a length is 0", false, hex("827f8000000000010000"), 1002, 2],
    ["5.4: a continuation continues a message", false, hex("8000"), 1002, 0],
    ["5.4: a continuation after the end of a message", false, hex("0101618001628000"), 1002, 6],
    ["5.4: a continuation after a whole message", false, hex("8101618000"), 1002, 3],
    ["5.4: a message is not inside another", false, hex("010161 8101"), 1002, 3],
    ["5.4: a fragment is not inside another message", false, hex("020161 0201"), 1002, 3],
    ["5.5: a control frame has at most 125 bytes", false, frame(9, bytes(126)), 1002, 1],
    ["5.5: a control frame has no 64 bits of length", true, frame(8, bytes(65_536), { mask: true }), 1002, 1],
    ["5.5: a control frame is not fragmented", false, hex("0900"), 1002, 0],
    ["5.5: a Close frame is not fragmented", false, hex("0800"), 1002, 0],
    ["8.1: text is UTF-8", false, hex("8103 61ff62"), 1007, 3],
    ["8.1: a fast failure inside of a frame", true, frame(1, hex("61edaf6262626262"), { mask: true }), 1007, 8],
    ["8.1: text is UTF-8 across fragments", false, hex("0102 61e2 0001 28 8001 61"), 1007, 6],
    ["8.1: a text does not end inside a character", false, hex("8102 61c3"), 1007, 3],
    ["8.1: a fragmented text does not end inside a character", false, hex("0102 61c3 8000"), 1007, 5],
    ["10.4: a message is not too large", false, hex("827f00000000000186a1"), 1009, 9],
    ["10.4: a length over 2^53", false, hex("827f7fffffffffffffff"), 1009, 9],
    ["10.4: a length of 2^32", false, hex("827f0000000100000000"), 1009, 9],
    [
      "10.4: fragments are not too large together",
      false,
      concat(frame(2, bytes(70_000), { fin: false }), frame(0, bytes(30_001))),
      1009,
      70_010 + 3
    ],
    [
      "10.4: a message has not too many fragments",
      false,
      concat(frame(2, "", { fin: false }), ...Array.from({ length: 8 }, () => frame(0, "", { fin: false }))),
      1009,
      16
    ]
  ]

  describe("fails as soon as a rule is broken, and not before", () => {
    for (const [name, masked, input, code, at] of violations) {
      it(name, () => {
        const before = frame(1, "before", { mask: masked })
        const pieces = (end: number) =>
          Array.from(concat(before, input).subarray(0, before.length + end), (byte) => Uint8Array.of(byte))
        const early = decode(pieces(at), masked)
        assert.isUndefined(early.failure)
        const late = decode(pieces(at + 1), masked)
        assert.isDefined(late.failure)
        assert.strictEqual(fromViolation(late.failure!), code)
        assert.deepStrictEqual(late.found[0], [1, "before"])
        for (const parts of cuts(concat(before, input))) {
          const outcome = decode(parts, masked)
          assert.deepStrictEqual(outcome.failure, late.failure)
          assert.deepStrictEqual(outcome.found, late.found)
        }
      })
    }
  })

  it("says where the rule is written", () => {
    const { failure } = decode([hex("c100")], false)
    assert.strictEqual(failure?.message, "the reserved bits are 0 without an extension (RFC 6455 section 5.2)")
  })

  it("stays failed", () => {
    const decoder = new FrameDecoder(false, limits)
    decoder.feed(concat(hex("c100"), frame(1, "later")))
    assert.strictEqual(decoder.next(), failed)
    assert.strictEqual(decoder.next(), failed)
    decoder.feed(frame(1, "later"))
    assert.strictEqual(decoder.next(), failed)
  })

  it("needs input to find anything", () => {
    const decoder = new FrameDecoder(false, limits)
    assert.strictEqual(decoder.next(), needMore)
    decoder.feed(new Uint8Array(0))
    assert.strictEqual(decoder.next(), needMore)
  })

  it("10.4: takes a message of exactly the limit, and no more", () => {
    const small = { maxMessageSize: 10, maxFragments: 2 }
    for (const mask of [true, false]) {
      assert.deepStrictEqual(decode([frame(2, bytes(10), { mask })], mask, small).found, [[2, bytes(10)]])
      assert.isDefined(decode([frame(2, bytes(11), { mask })], mask, small).failure)
    }
    const two = concat(frame(2, bytes(5), { fin: false }), frame(0, bytes(5)))
    assert.deepStrictEqual(decode([two], false, small).found, [[2, concat(bytes(5), bytes(5))]])
  })

  it("5.5: the limit of a message does not count control frames", () => {
    const { found } = decode([frame(9, bytes(100))], false, { maxMessageSize: 10, maxFragments: 2 })
    assert.deepStrictEqual(found, [[9, bytes(100)]])
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
      const decoder = new FrameDecoder(false, { maxMessageSize: 2 ** 30, maxFragments: 8 })
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

  it("reads random traffic in random splits", () => {
    for (let seed = 1; seed <= 15; seed++) {
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
