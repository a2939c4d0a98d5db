/** Services of a domain: SRV, RFC 2782. */
import { NodeAddressResolver, NodeDns } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import * as Connection from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import * as EstablishmentReport from "@wirestack/protocol/reports/EstablishmentReport"
import { withoutLeaks } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { resources } from "@wirestack/test-support"
import { Ip, Tcp, TcpInfo } from "@wirestack/transport-tcp"
import { Tls, type TlsInfo } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { Effect, Layer, Random, type Scope } from "effect"
import { Dns, Host } from "effect/net"
import * as Dgram from "node:dgram"
import { bareServer } from "./support.ts"

const connect = Transport.connect(Transport.Bytes)
const closingSoon = { closeWithin: "300 millis" } as const
const chat = "srv:_chat._tcp.example.test"

type Target = readonly [host: string, port: number, priority?: number, weight?: number]

const hosts = { "a.test": ["127.0.0.2"], "b.test": ["127.0.0.1"], "nobody.test": ["127.0.0.3"] }

const zone = (targets: ReadonlyArray<Target>) =>
  Layer.orDie(Ip.layerStatic({
    hosts,
    records: {
      "_chat._tcp.example.test": targets.map(([host, port, priority = 1, weight = 1]) =>
        Dns.makeRecordUnsafe("SRV", { target: Host.domainNameFromStringUnsafe(host), port, priority, weight })
      )
    }
  }))

const tcp = (targets: ReadonlyArray<Target>, options?: Tcp.Options) => Tcp.over(options)(zone(targets))

const live = (name: string, program: Effect.Effect<unknown, unknown, Scope.Scope>) =>
  it.live(name, () => withoutLeaks(Effect.scoped(program), resources))

const locating = (targets: ReadonlyArray<Target>, seed: string) =>
  Effect.flatMap(Ip.Ip, (ip) => ip.locate({ _tag: "Service", name: "chat", protocol: "tcp", domain: "example.test" }))
    .pipe(
      Effect.map((places) => places.map(Endpoint.formatPlace)),
      Random.withSeed(seed),
      Effect.provide(zone(targets))
    )

it.effect("targets come by priority, and among equals as a seeded Random has it", () =>
  Effect.gen(function*() {
    const targets = [["c.test", 3, 2], ["a.test", 1, 1], ["b.test", 2, 1]] as const
    const orders = new Set<string>()
    for (let seed = 0; seed < 20; seed++) {
      const order = yield* locating(targets, `${seed}`)
      assert.deepStrictEqual(yield* locating(targets, `${seed}`), order)
      assert.strictEqual(order[2], "c.test:3")
      orders.add(order.join())
    }
    assert.strictEqual(orders.size, 2)
  }))

