/** TCP between two hosts: what needs an address that is silent, or an interface with a zone. */
import { assert, describe, it } from "@effect/vitest"
import * as Connection from "@wirestack/protocol/Connection"
import { withoutLeaks } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { resources } from "@wirestack/test-support"
import { Ip, Tcp, TcpInfo } from "@wirestack/transport-tcp"
import { Deferred, Duration, Effect, Layer, type Scope } from "effect"
import * as Cause from "effect/Cause"
import * as Net from "node:net"
import { addresses, cable, device, possible, silence } from "./cable.ts"

const connect = Transport.connect(Transport.Bytes)
const closingSoon = { closeWithin: "300 millis" } as const
const { nobodys, ours, theirs } = addresses

const named = (hosts: ReadonlyArray<string>, options?: Tcp.Options) =>
  Tcp.over(options)(Layer.orDie(Ip.layerStatic({ hosts: { "host.test": hosts } })))

/** What the other host says about where a connection comes from. */
const told = (connection: Connection.Connection<Uint8Array, Uint8Array, TcpInfo>) =>
  Effect.map(connection.pull, (batch) => Buffer.concat(batch).toString().trim().replace("::ffff:", ""))

const live = (name: string, program: (port: number) => Effect.Effect<unknown, unknown, Scope.Scope>) =>
  it.live.skipIf(!possible)(
    `${name}${possible ? "" : " (skipped: no network namespaces here)"}`,
    () => withoutLeaks(Effect.scoped(Effect.flatMap(cable, program)), resources)
  )

describe("Happy Eyeballs", () => {
  const delay = 250
  /** What a busy machine may add; the system gives up such an address after 3 seconds. */
  const slack = 1_000

  for (
    const [name, hosts, expected] of [
      ["IPv6 is silent", [nobodys.v6, theirs.v4], theirs.v4],
      ["IPv4 is silent and preferred", [theirs.v6, nobodys.v4], theirs.v6],
      ["two addresses are silent", [nobodys.v6, nobodys.v4, theirs.v4], theirs.v4]
    ] as const
  ) {
    live(name, (port) =>
      Effect.gen(function*() {
        const prefer = name.startsWith("IPv4") ? "IPv4" : "IPv6"
        const connection = yield* Effect.provide(
          connect<TcpInfo>(`host.test:${port}`, closingSoon),
          named(hosts, { prefer })
        )
        const { connectTime, course, remote } = Connection.detail(connection, TcpInfo)
        assert.strictEqual(remote.host, expected)
        assert.strictEqual(course.attempts.length, hosts.length)
        course.attempts.forEach(({ after, reason }, n) => {
          assert.isUndefined(reason)
          assert.isAtLeast(after, n * delay - 1)
          assert.isAtMost(after, n * delay + slack)
        })
        const [winner] = course.attempts.slice(-1)
        assert.isAtMost(winner.after + winner.took, (hosts.length - 1) * delay + slack)
        assert.isAtMost(Duration.toMillis(connectTime), (hosts.length - 1) * delay + slack)
      }))
  }
})

live("an address to connect from chooses the interface", (port) =>
  Effect.gen(function*() {
    for (const from of [ours.v4, ours.other]) {
      const connection = yield* Effect.provide(
        connect<TcpInfo>(`${theirs.v4}:${port}`, closingSoon),
        Tcp.layer({ localAddress: from })
      )
      assert.strictEqual(yield* told(connection), from)
      assert.strictEqual(Connection.detail(connection, TcpInfo).local.host, from)
    }
  }))

live("an IPv6 address with a zone is connected to and listened on", (port) =>
  Effect.gen(function*() {
    const there = yield* connect<TcpInfo>(`[${theirs.linkLocal}%${device}]:${port}`, closingSoon)
    assert.match(yield* told(there), new RegExp(`^${ours.linkLocal}%`))
    const info = Connection.detail(there, TcpInfo)
    assert.strictEqual(info.remote.host, `${theirs.linkLocal}%${device}`)
    assert.strictEqual(info.family, "IPv6")
    const listener = yield* Transport.listen(Transport.Bytes)<TcpInfo>(
      `[${ours.linkLocal}%${device}]:0`,
      closingSoon
    )
    const from = yield* Deferred.make<string>()
    yield* Effect.forkScoped(
      listener.run((peer) => Deferred.succeed(from, Connection.detail(peer, TcpInfo).remote.host))
    )
    yield* connect(listener.address, closingSoon)
    assert.strictEqual(yield* Deferred.await(from), `${ours.linkLocal}%${device}`)
    const { reason } = yield* Effect.flip(connect(`[${theirs.linkLocal}%nowhere0]:${port}`))
    assert.strictEqual(reason._tag, "Unresolved")
  }).pipe(Effect.provide(Tcp.layer())))

/** Node does since 24.19; before, the system sends 10. */
const setsCount = Net.Socket.prototype.setKeepAlive.length >= 4

live(
  "a connection to a host that has gone is lost after as many probes as are told",
  (port) =>
    Effect.gen(function*() {
      const connection = yield* connect<TcpInfo>(`${theirs.v4}:${port}`, closingSoon)
      yield* told(connection)
      yield* silence
      const [time, error] = yield* Effect.timed(Effect.flip(connection.pull))
      assert(!Cause.isDone(error))
      assert.strictEqual(error.reason._tag, "Reset")
      const seconds = Duration.toSeconds(time)
      assert.isAtLeast(seconds, 1)
      assert.isAtMost(seconds, setsCount ? 5 : 15)
    }).pipe(Effect.provide(Tcp.layer({ keepAlive: { idle: "1 seconds", interval: "1 seconds", count: 1 } })))
)
