import { assert, describe, it } from "@effect/vitest"
import { Negotiated } from "@wirestack/protocol/Ask"
import * as Connection from "@wirestack/protocol/Connection"
import type { Incident } from "@wirestack/protocol/Listener"
import * as MemoryTransport from "@wirestack/protocol/MemoryTransport"
import * as Transport from "@wirestack/protocol/Transport"
import { collect, pattern, reasonOf, take, until } from "@wirestack/test-support"
import { Tcp, TcpInfo } from "@wirestack/transport-tcp"
import { Tls, TlsInfo } from "@wirestack/transport-tls"
import { Effect, Fiber, Layer, Redacted, type Scope } from "effect"
import * as Cause from "effect/Cause"
import { TestClock } from "effect/testing"
import * as Net from "node:net"
import * as NodeTls from "node:tls"
import {
  type Certificates,
  certificates,
  connect,
  connected,
  echo,
  type Ground,
  grounds,
  listen,
  quiet,
  soon,
  stackOver,
  tight
} from "./support.ts"

type Needs = Scope.Scope | Transport.ByteTransport<Transport.Connect | Transport.Listen | Tls.Adds>
type Stack = (ground: ReturnType<Ground["layer"]>, made: Certificates) => Layer.Layer<any, unknown>

const both = (
  client: (made: Certificates) => Tls.ClientOptions,
  server: (made: Certificates) => Partial<Tls.ServerOptions> = () => ({})
): Stack =>
(ground, made) => stackOver(ground, made, client(made), server(made))

/** A live test on each ground. */
const onEach = <E>(
  name: string,
  stack: Stack,
  program: (ground: Ground, made: Certificates) => Effect.Effect<unknown, E, Needs>
) => {
  for (const [title, ground] of Object.entries(grounds)) {
    it.live(`${name} (${title})`, () =>
      Effect.flatMap(
        certificates,
        (made) => tight(Effect.provide(Effect.scoped(program(ground, made)), stack(ground.layer(), made)))
      ))
  }
}

/** What the client's and the server's handshake say of a pair that must not come about. */
const refusals = (endpoint: string) =>
  Effect.gen(function*() {
    const listener = yield* listen(endpoint, soon)
    const incidents: Array<Incident> = []
    yield* Effect.forkScoped(
      listener.run(echo, { onIncident: (incident) => Effect.sync(() => void incidents.push(incident)) })
    )
    const client = yield* reasonOf(Effect.scoped(connect(listener.address, soon)))
    yield* until(() => incidents.length > 0)
    const [incident] = incidents
    assert(incident._tag === "HandshakeFailed", incident._tag)
    return { client, server: incident.error.reason }
  })

