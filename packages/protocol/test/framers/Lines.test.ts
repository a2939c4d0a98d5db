import { assert, describe, it } from "@effect/vitest"
import { Lines, MemoryTransport, Transport } from "@wirestack/protocol"
import type { EndOfInput } from "@wirestack/protocol/Outcome"
import {
  concat,
  encode,
  feed,
  verifyBytes,
  verifyRefusal,
  verifyRoundTrip
} from "@wirestack/protocol/testing/machineSuite"
import { Effect, Exit, Layer, Schema } from "effect"
import { hex, text, utf8 } from "../support/bytes.ts"
import { failureOf } from "../support/failure.ts"

const machine = (options?: Lines.Options) => Lines.make(options).machine()

const written = (options: Lines.Options | undefined, ...messages: ReadonlyArray<Transport.Message>) =>
  text(concat(encode(machine(options), messages)))

describe("decoding", () => {
  it("finds the lines, however the bytes are cut", () => {
    verifyBytes(() => machine(), [
      { name: "nothing", input: hex(""), messages: [] },
      { name: "one line", input: utf8("abc\n"), messages: ["abc"], boundaries: [] },
      { name: "empty lines", input: utf8("\n\na\n\n"), messages: ["", "", "a", ""], boundaries: [1, 2, 4] },
      {
        name: "characters of several bytes",
        input: utf8("é€😀\n\ufeffé\n"),
        messages: ["é€😀", "\ufeffé"],
        boundaries: [10]
      },
      { name: "a long line", input: utf8(`${"x".repeat(3000)}\nend\n`), messages: ["x".repeat(3000), "end"] }
    ])
  })

  it("takes a carriage return before the newline for a part of the line end", () => {
    verifyBytes(() => machine(), [
      { name: "CRLF", input: utf8("a\r\n\r\nb\n"), messages: ["a", "", "b"], boundaries: [3, 5] },
      { name: "only one, and only there", input: utf8("a\r\r\n\rb\n"), messages: ["a\r", "\rb"], boundaries: [4] }
    ])
    verifyBytes(() => machine({ stripCarriageReturn: false }), [
      { name: "not stripped", input: utf8("a\r\n"), messages: ["a\r"], boundaries: [] }
    ])
  })

  it("takes any other delimiter literally", () => {
    verifyBytes(() => machine({ delimiter: "\r\n" }), [
      { name: "CRLF", input: utf8("a\nb\rc\r\r\n\r\n"), messages: ["a\nb\rc\r", ""], boundaries: [8] }
    ])
    verifyBytes(() => machine({ delimiter: "\0" }), [
      { name: "NUL", input: utf8("a\n\0b\r\0"), messages: ["a\n", "b\r"], boundaries: [3] }
    ])
    verifyBytes(() => machine({ delimiter: "abab" }), [
      { name: "one that overlaps itself", input: utf8("xababab\nabab"), messages: ["x", "ab\n"], boundaries: [5] }
    ])
  })

  it("refuses a line over the limit as soon as that is certain", () => {
    verifyBytes(() => machine({ maxLineSize: 3 }), [
      { name: "just within", input: utf8("abc\nabc\r\n"), messages: ["abc", "abc"], boundaries: [4] },
      { name: "one byte over", input: utf8("abc\nabcd\n"), messages: ["abc"], ending: "TooLarge" },
      { name: "bytes count, not characters", input: utf8("éé\n"), messages: [], ending: "TooLarge" },
      { name: "without an end", input: utf8("abcdef"), messages: [], ending: "TooLarge" }
    ])
    verifyBytes(() => machine({ maxLineSize: 3, delimiter: "\r\n" }), [
      { name: "a line end of two bytes", input: utf8("abc\r\nabc\r\r\n"), messages: ["abc"], ending: "TooLarge" }
    ])
    const { reason } = feed(machine(), [[new Uint8Array(70_000)]])
    assert.deepInclude(reason, { _tag: "TooLarge", limit: 65_536 })
  })

  it("refuses what is not UTF-8", () => {
    verifyBytes(() => machine(), [
      { name: "a lone continuation", input: hex("610a 80 0a 62 0a"), messages: ["a"], ending: "Undecodable" },
      { name: "an encoded surrogate", input: hex("eda080 0a"), messages: [], ending: "Undecodable" }
    ])
    verifyBytes(() => machine({ unterminated: "deliver" }), [
      { name: "at the end", input: hex("610a 80"), messages: ["a"], ending: "Undecodable" }
    ])
  })

  it("does with a last line without its end as told", () => {
    const end = (options: Lines.Options, input: string, endOfInput: EndOfInput) => {
      const { emitted, ending } = feed(machine(options), [[utf8(input)]], { end: endOfInput })
      return [emitted, ending]
    }
    assert.deepStrictEqual(end({}, "a\nb", "announced"), [["a"], "Truncated"])
    assert.deepStrictEqual(end({ unterminated: "refuse" }, "a\nb\r", "announced"), [["a"], "Truncated"])
    assert.deepStrictEqual(end({ unterminated: "deliver" }, "a\nb", "announced"), [["a", "b"], "announced"])
    assert.deepStrictEqual(end({ unterminated: "deliver" }, "a\nb", "unknown"), [["a", "b"], "unknown"])
    assert.deepStrictEqual(end({ unterminated: "deliver" }, "a\nb", "unannounced"), [["a"], "Truncated"])
    assert.deepStrictEqual(end({ unterminated: "deliver", maxLineSize: 1 }, "bc", "announced"), [[], "TooLarge"])
    assert.deepStrictEqual(end({}, "a\n", "unannounced"), [["a"], "unannounced"])
  })

  it("has no delimiter but ASCII", () => {
    for (const delimiter of ["", "é", "\n€"]) assert.throws(() => Lines.make({ delimiter }), RangeError)
  })
})

