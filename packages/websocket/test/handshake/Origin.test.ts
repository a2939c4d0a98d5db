import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { OriginRefused } from "../../src/handshake/HandshakeReason.ts"
import * as Origin from "../../src/handshake/Origin.ts"
import { random } from "../support.ts"

const admitted = (policy: Origin.Policy, origins: ReadonlyArray<string | undefined>) => {
  for (const origin of origins) assert.isTrue(policy.admits(origin), String(origin))
}

const refused = (policy: Origin.Policy, origins: ReadonlyArray<string | undefined>) => {
  for (const origin of origins) assert.isFalse(policy.admits(origin), String(origin))
}

/** What no policy but `any` takes for an origin. */
const malformed = [
  "",
  " ",
  "null",
  "NULL",
  "chat.example",
  "//chat.example",
  "https:chat.example",
  "https:/chat.example",
  "https://",
  "https://chat.example.",
  "https://chat.example/",
  "https://chat.example/chat",
  "https://chat.example?q",
  "https://chat.example#f",
  "https://user@chat.example",
  "https://user:password@chat.example",
  "https://@chat.example",
  "https://chat.example:",
  "https://chat.example:x",
  "https://chat.example:99999",
  "https://chat.example\\@evil.example",
  "https://chat.example https://chat.example",
  "https://chat.example, https://chat.example",
  " https://chat.example",
  "https://chat.example\0",
  "https://chat%2eexample",
  "https://-chat.example",
  "https://chat..example",
  "https://[::1",
  "https://::1",
  "https://[chat.example]",
  "https://[fe80::1%25eth0]",
  "https://1.2.3",
  "https://127.1",
  "https://0x7f.1",
  "https://chät.example",
  "1https://chat.example"
]

describe("sameOrigin", () => {
  it("RFC 6455 10.2: a bare authority is http and https, with the default port or the one that is given", () => {
    const policy = Origin.sameOrigin({ authorities: ["chat.example", "app.example:8443"] })
    admitted(policy, [
      "http://chat.example",
      "https://chat.example",
      "http://chat.example:80",
      "https://chat.example:443",
      "https://app.example:8443",
      "http://app.example:8443"
    ])
    refused(policy, [
      "http://chat.example:443",
      "https://chat.example:80",
      "https://chat.example:8443",
      "https://app.example",
      "http://app.example",
      "ws://chat.example",
      "wss://chat.example",
      "ftp://chat.example",
      "https://www.chat.example",
      "https://chat.example.evil.example",
      "https://evilchat.example",
      "https://evil.example"
    ])
  })

  it("RFC 6454 5: an authority with a scheme is this origin and no other", () => {
    const policy = Origin.sameOrigin({ authorities: ["https://chat.example", "http://chat.example:8080"] })
    admitted(policy, ["https://chat.example", "https://chat.example:443", "http://chat.example:8080"])
    refused(policy, ["http://chat.example", "https://chat.example:8080", "http://chat.example:80"])
  })

  it("RFC 6454 4: scheme and host are compared in lower case, IP addresses by what they are", () => {
    const policy = Origin.sameOrigin({ authorities: ["Chat.Example", "[0:0::1]:81", "127.0.0.1", "bücher.example"] })
    admitted(policy, [
      "HTTPS://CHAT.example",
      "http://[::1]:81",
      "http://[0:0:0:0:0:0:0:1]:81",
      "http://127.0.0.1",
      "https://xn--bcher-kva.example"
    ])
    refused(policy, ["http://[::1]", "http://[::2]:81", "http://127.0.0.2", "http://localhost"])
  })

  it("without authorities, admits no site", () => {
    const policy = Origin.sameOrigin({ authorities: [] })
    refused(policy, ["http://localhost", "https://chat.example", "null"])
    admitted(policy, [undefined])
    assert.strictEqual(policy.description, "no origin, as no authority of the server is configured")
  })

  it("does not take as an authority what is none", () => {
    for (const authority of ["", "chat.example/", "chat.example.", "*.chat.example", "a:b", "a@b", "::1", "ws://a"]) {
      assert.throws(() => Origin.sameOrigin({ authorities: [authority] }), RangeError, JSON.stringify(authority))
    }
  })
})