describe("a connection", () => {
  onEach("tells what was negotiated", both(() => ({ serverName: "localhost" })), (ground) =>
    Effect.gen(function*() {
      const [client, server] = yield* connected<TlsInfo | Negotiated>(ground.endpoint)
      const info = Connection.detail(client, TlsInfo)
      assert.strictEqual(info.version, "TLSv1.3")
      assert.match(info.cipher, /^TLS_/)
      assert.isTrue(info.authorized)
      assert.strictEqual(info.path, ground.path)
      assert.strictEqual(info.alpn, undefined)
      assert.strictEqual(Connection.detail(client, Negotiated).protocol, undefined)
      assert.include(info.peer?.subjectAltName, "DNS:localhost")
      assert.strictEqual(info.peer?.subject, "CN=localhost")
      const seen = Connection.detail(server, TlsInfo)
      assert.strictEqual(seen.serverName, "localhost")
      assert.isFalse(seen.authorized)
      assert.strictEqual(seen.peer, undefined)
      assert.strictEqual(seen.path, ground.path)
    }))

  onEach("carries a MiB both ways", both(() => ({})), (ground) =>
    Effect.gen(function*() {
      const [client, server] = yield* connected(ground.endpoint)
      const sent = pattern(1_048_576)
      const receiving = [yield* Effect.forkChild(collect(client)), yield* Effect.forkChild(collect(server))]
      for (const end of [client, server]) {
        yield* Effect.forkChild(Effect.gen(function*() {
          for (let at = 0; at < sent.length; at += 9_999) yield* end.send(sent.subarray(at, at + 9_999))
          yield* end.end
        }))
      }
      for (const fiber of receiving) assert.isTrue(sent.equals(yield* Fiber.join(fiber)))
    }))

  onEach("carries single bytes", both(() => ({})), (ground) =>
    Effect.gen(function*() {
      const [client, server] = yield* connected(ground.endpoint)
      const sent = pattern(700)
      const receiving = yield* Effect.forkChild(collect(server))
      for (let at = 0; at < sent.length; at++) {
        yield* client.send(sent.subarray(at, at + 1))
        if (at % 7 === 0) yield* Effect.yieldNow
      }
      yield* client.end
      assert.isTrue(sent.equals(yield* Fiber.join(receiving)))
    }))

  onEach(
    "half-closes with a close_notify, and the other way goes on",
    both(() => ({})),
    (ground) =>
      Effect.gen(function*() {
        const [client, server] = yield* connected(ground.endpoint)
        yield* client.send(Buffer.from("question"))
        yield* client.end
        assert.strictEqual((yield* collect(server)).toString(), "question")
        const receiving = yield* Effect.forkChild(collect(client))
        for (let n = 0; n < 50; n++) yield* server.send(Buffer.alloc(10_000))
        yield* server.end
        assert.strictEqual((yield* Fiber.join(receiving)).length, 500_000)
      })
  )

  onEach("closes cleanly from either side", both(() => ({})), (ground) =>
    Effect.gen(function*() {
      const listener = yield* listen(ground.endpoint, soon)
      const servers: Array<Connection.Connection<Uint8Array, Uint8Array>> = []
      yield* Effect.forkScoped(listener.run((connection) => {
        servers.push(connection)
        return servers.length === 1 ? connection.send(Buffer.from("bye")) : Effect.asVoid(collect(connection))
      }, quiet))
      const first = yield* Effect.scoped(
        Effect.tap(connect(listener.address, soon), (client) =>
          Effect.map(collect(client), (all) => assert.strictEqual(all.toString(), "bye")))
      )
      const second = yield* Effect.scoped(connect(listener.address, soon))
      for (
        const [connection, who] of [[first, "remote"], [second, "local"], [servers[0], "local"], [
          servers[1],
          "remote"
        ]] as const
      ) {
        const outcome = yield* connection.closed
        assert.isTrue(outcome.clean)
        assert.strictEqual(outcome.first, who)
        if (ground.path === "direct") {
          assert.strictEqual(outcome.endOfInput, "unknown")
        } else if (who === "remote") {
          assert.strictEqual(outcome.endOfInput, "announced")
        }
      }
    }))

  onEach("an abort is seen as a failure", both(() => ({})), (ground) =>
    Effect.gen(function*() {
      const [client, server] = yield* connected(ground.endpoint)
      yield* client.abort
      const error = yield* Effect.flip(server.pull)
      assert(!Cause.isDone(error))
      assert.strictEqual(error.reason._tag, "Reset")
      assert.isFalse((yield* client.closed).clean)
      assert.isFalse((yield* server.closed).clean)
    }))

  onEach(
    "a peer that does not read stalls the sender, whose memory is bounded",
    both(() => ({})),
    (ground) =>
      Effect.gen(function*() {
        const [client, server] = yield* connected(ground.endpoint)
        const chunk = Buffer.alloc(16_384)
        const total = 3_000
        let sent = 0
        const sending = yield* Effect.forkChild(Effect.gen(function*() {
          for (; sent < total; sent++) yield* client.send(chunk)
          yield* client.end
        }))
        let before = -1
        while (before !== sent) {
          before = sent
          yield* Effect.sleep("60 millis")
        }
        assert.isBelow(sent, total)
        if (ground.path === "duplex") assert.isBelow(sent * chunk.length, 1_500_000)
        assert.strictEqual((yield* collect(server)).length, total * chunk.length)
        yield* Fiber.join(sending)
      })
  )

  onEach(
    "leaves nothing when its handshake is interrupted, at whatever moment",
    both(() => ({})),
    (ground) =>
      Effect.gen(function*() {
        const listener = yield* listen(ground.endpoint, soon)
        yield* Effect.forkScoped(listener.run(echo, quiet))
        let made = 0
        for (let n = 0; n < 40; n++) {
          const fiber = yield* Effect.forkChild(Effect.scoped(connect(listener.address, soon)))
          for (let turns = 0; turns < n; turns++) {
            yield* Effect.callback((resume) => void setImmediate(() => resume(Effect.void)))
          }
          yield* Fiber.interrupt(fiber)
          if ((yield* Fiber.await(fiber))._tag === "Success") made++
        }
        assert.isBelow(made, 40)
      })
  )
})

