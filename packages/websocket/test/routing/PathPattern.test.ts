import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import * as PathPattern from "../../src/routing/PathPattern.ts"
import { random } from "../support.ts"

const { compare, make, match } = PathPattern

describe("match", () => {
  const matches: ReadonlyArray<readonly [string, string, Record<string, string> | undefined]> = [
    ["/", "/", {}],
    ["/", "", undefined],
    ["/", "//", undefined],
    ["/chat", "/chat", {}],
    ["/chat", "/chat/", undefined],
    ["/chat/", "/chat/", {}],
    ["/chat/", "/chat", undefined],
    ["/chat", "/Chat", undefined],
    ["/chat", "chat", undefined],
    ["/chat", "/ch%61t", {}],
    ["/café", "/caf%C3%A9", {}],
    ["/a b", "/a%20b", {}],
    ["/100%", "/100%25", {}],
    ["/100%", "/100%", undefined],
    ["/rooms/:room", "/rooms/1", { room: "1" }],
    ["/rooms/:room", "/rooms/a%20b", { room: "a b" }],
    ["/rooms/:room", "/rooms/a%2Fb", { room: "a/b" }],
    ["/rooms/:room", "/rooms/a+b", { room: "a+b" }],
    ["/rooms/:room", "/rooms/", undefined],
    ["/rooms/:room", "/rooms", undefined],
    ["/rooms/:room", "/rooms/1/", undefined],
    ["/rooms/:room/", "/rooms/1/", { room: "1" }],
    ["/rooms/:room", "/rooms/1/2", undefined],
    ["/rooms/:room", "/rooms/%", undefined],
    ["/rooms/:room", "/rooms/%zz", undefined],
    ["/rooms/:room", "/rooms/%FF", undefined],
    ["/rooms/:room", "/rooms/%C0%AF", undefined],
    ["/rooms/:room", "/rooms/..", undefined],
    ["/rooms/:room", "/rooms/%2e%2E", undefined],
    ["/rooms/:room", "/rooms/.", undefined],
    ["/rooms/:room", "/rooms/...", { room: "..." }],
    ["/rooms/:room", "/rooms/..%2f..%2fetc", undefined],
    ["/rooms/:room", "/rooms/a%2F..", undefined],
    ["/rooms/:room", "/rooms/..%5Cetc", undefined],
    ["/rooms/:room", "/rooms/a%00b", undefined],
    ["/:a/:b", "/1/2", { a: "1", b: "2" }],
    ["/:__proto__", "/1", JSON.parse("{\"__proto__\":\"1\"}")],
    ["/files/*path", "/files/a/b.txt", { path: "a/b.txt" }],
    ["/files/*path", "/files/a%20b//c/", { path: "a b//c/" }],
    ["/files/*path", "/files/", { path: "" }],
    ["/files/*path", "/files//etc/passwd", undefined],
    ["/files/*path", "/files//", undefined],
    ["/files/*path", "/files/a%5C..%5Cb", undefined],
    ["/files/*path", "/files", undefined],
    ["/files/*path", "/files/a/../../secret", undefined],
    ["/files/*path", "/files/a/%2e%2e", undefined],
    ["/files/*path", "/files/..%2Fsecret", undefined],
    ["/files/*path", "/files/a/%zz", undefined],
    ["/*all", "/", { all: "" }],
    ["/*all", "/a", { all: "a" }],
    ["/rooms/:room/files/*path", "/rooms/1/files/a/b", { room: "1", path: "a/b" }],
    ["/a:b", "/a:b", {}],
    ["/a*", "/a*", {}]
  ]
  for (const [pattern, path, params] of matches) {
    it(`${pattern} ${params === undefined ? "is not" : "is"} ${path}`, () =>
      assert.deepStrictEqual(match(make(pattern), path), params))
  }

  it("gives back whatever was put in", () => {
    const next = random(5)
    const pick = <A>(all: ReadonlyArray<A>): A => all[Math.floor(next() * all.length)]
    const value = () => Array.from({ length: 1 + Math.floor(next() * 5) }, () => pick([..."ab/%.:*?# é€😀"])).join("")
    for (let round = 0; round < 2_000; round++) {
      const kinds = Array.from({ length: 1 + Math.floor(next() * 4) }, () => next() < 0.5)
      const params: Record<string, string> = {}
      const segments = kinds.map((isParam, i) => {
        const text = value()
        if (!isParam) return [text.replace(/[/:*]/g, "-"), encodeURIComponent(text.replace(/[/:*]/g, "-"))] as const
        params[`p${i}`] = text
        return [`:p${i}`, encodeURIComponent(text)] as const
      })
      const dots = Object.values(params).some((text) => text.split("/").some((name) => name === "." || name === ".."))
      const path = `/${segments.map(([, path]) => path).join("/")}`
      const pattern = make(`/${segments.map(([pattern]) => pattern).join("/")}`)
      assert.deepStrictEqual(match(pattern, path), dots ? undefined : params, path)
    }
  })
})