describe("allow", () => {
  it("RFC 6455 10.2: admits the exact origins, with ports as they are or by default", () => {
    const policy = Origin.allow(["https://a.example", "HTTP://B.example:8080", "chrome-extension://abcdefgh"])
    admitted(policy, [
      "https://a.example",
      "https://A.EXAMPLE:443",
      "http://b.example:8080",
      "chrome-extension://abcdefgh"
    ])
    refused(policy, [
      "http://a.example",
      "https://a.example:8443",
      "https://b.example:8080",
      "http://b.example",
      "chrome-extension://abcdefgi",
      "https://abcdefgh"
    ])
  })

  it("a wildcard is one label or more, and not the host itself", () => {
    const policy = Origin.allow(["https://*.example.org", "http://*.dev.example:3000"])
    admitted(policy, [
      "https://a.example.org",
      "https://a.b.example.org:443",
      "https://A.Example.ORG",
      "http://x.dev.example:3000"
    ])
    refused(policy, [
      "https://example.org",
      "http://a.example.org",
      "https://a.example.org:8443",
      "https://aexample.org",
      "https://.example.org",
      "https://a.example.org.evil.example",
      "https://a.example.org.",
      "https://*.example.org",
      "http://x.dev.example"
    ])
  })

  it("RFC 6454 7.1: null is admitted only by name", () => {
    admitted(Origin.allow(["null"]), ["null", undefined])
    refused(Origin.allow(["null"]), ["Null", "https://a.example", "https://null"])
    admitted(Origin.allow(["https://a.example", "null"]), ["null", "https://a.example"])
    refused(Origin.allow(["https://a.example"]), ["null"])
    refused(Origin.allow(["https://null"]), ["null"])
  })

  it("does not take as an origin what is none", () => {
    const wrong = malformed.filter((origin) => !["null", "https://chät.example"].includes(origin))
    for (const origin of [...wrong, "https://*", "https://*.", "https://a.*.example", "*", "https://*.1.2.3.4"]) {
      assert.throws(() => Origin.allow([origin]), RangeError, JSON.stringify(origin))
    }
    refused(Origin.allow([]), ["https://a.example", "null"])
  })
})

