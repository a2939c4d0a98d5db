import { assert, describe, it } from "@effect/vitest"
import { TooLarge, Violation } from "@wirestack/protocol/Reason"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Headers from "../src/Headers.ts"
import { BodyReader } from "../src/HttpBody.ts"
import * as HttpHead from "../src/HttpHead.ts"
import { concat, cuts, hex, text, utf8 } from "./support.ts"

type Step<A> = Result.Result<HttpHead.Received<A>, Violation | TooLarge> | undefined

/** The first result of the parts, with all that came behind the head. */
const feed = <A>(reader: HttpHead.HeadReader<A>, parts: ReadonlyArray<Uint8Array>): Step<A> => {
  for (let i = 0; i < parts.length; i++) {
    const step = reader.receive(parts[i])
    if (step !== undefined) {
      return Result.map(
        step,
        (received) => ({ ...received, leftover: concat(received.leftover, ...parts.slice(i + 1)) })
      )
    }
  }
  return undefined
}

const request = (input: string | Uint8Array, limits?: HttpHead.Limits) => {
  const bytes = typeof input === "string" ? utf8(input) : input
  const results = cuts(bytes).map((parts) => feed(HttpHead.requestReader(limits), parts))
  for (const result of results) assert.deepStrictEqual(result, results[0])
  return results[0]
}

const response = (input: string) => {
  const results = cuts(utf8(input)).map((parts) => feed(HttpHead.responseReader(), parts))
  for (const result of results) assert.deepStrictEqual(result, results[0])
  return results[0]
}

const failure = (step: Step<unknown>): Violation | TooLarge =>
  step !== undefined && Result.isFailure(step) ? step.failure : assert.fail("it was read")

