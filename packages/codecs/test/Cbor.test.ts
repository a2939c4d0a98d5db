import { assert, describe, it } from "@effect/vitest"
import { Cbor } from "@wirestack/codecs"
import { Codec } from "@wirestack/protocol"
import { decode, encode } from "cborg"
import { Schema } from "effect"
import { held } from "./support/held.ts"
import { keeps } from "./support/keeps.ts"
import { Event, read, written } from "./support/values.ts"

const codec = Cbor.codec()
const Bytes = Schema.Struct({ body: Schema.Uint8Array })
const Anything = Schema.Struct({ x: Schema.optional(Schema.Unknown) })
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"))

keeps("CBOR", { codec, schema: Event })
keeps("records of CBOR", { codec: Codec.records({ Placed: 1, Grown: 2, Moved: 3 }, codec), schema: Event })

it("bytes are bytes, and all else has its canonical JSON form", () => {
  const body = Uint8Array.of(1, 2, 3)
  assert.deepStrictEqual(decode(written(codec, Bytes, { body }) as Uint8Array), { body })
  assert.deepStrictEqual(
    decode(written(codec, Schema.Struct({ at: Schema.Date }), { at: new Date(0) }) as Uint8Array),
    { at: "1970-01-01T00:00:00.000Z" }
  )
})

it("RFC 8949 appendix A: reads the examples", () => {
  for (
    const [bytes, x] of [
      ["00", 0],
      ["1818", 24],
      ["1b000000e8d4a51000", 1_000_000_000_000],
      ["3903e7", -1000],
      ["fb3ff199999999999a", 1.1],
      ["f97bff", 65504],
      ["f4", false],
      ["f6", null],
      ["64f0908591", "𐅑"],
      ["8301820203820405", [1, [2, 3], [4, 5]]],
      ["a26161016162820203", { a: 1, b: [2, 3] }],
      ["9f018202039f0405ffff", [1, [2, 3], [4, 5]]],
      ["bf61610161629f0203ffff", { a: 1, b: [2, 3] }]
    ] as const
  ) {
    assert.deepStrictEqual(read(codec, Anything, hex(`a1 6178 ${bytes}`)), { x } as never, bytes)
  }
})

describe("what is no CBOR", () => {
  const refused = (name: string, bytes: Uint8Array) =>
    it(name, () => {
      const reason = read(codec, Anything, bytes)
      assert.deepInclude(reason, { _tag: "Undecodable" })
      assert.notProperty(reason, "by")
    })

  refused("two values", hex("a0 a0"))
  refused("a key twice", hex("a2 6178 01 6178 02"))
  refused("a key that is no text", hex("a1 01 01"))
  refused("a tag", hex("a1 6178 c0 6131"))
  refused("a break", hex("ff"))
  refused("a text in parts", hex("a1 6178 7f657374726561646d696e67ff"))
  refused("a text that is no UTF-8", hex("a1 6178 62c328"))
  refused("a key that is no UTF-8", hex("a1 62c328 01"))
  refused("nested too deep", new Uint8Array(200_000).fill(0x81))
  refused("indefinite and nested too deep", new Uint8Array(200_000).fill(0x9f))

  it("announced lengths take no memory", () => {
    for (const announced of ["9b 001fffffffffffff", "9a 7fffffff", "5a 7fffffff 00", "7a 7fffffff 00", "ba 7fffffff"]) {
      const message = hex(`a1 6178 ${announced}`)
      assert.isBelow(held(() => assert.deepInclude(read(codec, Anything, message), { _tag: "Undecodable" })), 8e6)
    }
  })
})

it("a prototype stays as it was", () => {
  const hostile = JSON.parse(`{"__proto__":{"admin":1},"constructor":{"prototype":{"polluted":1}}}`)
  const Role = Schema.Struct({ admin: Schema.optional(Schema.Unknown) })
  assert.deepStrictEqual(read(codec, Role, encode(hostile)), {})
  assert.notProperty({}, "polluted")
})

it("text with a lone surrogate is refused, also as a key", () => {
  for (const x of ["\ud800", { ["\ud800"]: 1 }, "\ud800".repeat(100)]) {
    assert.throws(() => written(codec, Anything, { x }), /surrogate/)
  }
})

it("keeps a byte order mark", () => {
  for (const x of ["\ufeff", "\ufeff€".repeat(100), "\ufeff".repeat(30_000)]) {
    assert.deepStrictEqual(read(codec, Anything, written(codec, Anything, { x })), { x })
  }
})

it("an integer beyond 2^53 is refused", () => {
  const Count = Schema.Struct({ x: Schema.Int })
  assert.deepInclude(read(codec, Count, hex("a1 6178 1b ffffffffffffffff")), { _tag: "Undecodable" })
})
