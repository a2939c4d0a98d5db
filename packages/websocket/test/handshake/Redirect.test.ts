import { assert, describe, it } from "@effect/vitest"
import type { Headers } from "@wirestack/http/Headers"
import { Endpoint } from "@wirestack/protocol"
import * as Result from "effect/Result"
import { RedirectRefused, UpgradeRejected } from "../../src/handshake/HandshakeReason.ts"
import { type Asked, follow } from "../../src/handshake/Redirect.ts"
import { random } from "../support.ts"

const asked = (url: string, more?: Partial<Asked>): Asked => {
  const endpoint = Result.getOrThrow(Endpoint.make(url))
  return { endpoint, path: endpoint.path ?? "/", ...more }
}

const answer = (location: string | undefined, status = 302, more: Headers = []): UpgradeRejected =>
  new UpgradeRejected({
    status,
    headers: [...location === undefined ? [] : [["location", location] as const], ...more],
    body: ""
  })

const next = (from: string, location: string): string | undefined => {
  const result = follow(asked(from), answer(location), 1)
  if (Result.isFailure(result)) return undefined
  assert.strictEqual(result.success.endpoint.path, result.success.path)
  return Endpoint.format(result.success.endpoint)
}

const refusal = (from: Asked, location: string, left = 1): string => {
  const result = follow(from, answer(location), left)
  assert(Result.isFailure(result))
  const reason = result.failure
  assert.instanceOf(reason, RedirectRefused)
  assert.strictEqual((reason as RedirectRefused).location, location)
  assert.include(reason.message, JSON.stringify(location))
  return (reason as RedirectRefused).detail
}

