import { assert, describe, it } from "@effect/vitest"
import { Endpoint, MemoryTransport, Transport } from "@wirestack/protocol"
import { Effect, Result } from "effect"

const tcp = (host: string, port: number) => ({ _tag: "Tcp", host, port })

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
    ["memory:chat", { place: { _tag: "Memory", name: "chat" }, demands: [] }]
  ]
  for (const [input, endpoint] of accepted) {
    it(`reads ${input}`, () => assert.deepStrictEqual(Result.getOrThrow(Endpoint.make(input)), endpoint as any))
  }

  const refused: ReadonlyArray<readonly [string, RegExp]> = [
    ["", /endpoint/],
    ["chat.example", /endpoint/],
    ["://a:1", /scheme:\/\/host:port/],
    ["gopher://a:70", /unknown scheme gopher:/],
    ["ws://a/#top", /fragment/],
    ["tcp://a", /needs a port/],
    ["tcp://a:x", /not a port/],
    ["tcp://a:65536", /not a port/],
    ["tcp://a:99999999", /not a port/],
    ["tcp://:1", /endpoint/],
    ["tcp://a:1/path", /has no path/],
    ["ws://a/é", /percent-encoded/],
    ["ws://%zz@a/", /user information/],
    ["unix:", /unix:PATH/],
    ["unix:a\0b", /unix:PATH/],
    ["memory:", /memory:NAME/]
  ]
  for (const [input, message] of refused) {
    it(`refuses ${JSON.stringify(input)}`, () => {
      const made = Endpoint.make(input)
      assert(Result.isFailure(made))
      assert.strictEqual(made.failure.input, input)
      assert.match(made.failure.message, message)
    })
  }
})

it("format says where, and no secrets", () => {
  const formatted = ["wss://u:p@a:1/p?q", "ws://a", "tls://[::1]:2", "a:3", "unix:/x", "memory:m"].map((input) =>
    Endpoint.format(Result.getOrThrow(Endpoint.make(input)))
  )
  assert.deepStrictEqual(formatted, ["wss://a:1/p?q", "ws://a:80/", "tls://[::1]:2", "a:3", "unix:/x", "memory:m"])
  assert.strictEqual(Endpoint.format({ ...Endpoint.memory("m"), demands: ["websocket"] }), "ws://memory:m/")
})

describe("a transport refuses what it can't reach", () => {
  const connect = Transport.connect(Transport.Bytes)
  const listen = Transport.listen(Transport.Bytes)
  const cases = [
    ["connect to nowhere", connect("nowhere"), "InvalidEndpoint"],
    ["listen nowhere", listen("nowhere"), "InvalidEndpoint"],
    ["connect to another kind of place", connect("a:1"), "InvalidEndpoint"],
    ["listen at another kind of place", listen("a:1"), "InvalidEndpoint"],
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
