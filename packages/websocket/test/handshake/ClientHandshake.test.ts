import { assert, describe, it } from "@effect/vitest"
import { headersOf } from "@wirestack/http/HttpHead"
import { InvalidHeader } from "@wirestack/http/InvalidHeader"
import { InvalidEndpoint, NothingNegotiated } from "@wirestack/protocol/ConnectError"
import { TooLarge, Truncated } from "@wirestack/protocol/Reason"
import * as Result from "effect/Result"
import { type ClientHandshake, hostHeader, make, type Options } from "../../src/handshake/ClientHandshake.ts"
import { acceptFor, isKey } from "../../src/handshake/Handshake.ts"
import { UpgradeMalformed, UpgradeRejected } from "../../src/handshake/HandshakeReason.ts"
import { cuts, hex, text, utf8 } from "../support.ts"

const begin = (options?: Partial<Options>): ClientHandshake =>
  Result.getOrThrow(make({ host: "example.com", ...options }))

const keyOf = (handshake: ClientHandshake): string => /Sec-WebSocket-Key: (.*)\r\n/.exec(text(handshake.request))![1]

const proven = (response: string, key: string): string =>
  response.replace("ACCEPT", acceptFor(key)).replace("LOWER", acceptFor(key).toLowerCase())

/** What a client makes of an answer, in which `ACCEPT` stands for the right proof. */
const answer = (response: string, options?: Partial<Options>) => {
  const outcomes = cuts(utf8(response)).map((_, way) => {
    const handshake = begin(options)
    const parts = cuts(utf8(proven(response, keyOf(handshake))))[way]
    for (let i = 0; i < parts.length; i++) {
      const result = handshake.receive(parts[i])
      if (result !== undefined) return { result, rest: parts.slice(i + 1) }
    }
    return { result: handshake.ended(), rest: [] }
  })
  const untimed = outcomes.map(({ rest, result }) =>
    Result.map(
      result,
      (upgraded) => ({ ...upgraded, fields: "", leftover: text(upgraded.leftover) + rest.map(text).join("") })
    )
  )
  for (const outcome of untimed) assert.deepStrictEqual(outcome, untimed[0])
  return outcomes[0].result
}

const reasonOf = (response: string, options?: Partial<Options>) => {
  const result = answer(response, options)
  return Result.isFailure(result) ? result.failure : assert.fail("the answer was accepted")
}

const upgraded = "HTTP/1.1 101 Switching Protocols\r\n"
const base = `${upgraded}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n`

