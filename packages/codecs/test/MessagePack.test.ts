import { assert, describe, it } from "@effect/vitest"
import { decode, encode } from "@msgpack/msgpack"
import { MessagePack } from "@wirestack/codecs"
import { Codec } from "@wirestack/protocol"
import { Schema } from "effect"
import { held } from "./support/held.ts"
import { keeps } from "./support/keeps.ts"
import { Event, read, written } from "./support/values.ts"

const codec = MessagePack.codec()
const Bytes = Schema.Struct({ body: Schema.Uint8Array })
const Anything = Schema.Struct({ x: Schema.optional(Schema.Unknown) })

keeps("MessagePack", { codec, schema: Event })
keeps("records of MessagePack", { codec: Codec.records({ Placed: 1, Grown: 2, Moved: 3 }, codec), schema: Event })

it("bytes are bytes, and all else has its canonical JSON form", () => {
  const body = Uint8Array.of(1, 2, 3)
  assert.deepStrictEqual(decode(written(codec, Bytes, { body }) as Uint8Array), { body })
  const Checked = Schema.Struct({ body: Schema.Uint8Array.check(Schema.isMinLength(1)) })
  assert.deepStrictEqual(decode(written(codec, Checked, { body }) as Uint8Array), { body })
  assert.deepStrictEqual(
    decode(written(codec, Schema.Struct({ at: Schema.Date }), { at: new Date(0) }) as Uint8Array),
    { at: "1970-01-01T00:00:00.000Z" }
  )
})

it("reads what others write, of all its formats", () => {
  const long = "x".repeat(70_000)
  const values = [0, -1, 127, 128, -33, 65_536, -70_000, 2 ** 40, -(2 ** 40), 0.5, "", "é", long, null, true, [], [1]]
  const wide: Array<unknown> = [...values, Array.from({ length: 70_000 }, (_, i) => i), { a: { b: [] } }]
  wide.push(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, i])))
  for (const x of wide) assert.deepStrictEqual(read(codec, Anything, encode({ x })), { x } as never)
  for (const size of [0, 300, 70_000]) {
    const body = new Uint8Array(size).fill(7)
    assert.deepStrictEqual(read(codec, Bytes, encode({ body })), { body } as never)
  }
})

describe("what is no MessagePack", () => {
  const refused = (name: string, bytes: ReadonlyArray<number> | Uint8Array) =>
    it(name, () => {
      const reason = read(codec, Anything, Uint8Array.from(bytes))
      assert.deepInclude(reason, { _tag: "Undecodable" })
      assert.notProperty(reason, "by")
    })

  refused("two values", [0x80, 0x80])
  refused("the byte that is never used", [0xc1])
  refused("a length that is cut", [0x81, 0xa1, 0x78, 0xdc, 0x01])
  refused("bytes that are cut", [0x81, 0xa1, 0x78, 0xc4, 0x05, 1])
  refused("the key __proto__", encode(JSON.parse(`{"__proto__":{"x":1}}`)))
  refused("nested too deep", [0x81, 0xa1, 0x78, ...new Array<number>(101).fill(0x91), 0xc0])
  refused("a text that is no UTF-8", [0x81, 0xa1, 0x78, 0xa2, 0xc3, 0x28])
  refused("a long text that is no UTF-8", [0x81, 0xa1, 0x78, 0xd9, 0xff, ...new Array<number>(255).fill(0xe9)])
  refused("a key that is no UTF-8", [0x81, 0xa2, 0xc3, 0x28, 0xc0])
  refused("a byte order mark", encode({ x: "\ufeffx" }))

  it("text, where bytes are wanted", () => {
    assert.deepInclude(read(codec, Anything, "{}"), { _tag: "Undecodable" })
  })

  it("announced lengths take no memory", () => {
    const huge = [0xdd, 0x7f, 0xff, 0xff, 0xff]
    const nested = Uint8Array.from({ length: 200_000 }, (_, i) => huge[i % huge.length])
    const modest = [0xdd, 0x00, 0x02, 0x00, 0x00]
    const claims = Uint8Array.from({ length: 200_000 }, (_, i) => modest[i % modest.length])
    for (const message of [Uint8Array.from(huge), nested, claims, new Uint8Array(200_000).fill(0x9f)]) {
      assert.isBelow(held(() => assert.deepInclude(read(codec, Anything, message), { _tag: "Undecodable" })), 8e6)
    }
  })
})

it("a prototype stays as it was", () => {
  const message = encode({ x: JSON.parse(`{"constructor":{"prototype":{"polluted":1}},"toString":1}`) })
  assert.deepInclude(Object.keys((read(codec, Anything, message) as { x: object }).x), "constructor")
  assert.notProperty({}, "polluted")
})

it("text with a lone surrogate is refused, also as a key", () => {
  for (const x of ["\ud800", { ["\ud800"]: 1 }, "\ud800".repeat(100)]) {
    assert.throws(() => written(codec, Anything, { x }), /surrogate/)
  }
  assert.deepStrictEqual(read(codec, Anything, written(codec, Anything, { x: "\ufffd\ud7ff" })), { x: "\ufffd\ud7ff" })
})

it("what a peer would refuse is not sent", () => {
  const proto: unknown = JSON.parse(`{"__proto__":{"x":1}}`)
  for (const x of ["\ufeffx", ["\ufeff"], { ["\ufeffkey"]: 1 }, proto, "\ufeff".repeat(30_000)]) {
    assert.throws(() => written(codec, Anything, { x }), /MessagePack can't express/)
  }
  for (const x of ["x\ufeff", "__proto__", { x__proto__: 1 }]) {
    assert.deepStrictEqual(read(codec, Anything, written(codec, Anything, { x })), { x })
  }
})
