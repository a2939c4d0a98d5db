import { assert, describe, it } from "@effect/vitest"
import * as Utf8 from "@wirestack/protocol/bytes/Utf8"
import { notUtf8, random } from "@wirestack/test-support"
import { hex, utf8 } from "../support/bytes.ts"

const right = [
  "",
  "a",
  "Hello",
  "Hello World!",
  "é",
  "€",
  "😀",
  "a€😀é",
  "\ufeffwith a mark",
  "\0",
  "ÿĀ߿ࠀ퟿￿𐀀􏿿",
  "x".repeat(500) + "😀"
]

describe("Utf8", () => {
  it("decodes what is UTF-8, with its byte order mark", () => {
    for (const text of right) {
      const bytes = utf8(`<${text}>`)
      assert.strictEqual(Utf8.decode(bytes, 1, bytes.length - 1), text)
    }
  })

  it("decodes every length of ASCII around the limits of its fast path", () => {
    for (let length = 0; length < 40; length++) {
      const text = Array.from({ length }, (_, i) => String.fromCharCode(32 + i)).join("")
      assert.strictEqual(Utf8.decode(utf8(text), 0, length), text)
    }
  })

  it("RFC 6455 8.1: refuses what is not", () => {
    for (const [name, bytes] of notUtf8) {
      assert.isUndefined(Utf8.decode(hex(bytes), 0, bytes.length / 2), name)
      const long = new Uint8Array([...utf8("x".repeat(100)), ...hex(bytes)])
      assert.isUndefined(Utf8.decode(long, 0, long.length), name)
    }
  })

  it("RFC 6455 8.1: sees an impossible byte when it comes, not later", () => {
    for (const [name, text, at] of notUtf8) {
      const bytes = hex(text)
      let checked = 0
      for (let end = 1; end <= at; end++) {
        checked = Utf8.check(bytes, checked, end)
        assert.isAtLeast(checked, 0, `${name}: before byte ${end - 1}`)
      }
      assert.strictEqual(Utf8.check(bytes, checked, at + 1), -1, name)
      assert.strictEqual(Utf8.check(bytes, 0, at + 1), -1, `${name}, at once`)
    }
  })

  it("checks text byte by byte up to the last complete character", () => {
    const text = right.join("")
    const bytes = utf8(text)
    let checked = 0
    for (let end = 1; end <= bytes.length; end++) {
      checked = Utf8.check(bytes, checked, end)
      const complete = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(0, end), { stream: true })
      assert.strictEqual(checked, utf8(complete).length)
    }
    assert.strictEqual(checked, bytes.length)
  })

  it("agrees with the platform on random bytes, however they are cut", () => {
    const next = random(7)
    const fatal = new TextDecoder("utf-8", { fatal: true })
    const alphabet = hex("41c2c3e0e1edeff0f1f4808f909fa0bfbffe")
    for (let round = 0; round < 20_000; round++) {
      const bytes = Uint8Array.from(
        { length: 1 + Math.floor(next() * 8) },
        () => alphabet[Math.floor(next() * alphabet.length)]
      )
      let valid = true
      try {
        fatal.decode(bytes)
      } catch {
        valid = false
      }
      let checked = 0
      for (let end = 1; end <= bytes.length && checked >= 0; end++) checked = Utf8.check(bytes, checked, end)
      assert.strictEqual(checked === bytes.length, valid)
      assert.strictEqual(Utf8.decode(bytes, 0, bytes.length) !== undefined, valid)
    }
  })

  it("encodes texts of all sizes, by way of the scratch or not", () => {
    for (const text of right) {
      const length = Utf8.encodeScratch(text)
      assert.deepStrictEqual(Utf8.scratch.slice(0, length), utf8(text))
      assert.deepStrictEqual(new Uint8Array(Utf8.encode(text)), utf8(text))
    }
    const longest = "€".repeat(Utf8.scratchLimit)
    assert.strictEqual(Utf8.encodeScratch(longest), utf8(longest).length)
  })

  it("encodes lone surrogates as U+FFFD", () => {
    assert.deepStrictEqual(new Uint8Array(Utf8.encode("a\ud800b")), utf8("a\ufffdb"))
  })
})