describe("verification", () => {
  onEach(
    "accepts a wildcard, and an IP as such",
    both(() => ({ serverName: "a.example.test" }), (made) => ({ identity: made.alternative })),
    (ground) =>
      Effect.gen(function*() {
        const [, server] = yield* connected<TlsInfo>(ground.endpoint)
        assert.strictEqual(Connection.detail(server, TlsInfo).serverName, "a.example.test")
      })
  )

  it.live("takes the name from the endpoint: names are told to the server, IPs are not", () =>
    tight(Effect.gen(function*() {
      const { ca, identity } = yield* certificates
      const layer = Tcp.layer().pipe(Tls.over({ client: { trust: { ca } }, server: { identity } }))
      for (const [host, told] of [["localhost", "localhost"], ["127.0.0.1", undefined]] as const) {
        const [, server] = yield* connected<TlsInfo>(`${host}:0`).pipe(Effect.provide(layer))
        assert.strictEqual(Connection.detail(server, TlsInfo).serverName, told)
      }
    })))

  it.live("an endpoint without a name needs one in the options", () =>
    tight(Effect.gen(function*() {
      const { ca, identity } = yield* certificates
      for (const named of [{}, { serverName: "" }, { serverName: "." }]) {
        const client = { trust: { ca }, ...named }
        yield* Effect.gen(function*() {
          const listener = yield* listen("memory:here", soon)
          yield* Effect.forkScoped(listener.run(echo, quiet))
          const reason = yield* reasonOf(connect("memory:here"))
          assert(reason._tag === "InvalidEndpoint")
          assert.include(reason.message, "serverName")
        }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer().pipe(Tls.over({ client, server: { identity } }))))
      }
    })))

  onEach(
    "can be turned off, and says so",
    both(() => ({ trust: "insecure", serverName: "other.test" }), (made) => ({ identity: made.expired })),
    (ground) =>
      Effect.gen(function*() {
        const [client] = yield* connected<TlsInfo>(ground.endpoint)
        assert.isFalse(Connection.detail(client, TlsInfo).authorized)
      })
  )

  it.live("is not turned off by the environment", () =>
    tight(Effect.gen(function*() {
      const { ca, foreign } = yield* certificates
      process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0"
      yield* Effect.addFinalizer(() => Effect.sync(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED))
      const layer = Tcp.layer().pipe(Tls.over({ client: { trust: { ca } }, server: { identity: foreign } }))
      const { client } = yield* refusals("127.0.0.1:0").pipe(Effect.provide(layer))
      assert.strictEqual(client._tag, "CertificateInvalid")
    })))
})

describe("client certificates", () => {
  const asking = (mode: "required" | "optional") => (made: Certificates) => ({
    clientCertificates: { mode, ca: made.ca }
  })

  onEach(
    "required and presented",
    both((made) => ({ identity: made.client }), asking("required")),
    (ground) =>
      Effect.gen(function*() {
        const [, server] = yield* connected<TlsInfo>(ground.endpoint)
        const info = Connection.detail(server, TlsInfo)
        assert.isTrue(info.authorized)
        assert.strictEqual(info.peer?.subject, "CN=a client")
      })
  )

  onEach("optional and not presented", both(() => ({}), asking("optional")), (ground) =>
    Effect.gen(function*() {
      const [, server] = yield* connected<TlsInfo>(ground.endpoint)
      assert.isFalse(Connection.detail(server, TlsInfo).authorized)
    }))

  onEach(
    "optional, but a wrong one is refused",
    both((made) => ({ identity: made.expired }), asking("optional")),
    (ground) =>
      Effect.gen(function*() {
        const listener = yield* listen(ground.endpoint, soon)
        const incidents: Array<Incident> = []
        yield* Effect.forkScoped(
          listener.run(() => Effect.die("let in"), {
            onIncident: (incident) => Effect.sync(() => void incidents.push(incident))
          })
        )
        yield* Effect.exit(Effect.scoped(Effect.flatMap(connect(listener.address, soon), collect)))
        yield* until(() => incidents.length > 0)
        const [incident] = incidents
        assert(incident._tag === "HandshakeFailed" && incident.error.reason._tag === "CertificateInvalid")
        assert.strictEqual(incident.error.reason.code, "expired")
      })
  )
})

