import { assert, describe, it } from "@effect/vitest"
import type { Request } from "@wirestack/http/HttpHead"
import * as Connection from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import * as Transport from "@wirestack/protocol/Transport"
import { Proxy, ProxyInfo } from "@wirestack/transport-proxy"
import { Tls } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { ConfigProvider, Effect, Layer, Option, Result } from "effect"
import * as util from "node:util"
import { above, connect, echo, httpProxy, listen, network, proxy as socksProxy, serving } from "./support.ts"

type Environment = Record<string, string>

/** What a layer makes of this environment. */
const inside = (environment: Environment) =>
  Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: environment })))

/** Asks for the endpoint as a stack would whose upper layers have met its demands. */
const connectLike = (input: string) =>
  Effect.gen(function*() {
    const endpoint = Result.getOrThrow(Endpoint.make(input))
    const { connect } = yield* Transport.Bytes.key
    return yield* connect({ endpoint, offers: [], demands: [] })
  })

const examples = ["http.example:80", "https.example:80", "all.example:80"]

const everywhere = [...examples, "tcp://srv:80", "tcp://unix:80", "tcp://memory:80"]

/** By which proxy each endpoint is connected to, as `protocol proxy`; "direct" if by none. */
const ways = (environment: Environment, endpoints: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { above: stack, below } = yield* above(network(), (lower) =>
      Proxy.fromEnvironment()(lower).pipe(inside(environment)))
    for (const proxy of everywhere) {
      yield* Effect.provide(serving(proxy, httpProxy([])), below)
    }
    yield* Effect.provide(serving("socks.example:1080", socksProxy([])), below)
    yield* Effect.provide(serving("secured.example:1080", socksProxy([], ["me", "s3cret"])), below)
    const places = new Set(endpoints.map((endpoint) => {
      const { place } = Result.getOrThrow(Endpoint.make(endpoint))
      return Endpoint.formatPlace(place)
    }))
    for (const place of places) {
      yield* Effect.provide(serving(place, echo), below)
    }
    return yield* Effect.forEach(endpoints, (endpoint) =>
      Effect.map(Effect.provide(connectLike(endpoint), stack), (connection) =>
        Option.match(Connection.detailOption(connection, ProxyInfo), {
          onNone: () =>
            "direct",
          onSome: ({ protocol, proxy }) =>
            `${protocol} ${proxy}`
        })))
  })

const goes = (name: string, environment: Environment, expected: Record<string, string>) =>
  it.effect(name, () =>
    Effect.scoped(Effect.gen(function*() {
      const endpoints = Object.keys(expected)
      const seen = yield* ways(environment, endpoints)
      assert.deepStrictEqual(Object.fromEntries(endpoints.map((endpoint, i) => [endpoint, seen[i]])), expected)
    })))

const four = { http_proxy: "http://http.example", HTTPS_PROXY: "https.example", ALL_PROXY: "http://all.example:80/" }

