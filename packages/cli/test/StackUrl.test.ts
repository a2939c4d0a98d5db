import { assert, describe, it } from "@effect/vitest"
import { StackUrl } from "@wirestack/cli"
import { Result, Schema } from "effect"

const made = (input: string): StackUrl.StackUrl => Result.getOrThrow(StackUrl.make(input))

const refused = (input: string): string => {
  const result = StackUrl.make(input)
  if (Result.isSuccess(result)) throw new Error(`${input} was accepted`)
  return result.failure.message
}

describe("the layers of a scheme", () => {
  const layersOf = (input: string) => {
    const { framing, ground, proxy, tls, webSocket } = made(input)
    return [
      ground,
      ...proxy === undefined ? [] : [proxy.protocol],
      ...tls ? ["tls"] : [],
      ...webSocket ? ["ws"] : [],
      ...framing === undefined ? [] : [framing]
    ].join(" ")
  }
  const cases: ReadonlyArray<readonly [string, string, "messages" | "bytes"]> = [
    ["wss://a.example/", "tcp tls ws", "messages"],
    ["tls+ws://a.example/", "tcp tls ws", "messages"],
    ["WS://a.example", "tcp ws", "messages"],
    ["tcp://a.example:1", "tcp", "bytes"],
    ["a.example:1", "tcp", "bytes"],
    ["[::1]:1", "tcp", "bytes"],
    ["lines://a.example:1", "tcp lines", "messages"],
    ["lines+tls+tcp://a.example:1", "tcp tls lines", "messages"],
    ["tcp+length16le://a.example:1", "tcp length16le", "messages"],
    ["ws+bytes://a.example/", "tcp ws bytes", "bytes"],
    ["ws+netstring://a.example/", "tcp ws netstring", "messages"],
    ["wss+socks5://a.example/#proxy=localhost:1080", "tcp socks5 tls ws", "messages"],
    ["tcp+http-connect://a.example:1", "tcp http-connect", "bytes"],
    ["udp://a.example:1", "udp", "messages"],
    ["unix:/run/a.sock", "unix", "bytes"],
    ["unix:///run/a.sock", "unix", "bytes"],
    ["unix+tls+lines:/run/a.sock", "unix tls lines", "messages"],
    ["wss+unix:/run/a.sock:/room", "unix tls ws", "messages"]
  ]
  it.each(cases)("%s is %s", (input, layers, shape) => {
    assert.strictEqual(layersOf(input), layers)
    assert.strictEqual(StackUrl.shapeOf(made(input)), shape)
  })
})

describe("the endpoint", () => {
  it("has the path and the query of a WebSocket, and no parameters", () => {
    const { endpoint, proxy } = made("wss+socks5://ada:secret@a.example:8443/room?proxy=x#proxy=u:p@[::1]:1080")
    assert.deepStrictEqual(endpoint, {
      place: { _tag: "Tcp", host: "a.example", port: 8443 },
      demands: ["websocket", "tls"],
      path: "/room?proxy=x",
      credentials: { username: "ada", password: "secret" }
    })
    assert.deepStrictEqual(proxy?.endpoint?.place, { _tag: "Tcp", host: "::1", port: 1080 })
    assert.deepStrictEqual(proxy?.endpoint?.credentials, { username: "u", password: "p" })
  })

  it("is a Unix socket, and behind it a path", () => {
    const { endpoint } = made("ws+unix:/run/a.sock:/room?at=1:/2")
    assert.deepStrictEqual(endpoint, {
      place: { _tag: "Unix", path: "/run/a.sock" },
      demands: ["websocket"],
      path: "/room?at=1:/2"
    })
    assert.strictEqual(made("ws+unix:@abstract").endpoint.path, "/")
    assert.deepStrictEqual(made("lines+unix:/run/a:/b").endpoint, {
      place: { _tag: "Unix", path: "/run/a:/b" },
      demands: []
    })
  })

  it("is a service", () => {
    const { place } = made("wss+srv://_chat._tcp.example.com/room").endpoint
    assert.deepStrictEqual(place, { _tag: "Service", name: "chat", protocol: "tcp", domain: "example.com" })
  })
})