describe("negotiation", () => {
  onEach(
    "of the protocol, by the server's preference",
    both(() => ({ alpn: ["a", "b"] }), () => ({ alpn: ["b", "a"] })),
    (ground) =>
      Effect.gen(function*() {
        const ends = yield* connected<TlsInfo | Negotiated>(ground.endpoint)
        for (const end of ends) {
          assert.strictEqual(Connection.detail(end, Negotiated).protocol, "b")
          assert.strictEqual(Connection.detail(end, TlsInfo).alpn, "b")
        }
      })
  )

  onEach("of what the layers above offer", both(() => ({})), (ground) =>
    Effect.gen(function*() {
      const Chat = Transport.Bytes
      const transport = yield* Chat.key
      const ask = {
        endpoint: { place: { _tag: "Memory", name: "here" }, demands: [] },
        offers: ["chat.v2", "chat.v1"],
        demands: [],
        ...soon
      } as const
      const listener = yield* transport.listen(
        ground.path === "duplex"
          ? { ...ask, offers: ["chat.v1"] }
          : {
            ...ask,
            endpoint: { place: { _tag: "Tcp", host: "127.0.0.1", port: 0 }, demands: [] },
            offers: ["chat.v1"]
          }
      )
      yield* Effect.forkScoped(listener.run(echo, quiet))
      const client = yield* transport.connect({ ...ask, endpoint: listener.address })
      assert.strictEqual(
        Connection.detailOption(client, Negotiated).pipe((o) => o._tag === "Some" ? o.value.protocol : "-"),
        "chat.v1"
      )
    }))

  onEach("in vain", both(() => ({ alpn: ["a", "c"] }), () => ({ alpn: ["b"] })), (ground) =>
    Effect.gen(function*() {
      const { client, server } = yield* refusals(ground.endpoint)
      assert(client._tag === "AlpnRejected", client.message)
      assert.deepStrictEqual(client.offered, ["a", "c"])
      assert.strictEqual(server._tag, "AlpnRejected")
    }))

  onEach("of the version", both(() => ({ maxVersion: "TLSv1.2" })), (ground) =>
    Effect.gen(function*() {
      const [client] = yield* connected<TlsInfo>(ground.endpoint)
      assert.strictEqual(Connection.detail(client, TlsInfo).version, "TLSv1.2")
    }))

  onEach(
    "of no version",
    both(() => ({ maxVersion: "TLSv1.2" }), () => ({ minVersion: "TLSv1.3" })),
    (ground) =>
      Effect.gen(function*() {
        const { client, server } = yield* refusals(ground.endpoint)
        assert.strictEqual(client._tag, "ProtocolVersionUnsupported")
        assert.strictEqual(server._tag, "ProtocolVersionUnsupported")
      })
  )

  onEach(
    "of the certificate by the name that is asked for",
    (ground, made) =>
      ground.pipe(Tls.over({
        client: { trust: { ca: made.ca }, serverName: "chat.example.test" },
        server: { identity: made.identity, identities: { "*.example.test": made.alternative } }
      })),
    (ground) =>
      Effect.gen(function*() {
        const [client, server] = yield* connected<TlsInfo>(ground.endpoint)
        assert.strictEqual(Connection.detail(client, TlsInfo).peer?.subjectAltName, "DNS:*.example.test")
        assert.strictEqual(Connection.detail(server, TlsInfo).serverName, "chat.example.test")
      })
  )

  it.live("TLS 1.1 is refused", () =>
    tight(
      Effect.gen(function*() {
        const { ca, identity } = yield* certificates
        const listener = yield* listen("127.0.0.1:0", soon)
        const incidents: Array<Incident> = []
        yield* Effect.forkScoped(
          listener.run(echo, { onIncident: (incident) => Effect.sync(() => void incidents.push(incident)) })
        )
        assert(listener.address.place._tag === "Tcp")
        const options = {
          ...listener.address.place,
          ca,
          minVersion: "TLSv1",
          maxVersion: "TLSv1.1",
          ciphers: "ALL:@SECLEVEL=0"
        } as const
        const code = yield* Effect.callback<string>((resume) => {
          const socket = NodeTls.connect(options, () => resume(Effect.succeed("connected")))
          socket.on("error", (error: NodeJS.ErrnoException) => resume(Effect.succeed(error.code ?? "")))
        })
        assert.strictEqual(code, "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION")
        yield* until(() => incidents.length > 0)
        assert(incidents[0]._tag === "HandshakeFailed")
        assert.strictEqual(incidents[0].error.reason._tag, "ProtocolVersionUnsupported")
        assert.isDefined(identity)
      }).pipe(
        Effect.provide(
          Layer.unwrap(Effect.map(certificates, ({ identity }) => Tcp.layer().pipe(Tls.server({ identity }))))
        )
      )
    ))
})

