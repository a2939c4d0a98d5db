import { assert, describe, it } from "@effect/vitest"
import { InvalidHeader } from "@wirestack/http/InvalidHeader"
import { NothingNegotiated } from "@wirestack/protocol/ConnectError"
import { Other, TooLarge } from "@wirestack/protocol/Reason"
import * as Result from "effect/Result"
import * as ClientHandshake from "../../src/handshake/ClientHandshake.ts"
import { acceptFor } from "../../src/handshake/Handshake.ts"
import { InvalidStatus, OriginRefused, UpgradeMalformed, UpgradeRefused } from "../../src/handshake/HandshakeReason.ts"
import * as Origin from "../../src/handshake/Origin.ts"
import { Refusal } from "../../src/handshake/Refusal.ts"
import {
  accept,
  admit,
  choose,
  type Decision,
  decline,
  judge,
  read,
  refuse,
  type Refused,
  type Upgrade
} from "../../src/handshake/ServerHandshake.ts"
import { concat, cuts, hex, random, text, utf8 } from "../support.ts"

const key = "dGhlIHNhbXBsZSBub25jZQ=="

const sample = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  `Sec-WebSocket-Key: ${key}\r\nOrigin: http://example.com\r\nSec-WebSocket-Version: 13\r\n`

const judged = (request: string): Result.Result<Upgrade, Refused> => {
  const results = cuts(utf8(`${request}\r\n`)).map((parts) => {
    const reader = read()
    for (const part of parts) {
      const result = reader(part)
      if (result !== undefined) return Result.flatMap(result, ({ head }) => judge(head))
    }
    return assert.fail("the request did not end")
  })
  for (const result of results) assert.deepStrictEqual(result, results[0])
  return results[0]
}

const upgrade = (request: string): Upgrade => Result.getOrThrow(judged(request))

/** The answer to a request, as text. */
const answer = (request: string, decision?: Decision): string =>
  text(Result.getOrThrow(accept(upgrade(request), decision)))

const failure = <A>(result: Result.Result<A, Refused>): Refused =>
  Result.isFailure(result) ? complete(result.failure) : assert.fail("it was accepted")

const refused = (request: string): Refused => failure(judged(request))

const bodyOf = (refusal: Refused): string => text(refusal.response).split("\r\n\r\n").slice(1).join("\r\n\r\n")

/** A refusal, after a look at its bytes. */
const complete = (refusal: Refused): Refused => {
  const [head] = text(refusal.response).split("\r\n\r\n")
  assert.match(head, new RegExp(`^HTTP/1\\.1 ${refusal.status} `))
  assert.include(head, "\r\nConnection: close")
  assert.include(head, `\r\nContent-Length: ${utf8(bodyOf(refusal)).length}`)
  return refusal
}