describe("Redirect", () => {
  it("RFC 9110 15.4: 301, 302, 303, 307 and 308 lead on, other statuses don't", () => {
    for (const status of [301, 302, 303, 307, 308]) {
      assert.isTrue(Result.isSuccess(follow(asked("ws://a/"), answer("/b", status), 1)), String(status))
    }
    for (const status of [200, 201, 300, 304, 305, 306, 309, 401, 404, 503]) {
      const rejected = answer("/b", status)
      assert.deepStrictEqual(follow(asked("ws://a/"), rejected, 1), Result.fail(rejected))
    }
  })

  it("RFC 9110 10.2.2: without one Location that is a reference, there is no redirect", () => {
    const rejections = [
      answer(undefined),
      answer("/b", 302, [["location", "/c"]]),
      ...["/a b", "/é", "\t/", "http:b", "https:", "http://", "//", "//a:x/", "//a:99999/", "http://a b/", "//[::1"]
        .map((
          location
        ) => answer(location))
    ]
    for (const rejected of rejections) {
      assert.deepStrictEqual(follow(asked("ws://a/"), rejected, 1), Result.fail(rejected))
    }
  })

  const references: ReadonlyArray<readonly [string, string, string]> = [
    ["an absolute URL", "https://b.example/c?d", "wss://b.example:443/c?d"],
    ["a URL of a WebSocket", "wss://b.example:8443/", "wss://b.example:8443/"],
    ["a scheme in upper case", "HTTPS://B.example/C", "wss://b.example:443/C"],
    ["no path", "https://b.example", "wss://b.example:443/"],
    ["no path, but a query", "https://b.example?q", "wss://b.example:443/?q"],
    ["dots in its path", "https://b.example/a/../b/./c", "wss://b.example:443/b/c"],
    ["an IPv6 literal", "https://[::1]:8443/", "wss://[::1]:8443/"],
    ["no scheme", "//b.example/c", "wss://b.example:443/c"],
    ["an absolute path", "/c", "wss://a.example:444/c"],
    ["an absolute path and a query", "/c?d=/../e", "wss://a.example:444/c?d=/../e"],
    ["a relative path", "c", "wss://a.example:444/x/c"],
    ["a query only", "?d", "wss://a.example:444/x/y?d"],
    ["a fragment", "/c?d#e", "wss://a.example:444/c?d"],
    ["a fragment only", "#e", "wss://a.example:444/x/y?z"],
    ["nothing", "", "wss://a.example:444/x/y?z"]
  ]
  for (const [name, location, result] of references) {
    it(`RFC 9110 10.2.2: a Location with ${name}`, () => {
      assert.strictEqual(next("wss://a.example:444/x/y?z", location), result)
    })
  }

  it("RFC 3986 5.4: the examples, normal and abnormal", () => {
    const examples: Record<string, string> = {
      "g": "/b/c/g",
      "./g": "/b/c/g",
      "g/": "/b/c/g/",
      "/g": "/g",
      "?y": "/b/c/d;p?y",
      "g?y": "/b/c/g?y",
      "#s": "/b/c/d;p?q",
      "g#s": "/b/c/g",
      "g?y#s": "/b/c/g?y",
      ";x": "/b/c/;x",
      "g;x": "/b/c/g;x",
      "g;x?y#s": "/b/c/g;x?y",
      "": "/b/c/d;p?q",
      ".": "/b/c/",
      "./": "/b/c/",
      "..": "/b/",
      "../": "/b/",
      "../g": "/b/g",
      "../..": "/",
      "../../": "/",
      "../../g": "/g",
      "../../../g": "/g",
      "../../../../g": "/g",
      "/./g": "/g",
      "/../g": "/g",
      "g.": "/b/c/g.",
      ".g": "/b/c/.g",
      "g..": "/b/c/g..",
      "..g": "/b/c/..g",
      "./../g": "/b/g",
      "./g/.": "/b/c/g/",
      "g/./h": "/b/c/g/h",
      "g/../h": "/b/c/h",
      "g;x=1/./y": "/b/c/g;x=1/y",
      "g;x=1/../y": "/b/c/y",
      "g?y/./x": "/b/c/g?y/./x",
      "g?y/../x": "/b/c/g?y/../x",
      "g#s/../x": "/b/c/g"
    }
    for (const [reference, path] of Object.entries(examples)) {
      assert.strictEqual(next("ws://a/b/c/d;p?q", reference), `ws://a:80${path}`, reference)
    }
    assert.strictEqual(next("ws://a/b/c/d;p?q", "//g"), "ws://g:80/")
  })

  it("RFC 3986 5.2: random references are resolved as the platform does it", () => {
    const chance = random(4)
    const some = (pieces: ReadonlyArray<string>, most: number) =>
      Array.from({ length: Math.floor(chance() * most) }, () => pieces[Math.floor(chance() * pieces.length)]).join("")
    for (let round = 0; round < 5_000; round++) {
      const path = `/a${some(["a", "b", "/"], 6)}`
      const reference = some(["a", "b", ".", "..", "/", "/", "?", ";", "#"], 8)
      if (reference.startsWith("//")) continue
      const resolved = new URL(reference, `http://a:80${path}?q`).href.replace(/#.*$/, "").replace("http://a", "")
      assert.strictEqual(next(`ws://a${path}?q`, reference), `ws://a:80${resolved}`, `${path} ${reference}`)
    }
  })

  it("never gives up TLS", () => {
    for (const location of ["http://a/", "ws://a/", "http://b/", "http://a:443/"]) {
      assert.match(refusal(asked("wss://a/"), location), /TLS/)
    }
    assert.strictEqual(next("ws://a/", "https://a/"), "wss://a:443/")
    assert.strictEqual(next("ws://a/", "http://b/"), "ws://b:80/")
  })

  it("RFC 9110 4.2.4: takes no user from a redirect", () => {
    for (const location of ["https://u:p@a/", "//u@a/", "http://a@b@c/"]) {
      assert.match(refusal(asked("ws://a/"), location), /user/)
    }
    assert.strictEqual(next("ws://a/x", "/u@a"), "ws://a:80/u@a")
  })

  it("goes to no other scheme", () => {
    for (
      const location of [
        "ftp://a/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "unix:/run/x",
        "tcp://a:1",
        "mailto:a@b"
      ]
    ) {
      assert.match(refusal(asked("ws://a/"), location), /is not http/)
    }
  })

  it("is bounded by a count", () => {
    assert.match(refusal(asked("ws://a/"), "/b", 0), /too many/)
    assert.match(refusal(asked("ws://a/"), "http://b/", 0), /too many/)
    const rejected = answer("/b", 401)
    assert.deepStrictEqual(follow(asked("ws://a/"), rejected, 0), Result.fail(rejected))
  })

  it("stays in its place if that has no name in a URL", () => {
    for (const endpoint of [Endpoint.unix("/run/a"), Endpoint.memory("a")]) {
      const from = { endpoint, path: "/x/y", credentials: { username: "u", password: "p" } }
      const result = follow(from, answer("z"), 1)
      assert.deepStrictEqual(result, Result.succeed({ ...from, endpoint: { ...endpoint, path: "/x/z" }, path: "/x/z" }))
      assert.match(refusal(from, "http://localhost/"), /leads away from/)
    }
  })

  const secrets: Partial<Asked> = {
    headers: [["authorization", "Bearer x"], ["X-Kept", "1"], ["COOKIE", "a=b"], ["Proxy-Authorization", "y"]],
    cookies: { a: "b" },
    credentials: { username: "u", password: "p" }
  }
  const from = asked("ws://ada:secret@a.example/x", secrets)

  it("RFC 9110 15.4: keeps who one is on the same origin", () => {
    for (const location of ["/y", "y?z", "//a.example/y", "http://A.EXAMPLE:80/y", "ws://a.example/"]) {
      const to = Result.getOrThrow(follow(from, answer(location), 1))
      assert.deepInclude(to, secrets, location)
      assert.deepStrictEqual(to.endpoint.credentials, { username: "ada", password: "secret" })
    }
  })

  it("RFC 9110 15.4: leaves behind who one is where scheme, host or port are others", () => {
    for (
      const location of [
        "https://a.example/y",
        "//b.example/",
        "http://a.example:81/",
        "//www.a.example/",
        "//a.example.b/"
      ]
    ) {
      const to = Result.getOrThrow(follow(from, answer(location), 2))
      assert.deepStrictEqual(Object.keys(to).toSorted(), ["endpoint", "headers", "path"], location)
      assert.deepStrictEqual(to.headers, [["X-Kept", "1"]])
      assert.isUndefined(to.endpoint.credentials)
    }
    const away = Result.getOrThrow(follow(from, answer("//b.example/"), 2))
    const back = Result.getOrThrow(follow(away, answer("//a.example/x"), 1))
    assert.deepStrictEqual(back.headers, [["X-Kept", "1"]])
    assert.isUndefined(back.credentials)
    const bare = Result.getOrThrow(follow(asked("ws://a/"), answer("//b/"), 1))
    assert.deepStrictEqual(Object.keys(bare).toSorted(), ["endpoint", "path"])
  })
})