describe("ClientHandshake", () => {
  it("RFC 6455 4.1: asks for the upgrade", () => {
    const handshake = begin()
    const key = keyOf(handshake)
    assert.isTrue(isKey(key))
    assert.strictEqual(
      text(handshake.request),
      "GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`
    )
    assert.notStrictEqual(keyOf(begin()), key)
  })

  it("RFC 6455 4.1: the key is 16 random bytes, others for each connection", () => {
    const keys = Array.from({ length: 100 }, () => keyOf(begin()))
    for (const key of keys) assert.strictEqual(Buffer.from(key, "base64").length, 16)
    assert.strictEqual(new Set(keys).size, keys.length)
  })

  it("RFC 6455 4.1: the request has each header of the handshake once", () => {
    const request = text(begin({ protocols: ["a"], extensions: ["x"], origin: "https://a" }).request)
    const names = request.split("\r\n").slice(1, -2).map((line) => line.slice(0, line.indexOf(":")).toLowerCase())
    assert.deepStrictEqual(names, [
      "host",
      "upgrade",
      "connection",
      "sec-websocket-key",
      "sec-websocket-version",
      "sec-websocket-protocol",
      "sec-websocket-extensions",
      "origin"
    ])
  })

  it("RFC 6455 4.1: offers subprotocols in order, and says where it comes from", () => {
    const request = text(
      begin({
        path: "/chat?room=1",
        protocols: ["chat.v2", "chat.v1"],
        origin: "https://example.com",
        headers: [["Authorization", "Bearer x"]]
      }).request
    )
    assert.match(request, /^GET \/chat\?room=1 HTTP\/1\.1\r\n/)
    assert.include(request, "\r\nSec-WebSocket-Protocol: chat.v2, chat.v1\r\n")
    assert.include(request, "\r\nOrigin: https://example.com\r\nAuthorization: Bearer x\r\n\r\n")
  })

  it("RFC 6455 4.1: the port is in Host if it is not the default one", () => {
    assert.strictEqual(hostHeader("a.example", 80, false), "a.example")
    assert.strictEqual(hostHeader("a.example", 443, true), "a.example")
    assert.strictEqual(hostHeader("a.example", 443, false), "a.example:443")
    assert.strictEqual(hostHeader("a.example", 80, true), "a.example:80")
    assert.strictEqual(hostHeader("::1", 80, false), "[::1]")
    assert.strictEqual(hostHeader("[::1]", 81, false), "[::1]:81")
    assert.strictEqual(hostHeader("fe80::1%eth0", 81, false), "[fe80::1]:81")
    for (const host of ["[::1]:81", "a-b.example:81", "127.0.0.1", "under_score"]) {
      assert.isTrue(Result.isSuccess(make({ host })))
    }
  })

  it("RFC 6455 4.1: what is not valid fails before anything is sent, so it becomes no other header or request", () => {
    const refused = (options: Partial<Options>) => {
      const result = make({ host: "example.com", ...options })
      return Result.isFailure(result) ? result.failure : assert.fail(`${JSON.stringify(options)} was sent`)
    }
    for (const path of ["", "chat", "/a b", "/a\r\nX: y", "/é", "/a#b"]) {
      assert.instanceOf(refused({ path }), InvalidEndpoint)
    }
    for (const host of ["", "a b", "a\r\nX: y", "a/b", "user@a", "a:b", "::1"]) {
      assert.instanceOf(refused({ host }), InvalidEndpoint)
    }
    for (const protocols of [["a b"], [""], ["a", "a"], ["a\r\n"], ["a,b"]]) {
      assert.instanceOf(refused({ protocols }), InvalidHeader)
    }
    assert.instanceOf(refused({ origin: "a\r\nb" }), InvalidHeader)
    for (
      const header of [["X\r\n", "a"], ["", "a"], ["X", "a\r\nY: b"], ["X", "é"], ["Host", "b"], [
        "sec-websocket-KEY",
        "b"
      ], ["Sec-WebSocket-Extensions", "x"]] as const
    ) {
      assert.instanceOf(refused({ headers: [header] }), InvalidHeader)
    }
    assert.strictEqual(
      refused({ headers: [["X", "\n"]] }).message,
      `the header "X" can't be sent: the value has other than printable characters`
    )
  })

  it("RFC 6455 4.1: is upgraded, and gives back what has come already", () => {
    const result = Result.getOrThrow(answer(`${base}\r\n\x01\x02`))
    assert.isUndefined(result.protocol)
    assert.deepStrictEqual(result.leftover, hex("0102"))
    assert.deepStrictEqual(headersOf(result.fields)[0], ["upgrade", "websocket"])
  })

  it("RFC 6455 4.1: names and tokens are case-insensitive, and Connection is a list", () => {
    for (const connection of ["keep-alive, UPGRADE", "upgrade,close", " ,\tuPgRaDe , ", "x\r\nConnection: Upgrade"]) {
      const response =
        `${upgraded}UPGRADE: WebSocket\r\nconnection: ${connection}\r\nsec-websocket-accept:ACCEPT\r\n\r\n`
      assert.isTrue(Result.isSuccess(answer(response)), connection)
    }
  })

  it("RFC 6455 4.1: white space around Sec-WebSocket-Accept is not part of it", () => {
    assert.isTrue(Result.isSuccess(answer(`${base.replace("ACCEPT", " \t ACCEPT \t ")}\r\n`)))
  })

  it("RFC 6455 4.1: the server chooses one of the offered subprotocols, or none", () => {
    const options = { protocols: ["a", "b"] }
    assert.strictEqual(Result.getOrThrow(answer(`${base}Sec-WebSocket-Protocol: b\r\n\r\n`, options)).protocol, "b")
    assert.isUndefined(Result.getOrThrow(answer(`${base}\r\n`, options)).protocol)
    assert.deepStrictEqual(
      reasonOf(`${base}\r\n`, { ...options, requireProtocol: true }),
      new NothingNegotiated({ offered: ["a", "b"] })
    )
  })

  for (const chosen of ["c", "B", "", "a, b"]) {
    it(`RFC 6455 4.1: fails on the subprotocol ${JSON.stringify(chosen)}, which was not offered`, () => {
      assert.deepStrictEqual(
        reasonOf(`${base}Sec-WebSocket-Protocol: ${chosen}\r\n\r\n`, { protocols: ["a", "b"] }),
        new NothingNegotiated({ offered: ["a", "b"], selected: chosen })
      )
    })
  }

  it("RFC 6455 4.1: fails on a subprotocol when none was offered", () => {
    assert.deepStrictEqual(
      reasonOf(`${base}Sec-WebSocket-Protocol: a\r\n\r\n`),
      new NothingNegotiated({ offered: [], selected: "a" })
    )
  })

  const broken: ReadonlyArray<readonly [string, string]> = [
    ["no Upgrade", base.replace("Upgrade: websocket\r\n", "")],
    ["another Upgrade", base.replace("Upgrade: websocket", "Upgrade: h2c")],
    ["a second Upgrade", `${base}Upgrade: h2c\r\n`],
    ["no Connection", base.replace("Connection: Upgrade\r\n", "")],
    ["another Connection", base.replace("Connection: Upgrade", "Connection: close")],
    ["no Sec-WebSocket-Accept", base.replace("Sec-WebSocket-Accept: ACCEPT\r\n", "")],
    ["a wrong Sec-WebSocket-Accept", base.replace("ACCEPT", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")],
    ["two Sec-WebSocket-Accept", `${base}Sec-WebSocket-Accept: x\r\n`],
    ["an answer in HTTP/1.0", base.replace("HTTP/1.1", "HTTP/1.0")],
    ["an Upgrade of several protocols", base.replace("Upgrade: websocket", "Upgrade: websocket, h2c")],
    ["another Upgrade that begins alike", base.replace("Upgrade: websocket", "Upgrade: websocket/13")],
    ["a Connection that only contains the token", base.replace("Connection: Upgrade", "Connection: upgrade-insecure")],
    ["an empty Sec-WebSocket-Accept", base.replace("ACCEPT", "")],
    ["the key as Sec-WebSocket-Accept", base.replace("ACCEPT", "dGhlIHNhbXBsZSBub25jZQ==")],
    ["a Sec-WebSocket-Accept in lower case", base.replace("ACCEPT", "LOWER")],
    ["an extension that was not offered", `${base}Sec-WebSocket-Extensions: permessage-deflate\r\n`],
    ["two subprotocols", `${base}Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n`]
  ]
  for (const [name, response] of broken) {
    it(`RFC 6455 4.1: fails on ${name}`, () => {
      const reason = reasonOf(`${response}\r\n`, { protocols: ["a", "b"] })
      assert.instanceOf(reason, UpgradeMalformed)
      assert.strictEqual((reason as UpgradeMalformed).section, "RFC 6455 section 4.1")
    })
  }

  it("RFC 6455 4.1: tells how the server answered instead", () => {
    const reason = reasonOf(
      "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 5\r\n\r\nno wayXXX"
    )
    assert.deepStrictEqual(
      reason,
      new UpgradeRejected({
        status: 401,
        headers: [["www-authenticate", "Basic"], ["content-length", "5"]],
        body: "no wa"
      })
    )
    assert.strictEqual(reason.message, "the upgrade was answered with status 401: no wa")
  })

  it("knows the status from the head of a refusal on, whenever it is asked", () => {
    const head = utf8("HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\n\r\n")
    const handshake = begin()
    for (const byte of head) {
      assert.deepStrictEqual(
        handshake.ended(),
        Result.fail(new Truncated({ inside: "the answer to the upgrade" }))
      )
      assert.isUndefined(handshake.receive(Uint8Array.of(byte)))
    }
    const rejected = (body: string) =>
      Result.fail(new UpgradeRejected({ status: 401, headers: [["content-length", "5"]], body }))
    assert.deepStrictEqual(handshake.ended(), rejected(""))
    assert.isUndefined(handshake.receive(utf8("no w")))
    assert.deepStrictEqual(handshake.ended(), rejected("no w"))
    assert.deepStrictEqual(handshake.receive(utf8("ay")), rejected("no wa"))
  })

  it("RFC 6455 4.1: gives a redirect to who can follow it, at once if it has no body", () => {
    const reason = reasonOf("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n")
    assert.deepInclude(reason, { _tag: "UpgradeRejected", status: 302 })
    const handshake = begin()
    assert.isDefined(handshake.receive(utf8("HTTP/1.1 304 Not Modified\r\n\r\n")))
  })

  it("RFC 6455 4.1: keeps what there is of an answer that ends with the connection, or too late", () => {
    const reason = reasonOf("HTTP/1.1 503 Busy\r\n\r\nlater")
    assert.deepStrictEqual(reason, new UpgradeRejected({ status: 503, headers: [], body: "later" }))
  })

  it("keeps a bounded part of a long answer", () => {
    const reason = reasonOf(`HTTP/1.1 200 OK\r\n\r\n${"x".repeat(5_000)}`)
    assert.strictEqual((reason as UpgradeRejected).body, "x".repeat(4_096))
  })

  it("RFC 9110 15.2: skips interim answers, but not forever", () => {
    const interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    assert.isTrue(Result.isSuccess(answer(`HTTP/1.1 100 Continue\r\n\r\n${interim}${base}\r\n`)))
    assert.instanceOf(reasonOf(interim.repeat(17)), TooLarge)
  })

  it("RFC 6455 4.1: fails on an answer that is not HTTP, or is cut short, or too large", () => {
    assert.instanceOf(reasonOf("SSH-2.0-OpenSSH\r\n\r\n"), UpgradeMalformed)
    assert.deepStrictEqual(reasonOf(base), new Truncated({ inside: "the answer to the upgrade" }))
    assert.instanceOf(reasonOf(base, { limits: { maxHeadSize: 50, maxHeaders: 10 } }), TooLarge)
  })

  it("RFC 6455 4.1: offers extensions, and gives back what is said of them", () => {
    const options = { extensions: ["permessage-deflate; client_max_window_bits", "x-a, x-b;c=\"d\""] }
    assert.include(
      text(begin(options).request),
      "\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-a, x-b;c=\"d\"\r\n"
    )
    const chosen = `${base}Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Extensions: x-a\r\n\r\n`
    assert.deepStrictEqual(Result.getOrThrow(answer(chosen, options)).extensions, ["permessage-deflate", "x-a"])
    assert.deepStrictEqual(Result.getOrThrow(answer(`${base}\r\n`, options)).extensions, [])
    assert.deepStrictEqual(Result.getOrThrow(answer(`${base}Sec-WebSocket-Extensions:\r\n\r\n`)).extensions, [])
    for (const value of ["", " ", "a\r\nb", "é"]) {
      const result = make({ host: "a", extensions: [value] })
      assert.deepInclude(Result.isFailure(result) && result.failure, { name: "Sec-WebSocket-Extensions" })
    }
  })

  /** The lines of a request that are not there without these options. */
  const added = (options: Partial<Options>) =>
    text(begin(options).request).split("\r\n").filter((line) => /^(Authorization|Cookie): /i.test(line))

  it("RFC 7617 2: credentials are Basic, in UTF-8", () => {
    assert.deepStrictEqual(added({ credentials: { username: "Aladdin", password: "open sesame" } }), [
      "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    ])
    // RFC 7617 2.1 has this one.
    assert.deepStrictEqual(added({ credentials: { username: "test", password: "123£" } }), [
      "Authorization: Basic dGVzdDoxMjPCow=="
    ])
    assert.deepStrictEqual(added({ credentials: { username: "", password: "a:b" } }), ["Authorization: Basic OmE6Yg=="])
    const headers = [["authorization", "Bearer x"]] as const
    assert.deepStrictEqual(added({ credentials: { username: "a", password: "b" }, headers }), [
      "authorization: Bearer x"
    ])
  })

  it("RFC 7617 2: a user name has no colon, and neither it nor the password a control character", () => {
    for (const [username, password] of [["a:b", "s3cret"], ["a\n", "s3cret"], ["a", "s3cret\0"], ["a", "s3cret\x7f"]]) {
      const result = make({ host: "a", credentials: { username, password } })
      assert(Result.isFailure(result))
      assert.instanceOf(result.failure, InvalidHeader)
      assert.deepInclude(result.failure, { name: "Authorization" })
      assert.notInclude(result.failure.message, "s3cret")
    }
  })

  it("RFC 6265 4.2.1: cookies are one header", () => {
    assert.deepStrictEqual(added({ cookies: { SID: "31d4d96e407aad42", lang: "\"en-US\"", empty: "" } }), [
      "Cookie: SID=31d4d96e407aad42; lang=\"en-US\"; empty="
    ])
    assert.deepStrictEqual(added({ cookies: {} }), [])
    const headers = [["COOKIE", "a=b"]] as const
    assert.deepStrictEqual(added({ cookies: { c: "d" }, headers }), ["COOKIE: a=b"])
  })

  it("RFC 6265 4.1.1: cookies have a token as their name, and no separators in their value", () => {
    const wrong: ReadonlyArray<readonly [string, string]> = [
      ["", "a"],
      ["a b", "c"],
      ["a=b", "c"],
      ["é", "a"],
      ["a", "b c"],
      ["a", "b;c"],
      ["a", "b,c"],
      ["a", "b\\c"],
      ["a", "b\"c"],
      ["a", "\"b"],
      ["a", "é"],
      ["a", "b\r\nX: y"]
    ]
    for (const [name, value] of wrong) {
      const result = make({ host: "a", cookies: { [name]: value } })
      assert.deepInclude(Result.isFailure(result) && result.failure, { _tag: "InvalidHeader", name: "Cookie" }, name)
    }
  })
})

describe("UpgradeRejected.retryAfter", () => {
  const after = (status: number, ...headers: ReadonlyArray<readonly [string, string]>) =>
    new UpgradeRejected({ status, headers, body: "" }).retryAfter

  it("is what the server says, by its own clock, if it may go better later", () => {
    assert.strictEqual(after(503), 0)
    assert.strictEqual(after(429, ["retry-after", "120"]), 120_000)
    const date = ["date", "Fri, 31 Dec 1999 23:59:00 GMT"] as const
    assert.strictEqual(after(503, date, ["retry-after", "Fri, 31 Dec 1999 23:59:59 GMT"]), 59_000)
    assert.strictEqual(after(503, ["retry-after", "soon"]), 0)
    assert.isUndefined(after(401, ["retry-after", "120"]))
  })
})