describe("judge", () => {
  it("RFC 6455 4.2.1: takes the sample", () => {
    assert.deepStrictEqual(upgrade(sample), {
      path: "/chat",
      query: "",
      host: "server.example.com",
      origin: "http://example.com",
      headers: [
        ["host", "server.example.com"],
        ["upgrade", "websocket"],
        ["connection", "Upgrade"],
        ["sec-websocket-key", key],
        ["origin", "http://example.com"],
        ["sec-websocket-version", "13"]
      ],
      protocols: [],
      extensions: [],
      key
    })
    assert.isUndefined(upgrade(sample.replace(/Origin: .*\r\n/, "")).origin)
  })

  it("RFC 6455 4.2.1: tokens are case-insensitive lists", () => {
    upgrade(
      sample.replace("Upgrade: websocket", "Upgrade: h2c, WebSocket").replace(
        "Connection: Upgrade",
        "Connection: keep-alive, UPGRADE"
      )
    )
    upgrade(sample.replace("Connection: Upgrade", "Connection: keep-alive\r\nConnection: upgrade"))
    upgrade(sample.replace("Connection: Upgrade", "CONNECTION:\t,upgrade\t,"))
  })

  it("RFC 6455 4.2.1: the order of headers makes no difference", () => {
    const [line, ...headers] = sample.split("\r\n").slice(0, -1)
    upgrade(`${[line, ...headers.toReversed()].join("\r\n")}\r\n`)
  })

  it("RFC 6455 4.2.1: the target is a path or an absolute URI", () => {
    const paths = (target: string) => {
      const { path, query } = upgrade(sample.replace("/chat", target))
      return [path, query]
    }
    assert.deepStrictEqual(paths("/a/b?c=d?e"), ["/a/b", "c=d?e"])
    assert.deepStrictEqual(paths("/?"), ["/", ""])
    assert.deepStrictEqual(paths("/%41%zz"), ["/%41%zz", ""])
    assert.deepStrictEqual(paths("//a/b"), ["//a/b", ""])
    assert.deepStrictEqual(paths("http://server.example.com/a?b"), ["/a", "b"])
    assert.deepStrictEqual(paths("HTTPS://server.example.com"), ["/", ""])
    assert.deepStrictEqual(paths("http://server.example.com?b"), ["/", "b"])
    for (const target of ["*", "chat", "?a", "/a#b", "server.example.com:80", "ftp://a/", "http:///a", "http://u@a/"]) {
      assert.strictEqual(refused(sample.replace("/chat", target)).status, 400, target)
    }
  })

  it("RFC 9112 3.2.2: the host of an absolute URI goes before Host", () => {
    assert.strictEqual(upgrade(sample.replace("/chat", "https://a.example:8443/")).host, "a.example:8443")
  })

  it("RFC 9112 3.2: Host is a host, and perhaps a port", () => {
    const host = (value: string) => sample.replace("server.example.com", value)
    for (const value of ["a", "a:80", "a:", "[::1]", "[::1]:80", "127.0.0.1", "under_score", "a%20b"]) {
      assert.strictEqual(upgrade(host(value)).host, value)
    }
    for (const value of ["a b", "a/b", "u@a", "a:b", "::1", "[::1", "é"]) {
      assert.strictEqual(refused(host(value)).status, 400, value)
    }
  })

  it("RFC 6455 4.2.1: gives the offered subprotocols and extensions in order", () => {
    const { extensions, protocols } = upgrade(
      `${sample}Sec-WebSocket-Protocol: c, b\r\nSec-WebSocket-Extensions: x; a=1, y\r\nSec-WebSocket-Protocol: a\r\n` +
        "Sec-WebSocket-Extensions: z\r\n"
    )
    assert.deepStrictEqual(protocols, ["c", "b", "a"])
    assert.deepStrictEqual(extensions, ["x; a=1, y", "z"])
  })

  it("RFC 6455 4.1: offered subprotocols are tokens, each of them once", () => {
    for (const offer of ["a b", "a, a", "", ",", "a;q=1", "é", "a/b"]) {
      assert.strictEqual(refused(`${sample}Sec-WebSocket-Protocol: ${offer}\r\n`).status, 400, offer)
    }
    assert.strictEqual(refused(`${sample}Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n`).status, 400)
  })

  const refusals: ReadonlyArray<readonly [string, number, string]> = [
    ["RFC 6455 4.2.1: HTTP/1.0", 505, sample.replace("HTTP/1.1", "HTTP/1.0")],
    ["RFC 6455 4.2.1: HTTP/2.0", 505, sample.replace("HTTP/1.1", "HTTP/2.0")],
    ["RFC 9113 3.4: HTTP/2 with prior knowledge", 505, "PRI * HTTP/2.0\r\n"],
    ["RFC 6455 4.2.1: a POST", 405, sample.replace("GET", "POST")],
    ["RFC 6455 4.2.1: a method in lower case", 405, sample.replace("GET", "get")],
    ["RFC 6455 4.2.1: no Host", 400, sample.replace(/Host: .*\r\n/, "")],
    ["RFC 6455 4.2.1: an empty Host", 400, sample.replace(/Host: .*\r\n/, "Host:\r\n")],
    ["RFC 6455 4.2.1: two Hosts", 400, `${sample}Host: other\r\n`],
    ["RFC 6455 4.2.1: no Upgrade", 426, sample.replace("Upgrade: websocket\r\n", "")],
    ["RFC 6455 4.2.1: another Upgrade", 426, sample.replace("Upgrade: websocket", "Upgrade: h2c")],
    ["RFC 6455 4.2.1: an Upgrade that begins alike", 426, sample.replace("Upgrade: websocket", "Upgrade: websockets")],
    ["RFC 6455 4.2.1: no Connection", 400, sample.replace("Connection: Upgrade\r\n", "")],
    ["RFC 6455 4.2.1: another Connection", 400, sample.replace("Connection: Upgrade", "Connection: close")],
    ["RFC 6455 4.2.1: a body", 400, `${sample}Content-Length: 1\r\n`],
    ["RFC 6455 4.2.1: a chunked body", 400, `${sample}Transfer-Encoding: chunked\r\n`],
    ["RFC 6455 4.2.1: no version", 426, sample.replace("Sec-WebSocket-Version: 13\r\n", "")],
    ["RFC 6455 4.2.1: version 8", 426, sample.replace("Version: 13", "Version: 8")],
    ["RFC 6455 4.2.1: a version that begins alike", 426, sample.replace("Version: 13", "Version: 130")],
    ["RFC 6455 4.2.1: two versions", 426, sample.replace("Version: 13", "Version: 13, 8")],
    ["RFC 6455 4.2.1: two version headers", 426, `${sample}Sec-WebSocket-Version: 13\r\n`],
    ["RFC 6455 4.2.1: no key", 400, sample.replace(/Sec-WebSocket-Key: .*\r\n/, "")],
    ["RFC 6455 4.2.1: an empty key", 400, sample.replace(key, "")],
    ["RFC 6455 4.2.1: two keys", 400, `${sample}Sec-WebSocket-Key: ${key}\r\n`],
    ["RFC 6455 4.2.1: a key of 15 bytes", 400, sample.replace(key, "dGhlIHNhbXBsZSBub25j")],
    ["RFC 6455 4.2.1: a key of 17 bytes", 400, sample.replace(key, "dGhlIHNhbXBsZSBub25jZTE=")],
    ["RFC 6455 4.2.1: a key that is not Base64", 400, sample.replace(key, "dGhlIHNhbXBsZSBub25j!Q==")],
    ["RFC 6454 7.3: two Origins", 400, `${sample}Origin: http://example.org\r\n`]
  ]
  for (const [name, status, request] of refusals) {
    it(`${name} is refused with ${status}`, () => {
      const refusal = refused(request)
      assert.strictEqual(refusal.status, status)
      assert.instanceOf(refusal.reason, UpgradeMalformed)
      assert.strictEqual(bodyOf(refusal), `${refusal.reason.message}\n`)
    })
  }

  it("RFC 6455 4.2.1: takes a request that says it has no body", () => {
    upgrade(`${sample}Content-Length: 0\r\n`)
  })

  it("RFC 6455 4.4: says all versions it speaks to who speaks another", () => {
    for (const version of ["25", "8, 7", ""]) {
      const { response, status } = refused(sample.replace("Version: 13", `Version: ${version}`))
      assert.strictEqual(status, 426)
      assert.deepStrictEqual(text(response).match(/^Sec-WebSocket-Version: .*$/gm), ["Sec-WebSocket-Version: 13"])
    }
  })

  it("RFC 9110 15.5.6 and 15.5.22: says which method and which protocol it wants", () => {
    assert.include(text(refused(sample.replace("GET", "PUT")).response), "\r\nAllow: GET\r\n")
    assert.include(text(refused(sample.replace("Upgrade: websocket\r\n", "")).response), "\r\nUpgrade: websocket\r\n")
  })

  it("RFC 9110 9.3.2: the answer to HEAD has no body", () => {
    const result = judged(sample.replace("GET", "HEAD"))
    assert(Result.isFailure(result))
    assert.strictEqual(result.failure.status, 405)
    assert.match(text(result.failure.response), /\r\nContent-Length: [1-9]\d*\r\n.*\r\n\r\n$/)
  })

  it("never throws, and refuses with an answer that a client can read, whatever it is sent", () => {
    const bytes = utf8(`${sample}Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: x; y="z"\r\n\r\n`)
    const next = random(1)
    let refusals = 0
    for (let round = 0; round < 5_000; round++) {
      const input = bytes.slice()
      for (let edits = 1 + Math.floor(next() * 3); edits > 0; edits--) {
        input[Math.floor(next() * input.length)] = next() < 0.2 ? Math.floor(next() * 256) : bytes[
          Math.floor(next() * bytes.length)
        ]
      }
      const received = read({ maxHeadSize: 1_000, maxHeaders: 20 })(input)
      const result = received === undefined ? undefined : Result.flatMap(received, ({ head }) => judge(head))
      if (result === undefined) continue
      if (Result.isSuccess(result)) Result.getOrThrow(accept(result.success))
      else {
        refusals++
        const { response, status } = result.failure
        const handshake = Result.getOrThrow(ClientHandshake.make({ host: "a" }))
        assert.deepInclude(
          Result.match(handshake.receive(response) ?? handshake.ended(), {
            onFailure: (e) => e,
            onSuccess: () => ({})
          }),
          { _tag: "UpgradeRejected", status }
        )
      }
    }
    assert.isAbove(refusals, 1_000)
  })
})