describe("a proxy", () => {
  it("is put on the way, and takes the place of another", () => {
    const url = made("wss+socks5://a.example/#proxy=localhost:1080")
    const by = (proxy: string) => StackUrl.format(Result.getOrThrow(StackUrl.by(url, proxy)))
    assert.strictEqual(by("other.example:1"), "wss+socks5://a.example:443/#proxy=other.example:1")
    assert.strictEqual(by("http://other.example:1"), "wss+http-connect://a.example:443/#proxy=other.example:1")
    assert.strictEqual(by("socks5h://other.example:1"), "wss+socks5://a.example:443/#proxy=other.example:1")
  })

  it("is refused where it makes no sense", () => {
    const why = (url: string, proxy: string) => Result.getOrThrow(Result.flip(StackUrl.by(made(url), proxy))).message
    assert.match(why("tcp://a.example:1", "localhost:1"), /^the proxy of the URL: which one is it\? \(known are http, /)
    assert.match(why("tcp://a.example:1", "ftp://localhost:1"), /ftp is no proxy/)
    assert.match(why("unix:/a", "socks5://localhost:1"), /none on the way to unix/)
    assert.match(why("tcp://a.example:1", "socks5://localhost"), /needs a port/)
  })
})

describe("what is wrong", () => {
  it.each([
    ["tsl://a:1", /scheme.*"tsl" is no layer \(known are tcp, /],
    ["ws+foo://a/", /"foo" is no layer/],
    ["https://a.example/", /scheme.*https is no stack; a WebSocket is wss/],
    ["tls+tls://a:1", /tls is there twice/],
    ["ws+wss://a/", /ws and wss are both a WebSocket/],
    ["tcp+udp://a:1", /tcp and udp are both a transport/],
    ["lines+netstring://a:1", /lines and netstring are both a framer/],
    ["udp+lines://a:1", /datagrams are messages, on which nothing stands/],
    ["socks5+unix:/a", /socks5 is for TCP only/],
    ["bytes://a:1", /bytes is for a WebSocket only/],
    ["1ws://a/", /scheme of the URL: it is made of names/],
    ["tcp://a", /endpoint.*needs a port/],
    ["lines://a:99999", /endpoint.*no number up to 65535/],
    ["tls+lines://a:1/path", /endpoint.*has no path/],
    ["ws://a/ü", /endpoint.*percent-encoded/],
    ["ws+unix:/a:/ü", /endpoint.*percent-encoded/],
    ["unix://host/a", /a Unix socket is on this machine/],
    ["unix:", /endpoint.*expected unix:PATH/],
    ["memory:x", /endpoint/],
    ["", /endpoint/],
    ["ws://a/#top", /parameters.*expected proxy=host:port/],
    ["ws://a/#proxy=localhost:1", /the scheme names no proxy \(known are socks5, http-connect\)/],
    ["ws+socks5://a/#proxy=localhost", /parameters.*needs a port/]
  ])("%s", (input, message) => {
    assert.match(refused(input), message)
  })

  it("is said without user name and password", () => {
    const secret = "ada:hunter2@"
    for (
      const input of [
        `ws+x://${secret}a/`,
        `tcp://${secret}a`,
        `${secret}a`,
        `ws+socks5://a/#${secret}b`,
        `ws+socks5://a/#proxy=${secret}`
      ]
    ) {
      assert.notInclude(refused(input), "hunter2", input)
    }
  })
})

const layers = ["tcp", "unix", "udp", "srv", "socks5", "http-connect", "tls", "ws", "wss", "lines", "bytes"] as const
const scheme = Schema.Array(Schema.Literals(layers))
const before = Schema.Literals(["", ":", "://", ":/", ":///"])
const place = Schema.Literals([
  "a.example",
  "a.example:80",
  "[::1]:1",
  "_x._tcp.a.example",
  "run/a.sock",
  "u:hunter2@a:1",
  ":65536",
  "@a"
])
const behind = Schema.Literals([
  "",
  "/",
  "/b?c=/d",
  ":/b",
  ":/:/",
  "#proxy=c:1",
  "/#proxy=u:hunter2@c:1",
  "#",
  "%",
  " "
])

describe("of all that can be written", () => {
  let accepted = 0

  it.prop(
    "what is accepted is read again as it is written, and nothing says a password",
    [scheme, before, place, behind],
    ([layers, ...rest]) => {
      const result = StackUrl.make(`${layers.slice(0, 4).join("+")}${rest.join("")}`)
      if (Result.isFailure(result)) return assert.notInclude(result.failure.message, "hunter2")
      accepted++
      const text = StackUrl.format(result.success)
      const withoutSecrets = ({ endpoint, proxy, ...url }: StackUrl.StackUrl) => ({
        ...url,
        endpoint: { ...endpoint, credentials: undefined },
        proxy: proxy && { ...proxy, endpoint: proxy.endpoint && { ...proxy.endpoint, credentials: undefined } }
      })
      if (result.success.ground !== "unix") assert.notInclude(text, "hunter2")
      assert.deepStrictEqual(withoutSecrets(made(text)), withoutSecrets(result.success), text)
    },
    { arbitrary: { runs: 2_000 } }
  )

  it("is enough accepted for that to mean something", () => assert.isAbove(accepted, 20))
})