describe("make", () => {
  it("refuses what is no pattern", () => {
    for (const pattern of ["", "chat", "/*a/b", "/*", "/:", "/:a/:a", "/:a/*a", "/:a-b", "/:1", "/:a b", "*a"]) {
      assert.throws(() => make(pattern), RangeError, JSON.stringify(pattern))
    }
  })
})

describe("compare", () => {
  it("puts the most specific first", () => {
    const order = [
      "/rooms/new/x",
      "/rooms/new",
      "/rooms/:room/files/*path",
      "/rooms/:room/files",
      "/rooms/:room",
      "/rooms/*rest",
      "/rooms",
      "/:any/x",
      "/:any",
      "/*all"
    ]
    const next = random(6)
    for (let round = 0; round < 50; round++) {
      const shuffled = order.map((pattern) => [next(), pattern] as const).toSorted(([a], [b]) => a - b)
      const sorted = shuffled.map(([, pattern]) => make(pattern)).toSorted(compare)
      assert.deepStrictEqual(sorted.map(({ pattern }) => pattern), order)
    }
  })

  it("is zero for those that match the same paths", () => {
    assert.strictEqual(compare(make("/a/:b/*c"), make("/a/:x/*y")), 0)
    assert.notStrictEqual(compare(make("/a/:b"), make("/b/:b")), 0)
    for (const [a, b] of [["/a", "/:a"], ["/:a", "/*a"], ["/a", "/b"], ["/a/b", "/a"]]) {
      assert.strictEqual(compare(make(a), make(b)), -1)
      assert.strictEqual(compare(make(b), make(a)), 1)
    }
  })
})

it("the compiler knows the parameters", () => {
  const file = make("/rooms/:room/files/*path")
  expectTypeOf(file).toEqualTypeOf<PathPattern.PathPattern<"/rooms/:room/files/*path">>()
  expectTypeOf(match(file, "/")).toEqualTypeOf<{ readonly room: string; readonly path: string } | undefined>()
  expectTypeOf<PathPattern.Params<"/chat">>().toEqualTypeOf<{}>()
  expectTypeOf<PathPattern.Params<"/:a/b/:c/">>().toEqualTypeOf<{ readonly a: string; readonly c: string }>()
  expectTypeOf<PathPattern.Params<string>>().toEqualTypeOf<{ readonly [name: string]: string }>()
  expectTypeOf(make("/a" as string)).toEqualTypeOf<PathPattern.PathPattern<string>>()
  expectTypeOf(file).toExtend<PathPattern.PathPattern>()
  // @ts-expect-error
  assert.isUndefined(match(file, "/rooms/1/files/")?.name)
})

it("a pattern that is wrong does not compile", () => {
  const wrong = [
    // Argument of type '"chat"' is not assignable to parameter of type '"a pattern begins with /"'.
    // @ts-expect-error
    () => make("chat"),
    // @ts-expect-error
    () => make(""),
    // @ts-expect-error
    () => make("/*rest/more"),
    // @ts-expect-error
    () => make("/:"),
    // @ts-expect-error
    () => make("/a/*"),
    // @ts-expect-error
    () => make("/:a/:b/:a"),
    // @ts-expect-error
    () => make("/:a/*a")
  ]
  for (const attempt of wrong) assert.throws(attempt, RangeError)
})
