import { assert, describe, it } from "@effect/vitest"
import { Endpoint, EstablishmentReport, MemoryTransport, Transport } from "@wirestack/protocol"
import { Effect, Result } from "effect"

const withoutSecrets = ({ credentials: _, ...endpoint }: Endpoint.Endpoint): Endpoint.Endpoint => endpoint

const tcp = (host: string, port: number) => ({ _tag: "Tcp", host, port })

const chat = (domain: string) => ({ _tag: "Service", name: "chat", protocol: "tcp", domain })

describe("make", () => {
  const accepted: ReadonlyArray<readonly [string, unknown]> = [
    ["chat.example:80", { place: tcp("chat.example", 80), demands: [] }],
    ["[::1]:80", { place: tcp("::1", 80), demands: [] }],
    ["tcp://127.0.0.1:7", { place: tcp("127.0.0.1", 7), demands: [] }],
    ["tls://a:443", { place: tcp("a", 443), demands: ["tls"] }],
    ["ws://a", { place: tcp("a", 80), demands: ["websocket"], path: "/" }],
    ["ws://a?x=1", { place: tcp("a", 80), demands: ["websocket"], path: "/?x=1" }],
    ["WSS://[::1]/p", { place: tcp("::1", 443), demands: ["websocket", "tls"], path: "/p" }],
    ["ws://a:/", { place: tcp("a", 80), demands: ["websocket"], path: "/" }],
    ["ws://ada:s%3Acret@a/", {
      place: tcp("a", 80),
      demands: ["websocket"],
      path: "/",
      credentials: { username: "ada", password: "s:cret" }
    }],
    ["ws://ada@a/", {
      place: tcp("a", 80),
      demands: ["websocket"],
      path: "/",
      credentials: { username: "ada", password: "" }
    }],
    ["unix:/run/chat.sock", { place: { _tag: "Unix", path: "/run/chat.sock" }, demands: [] }],
    ["memory:chat", { place: { _tag: "Memory", name: "chat" }, demands: [] }],
    ["[fe80::1%eth0]:80", { place: tcp("fe80::1%eth0", 80), demands: [] }],
    ["ws://[fe80::1%eth0]:80/p", { place: tcp("fe80::1%eth0", 80), demands: ["websocket"], path: "/p" }],
    ["srv:_Chat._TCP.Example.com", { place: chat("example.com"), demands: [] }],
    ["srv:_dns-sd._udp.a", { place: { ...chat("a"), name: "dns-sd", protocol: "udp" }, demands: [] }],
    ["tcp+srv://_chat._tcp.a", { place: chat("a"), demands: [] }],
    ["tls+srv://_chat._tcp.a.b.", { place: chat("a.b."), demands: ["tls"] }],
    ["wss+srv://_chat._tcp.a/room", { place: chat("a"), demands: ["websocket", "tls"], path: "/room" }],
    ["WS+SRV://u:p@_chat._tcp.a", {
      place: chat("a"),
      demands: ["websocket"],
      path: "/",
      credentials: { username: "u", password: "p" }
    }]
  ]
  for (const [input, endpoint] of accepted) {
    it(`reads ${input}`, () => assert.deepStrictEqual(Result.getOrThrow(Endpoint.make(input)), endpoint as any))
  }

  const secret: ReadonlyArray<string> = [
    "wss://ada:s3cret@a:99999/",
    "wss://ada:s3cret@a/#top",
    "wss://ada:s3cr%et@a/",
    "wss://ada:s3@cret@a/",
    "wss://ada:s3/cret@a/",
    "wss://ada:s3#cret@a/",
    "wss+srv://ada:s3cret@a/",
    "tcp://ada:s3cret@a",
    "gopher://ada:s3cret@a/",
    "ada:s3cret@a:80"
  ]
  for (const input of secret) {
    it(`tells no password of ${input}`, () => {
      const invalid = Result.getOrThrow(Result.flip(Endpoint.make(input)))
      assert.notMatch(`${invalid.message} ${JSON.stringify(invalid)}`, /s3|cret|ada/)
      assert.match(invalid.input, /<redacted>@a/)
    })
  }

  const refused: ReadonlyArray<readonly [string, RegExp]> = [
    ["", /endpoint/],
    ["chat.example", /endpoint/],
    ["://a:1", /scheme:\/\/host:port/],
    ["gopher://a:70", /unknown scheme gopher:/],
    ["ws://a/#top", /fragment/],
    ["tcp://a", /needs a port/],
    ["tcp://a:x", /no number up to 65535/],
    ["tcp://a:65536", /no number up to 65535/],
    ["tcp://a:99999999", /no number up to 65535/],
    ["tcp://:1", /endpoint/],
    ["tcp://a:1/path", /has no path/],
    ["ws://a/é", /percent-encoded/],
    ["ws://%zz@a/", /user information/],
    ["unix:", /unix:PATH/],
    ["unix:a\0b", /unix:PATH/],
    ["memory:", /memory:NAME/],
    ["[fe80::1%]:80", /endpoint/],
    ["srv:", /expected a service/],
    ["srv:example.com", /expected a service/],
    ["srv:_chat.example.com", /expected a service/],
    ["srv:_chat._sctp.example.com", /expected a service/],
    ["srv:_chat._tcp", /expected a service/],
    ["srv:_chat._tcp.a:80", /expected a service/],
    ["srv:_._tcp.a", /expected a service/],
    [`srv:_chat._tcp.${"a".repeat(64)}`, /expected a service/],
    ["wss+srv://_chat._tcp.a:443/", /port of a service/],
    ["wss+srv://chat.a/", /expected a service/],
    ["gopher+srv://_chat._tcp.a", /unknown scheme gopher\+srv/],
    ["tls+srv://_chat._tcp.a/path", /has no path/]
  ]
  for (const [input, message] of refused) {
    it(`refuses ${JSON.stringify(input)}`, () => {
      const made = Endpoint.make(input)
      assert(Result.isFailure(made))
      assert.strictEqual(made.failure.input, input.replace("%zz@", "<redacted>@"))
      assert.match(made.failure.message, message)
    })
  }
})

