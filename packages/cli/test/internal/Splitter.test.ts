import { assert, describe, it } from "@effect/vitest"
import { TooLarge } from "@wirestack/protocol/Reason"
import { MachineSuite } from "@wirestack/protocol/testing"
import { Splitter } from "../../src/internal/Splitter.ts"

const all = (separator: string, chunks: ReadonlyArray<Uint8Array>, limit = 1_000): ReadonlyArray<string> => {
  const splitter = new Splitter(separator, limit)
  const messages = [...chunks.flatMap((chunk) => splitter.push(chunk)), ...splitter.end()]
  return messages.map((message) => Buffer.from(message).toString())
}

describe("messages of an input", () => {
  const input = Buffer.from("one\r\n\r\ntwo\rthree\r\nfo\nur")
  const expected = ["one", "", "two\rthree", "fo\nur"]

  it("lie between separators, whole, byte by byte, and however it is cut", () => {
    assert.deepStrictEqual(all("\r\n", [input]), expected)
    assert.deepStrictEqual(all("\r\n", [...input].map((byte) => Uint8Array.of(byte))), expected)
    for (let seed = 1; seed <= 200; seed++) {
      assert.deepStrictEqual(all("\r\n", MachineSuite.randomSplit(input, seed)), expected, `seed ${seed}`)
    }
  })

  it("have no empty one behind the last separator", () => {
    assert.deepStrictEqual(all("\n", [Buffer.from("a\n")]), ["a"])
    assert.deepStrictEqual(all("\n", []), [])
  })

  it("are one without a separator", () => {
    assert.deepStrictEqual(all("", [input, input]), [`${input}${input}`])
  })

  it("are bounded, also while they have no end yet", () => {
    assert.deepStrictEqual(all("\n", [Buffer.from("12345\n12345")], 5), ["12345", "12345"])
    assert.throws(() => all("\n", [Buffer.from("123456\n")], 5), TooLarge as unknown as ErrorConstructor)
    const splitter = new Splitter("\n", 5)
    splitter.push(Buffer.from("12345"))
    assert.throws(() => splitter.push(Buffer.from("67")), TooLarge as unknown as ErrorConstructor)
  })
})