/** A DNS server that answers each query with these targets; its port. */
const nameServer = (targets: ReadonlyArray<Target>) =>
  Effect.acquireRelease(
    Effect.callback<Dgram.Socket>((resume) => {
      const socket = Dgram.createSocket("udp4")
      socket.on("message", (query, { address, port }) => void socket.send(answer(query, targets), port, address))
      socket.bind(0, "127.0.0.1", () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.callback<void>((resume) => void socket.close(() => resume(Effect.void)))
  ).pipe(Effect.map((socket) => socket.address().port))

/** RFC 1035 section 4.1: the header with the counts, the question, and a record for each target. */
const answer = (query: Buffer, targets: ReadonlyArray<Target>): Buffer => {
  const question = query.subarray(12, query.indexOf(0, 12) + 5)
  const records = targets.flatMap(([host, port, priority = 1, weight = 1]) => {
    const labels = host === "." ? [] : host.split(".").flatMap((label) => [label.length, ...Buffer.from(label)])
    const data = [...[priority, weight, port].flatMap((n) => [n >> 8, n & 0xff]), ...labels, 0]
    return [0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, data.length, ...data]
  })
  const header = [query[0], query[1], 0x81, 0x80, 0, 1, 0, targets.length, 0, 0, 0, 0]
  return Buffer.concat([Buffer.from(header), question, Buffer.from(records)])
}

live(
  "DNS is asked for a service, and says too that there is none",
  Effect.gen(function*() {
    const { port } = yield* bareServer(() => {})
    const asking = (targets: ReadonlyArray<Target>) =>
      Effect.gen(function*() {
        const dns = Layer.effect(
          Dns.Dns,
          NodeDns.make({ nameServers: [{ address: "127.0.0.1", port: yield* nameServer(targets) }] })
        )
        const ip = Ip.layerResolver.pipe(Layer.provide(Layer.fresh(Layer.provideMerge(NodeAddressResolver.layer, dns))))
        return yield* Effect.result(Effect.provide(connect<TcpInfo>(chat, closingSoon), Tcp.over()(Layer.orDie(ip))))
      })
    const there = yield* asking([["localhost", port, 1], ["other.test", 1, 2]])
    assert(there._tag === "Success")
    assert.strictEqual(Connection.detail(there.success, TcpInfo).remote.port, port)
    const gone = yield* asking([[".", 0, 0, 0]])
    assert(gone._tag === "Failure")
    assert.strictEqual(gone.failure.reason._tag, "ServiceUnavailable")
  })
)

live(
  "a service is connected to at its first target that can be reached, and the report tells of the others",
  Effect.gen(function*() {
    const { port } = yield* bareServer(() => {})
    const connection = yield* connect<TcpInfo>(chat, closingSoon).pipe(
      Effect.provide(tcp([["b.test", port, 2], ["a.test", port, 1]]))
    )
    assert.deepStrictEqual(Connection.detail(connection, TcpInfo).remote, { host: "127.0.0.1", port })
    const { attempts } = EstablishmentReport.of(connection)
    assert.deepStrictEqual(
      attempts.map((steps) => steps.map(({ reason }) => reason?.message)),
      [[`127.0.0.2:${port} refused the connection`], [undefined]]
    )
  })
)

live(
  "if no target can be reached the error has all that were tried, and no more than may be",
  Effect.gen(function*() {
    const { port } = yield* Effect.scoped(bareServer(() => {}))
    const targets = [["a.test", port, 1], ["b.test", port, 2], ["nowhere.test", 1, 3], [
      "nobody.test",
      port,
      4
    ]] as const
    const error = yield* Effect.flip(
      Effect.provide(connect(chat, closingSoon), tcp(targets, { maxTargets: 3 }))
    )
    const { layer, reason } = error
    assert.strictEqual(layer, "tcp")
    assert(reason._tag === "NoneReached")
    assert.deepStrictEqual(reason.attempts.map(({ address, reason }) => [address, reason._tag]), [
      [`a.test:${port}`, "Refused"],
      [`b.test:${port}`, "Refused"],
      ["nowhere.test:1", "Unresolved"]
    ])
    assert.deepStrictEqual(
      EstablishmentReport.of(error).attempts.map((steps) => steps.map(({ reason }) => reason?._tag)),
      [["Refused"], ["Refused"], ["Unresolved"]]
    )
    const { reason: only } = yield* Effect.flip(Effect.provide(connect(chat), tcp([["a.test", port]])))
    assert.strictEqual(only._tag, "Refused")
  })
)

live(
  "a service that is decidedly not there, one that DNS does not know, and one that is not of TCP",
  Effect.gen(function*() {
    const reasonOf = (endpoint: string, targets: ReadonlyArray<Target>) =>
      Effect.map(Effect.flip(Effect.provide(connect(endpoint), tcp(targets))), ({ reason }) => reason)
    const unavailable = yield* reasonOf(chat, [[".", 0, 0, 0]])
    assert(unavailable._tag === "ServiceUnavailable")
    assert.strictEqual(unavailable.service, chat)
    const unknown = yield* reasonOf("srv:_mail._tcp.example.test", [])
    assert(unknown._tag === "Unresolved")
    assert.strictEqual(unknown.host, "srv:_mail._tcp.example.test")
    assert.strictEqual((yield* reasonOf("srv:_chat._udp.example.test", []))._tag, "InvalidEndpoint")
    const { reason } = yield* Effect.flip(Effect.provide(Transport.listen(Transport.Bytes)(chat), tcp([])))
    assert.strictEqual(reason._tag, "InvalidEndpoint")
  })
)

live(
  "a lookup that takes too long is given up",
  Effect.gen(function*() {
    const silent = Layer.succeed(Ip.Ip, { resolve: () => Effect.never, locate: () => Effect.never })
    const { reason } = yield* Effect.flip(
      Effect.provide(connect(chat), Tcp.over({ connectWithin: "20 millis" })(silent))
    )
    assert(reason._tag === "TimedOut")
    assert.deepStrictEqual([reason.phase, reason.after], [`resolution of ${chat}`, 20])
  })
)

live(
  "TLS has whoever answers prove the domain of the service, and not the target that DNS named",
  Effect.gen(function*() {
    const authority = yield* DevelopmentCertificates.make()
    const trust = { ca: authority.ca }
    const connecting = (names: ReadonlyArray<string>, client: Tls.ClientOptions) =>
      Effect.gen(function*() {
        const identity = yield* authority.issue({ names })
        const serving = Tls.server({ identity })(Tcp.layer())
        const listener = yield* Effect.provide(
          Transport.listen(Transport.Bytes)<TlsInfo>("tls://127.0.0.1:0", closingSoon),
          serving
        )
        yield* Effect.forkScoped(
          listener.run((peer) => Effect.ignore(peer.pull), { onIncident: () => Effect.void })
        )
        assert(listener.address.place._tag === "Tcp")
        const stack = Tls.client(client)(tcp([["b.test", listener.address.place.port]]))
        return yield* Effect.result(
          Effect.provide(connect<TlsInfo>("tls+srv://_chat._tcp.example.test", closingSoon), stack)
        )
      })
    assert.strictEqual((yield* connecting(["example.test"], { trust }))._tag, "Success")
    const target = yield* connecting(["b.test"], { trust })
    assert(target._tag === "Failure" && target.failure._tag === "ConnectError")
    assert(target.failure.reason._tag === "CertificateInvalid")
    assert.strictEqual(target.failure.reason.code, "hostname-mismatch")
    assert.strictEqual((yield* connecting(["b.test"], { trust, serverName: "b.test" }))._tag, "Success")
  })
)
