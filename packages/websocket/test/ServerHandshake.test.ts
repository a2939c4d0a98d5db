import { assert, describe, it } from "@effect/vitest"
import { NothingNegotiated } from "@wirestack/protocol/ConnectError"
import { Other, TooLarge } from "@wirestack/protocol/Reason"
import * as Result from "effect/Result"
import { acceptFor } from "../src/Handshake.ts"
import { InvalidHeader, UpgradeMalformed } from "../src/HandshakeReason.ts"
import { accept, type Accepted, type Options, read, refuse, type Refused } from "../src/ServerHandshake.ts"
import { cuts, text, utf8 } from "./support.ts"

const key = "dGhlIHNhbXBsZSBub25jZQ=="

const sample = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  `Sec-WebSocket-Key: ${key}\r\nOrigin: http://example.com\r\nSec-WebSocket-Version: 13\r\n`

const judge = (request: string, options?: Options): Result.Result<Accepted, Refused> => {
  const results = cuts(utf8(`${request}\r\n`)).map((parts) => {
    const reader = read()
    for (const part of parts) {
      const result = reader(part)
      if (result !== undefined) return Result.flatMap(result, ({ head }) => accept(head, options))
    }
    return assert.fail("the request did not end")
  })
  for (const result of results) assert.deepStrictEqual(result, results[0])
  return results[0]
}

const accepted = (request: string, options?: Options): Accepted => Result.getOrThrow(judge(request, options))

/** A refusal, after a look at its bytes. */
const refused = (request: string, options?: Options): Refused => {
  const result = judge(request, options)
  return Result.isFailure(result) ? complete(result.failure) : assert.fail("the request was accepted")
}

const complete = (refusal: Refused): Refused => {
  const [head, body] = text(refusal.response).split("\r\n\r\n")
  assert.match(head, new RegExp(`^HTTP/1\\.1 ${refusal.status} `))
  assert.include(head, "\r\nConnection: close")
  assert.include(head, `\r\nContent-Length: ${utf8(body).length}`)
  assert.strictEqual(body, `${refusal.reason.message}\n`)
  return refusal
}