describe("encoding", () => {
  it("ends every line", () => {
    assert.strictEqual(written(undefined, "a", "", utf8("é")), "a\n\né\n")
    assert.strictEqual(written({ delimiter: "\r\n" }, "a", "b\nc"), "a\r\nb\nc\r\n")
    assert.strictEqual(written({ stripCarriageReturn: false }, "a\r"), "a\r\n")
    const long = "x".repeat(5000)
    assert.strictEqual(written(undefined, long, "é", utf8(long)), `${long}\né\n${long}\n`)
  })

  it("refuses what would not arrive as it was sent", () => {
    verifyRefusal(machine(), "a\nb", "Unencodable")
    verifyRefusal(machine(), utf8("a\nb"), "Unencodable")
    verifyRefusal(machine(), "a\r", "Unencodable")
    verifyRefusal(machine({ delimiter: "abab" }), "xab", "Unencodable")
    verifyRefusal(machine(), hex("ff"), "Unencodable")
    verifyRefusal(machine(), "\udc00", "Unencodable")
    verifyRefusal(machine({ maxLineSize: 3 }), "abcd", "TooLarge")
    verifyRefusal(machine({ maxLineSize: 3 }), "éé", "TooLarge")
    assert.include(verifyRefusal(machine({ delimiter: "\0" }), "\0", "Unencodable").message, "\\u0000")
  })
})

const delimiters = Schema.Literals(["\n", "\r\n", "\0", "aa"])

it.prop(
  "what is accepted arrives",
  [Schema.Array(Schema.String), delimiters, Schema.Literals([1, 3000])],
  ([texts, delimiter, times]) => {
    const accepted = texts.map((text) => text.repeat(times)).filter((text) => {
      try {
        return encode(machine({ delimiter, maxLineSize: 1e6 }), [text]).length > 0
      } catch {
        return false
      }
    })
    verifyRoundTrip(
      machine({ delimiter, maxLineSize: 1e6 }),
      machine({ delimiter, maxLineSize: 1e6 }),
      accepted,
      accepted
    )
  }
)

describe("on a stack", () => {
  const stack = () => Lines.over()(MemoryTransport.layer())
  /** The lines, and the bytes below them. */
  const stackAndBytes = () => {
    const bytes = MemoryTransport.layer()
    return Layer.merge(bytes, Lines.over()(bytes))
  }

  it.effect("carries lines both ways, and half-closes", () =>
    Effect.gen(function*() {
      const listener = yield* Transport.listen(Transport.Messages)("memory:lines")
      yield* Effect.forkScoped(listener.run((connection) =>
        Effect.gen(function*() {
          const got: Array<Transport.Message> = []
          yield* Effect.exit(Effect.forever(Effect.map(connection.pull, (batch) => got.push(...batch))))
          yield* connection.send(got.join("|"))
        })
      ))
      const connection = yield* Transport.connect(Transport.Messages)("memory:lines")
      assert.deepInclude(failureOf(yield* Effect.exit(connection.send("two\nlines"))), {
        layer: "lines",
        tag: "Unencodable"
      })
      yield* connection.sendAll(["one", "two"])
      yield* connection.end
      assert.deepStrictEqual(yield* connection.pull, ["one|two"])
    }).pipe(Effect.provide(stack())))

  it.effect("delivers what came before a bad line, then fails", () =>
    Effect.gen(function*() {
      const bytes = yield* Transport.listen(Transport.Bytes)("memory:bad")
      yield* Effect.forkScoped(
        bytes.run((connection) => Effect.andThen(connection.send(utf8("good\nbad")), connection.end))
      )
      const connection = yield* Transport.connect(Transport.Messages)("memory:bad")
      assert.deepStrictEqual(yield* connection.pull, ["good"])
      const last = yield* Effect.exit(connection.pull)
      assert.isTrue(Exit.isFailure(last))
      assert.deepInclude(failureOf(last), { layer: "lines", tag: "Truncated" })
    }).pipe(Effect.provide(stackAndBytes())))
})
