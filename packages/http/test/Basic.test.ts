import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Basic from "../src/Basic.ts"
import { InvalidHeader, invalidHeader } from "../src/InvalidHeader.ts"

describe("Basic", () => {
  it("RFC 7617 2: says who one is", () => {
    const aladdin = { username: "Aladdin", password: "open sesame" }
    assert.deepStrictEqual(
      Basic.header("Authorization", aladdin),
      Result.succeed(["Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="] as const)
    )
  })

  it("RFC 7617 2.1: as UTF-8", () => {
    assert.deepStrictEqual(
      Basic.header("Proxy-Authorization", { username: "test", password: "123£" }),
      Result.succeed(["Proxy-Authorization", "Basic dGVzdDoxMjPCow=="] as const)
    )
  })

  it("RFC 7617 2: a name has no colon, and nothing has control characters; what is wrong is told without them", () => {
    for (const credentials of [{ username: "se:cret", password: "" }, { username: "a", password: "secret\n" }]) {
      const result = Basic.header("Authorization", credentials)
      assert(Result.isFailure(result))
      assert.instanceOf(result.failure, InvalidHeader)
      assert.notMatch(JSON.stringify(result.failure) + result.failure.message, /se:?cret/)
    }
  })
})

describe("invalidHeader", () => {
  it("finds what can't be sent", () => {
    const reserved = new Set(["host"])
    assert.isUndefined(invalidHeader([["X-A", "b"], ["x-a", ""]], reserved))
    for (const header of [["X A", "b"], ["", "b"], ["X", "a\r\nY: b"], ["X", "é"], ["Host", "a"]] as const) {
      assert.strictEqual(invalidHeader([["X-A", "b"], header], reserved)?.name, header[0])
    }
  })
})
