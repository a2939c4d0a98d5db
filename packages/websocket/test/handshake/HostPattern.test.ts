import { assert, describe, it } from "@effect/vitest"
import { compare, make, matches } from "../../src/handshake/HostPattern.ts"

describe("HostPattern", () => {
  const cases: ReadonlyArray<readonly [string, ReadonlyArray<string>, ReadonlyArray<string>]> = [
    [
      "chat.example",
      ["chat.example", "CHAT.example", "chat.example:8080", "chat.example:", "chat.example.", "chat.example.:80"],
      ["a.chat.example", "chat.example.evil", "achat.example", "", "chat.example/", "u@chat.example", "chat.example:x"]
    ],
    ["chat.example:8443", ["chat.example:8443", "Chat.example.:8443"], ["chat.example", "chat.example:443", "x:8443"]],
    ["chat.example:443", ["chat.example:443", "chat.example"], ["chat.example:80", "chat.example:8443"]],
    [
      "*.Chat.example",
      ["a.chat.example", "a.b.chat.example:1", "A.CHAT.EXAMPLE", "a.chat.example."],
      ["chat.example", ".chat.example", "achat.example", "a.chat.example.evil", "*.chat.example"]
    ],
    ["*.chat.example:81", ["a.chat.example:81"], ["a.chat.example", "a.chat.example:80"]],
    ["[0:0::1]", ["[::1]", "[::1]:80", "[0:0:0:0:0:0:0:1]"], ["::1", "[::2]", "localhost"]],
    ["127.0.0.1", ["127.0.0.1", "127.0.0.1:8080"], ["127.1", "a.127.0.0.1", "127.0.0.1."]],
    ["bücher.example", ["xn--bcher-kva.example"], ["bucher.example"]]
  ]
  for (const [pattern, yes, no] of cases) {
    it(`RFC 9110 7.2: ${pattern} is matched against Host`, () => {
      const self = make(pattern)
      for (const host of yes) assert.isTrue(matches(self, host), host)
      for (const host of no) assert.isFalse(matches(self, host), host)
    })
  }

  it("refuses what is no pattern", () => {
    for (const pattern of ["", "*", "*.", "a.*.b", "*a.b", "a b", "http://a", "a:b", "::1", "*.1.2.3.4", "*.[::1]"]) {
      assert.throws(() => make(pattern), RangeError, JSON.stringify(pattern))
    }
  })

  it("puts the most specific first", () => {
    const order = [
      "a.b.example:80",
      "a.b.example",
      "z.example",
      "*.a.b.example",
      "*.b.example:80",
      "*.b.example",
      "*.c.example"
    ]
    assert.deepStrictEqual(order.map(make).toSorted(compare).map(({ pattern }) => pattern), order)
    assert.deepStrictEqual(order.toReversed().map(make).toSorted(compare).map(({ pattern }) => pattern), order)
    for (const [i, pattern] of order.slice(1).entries()) {
      assert.strictEqual(compare(make(order[i]), make(pattern)), -1)
      assert.strictEqual(compare(make(pattern), make(order[i])), 1)
    }
    assert.strictEqual(compare(make("A.example"), make("a.example.")), 0)
  })
})