describe("a peer that", () => {
  it.live("does not speak TLS, as the server", () =>
    tight(
      Effect.gen(function*() {
        const server = yield* Effect.acquireRelease(
          Effect.callback<Net.Server>((resume) => {
            const server = Net.createServer((socket) => socket.on("error", () => {}).end("220 welcome to the past\r\n"))
            server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
          }),
          (server) => Effect.sync(() => server.close())
        )
        const { port } = server.address() as Net.AddressInfo
        assert.strictEqual((yield* reasonOf(connect(`127.0.0.1:${port}`)))._tag, "NotTls")
      }).pipe(Effect.provide(Tcp.layer().pipe(Tls.client())))
    ))

  for (const [title, ground] of Object.entries(grounds)) {
    for (
      const [hello, tag] of [["GET / HTTP/1.1\r\n\r\n", "NotTls"], ["hello hello", "NotTls"], [
        "",
        "Truncated"
      ]] as const
    ) {
      it.live(`says ${JSON.stringify(hello)} and ends, as the client (${title})`, () =>
        tight(Effect.gen(function*() {
          const { identity } = yield* certificates
          const lower = yield* Layer.build(ground.layer())
          const incidents: Array<Incident> = []
          const listener = yield* listen(ground.endpoint, soon).pipe(
            Effect.provide(Tls.server({ identity })(Layer.succeedContext(lower)))
          )
          yield* Effect.forkScoped(
            listener.run(echo, { onIncident: (incident) => Effect.sync(() => void incidents.push(incident)) })
          )
          yield* Effect.scoped(Effect.gen(function*() {
            const plain = yield* connect(listener.address, soon)
            if (hello !== "") yield* plain.send(Buffer.from(hello))
            yield* plain.end
            yield* Effect.exit(collect(plain))
          })).pipe(Effect.provide(lower))
          yield* until(() => incidents.length > 0)
          assert(incidents[0]._tag === "HandshakeFailed")
          assert.strictEqual(incidents[0].error.reason._tag, tag)
        })))
    }

    it.live(`is silent costs the handshake's time, on both sides (${title})`, () =>
      tight(Effect.gen(function*() {
        const { identity } = yield* certificates
        const lower = yield* Layer.build(ground.layer())
        const handshakeWithin = "100 millis"
        const incidents: Array<Incident> = []
        const listener = yield* listen(ground.endpoint, soon).pipe(
          Effect.provide(Tls.server({ identity, handshakeWithin })(Layer.succeedContext(lower)))
        )
        yield* Effect.forkScoped(
          listener.run(echo, { onIncident: (incident) => Effect.sync(() => void incidents.push(incident)) })
        )
        yield* Effect.scoped(Effect.gen(function*() {
          const plain = yield* connect(listener.address, soon)
          yield* until(() => incidents.length > 0)
          assert(incidents[0]._tag === "HandshakeFailed")
          assert.strictEqual(incidents[0].error.reason._tag, "TimedOut")
          yield* Effect.exit(collect(plain))
        })).pipe(Effect.provide(lower))

        const elsewhere = ground.path === "direct" ? ground.endpoint : "memory:there"
        const mute = yield* listen(elsewhere, soon).pipe(Effect.provide(lower))
        yield* Effect.forkScoped(mute.run((connection) => Effect.asVoid(connection.closed), quiet))
        const client = yield* Layer.build(
          Tls.client({ trust: "insecure", handshakeWithin })(Layer.succeedContext(lower))
        )
        const reason = yield* reasonOf(connect(mute.address, soon).pipe(Effect.provide(client)))
        assert(reason._tag === "TimedOut")
        assert.strictEqual(reason.after, 100)
      })))
  }

  it.effect("is silent costs the handshake's time under the test clock", () =>
    Effect.gen(function*() {
      const lower = yield* Layer.build(MemoryTransport.layer())
      const mute = yield* listen("memory:here").pipe(Effect.provide(lower))
      yield* Effect.forkScoped(mute.run((connection) => Effect.asVoid(connection.closed), quiet))
      const connecting = yield* Effect.forkChild(
        reasonOf(connect("memory:here")).pipe(
          Effect.provide(Tls.client({ trust: "insecure" })(Layer.succeedContext(lower)))
        )
      )
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(connecting))._tag, "TimedOut")
    }))

  for (const truncation of ["detect", "ignore"] as const) {
    it.live(`cuts the bytes off without a close_notify: ${truncation}`, () =>
      tight(Effect.gen(function*() {
        const { ca, identity } = yield* certificates
        const lower = yield* Layer.build(MemoryTransport.layer())
        const server = NodeTls.createSecureContext({ cert: identity.certificate, key: Redacted.value(identity.key) })
        const listener = yield* listen("memory:here", soon).pipe(Effect.provide(lower))
        const bytes = pattern(200_000)
        // A server by hand: its TLS goes through a pair of sockets, of which only so much is passed on.
        yield* Effect.forkScoped(listener.run((connection) =>
          Effect.gen(function*() {
            const [near, far] = yield* socketPair
            const tls = new NodeTls.TLSSocket(far, { isServer: true, secureContext: server })
            tls.on("error", () => {})
            let written = false
            tls.write(bytes, () => written = true)
            const fork = Effect.runForkWith(yield* Effect.context<never>())
            let passed = 0
            near.on("data", (data) => fork(Effect.map(connection.send(data), () => passed += data.length)))
            yield* Effect.forkScoped(
              Effect.forever(Effect.map(connection.pull, (batch) => batch.forEach((chunk) => near.write(chunk))))
            )
            yield* until(() => written && passed === far.bytesWritten)
            near.removeAllListeners("data")
            yield* connection.end
            yield* connection.closed
          }), quiet))
        yield* Effect.gen(function*() {
          const client = yield* connect("memory:here", soon)
          // What came before the cut is delivered first, however slowly it is pulled.
          yield* Effect.sleep("300 millis")
          assert.isTrue(bytes.equals(yield* take(client, bytes.length)))
          const error = yield* Effect.flip(client.pull)
          if (truncation === "ignore") {
            assert(Cause.isDone(error))
            assert.strictEqual(error.value.endOfInput, "unannounced")
          } else {
            assert(!Cause.isDone(error))
            assert.strictEqual(error.reason._tag, "Truncated")
            assert.strictEqual(error.layer, "tls")
            const outcome = yield* client.closed
            assert.strictEqual(outcome.endOfInput, "unannounced")
            assert.isFalse(outcome.clean)
          }
        }).pipe(
          Effect.provide(
            Tls.client({ trust: { ca }, serverName: "localhost", truncation })(Layer.succeedContext(lower))
          )
        )
      })))
  }
})

