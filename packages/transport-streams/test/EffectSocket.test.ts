import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { assert, describe, it } from "@effect/vitest"
import * as Connection from "@wirestack/protocol/Connection"
import type { Endpoint } from "@wirestack/protocol/Endpoint"
import * as MemoryTransport from "@wirestack/protocol/MemoryTransport"
import { Samples, transportSuite } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { collect, pattern, reasonOf, resources } from "@wirestack/test-support"
import { EffectSocket, EffectSocketInfo, ProvidedSocket } from "@wirestack/transport-streams"
import { Effect, Exit, Fiber, Layer } from "effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import { live } from "./support.ts"

const placeOf = ({ place }: Endpoint) => {
  assert(place._tag === "Tcp")
  return { host: place.host, port: place.port, allowHalfOpen: true }
}

const tcp = () =>
  EffectSocket.layer({
    connect: (endpoint) => NodeSocket.makeNet(placeOf(endpoint)),
    listen: (endpoint) => NodeSocketServer.make(placeOf(endpoint))
  })

describe("sockets of Effect", () => {
  const suite = transportSuite({
    shape: Transport.Bytes,
    layer: tcp,
    endpoint: () => "127.0.0.1:0",
    nobody: "127.0.0.1:1",
    samples: Samples.bytes,
    capabilities: {
      halfClose: true,
      statuses: "a socket carries no reason",
      abortIsSeen: "a socket of Effect has no reset"
    },
    resources
  })
  for (const { name, run } of suite) it.live(name, () => run)
})

/** A socket that reads what it is told to, and keeps what is written. */
const scripted = (pulls: ReadonlyArray<Effect.Effect<readonly [string], Socket.SocketError>>) => {
  const written: Array<unknown> = []
  let n = 0
  const socket = Socket.make({
    reader: Effect.succeed({
      pull: Effect.suspend(() => pulls[n++] ?? Effect.never),
      upgrade: Socket.SocketUpgradeError.unsupported
    }),
    writer: Effect.acquireRelease(
      Effect.succeed({
        write: (chunk: unknown) => Effect.sync(() => void written.push(chunk)),
        writeAll: (chunks: ReadonlyArray<unknown>) => Effect.sync(() => void written.push(...chunks))
      }),
      () => Effect.sync(() => written.push("released"))
    )
  })
  return { socket, written }
}

const closed = (code: number) => Effect.fail(new Socket.SocketError({ reason: new Socket.SocketCloseError({ code }) }))

