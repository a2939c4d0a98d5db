import { assert, describe, it } from "@effect/vitest"
import { Digest } from "@wirestack/http"
import { createHash } from "node:crypto"

const hash = (algorithm: string, text: string) => createHash(algorithm).update(text).digest("hex")

describe("digest authentication", () => {
  const header = (algorithm: string) =>
    `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, ` +
    "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""

  it("is that of the examples of RFC 7616 section 3.9.1", () => {
    const account = { username: "Mufasa", password: "Circle of Life" }
    const cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    const request = { method: "GET", uri: "/dir/index.html", cnonce, count: 1, hash }
    const responses = {
      "MD5": "8ca523f5e9506fed4657c9700eebdbec",
      "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    }
    for (const [algorithm, response] of Object.entries(responses)) {
      const challenge = Digest.strongest([header(algorithm)])!
      assert.include(Digest.answer(challenge, account, request), `response="${response}"`)
    }
  })

  it("takes the best hash that it knows, and nothing it does not", () => {
    assert.strictEqual(Digest.strongest([header("MD5"), header("SHA-256")])?.algorithm, "SHA-256")
    assert.strictEqual(Digest.strongest([header("SHA-512-256"), header("MD5")])?.algorithm, "MD5")
    for (
      const unknown of [
        "Basic realm=\"a\"",
        "Digest realm=\"a\"",
        header("SHA-512-256"),
        "Digest realm=a, nonce=b, qop=auth-int"
      ]
    ) {
      assert.isUndefined(Digest.strongest([unknown]))
    }
  })

  it("takes challenges apart that came in one header", () => {
    const old = "Digest realm=\"old, Digest realm=no\", nonce=\"o\""
    const best = "Digest realm=\"new\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\""
    const others = ["Basic realm=\"basic\"", "Negotiate YWJj==", "NTLM"]
    for (const together of [[old, best, ...others], [...others, best, old], [best, ...others, old]]) {
      const challenge = Digest.strongest([together.join(", ")])
      assert.deepInclude(challenge, { realm: "new", nonce: "n", algorithm: "SHA-256", qop: true })
    }
    assert.deepInclude(Digest.strongest([[...others, old].join(", ")]), {
      realm: "old, Digest realm=no",
      nonce: "o",
      algorithm: "MD5",
      qop: false
    })
  })

  it("says nothing that would begin another header, or a count that is none", () => {
    const challenge = Digest.strongest([header("MD5")])!
    const account = { username: "a", password: "secret" }
    const asking = { method: "GET", uri: "/", cnonce: "c", count: 1, hash }
    const lines = "x\r\nEvil: yes"
    for (
      const answer of [
        () => Digest.answer(challenge, { ...account, username: lines }, asking),
        () => Digest.answer(challenge, account, { ...asking, uri: lines }),
        () => Digest.answer(challenge, account, { ...asking, cnonce: lines }),
        () => Digest.answer({ ...challenge, nonce: lines }, account, asking),
        () => Digest.answer(challenge, account, { ...asking, count: 0 }),
        () => Digest.answer(challenge, account, { ...asking, count: NaN }),
        () => Digest.answer(challenge, account, { ...asking, count: 2 ** 32 })
      ]
    ) assert.throws(answer, RangeError)
  })
})