/** Two connected sockets. */
const socketPair: Effect.Effect<readonly [Net.Socket, Net.Socket], never, Scope.Scope> = Effect.acquireRelease(
  Effect.callback((resume) => {
    const server = Net.createServer((far) => {
      server.close()
      resume(Effect.succeed([near, far] as const))
    })
    let near: Net.Socket
    server.listen(0, "127.0.0.1", () => {
      near = Net.connect((server.address() as Net.AddressInfo).port, "127.0.0.1")
      near.on("error", () => {})
    })
  }),
  (sockets) => Effect.sync(() => sockets.forEach((socket) => socket.destroy()))
)

describe("stacks", () => {
  const inner = (made: Certificates) =>
    Tls.over({ client: { trust: { ca: made.ca }, serverName: "localhost" }, server: { identity: made.identity } })

  for (const [title, ground] of Object.entries(grounds)) {
    it.live(`TLS in TLS (${title})`, () =>
      tight(Effect.gen(function*() {
        const made = yield* certificates
        const layer = ground.layer().pipe(inner(made), inner(made))
        yield* Effect.gen(function*() {
          const [client, server] = yield* connected<TlsInfo>(ground.endpoint)
          assert.strictEqual(Connection.detail(client, TlsInfo).path, "duplex")
          const sent = pattern(500_000)
          const receiving = yield* Effect.forkChild(collect(server))
          yield* client.send(sent)
          yield* client.end
          assert.isTrue(sent.equals(yield* Fiber.join(receiving)))
        }).pipe(Effect.provide(layer))
      })))
  }

  it.live("a tls:// URL needs TLS, and has the layers' details", () =>
    tight(Effect.gen(function*() {
      const made = yield* certificates
      yield* Effect.gen(function*() {
        const listener = yield* listen("tls://localhost:0", soon)
        yield* Effect.forkScoped(listener.run(echo, quiet))
        const client = yield* connect<TlsInfo | TcpInfo>(listener.address, soon)
        assert.include(["127.0.0.1", "::1"], Connection.detail(client, TcpInfo).remote.host)
        assert.strictEqual(Connection.detail(client, TlsInfo).path, "direct")
        const missing = yield* reasonOf(connect("wss://localhost:1"))
        assert(missing._tag === "LayersMissing")
        assert.deepStrictEqual(missing.layers, ["websocket"])
      }).pipe(Effect.provide(Tcp.layer().pipe(inner(made))))
    })))

  it.live("one value on two transports is two stacks", () =>
    tight(Effect.gen(function*() {
      const made = yield* certificates
      const tls = inner(made)
      const [tcp, memory] = [yield* Layer.build(tls(Tcp.layer())), yield* Layer.build(tls(MemoryTransport.layer()))]
      const ends = [
        yield* connected<TlsInfo>("127.0.0.1:0").pipe(Effect.provide(tcp)),
        yield* connected<TlsInfo>("memory:here").pipe(Effect.provide(memory))
      ]
      assert.deepStrictEqual(ends.map(([client]) => Connection.detail(client, TlsInfo).path), ["direct", "duplex"])
    })))

  it.effect("credentials that can't be used fail when the stack is built", () =>
    Effect.gen(function*() {
      const { ca, foreign, identity } = yield* certificates
      const build = <A>(layer: Layer.Layer<A, unknown>) => Effect.flip(Effect.scoped(Layer.build(layer)))
      for (
        const bad of [{ certificate: "nonsense", key: identity.key }, { ...identity, key: foreign.key }, {
          ...identity,
          key: Redacted.make("x")
        }]
      ) {
        const error = yield* build(Tcp.layer().pipe(Tls.server({ identity: bad })))
        assert.strictEqual((error as { _tag: string })._tag, "CredentialsError")
        assert.notInclude(String(error), Redacted.value(identity.key))
      }
      assert.isDefined(ca)
    }))
})

describe("types", () => {
  it("says what a stack can do", () => {
    const client = Tcp.layer().pipe(Tls.client())
    const connects = Effect.provide(connect<TlsInfo>("a:1"), client)
    // @ts-expect-error it can't listen
    const listens: Layer.Layer<Transport.ByteTransport<Transport.Listen>, unknown> = client
    // @ts-expect-error a server needs an identity
    Tls.server({})
    // @ts-expect-error there is no TLS below
    const secure: Layer.Layer<Transport.ByteTransport<TlsInfo>, unknown> = Tcp.layer()
    // @ts-expect-error TLS stands on bytes, not on messages
    MemoryTransport.layerMessages().pipe(Tls.client())
    assert.isDefined([connects, listens, secure])
  })
})