describe("all policies", () => {
  const everything = Origin.make(() => true)

  it("RFC 6454 7.1: what is not one origin is refused", () => {
    const policies = [
      everything,
      Origin.sameOrigin({ authorities: ["chat.example", "[::1]", "localhost"] }),
      Origin.allow(["https://chat.example", "https://*.example"])
    ]
    for (const policy of policies) refused(policy, malformed)
  })

  it("any admits everything", () => admitted(Origin.any, [...malformed, undefined, "https://chat.example"]))

  it("make asks for well-formed origins only, in one form", () => {
    const asked: Array<string> = []
    const policy = Origin.make((origin) => asked.push(origin) % 2 === 1)
    admitted(policy, ["HTTPS://Chat.Example:443"])
    refused(policy, ["http://[0::1]:8080", "null", "x"])
    admitted(policy, [undefined])
    assert.deepStrictEqual(asked, ["https://chat.example", "http://[::1]:8080"])
  })

  it("or admits what one of two admits", () => {
    const a = Origin.allow(["https://a.example"])
    const b = Origin.allow(["https://b.example"])
    for (const policy of [Origin.or(a, b), Origin.or(b)(a)]) {
      admitted(policy, ["https://a.example", "https://b.example", undefined])
      refused(policy, ["https://c.example", "null"])
      assert.strictEqual(policy.description, "https://a.example, or https://b.example")
    }
    admitted(Origin.or(Origin.required(a), Origin.required(b)), ["https://b.example"])
    refused(Origin.or(Origin.required(a), Origin.required(b)), [undefined])
  })

  it("RFC 6455 10.2: who is no browser sends no Origin, and is refused if one is required", () => {
    for (const policy of [Origin.any, everything, Origin.allow([]), Origin.sameOrigin({ authorities: [] })]) {
      admitted(policy, [undefined])
      refused(Origin.required(policy), [undefined])
    }
    admitted(Origin.required(Origin.any), ["null"])
  })

  it("judging gives the reason in words", () => {
    const policy = Origin.sameOrigin({ authorities: ["chat.example", "chat.example:8443"] })
    assert.isTrue(Result.isSuccess(Origin.judge(policy, "https://chat.example")))
    const message = (policy: Origin.Policy, origin: string | undefined) => {
      const result = Origin.judge(policy, origin)
      assert(Result.isFailure(result))
      assert.instanceOf(result.failure, OriginRefused)
      assert.strictEqual(result.failure.origin, origin)
      return result.failure.message
    }
    assert.strictEqual(
      message(policy, "https://evil.example"),
      "the origin \"https://evil.example\" is refused: the policy is the origins of chat.example, chat.example:8443"
    )
    assert.strictEqual(
      message(Origin.required(policy), undefined),
      "a request without Origin is refused: the policy is the origins of chat.example, chat.example:8443, and that there is one"
    )
  })

  it("agree on random origins: the same scheme, host and port, however they are written", () => {
    const next = random(3)
    const pick = <A>(all: ReadonlyArray<A>): A => all[Math.floor(next() * all.length)]
    const defaults: Record<string, number> = { http: 80, https: 443 }
    const origin = () => ({
      scheme: pick(["http", "https"]),
      host: pick(["a.example", "b.a.example", "localhost", "127.0.0.1", "[::1]"]),
      port: pick([80, 443, 8080])
    })
    type One = ReturnType<typeof origin>
    const write = ({ host, port, scheme }: One) => {
      const plain = `${scheme}://${host}${port === defaults[scheme] && next() < 0.5 ? "" : `:${port}`}`
      return next() < 0.5 ? plain : plain.toUpperCase()
    }
    for (let round = 0; round < 2_000; round++) {
      const [a, b] = [origin(), origin()]
      const same = a.scheme === b.scheme && a.host === b.host && a.port === b.port
      assert.strictEqual(Origin.allow([write(a)]).admits(write(b)), same)
      assert.strictEqual(Origin.sameOrigin({ authorities: [write(a).toLowerCase()] }).admits(write(b)), same)
      const authority = `${a.host}:${a.port}`
      assert.strictEqual(
        Origin.sameOrigin({ authorities: [authority] }).admits(write(b)),
        a.host === b.host && a.port === b.port
      )
    }
  })
})

describe("authoritiesOf", () => {
  it("is the address itself, all names of a loopback address, and nothing for a wildcard", () => {
    const cases: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
      ["192.0.2.1", ["192.0.2.1:80"]],
      ["2001:DB8::1", ["[2001:db8::1]:80"]],
      ["[2001:db8::1]", ["[2001:db8::1]:80"]],
      ["fe80::1%eth0", ["[fe80::1]:80"]],
      ["Chat.Example", ["chat.example:80"]],
      ["127.0.0.1", ["localhost:80", "127.0.0.1:80", "[::1]:80"]],
      ["::1", ["localhost:80", "127.0.0.1:80", "[::1]:80"]],
      ["localhost", ["localhost:80", "127.0.0.1:80", "[::1]:80"]],
      ["127.0.0.2", ["127.0.0.2:80", "localhost:80", "127.0.0.1:80", "[::1]:80"]],
      ["0.0.0.0", []],
      ["::", []],
      ["", []],
      ["not a host", []]
    ]
    for (const [host, authorities] of cases) assert.deepStrictEqual(Origin.authoritiesOf(host, 80), authorities, host)
  })

  it("is what sameOrigin takes", () => {
    const policy = Origin.sameOrigin({ authorities: Origin.authoritiesOf("127.0.0.1", 8080) })
    admitted(policy, ["http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"])
    refused(policy, ["http://localhost", "http://localhost:8081", "http://rebound.example:8080"])
  })
})
