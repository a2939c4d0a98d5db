import { assert, describe, it } from "@effect/vitest"
import * as Connection from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import { Samples, transportSuite, withoutLeaks } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { Socks5 } from "@wirestack/transport-proxy"
import { Tcp } from "@wirestack/transport-tcp"
import { Effect, Layer, Redacted, Stream } from "effect"
import { above, connect, listen, proxy, running } from "./support.ts"

const soon = { closeWithin: "300 millis" } as const

/** Listens on TCP, and connects by way of a proxy. */
const byProxy = (options?: Omit<Socks5.Options, "proxy">, credentials?: readonly [string, string]) =>
  Effect.gen(function*() {
    const asked: Array<string> = []
    const below = yield* Layer.build(Tcp.layer())
    const address = yield* Effect.provide(running(proxy(asked, credentials)), below)
    const lower = Layer.succeedContext(below)
    const upper = yield* Layer.build(Socks5.over({ proxy: address, ...options })(lower))
    return { asked, below, above: upper, address }
  })

const credentials = { username: "me", password: Redacted.make("secret") }

describe("SOCKS5", () => {
  it.live("RFC 1928: connects to an address, and passes on what it says", () =>
    withoutLeaks(Effect.scoped(Effect.gen(function*() {
      const { above, asked, below } = yield* byProxy()
      const listener = yield* Effect.provide(listen("127.0.0.1:0", soon), below)
      yield* Effect.forkScoped(
        listener.run((peer) => Stream.run(Connection.messages(peer), Connection.sink(peer)))
      )
      const connection = yield* Effect.provide(connect(listener.address, soon), above)
      yield* connection.send(Uint8Array.of(1, 2, 3))
      assert.deepStrictEqual([...(yield* connection.pull)[0]], [1, 2, 3])
      assert.deepStrictEqual(asked, [Endpoint.format(listener.address)])
    }))))

  it.live("RFC 1928 5: a name is for the proxy to resolve", () =>
    Effect.scoped(Effect.gen(function*() {
      const { above, asked, below } = yield* byProxy()
      const listener = yield* Effect.provide(listen("127.0.0.1:0", soon), below)
      yield* Effect.forkScoped(listener.run((peer) => peer.send(Uint8Array.of(7))))
      assert(listener.address.place._tag === "Tcp")
      const { port } = listener.address.place
      const connection = yield* Effect.provide(connect(`here.test:${port}`, soon), above)
      assert.deepStrictEqual([...(yield* connection.pull)[0]], [7])
      assert.deepStrictEqual(asked, [`here.test:${port}`])
    })))

  it.live("RFC 1929: says who we are", () =>
    Effect.scoped(Effect.gen(function*() {
      const { above, below } = yield* byProxy({ credentials }, ["me", "secret"])
      const listener = yield* Effect.provide(listen("127.0.0.1:0", soon), below)
      yield* Effect.forkScoped(listener.run((peer) => peer.send(Uint8Array.of(7))))
      const connection = yield* Effect.provide(connect(listener.address, soon), above)
      assert.deepStrictEqual([...(yield* connection.pull)[0]], [7])
    })))

  const refused = (
    name: string,
    expected: string,
    options?: Omit<Socks5.Options, "proxy">,
    known?: readonly [string, string],
    endpoint = "127.0.0.1:1"
  ) =>
    it.live(name, () =>
      Effect.scoped(Effect.gen(function*() {
        const { above } = yield* byProxy(options, known)
        const { layer, reason } = yield* Effect.flip(Effect.provide(connect(endpoint, soon), above))
        assert.strictEqual(layer, "socks5")
        assert.strictEqual(reason._tag, expected)
      })))

  refused("RFC 1928 6: nobody listens there", "Refused")
  refused("RFC 1929: a wrong password", "ProxyRefused", { credentials }, ["me", "other"])
  refused("RFC 1928 3: a proxy that wants to know who we are", "ProxyRefused", undefined, ["me", "secret"])
  refused("an endpoint that is no host and port", "InvalidEndpoint", undefined, undefined, "memory:here")
  refused("a layer that is missing above it", "LayersMissing", undefined, undefined, "tls://127.0.0.1:1")

  it.live("a proxy that says no and closes without the rest", () =>
    Effect.scoped(Effect.gen(function*() {
      const below = yield* Layer.build(Tcp.layer())
      const address = yield* Effect.provide(
        running((client) =>
          Effect.ignore(
            Effect.andThen(client.pull, client.sendAll([Uint8Array.of(5, 0), Uint8Array.of(5, 3)]))
          )
        ),
        below
      )
      const stack = yield* Layer.build(Socks5.over({ proxy: address })(Layer.succeedContext(below)))
      const { reason } = yield* Effect.flip(Effect.provide(connect("127.0.0.1:1", soon), stack))
      assert.strictEqual(reason._tag, "Unreachable")
    })))

  it.live("a proxy that can't be reached is told by the layer below", () =>
    Effect.scoped(Effect.gen(function*() {
      const { above: stack } = yield* above(Tcp.layer(), Socks5.over({ proxy: "127.0.0.1:1" }))
      const { layer, message, reason } = yield* Effect.flip(Effect.provide(connect("127.0.0.1:2"), stack))
      assert.strictEqual(layer, "tcp")
      assert.strictEqual(reason._tag, "Refused")
      assert.match(message, /refused the connection, on the way to 127\.0\.0\.1:2 by the proxy 127\.0\.0\.1:1$/)
    })))

  const suite = transportSuite({
    shape: Transport.Bytes,
    layer: () =>
      Layer.unwrap(
        Effect.map(byProxy(), ({ above, below }) =>
          Transport.layer<
            "bytes",
            Uint8Array,
            Uint8Array,
            Uint8Array,
            Uint8Array,
            Transport.Connect | Transport.Listen
          >(
            Transport.Bytes,
            Effect.gen(function*() {
              const { connect } = yield* Effect.provide(Transport.Bytes.key, above as any)
              const { listen } = yield* Effect.provide(Transport.Bytes.key, below as any)
              return { connect, listen }
            }) as any
          ))
      ),
    samples: Samples.bytes,
    endpoint: () => "127.0.0.1:0",
    nobody: "127.0.0.1:1",
    capabilities: { halfClose: true, statuses: "bytes carry no reason", abortIsSeen: true }
  })
  for (const { name, run } of suite) it.live(name, () => run)
})
