import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Params } from "../../src/extensions/Extension.ts"
import * as ExtensionHeader from "../../src/extensions/ExtensionHeader.ts"

const good: ReadonlyArray<
  readonly [string, ReadonlyArray<string>, ReadonlyArray<readonly [name: string, params: Params]>]
> = [
  ["no header", [], []],
  ["a name", ["foo"], [["foo", []]]],
  ["the examples", ["foo, bar; baz=2"], [["foo", []], ["bar", [["baz", "2"]]]]],
  ["several headers", ["foo", "bar; baz=2"], [["foo", []], ["bar", [["baz", "2"]]]]],
  ["a name twice", ["foo; a, foo"], [["foo", [["a", undefined]]], ["foo", []]]],
  ["a parameter twice", ["foo; a; a=1"], [["foo", [["a", undefined], ["a", "1"]]]]],
  ["quotes", ["foo; a=\"1\"; b=\"x\\y\\z\""], [["foo", [["a", "1"], ["b", "xyz"]]]]],
  ["every character of a token", ["!#$%&'*+-.^_`|~09AZaz; a"], [["!#$%&'*+-.^_`|~09AZaz", [["a", undefined]]]]],
  ["blanks around", [" \tfoo \t; a = 1 ;b\t,\tbar "], [["foo", [["a", "1"], ["b", undefined]]], ["bar", []]]],
  ["no blanks", ["foo;a=1;b,bar"], [["foo", [["a", "1"], ["b", undefined]]], ["bar", []]]],
  ["empty elements beside others", [",, foo,, ,bar,", ""], [["foo", []], ["bar", []]]]
]

const bad: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
  ["nothing", [""]],
  ["nothing but commas", [" , ,"]],
  ["no name", ["; a"]],
  ["no name of a parameter", ["foo;"]],
  ["two semicolons", ["foo;; a"]],
  ["no name before =", ["foo; =1"]],
  ["no value behind =", ["foo; a="]],
  ["no value in quotes", ["foo; a=\"\""]],
  ["a blank in quotes", ["foo; a=\"1 2\""]],
  ["a comma in quotes", ["foo; a=\"1,2\""]],
  ["a semicolon in quotes", ["foo; a=\"1;2\""]],
  ["a quoted quote", ["foo; a=\"\\\"\""]],
  ["quotes that don't end", ["foo; a=\"1"]],
  ["a backslash at the end", ["foo; a=\"1\\"]],
  ["quotes over two headers", ["foo; a=\"1", "2\""]],
  ["a quoted name", ["\"foo\""]],
  ["a parameter over two headers", ["foo; a=", "1"]],
  ["two names", ["foo bar"]],
  ["two values", ["foo; a=1 2"]],
  ["a slash", ["foo/1"]],
  ["a letter that is not ASCII", ["foo; a=é"]],
  ["a control character", ["foo\u0000"]],
  ["another blank", ["foo;\u00a0a"]]
]

describe("ExtensionHeader", () => {
  for (const [name, values, elements] of good) {
    it(`RFC 6455 9.1: reads ${name}`, () => {
      const expected = elements.map(([name, params]) => ({ name, params }))
      assert.deepStrictEqual(Result.getOrThrow(ExtensionHeader.parse(values)), expected)
    })
  }

  for (const [name, values] of bad) {
    it(`RFC 6455 9.1: refuses ${name}`, () => {
      const parsed = ExtensionHeader.parse(values)
      if (Result.isSuccess(parsed)) assert.fail(JSON.stringify(parsed.success))
      assert.strictEqual(parsed.failure.section, "RFC 6455 section 9.1")
    })
  }

  it("has a limit for extensions, and one for parameters", () => {
    const times = (text: string, count: number) => Array.from({ length: count }, () => text)
    const { maxElements, maxParams } = ExtensionHeader
    assert.isTrue(Result.isSuccess(ExtensionHeader.parse(times("foo", maxElements))))
    assert.isTrue(Result.isFailure(ExtensionHeader.parse(times("foo", maxElements + 1))))
    assert.isTrue(Result.isSuccess(ExtensionHeader.parse([`foo${times("; a", maxParams).join("")}`])))
    assert.isTrue(Result.isFailure(ExtensionHeader.parse([`foo${times("; a", maxParams + 1).join("")}`])))
  })

  it("takes no longer for what is made to be slow", () => {
    for (const text of [" ", ",", "a;", "a; ", "a=", "\"", "a;b=\"", "a;b=\"\\", "a\t"]) {
      assert.isTrue(Result.isFailure(ExtensionHeader.parse([`${text.repeat(100_000)}é`])))
    }
  })

  const token = Schema.String.check(Schema.isPattern(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,5}$/))
  const element = Schema.Struct({
    name: token,
    params: Schema.Array(Schema.Tuple([token, Schema.Union([token, Schema.Undefined])]))
  })

  it.prop("reads what it writes, on one line or many", [Schema.Array(element)], ([elements]) => {
    const few = elements.slice(0, 32).map(({ name, params }) => ({ name, params: params.slice(0, 32) }))
    const values = few.map(ExtensionHeader.format)
    assert.deepStrictEqual(Result.getOrThrow(ExtensionHeader.parse(values)), few)
    if (few.length > 0) assert.deepStrictEqual(Result.getOrThrow(ExtensionHeader.parse([values.join(", ")])), few)
  })

  it.prop("any text is a list or a violation", [Schema.Array(Schema.String)], ([values]) => {
    const parsed = ExtensionHeader.parse(values)
    if (Result.isFailure(parsed)) assert.strictEqual(parsed.failure._tag, "Violation")
  })
})
