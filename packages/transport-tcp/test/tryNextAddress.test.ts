import { assert, it } from "@effect/vitest"
import { ConnectError } from "@wirestack/protocol/ConnectError"
import * as Connection from "@wirestack/protocol/Connection"
import * as Protocol from "@wirestack/protocol/Protocol"
import { Violation } from "@wirestack/protocol/Reason"
import { withoutLeaks } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { resources } from "@wirestack/test-support"
import { Ip, Tcp, TcpInfo } from "@wirestack/transport-tcp"
import { Effect, Layer, type Scope } from "effect"
import { NetAddress } from "effect/net"

const listen = Transport.listen(Transport.Bytes)

/** A layer whose handshake only likes some addresses. */
const picky = (liked: ReadonlyArray<string>, tried: Array<string>) =>
  Protocol.make<
    "bytes",
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    "bytes",
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    never,
    TcpInfo,
    Transport.Listen,
    Scope.Scope
  >(Transport.Bytes, Transport.Bytes, {
    layer: "picky",
    client: (lower) => {
      const { host } = Connection.detail(lower, TcpInfo).remote
      tried.push(host)
      return liked.includes(host)
        ? Connection.resume(lower)
        : Effect.fail(new ConnectError({ layer: "picky", reason: new Violation({ rule: "be nice", section: host }) }))
    }
  })

const hosts = { "three.test": ["127.0.0.1", "127.0.0.2", "127.0.0.3"] }

/** Connects to a host of three addresses, of which the layer likes some. */
const connecting = (
  liked: ReadonlyArray<string>,
  options?: Transport.ConnectOptions,
  ip = Layer.orDie(Ip.layerStatic({ hosts })),
  where = "0.0.0.0:0"
) =>
  Effect.gen(function*() {
    const tried: Array<string> = []
    const below = yield* Layer.build(Tcp.over()(ip))
    const above = yield* Layer.build(picky(liked, tried)(Layer.succeedContext(below)))
    const listener = yield* Effect.provide(listen(where, { closeWithin: "300 millis" }), below)
    yield* Effect.forkScoped(listener.run((peer) => Effect.asVoid(Effect.ignore(peer.pull))))
    assert(listener.address.place._tag === "Tcp")
    const connection = yield* Effect.result(
      Effect.provide(
        Transport.connect(Transport.Bytes)<TcpInfo>(`three.test:${listener.address.place.port}`, {
          closeWithin: "300 millis",
          ...options
        }),
        above
      )
    )
    return { connection, tried }
  })

const live = (name: string, program: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(name, () => withoutLeaks(Effect.scoped(program), resources))

live(
  "by default a handshake that fails is the end of it",
  Effect.gen(function*() {
    const { connection, tried } = yield* connecting(["127.0.0.2"])
    assert(connection._tag === "Failure")
    assert.strictEqual(connection.failure.reason._tag, "Violation")
    assert.deepStrictEqual(tried, ["127.0.0.1"])
  })
)

live(
  "goes on with the next address if it is told to",
  Effect.gen(function*() {
    const { connection, tried } = yield* connecting(["127.0.0.3"], { tryNextAddress: () => true })
    assert(connection._tag === "Success")
    assert.strictEqual(Connection.detail(connection.success, TcpInfo).remote.host, "127.0.0.3")
    assert.deepStrictEqual(tried, ["127.0.0.1", "127.0.0.2", "127.0.0.3"])
  })
)

live(
  "asks after each failure, and stops at the first that is final",
  Effect.gen(function*() {
    const { connection, tried } = yield* connecting([], {
      tryNextAddress: ({ reason }) => reason._tag === "Violation" && reason.section === "127.0.0.1"
    })
    assert(connection._tag === "Failure")
    assert(connection.failure.reason._tag === "NoneReached")
    assert.strictEqual(connection.failure.layer, "picky")
    assert.deepStrictEqual(tried, ["127.0.0.1", "127.0.0.2"])
  })
)

live(
  "says of each address why it would not do",
  Effect.gen(function*() {
    const { connection, tried } = yield* connecting([], { tryNextAddress: () => true })
    assert(connection._tag === "Failure")
    assert(connection.failure.reason._tag === "NoneReached")
    const { attempts } = connection.failure.reason
    assert.deepStrictEqual(attempts.map(({ reason }) => reason._tag), ["Violation", "Violation", "Violation"])
    assert.strictEqual(attempts.length, tried.length)
  })
)

live(
  "gives up a host that has another address each time",
  Effect.gen(function*() {
    let asked = 1
    const turning = Layer.succeed(Ip.Ip, {
      resolve: (host, port) =>
        Effect.sync(() => {
          const address = host === "three.test" ? `127.0.0.${++asked}` : host
          return [NetAddress.inetAddressFromStringUnsafe(`${address}:${port}`)]
        }),
      locate: () => Effect.never
    })
    const { connection, tried } = yield* connecting([], { tryNextAddress: () => asked < 200 }, turning)
    assert(connection._tag === "Failure")
    assert.lengthOf(tried, 32)
  })
)

live(
  "says so too of one that can't be reached behind one that was",
  Effect.gen(function*() {
    const turning = Layer.succeed(Ip.Ip, {
      resolve: (_, port) =>
        Effect.succeed([
          NetAddress.inetAddressFromStringUnsafe(`127.0.0.1:${port}`),
          NetAddress.inetAddressFromStringUnsafe(`127.0.0.2:${port}`)
        ]),
      locate: () => Effect.never
    })
    const { connection } = yield* connecting([], { tryNextAddress: () => true }, turning, "127.0.0.1:0")
    assert(connection._tag === "Failure")
    assert(connection.failure.reason._tag === "NoneReached")
    const { attempts } = connection.failure.reason
    assert.deepStrictEqual(attempts.map(({ reason }) => reason._tag), ["Violation", "Refused"])
  })
)