describe("read", () => {
  it("RFC 6455 4.2.1: gives what is not HTTP a 400, and a head that is too large a 431", () => {
    const first = (input: string | Uint8Array) => {
      const result = read({ maxHeadSize: 100, maxHeaders: 2 })(typeof input === "string" ? utf8(input) : input)
      return result === undefined ? assert.fail("it goes on") : failure(result)
    }
    assert.strictEqual(first("\x16\x03\x01").status, 400)
    assert.strictEqual(first(hex("802e01")).status, 400)
    assert.strictEqual(first("x".repeat(101)).status, 431)
    assert.instanceOf(first("GET / HTTP/1.1\r\nA: b\r\nC: d\r\nE: f\r\n\r\n").reason, TooLarge)
  })

  it("gives back what the client has sent behind its request", () => {
    const result = read()(utf8(`${sample}\r\nearly`))
    assert.strictEqual(text(Result.getOrThrow(result!).leftover), "early")
  })

  it("RFC 9110 5.5: takes a cookie with bytes above 127, which browsers send", () => {
    const result = read()(concat(utf8(`${sample}Cookie: a=`), hex("c3a9"), utf8("\r\n\r\n")))
    assert.isTrue(Result.isSuccess(Result.flatMap(result!, ({ head }) => judge(head))))
  })
})

