/** Effect's RPC over every stack: the calls are the same, and one Layer is exchanged. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Transport } from "@wirestack/protocol"
import { withoutLeaks } from "@wirestack/protocol/testing"
import { resources } from "@wirestack/test-support"
import { ProvidedSocket } from "@wirestack/transport-streams"
import { Tcp } from "@wirestack/transport-tcp"
import { WebSocket } from "@wirestack/websocket"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Schedule, Scope, Stream } from "effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as NetAddress from "effect/net/NetAddress"
import { RpcClient, RpcSerialization, RpcServer } from "effect/rpc"
import { SocketServer } from "effect/socket/SocketServer"
import { createServer } from "node:http"
import { Calls, DividedByZero, handlers, waits } from "./Calls.ts"
import { mixed, pairs, type Stack, stacks } from "./stacks.ts"

type Serialization = Layer.Layer<RpcSerialization.RpcSerialization>

/** The calls over a stack: a client, what becomes of calls that wait, and how to stop and start the server. */
const connected = ({ ends }: Stack, serialization: Serialization) =>
  Effect.gen(function*() {
    const { client, server } = yield* ends
    const waiting = waits()
    const start = Effect.gen(function*() {
      const scope = yield* Scope.fork(yield* Effect.scope)
      const listening = yield* Scope.provide(Layer.build(server), scope)
      const serving = RpcServer.layer(Calls).pipe(
        Layer.provide([handlers(waiting), RpcServer.layerProtocolSocketServer]),
        Layer.provide([serialization, Layer.succeedContext(listening)])
      )
      yield* Layer.build(serving)
      return { ...Context.get(listening, SocketServer), stop: Scope.close(scope, Exit.void) }
    })
    const { address, stop } = yield* start
    const protocol = RpcClient.layerProtocolSocket({ retryPolicy: Schedule.spaced("10 millis") }).pipe(
      Layer.provide([serialization, client(address)])
    )
    const calls = yield* Effect.provideContext(RpcClient.make(Calls), yield* Layer.build(protocol))
    return { calls, start, stop, waiting }
  })

const live = (name: string, program: Effect.Effect<void, unknown, Scope.Scope>, counted = resources) =>
  it.live(name, () => withoutLeaks(Effect.timeout(Effect.scoped(program), "10 seconds"), counted))

type Connected = Effect.Success<ReturnType<typeof connected>>

const cases: Readonly<Record<string, (connected: Connected) => Effect.Effect<void, unknown, Scope.Scope>>> = {
  "answers, and fails with the error of its Schema": ({ calls }) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* calls.Divide({ dividend: 84, divisor: 2 }), 42)
      assert.deepStrictEqual(
        yield* Effect.flip(calls.Divide({ dividend: 7, divisor: 0 })),
        new DividedByZero({ dividend: 7 })
      )
    }),
  "streams, and ends a stream with its error": ({ calls }) =>
    Effect.gen(function*() {
      const numbers = yield* Stream.runCollect(calls.Count({ to: 3_000 }))
      assert.deepStrictEqual(numbers, Array.from({ length: 3_000 }, (_, n) => n + 1))
      const seen: Array<number> = []
      const failing = Stream.runForEach(calls.Count({ to: -3 }), (n) => Effect.sync(() => seen.push(n)))
      assert.deepStrictEqual(yield* Effect.flip(failing), new DividedByZero({ dividend: -3 }))
      assert.deepStrictEqual(seen, [1, 2, 3])
    }),
  "interrupts the handler with the call": ({ calls, waiting }) =>
    Effect.gen(function*() {
      const call = yield* Effect.forkChild(calls.Wait({}))
      yield* Deferred.await(waiting.begun)
      yield* Fiber.interrupt(call)
      yield* Deferred.await(waiting.interrupted)
      assert.strictEqual(yield* calls.Divide({ dividend: 1, divisor: 1 }), 1)
    }),
  "carries many calls at once": ({ calls }) =>
    Effect.gen(function*() {
      const dividends = Array.from({ length: 200 }, (_, n) => n)
      const call = (dividend: number) => calls.Divide({ dividend, divisor: 1 })
      assert.deepStrictEqual(yield* Effect.forEach(dividends, call, { concurrency: "unbounded" }), dividends)
    }),
  "carries large payloads": ({ calls }) =>
    Effect.gen(function*() {
      const bytes = Uint8Array.from({ length: 100_000 }, (_, n) => n * 7)
      assert.deepStrictEqual(yield* calls.Reverse({ bytes }), bytes.toReversed())
    }),
  "fails with what has closed the connection, and interrupts the handler": ({ calls, stop, waiting }) =>
    Effect.gen(function*() {
      const call = yield* Effect.forkChild(Effect.flip(calls.Wait({})))
      yield* Deferred.await(waiting.begun)
      yield* stop
      const error = yield* Fiber.join(call)
      assert.strictEqual(error._tag, "RpcClientError")
      assert.strictEqual(error.reason._tag, "SocketCloseError")
      yield* Deferred.await(waiting.interrupted)
    })
}