describe("a socket of Effect", () => {
  live("gives bytes, and ends with a close of 1000", () =>
    Effect.gen(function*() {
      const { socket, written } = scripted([Effect.succeed(["é"]), Effect.succeed([""]), closed(1000)])
      const outcome = yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* EffectSocket.connection(socket)
        assert.strictEqual(Connection.detail(connection, EffectSocketInfo).socket, socket)
        assert.strictEqual(`${yield* collect(connection)}`, "é")
        yield* connection.sendAll([pattern(3), pattern(2)])
        return connection
      })).pipe(Effect.flatMap((connection) => connection.closed))
      assert.isTrue(outcome.clean)
      assert.deepStrictEqual(written, [new Uint8Array([0, 7, 14, 0, 7]), "released"])
    }))

  live("that always has something, or nothing at all, is read on", () =>
    Effect.gen(function*() {
      const nothing = Array.from({ length: 5_000 }, () => Effect.succeed([""] as const))
      const something = Array.from({ length: 20_000 }, () => Effect.succeed(["x"] as const))
      const { socket } = scripted([...nothing, ...something, closed(1000)])
      const connection = yield* EffectSocket.connection(socket)
      assert.lengthOf(yield* collect(connection), 20_000)
    }))

  live("is reset by a close of any other code, by an error, and by a defect", () =>
    Effect.gen(function*() {
      const error = new Socket.SocketError({ reason: new Socket.SocketReadError({ cause: new Error("unplugged") }) })
      const ends = [
        [closed(1011), "closed with code 1011"],
        [Effect.fail(error), "unplugged"],
        [Effect.die(new Error("a defect")), "a defect"]
      ] as const
      for (const [end, message] of ends) {
        const connection = yield* EffectSocket.connection(scripted([end]).socket)
        const reason = yield* reasonOf(collect(connection))
        assert.strictEqual(reason.message, `the connection was cut: ${message}`)
        assert.strictEqual((yield* connection.closed).error?.layer, "effect socket")
      }
    }))

  live("that can't half-close says its goodbye with a CloseEvent", () =>
    Effect.gen(function*() {
      const { socket, written } = scripted([Effect.as(Effect.sleep("20 millis"), ["x"] as const), closed(1000)])
      yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* EffectSocket.connection(socket, { halfClose: false })
        assert.strictEqual((yield* reasonOf(connection.end))._tag, "Unsupported")
        yield* connection.send(pattern(1))
      }))
      assert.deepStrictEqual(written, [new Uint8Array([0]), new Socket.CloseEvent(1000), "released"])
    }))

  live("is told of an abort as far as it can be", () =>
    Effect.gen(function*() {
      for (const halfClose of [true, false]) {
        const { socket, written } = scripted([])
        const connection = yield* EffectSocket.connection(socket, { halfClose })
        const pulling = yield* Effect.forkChild(connection.pull, { startImmediately: true })
        yield* connection.abort
        assert.isTrue(Exit.isFailure(yield* Fiber.await(pulling)))
        assert.strictEqual((written[0] as Socket.CloseEvent).code, halfClose ? 1000 : 4000)
      }
    }))

  live("that does not connect leaves nothing", () =>
    Effect.gen(function*() {
      const cause = Object.assign(new Error("no"), { code: "ECONNREFUSED" })
      const error = new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind: "Unknown", cause }) })
      const socket = Socket.make({ reader: Effect.fail(error), writer: Effect.never })
      assert.strictEqual((yield* reasonOf(EffectSocket.connection(socket)))._tag, "Other")
      const stack = EffectSocket.layer({ connect: () => Effect.succeed(socket) })
      const refused = yield* reasonOf(Effect.provide(Transport.connect(Transport.Bytes)("a:1"), stack))
      assert.strictEqual(refused.message, "a:1 refused the connection")
    }))

  live("of the context serves as well as one that is made for the endpoint", () =>
    Effect.gen(function*() {
      const stack = EffectSocket.layer({ connect: () => Socket.Socket })
      const { socket } = scripted([Effect.succeed(["x"]), closed(1000)])
      const connection = yield* Transport.connect(Transport.Bytes)("memory:any").pipe(
        Effect.provide(stack),
        Effect.provideService(Socket.Socket, socket)
      )
      assert.strictEqual(`${yield* collect(connection)}`, "x")
    }))

  live("is what a stack of ours is too, there and back", () =>
    Effect.gen(function*() {
      const stack = EffectSocket.layer({
        connect: (endpoint) => ProvidedSocket.client(Transport.Bytes)(endpoint),
        listen: (endpoint) => Effect.mapError(ProvidedSocket.server(Transport.Bytes)(endpoint), ({ reason }) => reason)
      }).pipe(Layer.provide(MemoryTransport.layer()))
      const sent = pattern(100_000)
      yield* Effect.gen(function*() {
        const listener = yield* Transport.listen(Transport.Bytes)("memory:here")
        yield* Effect.forkScoped(
          listener.run((connection) => Effect.flatMap(collect(connection), (all) => connection.send(all)))
        )
        const connection = yield* Transport.connect(Transport.Bytes)("memory:here")
        yield* connection.send(sent)
        yield* connection.end
        assert.isTrue(sent.equals(yield* collect(connection)))
      }).pipe(Effect.scoped, Effect.provide(stack))
    }))
})

describe("a server of Effect", () => {
  live("that can't be bound, or is lost, ends the listener with a reason", () =>
    Effect.gen(function*() {
      const cause = Object.assign(new Error("no"), { code: "EADDRINUSE" })
      const open = new SocketServer.SocketServerError({ reason: new SocketServer.SocketServerOpenError({ cause }) })
      const bind = (listen: EffectSocket.Sockets["listen"]) =>
        Effect.provide(Transport.listen(Transport.Bytes)("127.0.0.1:1"), EffectSocket.layer({ listen: listen! }))
      assert.strictEqual((yield* reasonOf(bind(() => Effect.fail(open))))._tag, "AddressInUse")
      const gone = new SocketServer.SocketServerError({
        reason: new SocketServer.SocketServerUnknownError({ cause: 1 })
      })
      const listener = yield* bind(() =>
        Effect.succeed({ address: NetAddress.unixPathAddress("/s"), run: () => Effect.fail(gone) })
      )
      assert.deepStrictEqual(listener.address.place, { _tag: "Unix", path: "/s" })
      const reason = yield* reasonOf(listener.run(() => Effect.void))
      assert.strictEqual(reason._tag, "Other")
    }))
})