describe("admit", () => {
  const policy = Origin.allow(["http://example.com"])

  it("RFC 6455 10.2: lets an allowed Origin in, and those who are no browser", () => {
    assert.isTrue(Result.isSuccess(admit(upgrade(sample), policy)))
    assert.isTrue(Result.isSuccess(admit(upgrade(sample.replace(/Origin: .*\r\n/, "")), policy)))
  })

  it("RFC 6455 4.2.2: answers an Origin that is not acceptable with 403, and says to nobody which ones are", () => {
    const refusal = failure(admit(upgrade(sample.replace("http://example.com", "https://evil.example")), policy))
    assert.strictEqual(refusal.status, 403)
    assert.deepStrictEqual(
      refusal.reason,
      new OriginRefused({ origin: "https://evil.example", policy: "http://example.com" })
    )
    assert.strictEqual(bodyOf(refusal), "this origin is not allowed\n")
  })
})

describe("choose", () => {
  const chosen = (offer: string, protocols: ReadonlyArray<string>, required?: boolean) =>
    choose(upgrade(`${sample}${offer}`), protocols, required)

  it("RFC 6455 4.2.2: takes the first subprotocol the client offers and the server speaks", () => {
    const one = (offer: string, protocols: ReadonlyArray<string>) => Result.getOrThrow(chosen(offer, protocols))
    assert.strictEqual(one("Sec-WebSocket-Protocol: c, b, a\r\n", ["a", "b"]), "b")
    assert.strictEqual(one("Sec-WebSocket-Protocol: c\r\nSec-WebSocket-Protocol: a,b\r\n", ["a", "b"]), "a")
    assert.isUndefined(one("Sec-WebSocket-Protocol: A\r\n", ["a"]))
    assert.isUndefined(one("Sec-WebSocket-Protocol: a\r\n", []))
    assert.isUndefined(one("", ["a"]))
  })

  it("refuses a client that offers nothing the server speaks, if that is required", () => {
    const { reason, status } = failure(chosen("Sec-WebSocket-Protocol: c, d\r\n", ["a"], true))
    assert.strictEqual(status, 400)
    assert.deepStrictEqual(reason, new NothingNegotiated({ offered: ["c", "d"] }))
    assert.strictEqual(failure(chosen("", ["a"], true)).status, 400)
    assert.strictEqual(Result.getOrThrow(chosen("Sec-WebSocket-Protocol: a\r\n", ["a"], true)), "a")
  })
})