describe("ServerHandshake", () => {
  it("1.3: proves that it knows the key", () => {
    assert.strictEqual(acceptFor(key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
  })

  it("4.2.2: accepts the sample", () => {
    const { path, protocol, query, response } = accepted(sample)
    assert.strictEqual(
      text(response),
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    assert.deepStrictEqual({ path, protocol, query }, { path: "/chat", protocol: undefined, query: "" })
  })

  it("4.2.1: tokens are case-insensitive lists", () => {
    accepted(
      sample.replace("Upgrade: websocket", "Upgrade: h2c, WebSocket").replace(
        "Connection: Upgrade",
        "Connection: keep-alive, UPGRADE"
      )
    )
    accepted(sample.replace("Connection: Upgrade", "Connection: keep-alive\r\nConnection: upgrade"))
  })

  it("4.2.1: the target is a path or an absolute URI", () => {
    const paths = (target: string) => {
      const { path, query } = accepted(sample.replace("/chat", target))
      return [path, query]
    }
    assert.deepStrictEqual(paths("/a/b?c=d?e"), ["/a/b", "c=d?e"])
    assert.deepStrictEqual(paths("/?"), ["/", ""])
    assert.deepStrictEqual(paths("http://server.example.com/a?b"), ["/a", "b"])
    assert.deepStrictEqual(paths("http://server.example.com"), ["/", ""])
    assert.deepStrictEqual(paths("http://server.example.com?b"), ["/", "b"])
    for (const target of ["*", "chat", "?a", "/a#b", "server.example.com:80"]) {
      assert.strictEqual(refused(sample.replace("/chat", target)).status, 400, target)
    }
  })

  it("4.2.2: chooses the first subprotocol the client offers and the server speaks", () => {
    const choose = (offer: string, protocols: ReadonlyArray<string>) => {
      const { protocol, response } = accepted(`${sample}${offer}`, { protocols })
      assert.strictEqual(/Sec-WebSocket-Protocol: (.*)\r\n/.exec(text(response))?.[1], protocol)
      return protocol
    }
    assert.strictEqual(choose("Sec-WebSocket-Protocol: c, b, a\r\n", ["a", "b"]), "b")
    assert.strictEqual(choose("Sec-WebSocket-Protocol: c\r\nSec-WebSocket-Protocol: a,b\r\n", ["a", "b"]), "a")
    assert.isUndefined(choose("Sec-WebSocket-Protocol: A\r\n", ["a"]))
    assert.isUndefined(choose("Sec-WebSocket-Protocol: a\r\n", []))
    assert.isUndefined(choose("", ["a"]))
  })

  it("4.1: offered subprotocols are tokens, each of them once", () => {
    for (const offer of ["a b", "a, a", "", ",", "a;q=1", "é"]) {
      assert.strictEqual(
        refused(`${sample}Sec-WebSocket-Protocol: ${offer}\r\n`, { protocols: ["a"] }).status,
        400,
        offer
      )
    }
    assert.strictEqual(refused(`${sample}Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n`).status, 400)
  })

  it("refuses a client that offers nothing the server speaks, if that is required", () => {
    const { reason, status } = refused(`${sample}Sec-WebSocket-Protocol: c, d\r\n`, {
      protocols: ["a"],
      requireProtocol: true
    })
    assert.strictEqual(status, 400)
    assert.deepStrictEqual(reason, new NothingNegotiated({ offered: ["c", "d"] }))
    assert.strictEqual(
      accepted(`${sample}Sec-WebSocket-Protocol: a\r\n`, { protocols: ["a"], requireProtocol: true }).protocol,
      "a"
    )
  })

  const refusals: ReadonlyArray<readonly [string, number, string, Options?]> = [
    ["4.2.1: HTTP/1.0", 505, sample.replace("HTTP/1.1", "HTTP/1.0")],
    ["4.2.1: HTTP/2.0", 505, sample.replace("HTTP/1.1", "HTTP/2.0")],
    ["4.2.1: a POST", 405, sample.replace("GET", "POST")],
    ["4.2.1: a method in lower case", 405, sample.replace("GET", "get")],
    ["4.2.1: no Host", 400, sample.replace(/Host: .*\r\n/, "")],
    ["4.2.1: an empty Host", 400, sample.replace(/Host: .*\r\n/, "Host:\r\n")],
    ["4.2.1: two Hosts", 400, `${sample}Host: other\r\n`],
    ["4.2.2: another path", 404, sample, { path: "/other" }],
    ["4.2.1: no Upgrade", 426, sample.replace("Upgrade: websocket\r\n", "")],
    ["4.2.1: another Upgrade", 426, sample.replace("Upgrade: websocket", "Upgrade: h2c")],
    ["4.2.1: no Connection", 400, sample.replace("Connection: Upgrade\r\n", "")],
    ["4.2.1: another Connection", 400, sample.replace("Connection: Upgrade", "Connection: close")],
    ["4.2.1: a body", 400, `${sample}Content-Length: 1\r\n`],
    ["4.2.1: a chunked body", 400, `${sample}Transfer-Encoding: chunked\r\n`],
    ["4.4: no version", 426, sample.replace("Sec-WebSocket-Version: 13\r\n", "")],
    ["4.4: version 8", 426, sample.replace("Version: 13", "Version: 8")],
    ["4.4: two versions", 426, sample.replace("Version: 13", "Version: 13, 8")],
    ["4.2.1: no key", 400, sample.replace(/Sec-WebSocket-Key: .*\r\n/, "")],
    ["4.2.1: two keys", 400, `${sample}Sec-WebSocket-Key: ${key}\r\n`],
    ["4.2.1: a key of 15 bytes", 400, sample.replace(key, "dGhlIHNhbXBsZSBub25j")],
    ["4.2.1: a key of 17 bytes", 400, sample.replace(key, "dGhlIHNhbXBsZSBub25jZTE=")],
    ["4.2.1: a key that is not Base64", 400, sample.replace(key, "dGhlIHNhbXBsZSBub25j!Q==")],
    ["6454, 7.3: two Origins", 400, `${sample}Origin: http://example.org\r\n`],
    ["10.2: an Origin that is not allowed", 403, sample, { allowsOrigin: (origin) => origin === "https://example.com" }]
  ]
  for (const [name, status, request, options] of refusals) {
    it(`${name} is refused with ${status}`, () => {
      const refusal = refused(request, options)
      assert.strictEqual(refusal.status, status)
      assert.instanceOf(refusal.reason, UpgradeMalformed)
    })
  }

  it("takes a request that says it has no body", () => {
    accepted(`${sample}Content-Length: 0\r\n`)
  })

  it("4.4: says which version it speaks", () => {
    assert.include(
      text(refused(sample.replace("Version: 13", "Version: 25")).response),
      "\r\nSec-WebSocket-Version: 13\r\n"
    )
  })

  it("9110, 15.5.6 and 15.5.22: says which method and which protocol it wants", () => {
    assert.include(text(refused(sample.replace("GET", "PUT")).response), "\r\nAllow: GET\r\n")
    assert.include(text(refused(sample.replace("Upgrade: websocket\r\n", "")).response), "\r\nUpgrade: websocket\r\n")
  })

  it("10.2: lets an allowed Origin in, and those who are no browser", () => {
    const options: Options = { allowsOrigin: (origin) => origin === "http://example.com" }
    accepted(sample, options)
    accepted(sample.replace(/Origin: .*\r\n/, ""), options)
  })

  it("answers with further headers, if they can be sent", () => {
    const { response } = accepted(sample, { headers: [["Set-Cookie", "a=b"], ["Set-Cookie", "c=d"]] })
    assert.include(text(response), "\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n")
    const { reason, status } = refused(sample, { headers: [["X", "a\r\nb"]] })
    assert.strictEqual(status, 500)
    assert.instanceOf(reason, InvalidHeader)
  })

  it("gives what is not HTTP a 400, and a head that is too large a 431", () => {
    const first = (input: string) => {
      const result = read({ maxHeadSize: 100, maxHeaders: 2 })(utf8(input))
      return result !== undefined && Result.isFailure(result) ? complete(result.failure) : assert.fail("it was read")
    }
    assert.strictEqual(first("\x16\x03\x01").status, 400)
    assert.strictEqual(first("x".repeat(101)).status, 431)
    assert.instanceOf(first("GET / HTTP/1.1\r\nA: b\r\nC: d\r\nE: f\r\n\r\n").reason, TooLarge)
  })

  it("gives back what the client has sent behind its request", () => {
    const result = read()(utf8(`${sample}\r\nearly`))
    assert.strictEqual(text(Result.getOrThrow(result!).leftover), "early")
  })

  it("refuses for reasons of its user's own", () => {
    const reason = new Other({ cause: "überfüllt" })
    const busy = complete(refuse(503, reason, [["Retry-After", "5"]]))
    assert.include(text(busy.response), "\r\nRetry-After: 5\r\n")
    assert.match(text(complete(refuse(418, reason)).response), /^HTTP\/1\.1 418 \r\n/)
    assert.strictEqual(complete(refuse(401, reason, [["X", "\n"]])).status, 500)
  })
})
