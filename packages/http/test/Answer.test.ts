import { assert, describe, it } from "@effect/vitest"
import { TooLarge, Truncated, Violation } from "@wirestack/protocol/Reason"
import * as Result from "effect/Result"
import { type Answer, AnswerReader } from "../src/Answer.ts"
import { concat, cuts, text, utf8 } from "./support.ts"

const reader = () => new AnswerReader({ what: "a tunnel", agrees: (status) => status === 200 })

/** What one reader makes of the pieces, with all that came behind, and whether it had to be told that there is no more. */
const fed = (parts: ReadonlyArray<Uint8Array>) => {
  const half = reader()
  for (const [i, part] of parts.entries()) {
    const answer = half.receive(part)
    if (answer === undefined) continue
    return { answer, behind: concat(...parts.slice(i + 1)), ended: false }
  }
  return { answer: half.ended(), behind: concat(), ended: true }
}

/** What was answered, by a refusal or not. */
const successOf = (answer: Answer) => Result.isSuccess(answer) ? answer.success : assert.fail("it failed")

const inAllCuts = (input: string, check: (answer: Answer, behind: Uint8Array, ended: boolean) => void) => {
  for (const parts of cuts(utf8(input))) {
    const { answer, behind, ended } = fed(parts)
    check(answer, behind, ended)
  }
}

describe("AnswerReader", () => {
  it("RFC 9110 15.2: skips interim answers, and gives back what comes behind the final one", () => {
    inAllCuts(
      "HTTP/1.1 100 \r\n\r\nHTTP/1.1 103 \r\nX: a\r\n\r\nHTTP/1.1 200 OK\r\nY: b\r\n\r\nearly",
      (answer, behind) => {
        const success = successOf(answer)
        assert(success._tag === "Agreed")
        assert.deepStrictEqual(success.head.headers, [["y", "b"]])
        assert.strictEqual(text(concat(success.leftover, behind)), "early")
      }
    )
  })

  it("keeps the beginning of a refusal's body", () => {
    inAllCuts("HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nnever", (answer, _, ended) => {
      const success = successOf(answer)
      assert.deepInclude(success, { _tag: "Declined", body: "never" })
      assert.strictEqual(success.head.status, 403)
      assert.isFalse(ended)
    })
    inAllCuts(`HTTP/1.1 500 \r\n\r\n${"x".repeat(5_000)}`, (answer, _, ended) => {
      assert.deepInclude(successOf(answer), { _tag: "Declined", body: "x".repeat(4_096) })
      assert.isFalse(ended)
    })
  })

  it("tells a refusal whose body is cut off", () => {
    const half = reader()
    assert.isUndefined(half.receive(utf8("HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nne")))
    assert.isTrue(half.refused)
    assert.deepInclude(successOf(half.ended()), { _tag: "Declined", body: "ne" })
  })

  it("ends inside of the answer", () => {
    const failed = Result.fail(new Truncated({ inside: "the answer to a tunnel" }))
    for (const input of ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 \r\n\r\n"]) {
      inAllCuts(input, (answer) => assert.deepStrictEqual(answer, failed))
    }
  })

  it("bounds the number of interim answers, and fails with what is no HTTP", () => {
    const interim = "HTTP/1.1 100 \r\n\r\n"
    assert.strictEqual(fed([utf8(`${interim.repeat(16)}HTTP/1.1 200 \r\n\r\n`)]).answer._tag, "Success")
    inAllCuts(interim.repeat(17), (answer) => {
      const limit = new TooLarge({ what: "the number of interim answers", size: 17, limit: 16 })
      assert.deepStrictEqual(answer, Result.fail(limit))
    })
    inAllCuts("SSH-2.0-OpenSSH\r\n\r\n", (answer) => {
      assert.instanceOf((answer as Result.Failure<any, any>).failure, Violation)
    })
  })
})