/** All cases over a stack, as far as they make sense for it. */
const suite = (stack: Stack, serialization: Serialization, isMeant: (name: string) => boolean = () => true) => {
  for (const [name, run] of Object.entries(cases)) {
    if (isMeant(name)) live(name, Effect.flatMap(connected(stack, serialization), run))
  }
}

for (const stack of stacks) {
  describe(`RPC over ${stack.name}`, () => {
    suite(stack, RpcSerialization.layerNdjson)
  })
}

const inMemory = stacks.filter(({ name }) => name.endsWith("memory"))

for (const stack of inMemory) {
  describe(`RPC in SchemaBinary over ${stack.name}`, () => {
    suite(stack, RpcSerialization.layerSchemaBinary())
  })
}

describe("RPC in JSON over messages", () => {
  suite(inMemory[1], RpcSerialization.layerJson)
})

for (const stack of inMemory) {
  live(
    `RPC over ${stack.name} connects anew when the server is back`,
    Effect.gen(function*() {
      const { calls, start, stop } = yield* connected(stack, RpcSerialization.layerNdjson)
      const call = calls.Divide({ dividend: 6, divisor: 3 })
      assert.strictEqual(yield* call, 2)
      yield* stop
      assert.strictEqual((yield* Effect.flip(call))._tag, "RpcClientError")
      yield* start
      const again = Effect.retry(call, {
        while: ({ _tag }) => _tag === "RpcClientError",
        schedule: Schedule.spaced("5 millis")
      })
      assert.strictEqual(yield* again, 2)
    })
  )
}

describe("RPC with Effect's own sockets at the other end", () => {
  for (const { ours, theirs } of pairs) {
    describe(`${ours.name}, called by Effect`, () => {
      suite({ ...ours, ends: mixed(ours, theirs) }, RpcSerialization.layerNdjson)
    })
    // Their server waits for its connections to end by themselves.
    describe(`Effect's ${ours.name}, called by us`, () => {
      suite({ ...ours, ends: mixed(theirs, ours) }, RpcSerialization.layerNdjson, (name) => !name.includes("closed"))
    })
  }
})

live(
  "RPC on Effect's HttpServer, called by our WebSocket",
  Effect.gen(function*() {
    const http = yield* Layer.build(
      Layer.orDie(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 }))
    )
    const waiting = waits()
    yield* Layer.build(
      HttpRouter.serve(
        RpcServer.layer(Calls).pipe(
          Layer.provide([handlers(waiting), RpcServer.layerProtocolWebsocket({ path: "/rpc" })]),
          Layer.provide(RpcSerialization.layerJson)
        ),
        { disableLogger: true, disableListenLog: true }
      ).pipe(Layer.provide(Layer.succeedContext(http)))
    )
    const { address } = Context.get(http, HttpServer.HttpServer)
    assert(NetAddress.isInetAddress(address))
    const protocol = RpcClient.layerProtocolSocket().pipe(
      Layer.provide([
        RpcSerialization.layerJson,
        ProvidedSocket.layer(Transport.Messages)(`ws://${NetAddress.formatInet(address)}/rpc`).pipe(
          Layer.provide(WebSocket.client()(Tcp.layer()))
        )
      ])
    )
    const calls = yield* Effect.provideContext(RpcClient.make(Calls), yield* Layer.build(protocol))
    assert.strictEqual(yield* calls.Divide({ dividend: 84, divisor: 2 }), 42)
    assert.lengthOf(yield* Stream.runCollect(calls.Count({ to: 1_000 })), 1_000)
    const call = yield* Effect.forkChild(calls.Wait({}))
    yield* Deferred.await(waiting.begun)
    yield* Fiber.interrupt(call)
    yield* Deferred.await(waiting.interrupted)
  }),
  // Effect's HttpServer keeps a pipe to the standard input.
  () => 0
)
