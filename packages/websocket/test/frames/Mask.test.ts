import { assert, describe, it } from "@effect/vitest"
import * as Mask from "../../src/frames/Mask.ts"
import { hex, random, toHex, utf8 } from "../support.ts"

const byteByByte = (bytes: Uint8Array, start: number, end: number, key: number): Uint8Array =>
  bytes.map((byte, i) => i < start || i >= end ? byte : byte ^ (key >>> (((i - start) % 4) * 8)))

describe("Mask", () => {
  it("RFC 6455 5.7: masks Hello", () => {
    const bytes = utf8("Hello")
    Mask.apply(bytes, 0, 5, 0x3d21fa37)
    assert.strictEqual(toHex(bytes), "7f9f4d5158")
    Mask.apply(bytes, 0, 5, 0x3d21fa37)
    assert.strictEqual(toHex(bytes), toHex(utf8("Hello")))
  })

  it("RFC 6455 5.3: masks every length at every alignment, and nothing around it", () => {
    const next = random(3)
    for (const shift of [0, 1, 2, 3]) {
      const memory = new Uint8Array(600)
      for (let length = 0; length < 540; length += length === 120 ? 380 : 1) {
        const bytes = memory.subarray(shift, shift + 560)
        for (let i = 0; i < bytes.length; i++) bytes[i] = next() * 256
        const start = length % 7
        const key = (next() * 0x1_0000_0000) | 0
        const expected = byteByByte(bytes, start, start + length, key)
        Mask.apply(bytes, start, start + length, key)
        assert.deepStrictEqual(bytes, expected)
      }
    }
  })

  it("RFC 6455 5.3: goes on in the middle of the key", () => {
    const key = 0x3d21fa37
    for (let first = 0; first < 40; first++) {
      const bytes = Uint8Array.from({ length: 100 }, (_, i) => i)
      const expected = byteByByte(bytes, 0, 100, key)
      Mask.apply(bytes, 0, first, key)
      Mask.apply(bytes, first, 100, Mask.advance(key, first))
      assert.deepStrictEqual(bytes, expected)
    }
  })

  it("masks a buffer larger than it keeps a view of", () => {
    const bytes = new Uint8Array(200_000)
    Mask.apply(bytes, 0, bytes.length, 0x04030201)
    assert.deepStrictEqual(bytes.slice(-8), hex("0102030401020304"))
  })

  it("RFC 6455 10.3: never takes a key twice in a row", () => {
    const keys = new Set(Array.from({ length: 5_000 }, Mask.freshKey))
    assert.isAtLeast(keys.size, 4_990)
  })
})