it("format says where, and no secrets", () => {
  const formatted = [
    ["wss://u:p@a:1/p?q", "wss://a:1/p?q"],
    ["ws://a", "ws://a:80/"],
    ["tls://[::1]:2", "tls://[::1]:2"],
    ["a:3", "a:3"],
    ["[fe80::1%eth0]:4", "[fe80::1%eth0]:4"],
    ["unix:/x", "unix:/x"],
    ["memory:m", "memory:m"],
    ["srv:_chat._tcp.a", "srv:_chat._tcp.a"],
    ["tls+srv://_chat._tcp.a", "tls+srv://_chat._tcp.a"],
    ["wss+srv://u:p@_chat._tcp.a/p", "wss+srv://_chat._tcp.a/p"]
  ]
  for (const [input, text] of formatted) {
    const endpoint = Result.getOrThrow(Endpoint.make(input))
    assert.strictEqual(Endpoint.format(endpoint), text)
    assert.deepStrictEqual(Endpoint.make(text), Result.succeed(withoutSecrets(endpoint)))
  }
  assert.strictEqual(Endpoint.format({ ...Endpoint.memory("m"), demands: ["websocket"] }), "ws://memory:m/")
})

it("names whom to expect: of a service its domain", () => {
  const names = ["a:1", "wss://b/", "srv:_chat._tcp.example.com", "unix:/x", "memory:m"].map((input) =>
    Endpoint.hostOf(Result.getOrThrow(Endpoint.make(input)).place)
  )
  assert.deepStrictEqual(names, ["a", "b", "example.com", undefined, undefined])
  assert.deepStrictEqual(Endpoint.service("chat", "a"), Result.getOrThrow(Endpoint.make("srv:_chat._tcp.a")))
})

it("tells the port, where there is one", () => {
  assert.deepStrictEqual(
    ["wss://chat.example/", "[::1]:8443", "memory:chat"].map((input) =>
      Endpoint.portOf(Result.getOrThrow(Endpoint.make(input)))
    ),
    [443, 8443, undefined]
  )
})

describe("several endpoints", () => {
  const connect = Transport.connect(Transport.Bytes)

  it.effect("are tried in order until one is connected to", () =>
    Effect.gen(function*() {
      yield* Transport.listen(Transport.Bytes)("memory:b")
      const connection = yield* connect(["memory:a", Endpoint.memory("b"), "memory:c"])
      assert.deepStrictEqual(
        EstablishmentReport.of(connection).attempts.map((steps) => steps.map(({ reason }) => reason?._tag)),
        [["Refused"], [undefined]]
      )
      yield* connection.abort
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer())))

  it.effect("that all fail are all told, each with its reason", () =>
    Effect.gen(function*() {
      const { layer, reason } = yield* Effect.flip(connect(["memory:a", "unix:/b", "wss://u:p@c/"]))
      assert.strictEqual(layer, "endpoint")
      assert(reason._tag === "NoneReached")
      assert.deepStrictEqual(reason.attempts.map(({ address, reason }) => [address, reason._tag]), [
        ["memory:a", "Refused"],
        ["unix:/b", "InvalidEndpoint"],
        ["wss://c:443/", "LayersMissing"]
      ])
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer())))

  it.effect("are all checked before any is tried, and a list of one is as that one", () =>
    Effect.gen(function*() {
      yield* Transport.listen(Transport.Bytes)("memory:a")
      const wrong = yield* Effect.flip(connect(["memory:a", "nowhere"]))
      assert.strictEqual(wrong.reason._tag, "InvalidEndpoint")
      const { layer, reason } = yield* Effect.flip(connect(["memory:b"]))
      assert.deepStrictEqual([layer, reason._tag], ["memory", "Refused"])
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer())))
})

describe("a transport refuses what it can't reach", () => {
  const connect = Transport.connect(Transport.Bytes)
  const listen = Transport.listen(Transport.Bytes)
  const cases = [
    ["connect to nowhere", connect("nowhere"), "InvalidEndpoint"],
    ["listen nowhere", listen("nowhere"), "InvalidEndpoint"],
    ["connect to another kind of place", connect("a:1"), "InvalidEndpoint"],
    ["listen at another kind of place", listen("a:1"), "InvalidEndpoint"],
    ["connect to a service", connect("srv:_chat._tcp.a"), "InvalidEndpoint"],
    ["connect without the layers of the URL", connect("wss://a/"), "LayersMissing"],
    ["listen without the layers of the URL", listen("tls://a:1"), "LayersMissing"],
    ["listen twice", Effect.andThen(listen("memory:a"), listen("memory:a")), "AddressInUse"],
    ["connect where nobody listens", connect("memory:a"), "Refused"]
  ] as const
  for (const [name, attempt, tag] of cases) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(
          Effect.scoped(
            attempt as Effect.Effect<
              unknown,
              { readonly reason: { readonly _tag: string; readonly message: string }; readonly message: string },
              any
            >
          )
        )
        assert.strictEqual(error.reason._tag, tag)
        assert.include(error.message, error.reason.message)
      }).pipe(Effect.provide(MemoryTransport.layer())) as Effect.Effect<void>)
  }
})