describe("Proxy.fromEnvironment", () => {
  describe("which variable decides", () => {
    goes("by the scheme of the endpoint", four, {
      "ws://chat.example/": "http http.example:80",
      "wss://chat.example/": "http https.example:80",
      "tls://chat.example:1": "http https.example:80",
      "tcp://chat.example:2": "http all.example:80",
      "chat.example:3": "http all.example:80"
    })

    goes("SOCKS5 with name and password", { all_proxy: "socks5://me:s3cret@secured.example:1080" }, {
      "chat.example:3": "socks5 secured.example:1080"
    })

    goes("by a host whose name is a kind of endpoint too", {
      http_proxy: "http://srv:80",
      https_proxy: "unix:80",
      all_proxy: "memory:80"
    }, {
      "ws://chat.example/": "http srv:80",
      "wss://chat.example/": "http unix:80",
      "chat.example:3": "http memory:80"
    })

    goes("all_proxy where nothing else is set", { all_proxy: "socks5h://socks.example", ALL_PROXY: "http.example" }, {
      "ws://chat.example/": "socks5 socks.example:1080",
      "wss://chat.example/": "socks5 socks.example:1080",
      "chat.example:3": "socks5 socks.example:1080"
    })

    goes("none where nothing is set, or only blanks", { https_proxy: " ", all_proxy: "" }, {
      "ws://chat.example/": "direct",
      "wss://chat.example/": "direct"
    })

    goes("small letters before capitals", { https_proxy: "https.example", HTTPS_PROXY: "http.example" }, {
      "wss://chat.example/": "http https.example:80"
    })

    goes("never HTTP_PROXY, which a CGI server takes from a request", { HTTP_PROXY: "http.example", http_proxy: "" }, {
      "ws://chat.example/": "direct"
    })
  })

  describe("what no_proxy excepts", () => {
    const but = (no_proxy: string) => ({ all_proxy: "all.example", no_proxy })
    const proxied = "http all.example:80"

    goes("all", but("*"), { "chat.example:1": "direct", "192.0.2.1:1": "direct" })

    goes("a host, and all below it", but(" Chat.Example , other.example."), {
      "chat.example:1": "direct",
      "a.b.chat.example:1": "direct",
      "other.example:1": "direct",
      "badchat.example:1": proxied,
      "example:1": proxied
    })

    goes("all below a host", { all_proxy: "all.example", NO_PROXY: ".chat.example *.other.example" }, {
      "a.chat.example:1": "direct",
      "b.other.example:1": "direct",
      "chat.example:1": proxied,
      "other.example:1": proxied
    })

    goes("addresses", but("192.0.2.1,2001:db8:0::1"), {
      "192.0.2.1:1": "direct",
      "[2001:db8::1]:1": "direct",
      "192.0.2.2:1": proxied,
      "[2001:db8::2]:1": proxied
    })

    goes("a service of a domain, and addresses with a zone", but("chat.example"), {
      "srv:_chat._tcp.chat.example": "direct",
      "wss+srv://_chat._tcp.chat.example/": "direct",
      "[fe80::1%eth0]:1": "direct"
    })

    goes("networks", but("192.0.2.0/24, 2001:db8::/32"), {
      "192.0.2.255:1": "direct",
      "[2001:db8:ffff::]:1": "direct",
      "192.0.3.1:1": proxied,
      "[2001:db9::]:1": proxied,
      "localhost:1": proxied
    })

    goes("single ports", but("chat.example:1,192.0.2.1:1,[::1]:1"), {
      "chat.example:1": "direct",
      "192.0.2.1:1": "direct",
      "[::1]:1": "direct",
      "chat.example:2": proxied,
      "192.0.2.1:2": proxied,
      "[::1]:2": proxied
    })
  })

  it.effect("says who we are as the URL has it", () =>
    Effect.scoped(Effect.gen(function*() {
      const asked: Array<Request> = []
      const environment = { all_proxy: "http://m%40e:s%3Acret@proxy.example:8080" }
      const { above: stack, below } = yield* above(network(), (lower) =>
        Proxy.fromEnvironment()(lower).pipe(inside(environment)))
      yield* Effect.provide(serving("proxy.example:8080", httpProxy(asked)), below)
      yield* Effect.provide(serving("chat.example:1", echo), below)
      yield* Effect.provide(connect("chat.example:1"), stack)
      const said = Buffer.from("m@e:s:cret").toString("base64")
      assert.deepStrictEqual(asked[0].headers[1], ["proxy-authorization", `Basic ${said}`])
    })))

  it.effect("goes nowhere directly because a proxy could not go there", () =>
    Effect.scoped(Effect.gen(function*() {
      const { above: stack } = yield* above(network(), (lower) => Proxy.fromEnvironment()(lower).pipe(inside(four)))
      const { connect } = yield* Effect.provide(Transport.Bytes.key, stack)
      for (const endpoint of [Endpoint.service("chat", "chat.example"), Endpoint.tcp("127.1", 80)]) {
        const { reason } = yield* Effect.flip(connect({ endpoint, offers: [], demands: [] }))
        assert.strictEqual(reason._tag, "InvalidEndpoint")
      }
    })))

  it.effect("leaves listening, and what is in memory, as they are", () =>
    Effect.scoped(Effect.gen(function*() {
      const { above: stack } = yield* above(network(), (lower) => Proxy.fromEnvironment()(lower).pipe(inside(four)))
      yield* Effect.provide(serving("memory:here", echo), stack)
      const connection = yield* Effect.provide(connect("memory:here"), stack)
      yield* connection.send(Uint8Array.of(7))
      assert.deepStrictEqual([...(yield* connection.pull)[0]], [7])
    })))

  it.live("does TLS with a proxy, for the name of the proxy", () =>
    Effect.scoped(Effect.gen(function*() {
      const authority = yield* DevelopmentCertificates.make()
      const trust = { ca: authority.ca }
      const environment = { all_proxy: "https://proxy.example", HTTPS_PROXY: "https://other.example:443" }
      const ground = Layer.succeedContext(yield* Layer.build(network()))
      const identity = yield* authority.issue({ names: ["proxy.example"] })
      const secure = yield* Layer.build(Tls.server({ identity })(ground))
      for (const place of ["tls://proxy.example:443", "tls://other.example:443"]) {
        const listener = yield* Effect.provide(listen(place, { drain: { within: "300 millis" } }), secure)
        const handler = httpProxy([])
        yield* Effect.forkScoped(
          listener.run((client) => Effect.provide(handler(client), ground), { onIncident: () => Effect.void })
        )
      }
      yield* Effect.provide(serving("chat.example:1", echo), ground)
      const stack = yield* Layer.build(
        Proxy.fromEnvironment({ tls: Tls.client({ trust }) })(ground).pipe(inside(environment))
      )
      const connection = yield* Effect.provide(connectLike("chat.example:1"), stack)
      yield* connection.send(Uint8Array.of(7))
      assert.deepStrictEqual([...(yield* connection.pull)[0]], [7])
      const info = Option.getOrThrow(Connection.detailOption(connection, ProxyInfo))
      assert.deepInclude(info, { protocol: "http", proxy: "tls://proxy.example:443" })
      const { reason } = yield* Effect.flip(Effect.provide(connectLike("tls://chat.example:1"), stack))
      assert.deepInclude(reason, { _tag: "CertificateInvalid", code: "hostname-mismatch" })
    })))

  describe("a variable that can't be used fails the layer", () => {
    const fails = (name: string, environment: Environment, variable: string) =>
      it.effect(name, () =>
        Effect.scoped(Effect.gen(function*() {
          const error = yield* Effect.flip(Layer.build(Proxy.fromEnvironment()(network()).pipe(inside(environment))))
          assert.deepInclude(error, { _tag: "ProxyVariableInvalid", variable })
          for (const shown of [error.message, util.inspect(error, { depth: 9 })]) {
            assert.include(shown, variable)
            assert.notInclude(shown, "s3cret")
          }
        })))

    fails("a scheme that is unknown", { https_proxy: "ftp://me:s3cret@proxy.example" }, "https_proxy")
    fails("TLS to the proxy that nobody has given", { HTTPS_PROXY: "https://me:s3cret@proxy.example" }, "HTTPS_PROXY")
    fails("a port that is none", { all_proxy: "me:s3cret@proxy.example:65536" }, "all_proxy")
    fails("a host that is none", { ALL_PROXY: "http://me:s3cret@pro xy.example" }, "ALL_PROXY")
    fails("a path", { http_proxy: "http://me:s3cret@proxy.example/a" }, "http_proxy")
    fails("a password that is not encoded", { http_proxy: "http://me:s3cret@@proxy.example" }, "http_proxy")
    fails("a password that is wrongly encoded", { http_proxy: "http://me:s3cret%ff@proxy.example" }, "http_proxy")
    fails("a password for a port", { http_proxy: "http://me:s3cret" }, "http_proxy")
    fails("a network that is none", { no_proxy: "a.example,192.0.2.0/33" }, "no_proxy")
    fails("a host to except that is none", { NO_PROXY: "a_b!" }, "NO_PROXY")
    fails("a port to except that is none", { no_proxy: "a.example:x" }, "no_proxy")
  })
})