describe("accept", () => {
  it("RFC 6455 1.3: proves that it knows the key", () => {
    assert.strictEqual(acceptFor(key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
  })

  it("RFC 6455 4.2.2: answers the sample with 101, Upgrade, Connection and the proof, and nothing more", () => {
    assert.strictEqual(
      answer(sample),
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
  })

  const offering = `${sample}Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: x; y=1, z\r\n`

  it("RFC 6455 4.2.2: says one of the offered subprotocols, or no header", () => {
    assert.include(answer(offering, { protocol: "b" }), "\r\nSec-WebSocket-Protocol: b\r\n")
    assert.notInclude(answer(offering), "Sec-WebSocket-Protocol")
    assert.notInclude(answer(offering, { protocol: undefined }), "Sec-WebSocket-Protocol")
  })

  it("RFC 6455 4.2.2: says some of the offered extensions, or no header", () => {
    for (const extensions of ["x", "z", "x; y=2; w, z", "z,x;v=\"1\""]) {
      assert.include(answer(offering, { extensions }), `\r\nSec-WebSocket-Extensions: ${extensions}\r\n`)
    }
    assert.notInclude(answer(offering), "Sec-WebSocket-Extensions")
  })

  it("answers with further headers", () => {
    const response = answer(sample, { headers: [["Set-Cookie", "a=b"], ["Set-Cookie", "c=d"]] })
    assert.include(response, "\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n")
  })

  const wrong: ReadonlyArray<readonly [string, Decision, string]> = [
    ["RFC 6455 4.2.2: a subprotocol that was not offered", { protocol: "c" }, "Sec-WebSocket-Protocol"],
    ["RFC 6455 4.2.2: a subprotocol in other case", { protocol: "A" }, "Sec-WebSocket-Protocol"],
    ["RFC 6455 4.2.2: an empty subprotocol", { protocol: "" }, "Sec-WebSocket-Protocol"],
    ["RFC 6455 4.2.2: several subprotocols", { protocol: "a, b" }, "Sec-WebSocket-Protocol"],
    ["RFC 6455 4.2.2: an extension that was not offered", { extensions: "x, w" }, "Sec-WebSocket-Extensions"],
    ["RFC 6455 4.2.2: no extension", { extensions: "" }, "Sec-WebSocket-Extensions"],
    ["an extension that is another header", { extensions: "x; a\r\nB: c" }, "Sec-WebSocket-Extensions"],
    ["a header that is two", { headers: [["X", "a\r\nb"]] }, "X"],
    ["a header of the handshake", { headers: [["Sec-WebSocket-Accept", "x"]] }, "Sec-WebSocket-Accept"]
  ]
  for (const [what, decision, name] of wrong) {
    it(`${what} is the server's fault: 500, and the client is not told`, () => {
      const refusal = failure(accept(upgrade(offering), decision))
      assert.strictEqual(refusal.status, 500)
      assert.instanceOf(refusal.reason, InvalidHeader)
      assert.strictEqual((refusal.reason as InvalidHeader).name, name)
      assert.strictEqual(bodyOf(refusal), "Internal Server Error\n")
    })
  }

  it("what a client asks for and a server accepts, the client takes", () => {
    const next = random(2)
    const some = <A>(all: ReadonlyArray<A>) => all.filter(() => next() < 0.5)
    for (let round = 0; round < 300; round++) {
      const options = {
        host: ["a.example", "[::1]:8080", "127.0.0.1:1"][round % 3],
        path: `/${some(["a", "%20", "~", "/"]).join("")}${next() < 0.5 ? "?q=?" : ""}`,
        protocols: some(["p1", "p2", "p3"]),
        extensions: some(["x; a=1", "y", "z; b"]),
        headers: some([["X-A", "1"], ["X-B", "2, 3"]] as const),
        ...next() < 0.5 ? undefined : { credentials: { username: "ü", password: ":" } },
        ...next() < 0.5 ? undefined : { cookies: { a: "b" } },
        ...next() < 0.5 ? undefined : { origin: "https://a.example" }
      }
      const client = Result.getOrThrow(ClientHandshake.make(options))
      const { head, leftover } = Result.getOrThrow(read()(client.request)!)
      assert.strictEqual(leftover.length, 0)
      const asked = Result.getOrThrow(judge(head))
      assert.deepInclude(asked, { host: options.host, protocols: options.protocols, origin: options.origin })
      assert.strictEqual(asked.query === "" ? asked.path : `${asked.path}?${asked.query}`, options.path)
      const protocol = Result.getOrThrow(choose(asked, some(["p1", "p2", "p3"])))
      const extensions = options.extensions.length === 0 ? undefined : options.extensions.at(-1)
      const response = Result.getOrThrow(accept(asked, { protocol, extensions }))
      const ways = cuts(concat(response, hex("8100")))
      let [got, rest] = [client.receive(ways[round % ways.length][0]), ways[round % ways.length].slice(1)]
      while (got === undefined) [got, rest] = [client.receive(rest[0]), rest.slice(1)]
      const agreed = Result.getOrThrow(got)
      assert.deepInclude(agreed, { protocol, extensions: extensions === undefined ? [] : [extensions] })
      assert.deepStrictEqual(concat(agreed.leftover, ...rest), hex("8100"))
    }
  })
})

describe("refuse", () => {
  const reason = new Other({ cause: "überfüllt" })

  it("says the reason, if nothing else is to be said", () => {
    const busy = complete(refuse(503, reason, [["Retry-After", "5"]]))
    assert.include(text(busy.response), "\r\nRetry-After: 5\r\n")
    assert.include(text(busy.response), "\r\nContent-Type: text/plain; charset=utf-8\r\n")
    assert.strictEqual(bodyOf(busy), "überfüllt\n")
    assert.match(text(complete(refuse(418, reason)).response), /^HTTP\/1\.1 418 \r\n/)
  })

  it("has a body of one's own: text, bytes, or none", () => {
    const type = (refusal: Refused) => /^Content-Type: (.*)\r$/im.exec(text(complete(refusal).response))?.[1]
    const html = refuse(403, reason, [["content-type", "text/html"]], "<p>ü")
    assert.strictEqual(type(html), "text/html")
    assert.strictEqual(bodyOf(html), "<p>ü")
    const bytes = refuse(403, reason, [], Uint8Array.of(1, 2))
    assert.strictEqual(type(bytes), "application/octet-stream")
    assert.strictEqual(bodyOf(bytes), "\x01\x02")
    const nothing = refuse(403, reason, [], "")
    assert.isUndefined(type(nothing))
    assert.strictEqual(bodyOf(nothing), "")
  })

  it("RFC 9110 15.4.5: a 304 has no body, nor says how long it is", () => {
    const response = text(refuse(304, reason, [], "body").response)
    assert.notInclude(response, "Content-Length")
    assert.isTrue(response.endsWith("\r\n\r\n"))
  })

  it("says what its status makes mandatory, and once", () => {
    assert.include(text(refuse(426, reason).response), "\r\nUpgrade: websocket\r\n")
    const allowed = text(refuse(405, reason, [["allow", "GET, HEAD"]]).response)
    assert.deepStrictEqual(allowed.match(/^allow: .*$/gim), ["allow: GET, HEAD"])
  })

  it("takes every status that refuses, and no other", () => {
    for (const status of [300, 307, 400, 499, 500, 599]) {
      assert.strictEqual(complete(refuse(status, reason)).status, status)
    }
    for (const status of [0, 101, 200, 204, 299, 600, 1000, 404.5, NaN]) {
      assert.deepInclude(complete(refuse(status, reason)), { status: 500, reason: new InvalidStatus({ status }) })
    }
    assert.strictEqual(complete(refuse(401, reason, [["X", "\n"]])).status, 500)
    assert.strictEqual(complete(refuse(401, reason, [["Content-Length", "1"]])).status, 500)
  })
})

describe("decline", () => {
  const asked = upgrade(sample)

  it("RFC 6455 4.2.2: answers with the server's own no", () => {
    const refusal = complete(
      decline(asked, new Refusal({ status: 401, headers: [["WWW-Authenticate", "Bearer"]], body: "no way" }))
    )
    assert.deepStrictEqual(
      refusal.reason,
      new UpgradeRefused({ status: 401, path: "/chat", origin: "http://example.com" })
    )
    assert.include(text(refusal.response), "\r\nWWW-Authenticate: Bearer\r\n")
    assert.strictEqual(bodyOf(refusal), "no way")
  })

  it("RFC 6455 4.2.2: says what the status means if there is no body", () => {
    assert.strictEqual(bodyOf(complete(decline(asked, new Refusal({ status: 404 })))), "Not Found\n")
    assert.strictEqual(bodyOf(complete(decline(asked, new Refusal({ status: 499 })))), "Status 499\n")
  })

  it("RFC 6455 4.2.2: redirects", () => {
    const headers = [["Location", "https://b.example/"]] as const
    const refusal = complete(decline(asked, new Refusal({ status: 307, headers, body: "" })))
    assert.match(text(refusal.response), /^HTTP\/1\.1 307 Temporary Redirect\r\nLocation: https:\/\/b\.example\/\r\n/)
  })

  it("the reason says what was refused", () => {
    assert.strictEqual(
      new UpgradeRefused({ status: 401, path: "/chat", origin: "http://example.com" }).message,
      "the upgrade of /chat for \"http://example.com\" was refused with status 401"
    )
    assert.strictEqual(
      new UpgradeRefused({ status: 401, path: "/chat" }).message,
      "the upgrade of /chat was refused with status 401"
    )
    assert.strictEqual(new Refusal({ status: 401 }).message, "the upgrade is refused with status 401")
  })
})
