import { assert, describe, it } from "@effect/vitest"
import { inScript, sha1Base64 } from "../../src/internal/sha1.ts"

describe("sha1", () => {
  for (const [name, hash] of Object.entries({ "of the runtime": sha1Base64, "in JavaScript": inScript })) {
    it(`RFC 6455 1.3: the example, ${name}`, () => {
      assert.strictEqual(
        hash("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"),
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
      )
      assert.strictEqual(hash(""), "2jmj7l5rSw0yVb/vlWAYkK/YBwk=")
    })
  }

  it("this Node has one", () => assert.notStrictEqual(sha1Base64, inScript))
})
