import { assert, describe, it } from "@effect/vitest"
import * as MemoryTransport from "@wirestack/protocol/MemoryTransport"
import { withoutLeaks } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import { collect, reasonOf, resources } from "@wirestack/test-support"
import { ProvidedSocket } from "@wirestack/transport-streams"
import { Tcp } from "@wirestack/transport-tcp"
import { Tls } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { Deferred, Effect, Exit, Fiber, Layer, Schema, Scope, Stream } from "effect"
import * as NetAddress from "effect/net/NetAddress"
import { Rpc, RpcClient, RpcGroup, RpcSerialization, RpcServer } from "effect/rpc"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"

const Rpcs = RpcGroup.make(
  Rpc.make("Double", { payload: { n: Schema.Finite }, success: Schema.Finite }),
  Rpc.make("Count", { payload: { to: Schema.Finite }, success: Schema.Finite, stream: true })
)

const handlers = Rpcs.toLayer({
  Double: ({ n }) => Effect.succeed(n * 2),
  Count: ({ to }) => Stream.range(1, to)
})

describe("a stack as Effect's sockets", () => {
  it.live("carries Effect's RPC over TLS", () =>
    withoutLeaks(
      Effect.gen(function*() {
        const authority = yield* DevelopmentCertificates.make()
        const identity = yield* authority.issue()
        const stack = () =>
          Tcp.layer().pipe(Tls.over({ client: { trust: { ca: authority.ca } }, server: { identity } }))
        const server = yield* Layer.build(
          ProvidedSocket.layerServer(Transport.Bytes)("127.0.0.1:0").pipe(Layer.provide(stack()))
        )
        const serving = RpcServer.layer(Rpcs).pipe(
          Layer.provide([handlers, RpcServer.layerProtocolSocketServer]),
          Layer.provide(RpcSerialization.layerNdjson),
          Layer.provide(Layer.succeedContext(server))
        )
        yield* Layer.build(serving)
        const { address } = yield* Effect.provide(SocketServer.SocketServer, server)
        assert(NetAddress.isInetAddress(address))
        const connecting = RpcClient.layerProtocolSocket().pipe(
          Layer.provide(ProvidedSocket.layer(Transport.Bytes)(`tls://${NetAddress.formatInet(address)}`)),
          Layer.provide(stack()),
          Layer.provide(RpcSerialization.layerNdjson)
        )
        yield* Effect.gen(function*() {
          const client = yield* RpcClient.make(Rpcs)
          assert.strictEqual(yield* client.Double({ n: 21 }), 42)
          assert.lengthOf(yield* Stream.runCollect(client.Count({ to: 5_000 })), 5_000)
        }).pipe(Effect.scoped, Effect.provide(connecting))
      }).pipe(Effect.scoped),
      resources
    ))

  type Both<S> = Transport.At<S, Transport.Connect | Transport.Listen> | Scope.Scope

  const inMemory = (name: string, program: Effect.Effect<unknown, unknown, Both<"bytes"> | Both<"messages">>) => {
    const network = Layer.merge(MemoryTransport.layer(), MemoryTransport.layerMessages())
    return it.live(name, () => withoutLeaks(Effect.provide(Effect.scoped(program), network)))
  }

  /** The reader and the writer of a socket, and its scope. */
  const opened = (socket: Socket.Socket) =>
    Effect.gen(function*() {
      const scope = yield* Scope.fork(yield* Effect.scope)
      const writer = yield* Scope.provide(socket.writer, scope)
      const reader = yield* Scope.provide(socket.reader, scope)
      return { ...reader, ...writer, close: Scope.close(scope, Exit.void) }
    })

  const closeCode = <A, R>(pull: Effect.Effect<A, Socket.SocketError, R>) =>
    Effect.map(reasonOf(pull), (reason) => reason._tag === "SocketCloseError" ? reason.code : reason._tag)

  const serving = (
    handler: (socket: Socket.Socket) => Effect.Effect<void, Socket.SocketError, Scope.Scope>
  ) =>
    Effect.flatMap(
      ProvidedSocket.server(Transport.Bytes)("memory:here", { drain: { within: "100 millis" } }),
      (server) => Effect.forkScoped(server.run((socket) => Effect.scoped(handler(socket))))
    )

  inMemory(
    "connects anew with each reader; a write waits for it",
    Effect.gen(function*() {
      yield* serving((socket) =>
        Effect.gen(function*() {
          const { pull, writeAll } = yield* opened(socket)
          yield* writeAll([...(yield* pull), "!"])
        })
      )
      const socket = yield* ProvidedSocket.client(Transport.Bytes)("memory:here")
      const writer = yield* socket.writer
      const writing = yield* Effect.forkChild(writer.write("first"), { startImmediately: true })
      for (const text of ["first", "second"]) {
        yield* Effect.scoped(Effect.gen(function*() {
          const pull = yield* Socket.readerString(socket)
          if (text === "first") yield* Fiber.join(writing)
          else yield* writer.write(text)
          let answer = ""
          while (!answer.endsWith("!")) answer += (yield* pull).join("")
          assert.strictEqual(answer, `${text}!`)
          assert.strictEqual(yield* closeCode(pull), 1000)
        }))
      }
    })
  )

  inMemory(
    "half-closes when the writer is released, and ends the input with 1000",
    Effect.gen(function*() {
      const listener = yield* Transport.listen(Transport.Bytes)("memory:here")
      yield* Effect.forkScoped(
        listener.run((connection) => Effect.flatMap(collect(connection), (all) => connection.send(all)))
      )
      const socket = yield* ProvidedSocket.client(Transport.Bytes)("memory:here")
      const { pull } = yield* socket.reader
      yield* Effect.scoped(Effect.flatMap(socket.writer, (writer) => writer.write("é")))
      assert.deepStrictEqual([...(yield* pull)], [new Uint8Array([0xc3, 0xa9])])
      assert.strictEqual(yield* closeCode(pull), 1000)
    })
  )

  inMemory(
    "closes with a CloseEvent, and fails a pull that waits when the reader is released",
    Effect.gen(function*() {
      const codes: Array<unknown> = []
      yield* serving((socket) =>
        Effect.gen(function*() {
          const { pull, write } = yield* opened(socket)
          yield* write("ready")
          codes.push(yield* closeCode(pull))
        })
      )
      const socket = yield* ProvidedSocket.client(Transport.Bytes)("memory:here")
      for (const how of ["event", "release"] as const) {
        const { close, pull, write } = yield* opened(socket)
        yield* pull
        const pulling = yield* Effect.forkChild(closeCode(pull), { startImmediately: true })
        yield* how === "event" ? write(new Socket.CloseEvent()) : close
        assert.strictEqual(yield* Fiber.join(pulling), 1006)
        yield* close
      }
      assert.deepStrictEqual(codes, [1000, 1000])
    })
  )

  inMemory(
    "closes an accepted connection with its reader, whatever the handler does then",
    Effect.gen(function*() {
      yield* serving((socket) => Effect.andThen(Effect.scoped(socket.reader), Effect.never))
      const socket = yield* ProvidedSocket.client(Transport.Bytes)("memory:here")
      yield* Effect.scoped(Effect.gen(function*() {
        const { pull } = yield* socket.reader
        assert.strictEqual(yield* closeCode(pull), 1000)
      }))
    })
  )

  inMemory(
    "fails a write to an accepted connection whose reader was released",
    Effect.gen(function*() {
      const failure = Deferred.makeUnsafe<string>()
      yield* serving((socket) =>
        Effect.gen(function*() {
          const writer = yield* socket.writer
          yield* Effect.scoped(socket.reader)
          Deferred.doneUnsafe(failure, Exit.succeed((yield* reasonOf(writer.write("late")))._tag))
        })
      )
      const socket = yield* ProvidedSocket.client(Transport.Bytes)("memory:here")
      const { pull } = yield* socket.reader
      yield* closeCode(pull)
      yield* Effect.scoped(socket.writer)
      assert.strictEqual(yield* Deferred.await(failure), "SocketWriteError")
    })
  )

  inMemory(
    "releases the writer while others wait for a peer that does not read",
    Effect.gen(function*() {
      yield* serving(() => Effect.never)
      const socket = yield* ProvidedSocket.client(Transport.Bytes)("memory:here", { closeWithin: "100 millis" })
      const writing = yield* Effect.scoped(Effect.gen(function*() {
        yield* socket.reader
        const writer = yield* socket.writer
        yield* writer.write(new Uint8Array(65_536))
        return yield* Effect.forkChild(reasonOf(writer.write(new Uint8Array(1))), { startImmediately: true })
      }))
      assert.strictEqual((yield* Fiber.join(writing))._tag, "SocketWriteError")
    })
  )

  inMemory(
    "tells why it could not connect, read or upgrade",
    Effect.gen(function*() {
      const socket = yield* ProvidedSocket.client(Transport.Bytes)("memory:nobody")
      const refused = yield* reasonOf(socket.reader)
      assert.strictEqual(refused._tag, "SocketOpenError")
      const listener = yield* Transport.listen(Transport.Bytes)("memory:nobody")
      yield* Effect.forkScoped(listener.run((connection) => connection.abort))
      const { pull, upgrade } = yield* socket.reader
      assert.strictEqual((yield* reasonOf(upgrade()))._tag, "SocketUpgradeError")
      assert.strictEqual((yield* reasonOf(pull))._tag, "SocketReadError")
      const writer = yield* socket.writer
      assert.strictEqual((yield* reasonOf(writer.write("late")))._tag, "SocketWriteError")
    })
  )

  inMemory(
    "keeps text and boundaries over messages",
    Effect.gen(function*() {
      const server = yield* ProvidedSocket.server(Transport.Messages)("memory:here")
      assert.deepStrictEqual(server.address, NetAddress.unixPathAddress("memory:here"))
      yield* Effect.forkScoped(server.run((socket) =>
        Effect.scoped(Effect.gen(function*() {
          const { pull, writeAll } = yield* opened(socket)
          yield* writeAll(yield* pull)
        }))
      ))
      const socket = yield* ProvidedSocket.client(Transport.Messages)("memory:here")
      const { pull, writeAll } = yield* opened(socket)
      yield* writeAll(["text", new Uint8Array([1, 2])])
      assert.deepStrictEqual([...(yield* pull)], ["text", new Uint8Array([1, 2])])
    })
  )
})
