import { assert, describe, it } from "@effect/vitest"
import type { Request } from "@wirestack/http/HttpHead"
import type { Ask } from "@wirestack/protocol/Ask"
import { ConnectError, Refused } from "@wirestack/protocol/ConnectError"
import * as Connection from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import * as MemoryTransport from "@wirestack/protocol/MemoryTransport"
import * as EstablishmentReport from "@wirestack/protocol/reports/EstablishmentReport"
import { Samples, transportSuite, withoutLeaks } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { HttpConnect, ProxyInfo } from "@wirestack/transport-proxy"
import { Tls, TlsInfo } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { WebSocket } from "@wirestack/websocket"
import { Context, Duration, Effect, Fiber, Layer, Option, Queue, Redacted, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as util from "node:util"
import { above, type Bytes, connect, echo, httpProxy, listen, network, requestOf, serving, utf8 } from "./support.ts"

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

const soon = { closeWithin: "300 millis", drain: { within: "300 millis" } } as const

const proxy = "proxy.example:3128"

type Options = Omit<HttpConnect.Options, "proxy">

/** A network with a stack on it that connects by way of the proxy, of which nobody listens yet. */
const world = (options?: Options) => above(network(), HttpConnect.over({ proxy, ...options }))

/** The same, with a proxy that keeps what it is asked, and a server that echoes. */
const proxied = (options?: Options, known?: string, server = "chat.example:443") =>
  Effect.gen(function*() {
    const { above, below } = yield* world(options)
    const asked: Array<Request> = []
    yield* Effect.provide(serving(proxy, httpProxy(asked, known)), below)
    yield* Effect.provide(serving(server, echo), below)
    return { above, asked, below }
  })

const echoes = (connection: Bytes) =>
  Effect.gen(function*() {
    yield* connection.send(utf8("hello"))
    assert.strictEqual(text((yield* connection.pull)[0]), "hello")
  })

const me = { username: "me", password: Redacted.make("s3cret") }
const meInBase64 = "Basic bWU6czNjcmV0"

const ends = () => Effect.void

/** Waits until the other side has gone. */
const stays = (client: Bytes) => Effect.ignore(Stream.runDrain(Connection.messages(client)))

/** Connects by way of a proxy that answers in these pieces, and then ends or stays. */
const answered = (
  pieces: ReadonlyArray<string>,
  then: (client: Bytes) => Effect.Effect<void> = ends,
  options?: Options
) =>
  Effect.gen(function*() {
    const { above, below } = yield* world(options)
    const answer = (client: Bytes) =>
      Effect.gen(function*() {
        yield* requestOf(client)
        for (const piece of pieces) {
          yield* Effect.ignore(client.send(utf8(piece)))
          // Each piece is received by itself.
          yield* Effect.yieldNow
        }
        yield* then(client)
      })
    yield* Effect.provide(serving(proxy, answer), below)
    return yield* Effect.provide(connect("chat.example:443"), above)
  })

const reasonOf = <A, R>(effect: Effect.Effect<A, unknown, R>) =>
  Effect.map(Effect.flip(effect), (error) => error instanceof ConnectError ? error.reason : assert.fail(String(error)))

const bytewise = (answer: string): ReadonlyArray<string> => [...answer]

describe("HTTP CONNECT", () => {
  it.effect("RFC 9110 9.3.6: asks for host and port, and passes on what both sides say", () =>
    withoutLeaks(Effect.scoped(Effect.gen(function*() {
      const { above, asked } = yield* proxied()
      const connection = yield* Effect.provide(connect("Chat.Example:443"), above)
      yield* echoes(connection)
      assert.deepStrictEqual(asked, [{
        method: "CONNECT",
        target: "chat.example:443",
        version: { major: 1, minor: 1 },
        headers: [["host", "chat.example:443"]]
      }])
    }))))

  it.effect("RFC 3986 3.2.2: an IPv6 address is in brackets", () =>
    Effect.scoped(Effect.gen(function*() {
      const { above, asked } = yield* proxied(undefined, undefined, "[2001:db8::1]:8443")
      yield* echoes(yield* Effect.provide(connect("[2001:DB8:0::1]:8443"), above))
      assert.strictEqual(asked[0].target, "[2001:db8::1]:8443")
    })))

  it.effect("tells the proxy, and how long its handshake took", () =>
    Effect.scoped(Effect.gen(function*() {
      const { above, below } = yield* world()
      yield* Effect.provide(
        serving(proxy, (client) =>
          Effect.gen(function*() {
            yield* requestOf(client)
            yield* Effect.sleep("2 seconds")
            yield* client.send(utf8("HTTP/1.1 200 \r\n\r\n"))
            yield* stays(client)
          })),
        below
      )
      const connecting = yield* Effect.forkScoped(Effect.provide(connect<ProxyInfo>("chat.example:443"), above))
      yield* TestClock.adjust("2 seconds")
      const connection = yield* Fiber.join(connecting)
      const { handshakeTime, ...info } = Connection.detail(connection, ProxyInfo)
      assert.deepStrictEqual(info, { protocol: "http", proxy })
      assert.strictEqual(Duration.toSeconds(handshakeTime), 2)
      const { attempts: [attempt] } = EstablishmentReport.of(connection)
      assert.deepInclude(attempt[1], { layer: "http connect", took: 2_000, facts: { proxy } })
    })))

  it.effect("a refusal is told also if the connection is cut within its body", () =>
    Effect.scoped(Effect.gen(function*() {
      const head = "HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\n"
      for (const pieces of [[head], [head, "nev"], [`${head}nev`]]) {
        const reason = yield* reasonOf(answered(pieces, (client) => client.abort))
        assert(reason._tag === "ProxyRefused", reason._tag)
        assert.strictEqual(reason.code, 403)
      }
    })))

  describe("who we are", () => {
    it.effect("RFC 7617: is said at once", () =>
      Effect.scoped(Effect.gen(function*() {
        const { above, asked } = yield* proxied({ credentials: me }, meInBase64)
        yield* echoes(yield* Effect.provide(connect("chat.example:443"), above))
        assert.lengthOf(asked, 1)
      })))

    it.effect("RFC 9110 11.7: or once the proxy asks for it", () =>
      withoutLeaks(Effect.scoped(Effect.gen(function*() {
        const { above, asked } = yield* proxied({ credentials: me, authenticate: "whenAsked" }, meInBase64)
        yield* echoes(yield* Effect.provide(connect("chat.example:443"), above))
        const said = asked.map(({ headers }) => headers.filter(([name]) => name === "proxy-authorization"))
        assert.deepStrictEqual(said, [[], [["proxy-authorization", meInBase64]]])
      }))))

    it.effect("is not said to a proxy that asks for something else", () =>
      Effect.scoped(Effect.gen(function*() {
        for (const realm of ["\"a, Basic b\"", "\"a, Basic b", "\"\\\", Basic b\\"]) {
          const { above, below } = yield* world({ credentials: me, authenticate: "whenAsked" })
          let requests = 0
          const refusing = (client: Bytes) =>
            Effect.gen(function*() {
              yield* requestOf(client)
              requests++
              yield* client.send(utf8(`HTTP/1.1 407 \r\nProxy-Authenticate: Digest realm=${realm}\r\n\r\n`))
            })
          yield* Effect.provide(serving(proxy, refusing), below)
          const reason = yield* reasonOf(Effect.provide(connect("chat.example:443"), above))
          assert(reason._tag === "ProxyRefused")
          assert.deepStrictEqual([reason.code, requests], [407, 1])
        }
      })))

    it.effect("may be in the URL of the proxy", () =>
      Effect.scoped(Effect.gen(function*() {
        const { below } = yield* proxied(undefined, meInBase64)
        const stack = HttpConnect.over({ proxy: `tcp://me:s3cret@${proxy}` })(Layer.succeedContext(below))
        yield* Effect.provide(
          Effect.scoped(Effect.gen(function*() {
            const connection = yield* connect<ProxyInfo>("chat.example:443")
            assert.strictEqual(Connection.detail(connection, ProxyInfo).proxy, proxy)
            yield* echoes(connection)
          })),
          stack
        )
      })))

    it.effect("is in no error", () =>
      Effect.scoped(Effect.gen(function*() {
        const { above: stack, below } = yield* proxied({ credentials: me }, "Basic b3RoZXI=")
        const { message, reason } = yield* Effect.flip(Effect.provide(connect("chat.example:443"), stack))
        assert(reason._tag === "ProxyRefused")
        assert.deepInclude(reason, { code: 407, proxy, body: "who?\r\n" })
        assert.deepStrictEqual(reason.headers?.at(-1), ["content-length", "6"])
        const failing: ReadonlyArray<HttpConnect.Options> = [
          { proxy: "http://me:s3cret@proxy.example" },
          { proxy: "me:s3cret@proxy.example:1" },
          { proxy, credentials: { ...me, password: Redacted.make("s3cret\r\nX: y") } },
          { proxy, credentials: { ...me, username: "s3cret:me" } }
        ]
        const shown = [message, util.inspect(reason, { depth: 9 })]
        for (const options of failing) {
          const over = HttpConnect.over(options)(Layer.succeedContext(below))
          const error = yield* Effect.flip(Effect.scoped(Effect.provide(connect("chat.example:443"), over)))
          shown.push(error.message, util.inspect(error, { depth: 9 }))
        }
        for (const one of shown) assert.notMatch(one, /s3cret|bWU6/)
      })))
  })

  describe("what is not sent", () => {
    const unsent = (name: string, expected: string, endpoint: Endpoint.Input, options?: Options) =>
      it.effect(name, () =>
        Effect.scoped(Effect.gen(function*() {
          const { above, asked } = yield* proxied(options)
          const { layer, reason } = yield* Effect.flip(Effect.provide(connect(endpoint), above))
          assert.strictEqual(layer, "http connect")
          assert.strictEqual(reason._tag, expected)
          assert.deepStrictEqual(asked, [])
        })))

    const server = "chat.example:443"
    unsent("a host that would become a header", "InvalidEndpoint", Endpoint.tcp("a\r\nX: y", 443))
    unsent("a port that is none", "InvalidEndpoint", Endpoint.tcp("a.example", 65_536))
    unsent("an address of a zone", "InvalidEndpoint", Endpoint.tcp("fe80::1%eth0", 443))
    unsent("an endpoint that is no host and port", "InvalidEndpoint", "memory:here")
    unsent("a layer that is missing above", "LayersMissing", "tls://chat.example:443")
    unsent("a header that would become another", "InvalidHeader", server, { headers: [["X", "a\r\nY: b"]] })
    unsent("a header that belongs to the handshake", "InvalidHeader", server, { headers: [["Host", "a"]] })
    unsent("a second word on who we are", "InvalidHeader", server, {
      credentials: me,
      headers: [["proxy-authorization", "Bearer a"]]
    })
  })

  it.effect("may be one behind the other", () =>
    Effect.scoped(Effect.gen(function*() {
      const { above: outer, asked, below } = yield* proxied()
      const behind: Array<Request> = []
      yield* Effect.provide(serving("second.example:8080", httpProxy(behind)), below)
      const stack = yield* Layer.build(
        HttpConnect.over({ proxy: "second.example:8080" })(Layer.succeedContext(outer))
      )
      const connection = yield* Effect.provide(connect<ProxyInfo>("chat.example:443"), stack)
      yield* echoes(connection)
      assert.deepStrictEqual([...asked, ...behind].map(({ target }) => target), [
        "second.example:8080",
        "chat.example:443"
      ])
      assert.strictEqual(Connection.detail(connection, ProxyInfo).proxy, "second.example:8080")
    })))

  it.effect("says where it was on the way to, and by which proxy", () =>
    Effect.scoped(Effect.gen(function*() {
      const { above: outer, below } = yield* proxied()
      const failing = (proxy: string) =>
        Effect.gen(function*() {
          const stack = yield* Layer.build(HttpConnect.over({ proxy })(Layer.succeedContext(outer)))
          return (yield* Effect.flip(Effect.provide(connect("chat.example:443", soon), stack))).message
        })
      assert.match(yield* failing("nobody.example:1"), /, on the way to nobody\.example:1$/)
      yield* Effect.provide(
        serving("second.example:8080", (peer) =>
          Effect.ignore(Effect.andThen(peer.pull, peer.send(new TextEncoder().encode("HTTP/1.1 403 No\r\n\r\n"))))),
        below
      )
      const refused = yield* failing("second.example:8080")
      assert.match(refused, /second\.example:8080 refused: .* \(403\), on the way to chat\.example:443$/)
    })))

  it.effect("a connect that is interrupted leaves nothing", () =>
    withoutLeaks(Effect.scoped(Effect.gen(function*() {
      const { above, below } = yield* world()
      const seen = yield* Queue.unbounded<"asked" | "gone">()
      yield* Effect.provide(
        serving(proxy, (client) =>
          Effect.gen(function*() {
            yield* requestOf(client)
            yield* Queue.offer(seen, "asked")
            yield* stays(client)
            yield* Queue.offer(seen, "gone")
          })),
        below
      )
      const connecting = yield* Effect.forkScoped(Effect.provide(connect("chat.example:443"), above))
      assert.strictEqual(yield* Queue.take(seen), "asked")
      yield* Fiber.interrupt(connecting)
      assert.strictEqual(yield* Queue.take(seen), "gone")
    }))))

  it.effect("sends further headers", () =>
    Effect.scoped(Effect.gen(function*() {
      const { above, asked } = yield* proxied({ headers: [["Proxy-Authorization", "Bearer a"], ["User-Agent", "me"]] })
      yield* echoes(yield* Effect.provide(connect("chat.example:443"), above))
      assert.deepStrictEqual(asked[0].headers.slice(1), [["proxy-authorization", "Bearer a"], ["user-agent", "me"]])
    })))

  describe("the answer", () => {
    const opens = (name: string, head: string) =>
      it.effect(name, () =>
        Effect.scoped(Effect.gen(function*() {
          for (const pieces of [[`${head}early`], bytewise(`${head}early`), [head, "early"]]) {
            const connection = yield* answered(pieces)
            const chunks = yield* Stream.runCollect(Connection.messages(connection))
            assert.strictEqual(chunks.map(text).join(""), "early")
          }
        })))

    opens("RFC 9110 9.3.6: every 2xx opens the tunnel", "HTTP/1.1 204 Fine\r\n\r\n")
    opens("RFC 9110 9.3.6: a length means nothing", "HTTP/1.1 200 \r\nContent-Length: 1000\r\n\r\n")
    opens("RFC 9110 9.3.6: nor do chunks", "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n")
    opens(
      "RFC 9110 15.2: may be behind interim ones",
      "HTTP/1.1 100 \r\n\r\nHTTP/1.1 103 \r\nX: y\r\n\r\nHTTP/1.1 200 \r\n\r\n"
    )
    opens("RFC 9112 2.3: may be of HTTP/1.0", "HTTP/1.0 200 Connection established\r\n\r\n")

    const refuses = (name: string, pieces: ReadonlyArray<string>, expected: object, options?: Options) =>
      it.effect(name, () =>
        withoutLeaks(Effect.scoped(Effect.gen(function*() {
          assert.deepInclude(yield* reasonOf(answered(pieces, ends, options)), expected)
        }))))

    const forbidden = "HTTP/1.1 403 No\r\nVia: a\r\nContent-Length: 5\r\n\r\nnever"
    const refused = { _tag: "ProxyRefused", proxy, code: 403, body: "never", detail: "it does not allow it" }
    refuses("may be a no", [forbidden], refused)
    refuses("may be a no, byte by byte", bytewise(forbidden), refused)
    refuses("may be a no that is cut off", [forbidden.slice(0, -2)], { ...refused, body: "nev" })
    refuses("RFC 9110 15.4: is not followed elsewhere", ["HTTP/1.1 302 \r\nLocation: http://a/\r\n\r\n"], { code: 302 })
    refuses("keeps 4 KiB of a body", [`HTTP/1.1 500 \r\n\r\n${"x".repeat(9_000)}`], { body: "x".repeat(4_096) })

    const truncated = { _tag: "Truncated", inside: "the answer to CONNECT" }
    refuses("may be cut off", ["HTTP/1.1 200 OK\r\nX: "], truncated)
    refuses("may never come", [], truncated)
    refuses("may have a head without an end", [
      "HTTP/1.1 200 OK\r\nX: ",
      ..."x".repeat(20).split("").map((x) => x.repeat(1_000))
    ], {
      _tag: "TooLarge",
      limit: 16_384
    })
    refuses("has a head of the size that is allowed", ["HTTP/1.1 200 OK\r\n\r\n"], { _tag: "TooLarge", limit: 18 }, {
      maxHeadSize: 18
    })
    refuses("may have interim ones without an end", ["HTTP/1.1 100 \r\n\r\n".repeat(100)], {
      _tag: "TooLarge",
      limit: 16
    })
    refuses("may be no HTTP", ["\x05\x00"], { _tag: "Violation" })
    refuses("may be of another version", ["HTTP/2.0 200 \r\n\r\n"], { _tag: "Violation" })

    it.effect("has a deadline", () =>
      withoutLeaks(Effect.scoped(Effect.gen(function*() {
        const connecting = yield* Effect.forkScoped(reasonOf(answered(["HTTP/1.1 "], stays)))
        yield* TestClock.adjust("10 seconds")
        assert.deepInclude(yield* Fiber.join(connecting), { _tag: "TimedOut", after: 10_000 })
      }))))

    it.effect("is a no, however long its body takes", () =>
      withoutLeaks(Effect.scoped(Effect.gen(function*() {
        const connecting = yield* Effect.forkScoped(reasonOf(answered(["HTTP/1.1 503 \r\n\r\nlat"], stays)))
        yield* TestClock.adjust("1 second")
        assert.deepInclude(yield* Fiber.join(connecting), { _tag: "ProxyRefused", code: 503, body: "lat" })
      }))))
  })

  it.effect("TLS that the proxy is to be spoken to in must be below", () =>
    Effect.scoped(Effect.gen(function*() {
      const { above: stack } = yield* above(network(), HttpConnect.over({ proxy: "tls://proxy.example:443" }))
      const { layer, reason } = yield* Effect.flip(Effect.provide(connect("chat.example:443"), stack))
      assert.strictEqual(layer, "memory")
      assert.strictEqual(reason._tag, "LayersMissing")
    })))

  it.effect("a proxy that can't be reached is told by the layer below", () =>
    Effect.scoped(Effect.gen(function*() {
      const { above } = yield* world()
      const { layer, reason } = yield* Effect.flip(Effect.provide(connect("chat.example:443"), above))
      assert.strictEqual(layer, "memory")
      assert.strictEqual(reason._tag, "Refused")
    })))

  describe("with TLS to the proxy, and to the server", () => {
    const certificates = Effect.runSync(Effect.cached(Effect.gen(function*() {
      const authority = yield* DevelopmentCertificates.make()
      return {
        trust: { ca: authority.ca },
        proxy: yield* authority.issue({ names: ["proxy.example"] }),
        chat: yield* authority.issue({ names: ["chat.example"] })
      }
    })))

    /** Says hello to a WebSocket behind both; who is `proxy` and who is `chat` may be mistaken. */
    const hello = (proxyIs: "proxy" | "chat", chatIs: "proxy" | "chat") =>
      Effect.gen(function*() {
        const { trust, ...identities } = yield* certificates
        const ground = Layer.succeedContext(yield* Layer.build(network()))
        const names = yield* Queue.unbounded<readonly [name: string | undefined, alpn: string | undefined]>()
        const named = (peer: Connection.Connection<any, any>) => {
          const { alpn, serverName } = Option.getOrThrow(Connection.detailOption(peer, TlsInfo))
          return Queue.offer(names, [serverName, alpn])
        }
        const proxies = httpProxy([])
        yield* Effect.gen(function*() {
          const listener = yield* listen("tls://proxy.example:8443", soon)
          const handler = (client: Bytes) => Effect.andThen(named(client), Effect.provide(proxies(client), ground))
          yield* Effect.forkScoped(listener.run(handler, { onIncident: () => Effect.void }))
        }).pipe(
          Effect.provide(yield* Layer.build(Tls.server({ identity: identities[proxyIs], alpn: ["http/1.1"] })(ground)))
        )
        yield* Effect.gen(function*() {
          const listener = yield* Transport.listen(Transport.Messages)("wss://chat.example:443", soon)
          yield* Effect.forkScoped(
            listener.run((peer) => Effect.andThen(named(peer), peer.send("hello")), { onIncident: () => Effect.void })
          )
        }).pipe(
          Effect.provide(
            yield* Layer.build(ground.pipe(Tls.server({ identity: identities[chatIs] }), WebSocket.server()))
          )
        )
        const stack = ground.pipe(
          Tls.client({ trust }),
          HttpConnect.over({ proxy: "tls://proxy.example:8443" }),
          Tls.client({ trust }),
          WebSocket.client()
        )
        return yield* Effect.gen(function*() {
          const connection = yield* Transport.connect(Transport.Messages)<ProxyInfo | TlsInfo | WebSocket.WebSocket>(
            "wss://chat.example/"
          )
          return { said: yield* connection.pull, names: yield* Queue.takeAll(names) }
        }).pipe(Effect.provide(yield* Layer.build(stack)))
      })

    it.live("each proves its own name", () =>
      Effect.scoped(Effect.gen(function*() {
        const { names, said } = yield* hello("proxy", "chat")
        assert.deepStrictEqual(said, ["hello"])
        assert.deepStrictEqual(names, [["proxy.example", "http/1.1"], ["chat.example", "http/1.1"]])
      })))

    it.live("a proxy that proves another name is not asked", () =>
      Effect.scoped(Effect.gen(function*() {
        const reason = yield* reasonOf(hello("chat", "chat"))
        assert.deepInclude(reason, { _tag: "CertificateInvalid", code: "hostname-mismatch" })
      })))

    it.live("nor may the proxy stand for the server", () =>
      Effect.scoped(Effect.gen(function*() {
        const reason = yield* reasonOf(hello("proxy", "proxy"))
        assert.deepInclude(reason, { _tag: "CertificateInvalid", code: "hostname-mismatch" })
      })))
  })

  it("does not compile on messages, nor does a stack with it listen", () => {
    const over = HttpConnect.over({ proxy })
    // @ts-expect-error
    over(MemoryTransport.layerMessages())
    // @ts-expect-error
    const listens: Layer.Layer<Transport.ByteTransport<Transport.Listen>> = over(network())
    assert.isTrue(Layer.isLayer(listens))
  })

  const suite = transportSuite({
    shape: Transport.Bytes,
    layer: () =>
      Layer.effectContext(Effect.gen(function*() {
        const { above, below } = yield* proxied()
        const { connect } = yield* Effect.provide(Transport.Bytes.key, above)
        const { listen } = yield* Effect.provide(Transport.Bytes.key, below)
        // Of an address that nobody listens on, such a proxy has nothing more to say than 502.
        const told = (ask: Ask) =>
          Effect.mapError(connect(ask), (error) =>
            error.reason._tag === "ProxyRefused"
              ? new ConnectError({
                layer: error.layer,
                reason: new Refused({ address: Endpoint.format(ask.endpoint) })
              })
              : error)
        return Context.make(Transport.Bytes.key, { connect: told, listen })
      })),
    samples: Samples.bytes,
    endpoint: () => "here.example:1",
    nobody: "nobody.example:1",
    capabilities: { halfClose: true, statuses: "bytes carry no reason", abortIsSeen: true }
  })
  for (const { name, run } of suite) it.live(name, () => run)
})