describe("HttpHead", () => {
  it("reads a request, and gives back what comes behind it", () => {
    assert.deepStrictEqual(
      request(
        "GET /chat?a=b HTTP/1.1\r\nHost: server.example.com\r\nX-Empty:\r\nX-Twice: \t a, b \t\r\nx-twice:c\r\n\r\n\x81\x00"
      ),
      Result.succeed({
        head: {
          method: "GET",
          target: "/chat?a=b",
          version: { major: 1, minor: 1 },
          headers: [["host", "server.example.com"], ["x-empty", ""], ["x-twice", "a, b"], ["x-twice", "c"]] as const
        },
        fields: "Host: server.example.com\r\nX-Empty:\r\nX-Twice: \t a, b \t\r\nx-twice:c\r\n\r\n",
        leftover: utf8("\x81\x00")
      })
    )
  })

  it("reads a response, with a reason phrase or without", () => {
    for (const line of ["HTTP/1.1 101 Switching Protocols", "HTTP/1.1 101 ", "HTTP/1.1 101"]) {
      assert.deepStrictEqual(
        response(`${line}\r\nUpgrade: websocket\r\n\r\n`),
        Result.succeed({
          head: { status: 101, version: { major: 1, minor: 1 }, headers: [["upgrade", "websocket"]] as const },
          fields: "Upgrade: websocket\r\n\r\n",
          leftover: hex("")
        })
      )
    }
  })

  it("reads a head without headers", () => {
    assert.deepStrictEqual(
      request("GET / HTTP/1.0\r\n\r\n"),
      Result.succeed({
        head: { method: "GET", target: "/", version: { major: 1, minor: 0 }, headers: [] },
        fields: "\r\n",
        leftover: hex("")
      })
    )
  })

  it("RFC 9110 5.5: bytes above 127 in a value are Latin-1", () => {
    const step = request(concat(utf8("GET / HTTP/1.1\r\nX: "), hex("e9a0"), utf8("\r\n\r\n")))
    assert.deepStrictEqual(Result.getOrThrow(step!).head.headers, [["x", "é\u00a0"]])
  })

  it("RFC 9112 4: a reason phrase may have bytes above 127", () => {
    const bytes = concat(utf8("HTTP/1.1 403 "), hex("e9a0"), utf8("\r\n\r\n"))
    for (const parts of cuts(bytes)) {
      assert.strictEqual(Result.getOrThrow(feed(HttpHead.responseReader(), parts)!).head.status, 403)
    }
  })

  it("RFC 9112 2.2: refuses bytes above 127 in a start line or a name with the first of them", () => {
    const requests: ReadonlyArray<readonly [string, string]> = [
      ["", "RFC 9112 section 3"],
      ["GET /", "RFC 9112 section 3"],
      ["GET http://", "RFC 9112 section 3"],
      ["GET / HTTP/1.1\r\n", "RFC 9112 section 5.1"],
      ["GET / HTTP/1.1\r\nX: \xff\r\nH", "RFC 9112 section 5.1"]
    ]
    const section = (reader: HttpHead.HeadReader<unknown>, before: string) => {
      for (const byte of before) assert.isUndefined(reader.receive(Uint8Array.of(byte.charCodeAt(0))), before)
      return (failure(reader.receive(hex("80"))) as Violation).section
    }
    for (const [before, where] of requests) assert.strictEqual(section(HttpHead.requestReader(), before), where, before)
    for (const before of ["", "HTTP", "HTTP/1.1 20"]) {
      assert.strictEqual(section(HttpHead.responseReader(), before), "RFC 9112 section 4", before)
    }
  })

  it("waits for the end of a head that is cut anywhere", () => {
    const head = utf8("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    for (let end = 0; end < head.length; end++) {
      assert.isUndefined(HttpHead.requestReader().receive(head.slice(0, end)))
    }
  })

  const malformed: ReadonlyArray<readonly [string, string, string]> = [
    ["RFC 9112 2.2: a bare line feed", "GET / HTTP/1.1\nHost: a\r\n\r\n", "RFC 9112 section 2.2"],
    ["RFC 9112 2.2: a bare carriage return", "GET / HTTP/1.1\r\nX: a\rb\r\n\r\n", "RFC 9112 section 2.2"],
    ["RFC 9112 2.2: a NUL", "GET / HTTP/1.1\r\nX: a\0b\r\n\r\n", "RFC 9112 section 2.2"],
    ["RFC 9112 2.2: another control character", "GET / HTTP/1.1\r\nX: a\x7f\r\n\r\n", "RFC 9112 section 2.2"],
    ["RFC 9112 2.2: another protocol, TLS", "\x16\x03\x01", "RFC 9112 section 2.2"],
    ["RFC 9112 3: an empty line first", "\r\nGET / HTTP/1.1\r\n\r\n", "RFC 9112 section 3"],
    ["RFC 9112 3: no version", "GET /\r\n\r\n", "RFC 9112 section 3"],
    ["RFC 9112 3: two spaces", "GET  / HTTP/1.1\r\n\r\n", "RFC 9112 section 3"],
    ["RFC 9112 3: a tab", "GET\t/ HTTP/1.1\r\n\r\n", "RFC 9112 section 3"],
    ["RFC 9112 3: a space at the end", "GET / HTTP/1.1 \r\n\r\n", "RFC 9112 section 3"],
    ["RFC 9112 3: a method that is no token", "G(T / HTTP/1.1\r\n\r\n", "RFC 9112 section 3"],
    ["RFC 9112 3: a target that is not ASCII", "GET /é HTTP/1.1\r\n\r\n", "RFC 9112 section 3"],
    ["RFC 9112 2.3: a version in lower case", "GET / http/1.1\r\n\r\n", "RFC 9112 section 3"],
    ["RFC 9112 5.1: white space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "RFC 9112 section 5.1"],
    ["RFC 9112 5.1: no colon", "GET / HTTP/1.1\r\nHost\r\n\r\n", "RFC 9112 section 5.1"],
    ["RFC 9112 5.1: no name", "GET / HTTP/1.1\r\n: a\r\n\r\n", "RFC 9112 section 5.1"],
    ["RFC 9112 5.1: a name that is no token", "GET / HTTP/1.1\r\nHöst: a\r\n\r\n", "RFC 9112 section 5.1"],
    ["RFC 9112 5.2: a folded header", "GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n", "RFC 9112 section 5.2"],
    ["RFC 9112 5.2: a header folded by a tab", "GET / HTTP/1.1\r\nX: a\r\n\tb\r\n\r\n", "RFC 9112 section 5.2"]
  ]

  for (const [name, input, section] of malformed) {
    it(`${name} is malformed`, () => {
      const reason = failure(request(input))
      assert.instanceOf(reason, Violation)
      assert.strictEqual((reason as Violation).section, section)
      assert.include(reason.message, section)
    })
  }

  it("RFC 9112 4: a status line has a version and a status", () => {
    for (const line of ["HTTP/1.1", "HTTP/1.1 10", "HTTP/1.1 1000 x", "HTTP/1.1  101", "ICY 200 OK", "SSH-2.0-x"]) {
      const reason = failure(response(`${line}\r\n\r\n`))
      assert.strictEqual((reason as Violation).section, "RFC 9112 section 4", line)
    }
  })

  it("bounds the size of a head, as soon as it is over", () => {
    const head = "GET / HTTP/1.1\r\nX: 5\r\n\r\n"
    const exact = { maxHeadSize: head.length, maxHeaders: 10 }
    assert.isTrue(Result.isSuccess(request(`${head}behind it`, exact)!))
    const reader = HttpHead.requestReader({ ...exact, maxHeadSize: head.length - 1 })
    assert.instanceOf(failure(reader.receive(utf8(head))), TooLarge)
    const slow = HttpHead.requestReader()
    for (let i = 0; i < 16_384; i++) assert.isUndefined(slow.receive(utf8("x")))
    assert.instanceOf(failure(slow.receive(utf8("x"))), TooLarge)
  })

  it("bounds the number of headers", () => {
    const head = (count: number) => `GET / HTTP/1.1\r\n${"X: 1\r\n".repeat(count)}\r\n`
    assert.isTrue(Result.isSuccess(request(head(3), { maxHeadSize: 1_000, maxHeaders: 3 })!))
    assert.deepStrictEqual(
      failure(request(head(4), { maxHeadSize: 1_000, maxHeaders: 3 })),
      new TooLarge({ what: "the number of headers", size: 4, limit: 3 })
    )
  })

  const name = Schema.String.check(Schema.isPattern(/^[!#$%&'*+\-.^_`|~0-9a-z]{1,8}$/))
  const value = Schema.String.check(Schema.isPattern(/^(?:[!-~](?:[\t -~]{0,8}[!-~])?)?$/))

  it.prop("reads what it writes, however it is cut", [Schema.Array(Schema.Tuple([name, value]))], ([all]) => {
    const headers = all.slice(0, 20)
    for (const parts of cuts(HttpHead.encode("HTTP/1.1 200 OK", headers))) {
      assert.deepStrictEqual(Result.getOrThrow(feed(HttpHead.responseReader(), parts)!).head.headers, headers)
    }
  })

  it.prop("any text is a head, or none, whatever it is cut into", [Schema.String], ([text]) => {
    request(`GET / HTTP/1.1\r\n${text}\r\n\r\n`)
  })

  it("writes what it reads", () => {
    const bytes = HttpHead.encode("GET / HTTP/1.1", [["Host", "a"], ["X", "b"]])
    assert.strictEqual(text(bytes), "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n")
  })
})

describe("Headers", () => {
  const headers: Headers.Headers = [["connection", "keep-alive, , Upgrade "], ["connection", "\tX"], ["host", "a"]]

  it("has values, lists and tokens", () => {
    assert.deepStrictEqual(Headers.values(headers, "connection"), ["keep-alive, , Upgrade ", "\tX"])
    assert.deepStrictEqual(Headers.list(headers, "connection"), ["keep-alive", "Upgrade", "X"])
    assert.isTrue(Headers.hasToken(headers, "connection", "upgrade"))
    assert.isFalse(Headers.hasToken(headers, "connection", "grade"))
    assert.deepStrictEqual(Headers.list(headers, "upgrade"), [])
  })

  it("trims spaces and tabs only", () => {
    assert.strictEqual(Headers.trim(" \t\u00a0a b\u00a0\t "), "\u00a0a b\u00a0")
    assert.strictEqual(Headers.trim("  "), "")
  })

  it("sends nothing that could become another header", () => {
    for (const value of ["a\r\nb: c", "a\nb", "a\0", "é"]) assert.isFalse(Headers.isSendable(value))
    assert.isTrue(Headers.isSendable("Basic YTpi,\t~"))
  })
})

describe("BodyReader", () => {
  const body = (headers: Headers.Headers, input: string | Uint8Array, limit = 100, status = 400) => {
    const bytes = typeof input === "string" ? utf8(input) : input
    const results = cuts(bytes).map((parts) => {
      const reader = new BodyReader({ status, version: { major: 1, minor: 1 }, headers }, limit)
      let done = reader.receive(new Uint8Array(0))
      for (const part of parts) done = reader.receive(part)
      return { done, text: reader.text }
    })
    for (const result of results) assert.deepStrictEqual(result, results[0])
    return results[0]
  }

  it("RFC 9112 6.3: ends after Content-Length", () => {
    assert.deepStrictEqual(body([["content-length", "5"]], "Hello"), { done: true, text: "Hello" })
    assert.deepStrictEqual(body([["content-length", "5"]], "Hello World"), { done: true, text: "Hello" })
    assert.deepStrictEqual(body([["content-length", "6"]], "Hello"), { done: false, text: "Hello" })
    for (const length of ["0", "-1", "x"]) {
      assert.deepStrictEqual(body([["content-length", length]], "Hello"), { done: true, text: "" })
    }
  })

  it("RFC 9112 6.3: ends with the connection if nothing else says so", () => {
    assert.deepStrictEqual(body([], "Hello"), { done: false, text: "Hello" })
    assert.deepStrictEqual(body([], "Grüße"), { done: false, text: "Grüße" })
  })

  it("RFC 9112 6.3: a 204 and a 304 have no body", () => {
    for (const status of [204, 304]) {
      assert.deepStrictEqual(body([["content-length", "5"]], "Hello", 100, status), { done: true, text: "" })
      assert.deepStrictEqual(body([["transfer-encoding", "chunked"]], "1\r\nH", 100, status), { done: true, text: "" })
    }
  })

  it("keeps no more than its limit", () => {
    assert.deepStrictEqual(body([], "Hello World", 5), { done: true, text: "Hello" })
    assert.deepStrictEqual(body([["content-length", "11"]], "Hello World", 5), { done: true, text: "Hello" })
    assert.deepStrictEqual(body([["transfer-encoding", "chunked"]], "b\r\nHello World", 5), {
      done: true,
      text: "Hello"
    })
  })

  it("RFC 9112 7.1: puts chunks together", () => {
    const chunked: Headers.Headers = [["transfer-encoding", "Chunked"]]
    assert.deepStrictEqual(body(chunked, "5\r\nHello\r\nA;x=y\r\n World 123\r\n0\r\n\r\n"), {
      done: true,
      text: "Hello World 123"
    })
    assert.deepStrictEqual(body(chunked, "5\r\nHello\r\n"), { done: false, text: "Hello" })
    assert.deepStrictEqual(body(chunked, "no size\r\n"), { done: true, text: "" })
    assert.deepStrictEqual(body(chunked, "x".repeat(1_000)), { done: true, text: "" })
  })
})
