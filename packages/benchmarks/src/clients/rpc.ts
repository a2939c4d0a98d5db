/** A client of Effect's RPC, over our sockets or (with the argument `effect`) its own; its server's CPU counts as well. */
// oxlint-disable-next-line import/no-unassigned-import
import "effect/schema/SchemaJITCompiler/enable"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as WebSocket from "@wirestack/node/WebSocket"
import * as Transport from "@wirestack/protocol/Transport"
import * as ProvidedSocket from "@wirestack/transport-streams/ProvidedSocket"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RpcClient from "effect/rpc/RpcClient"
import type { Socket } from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import { cpuOf, ownCpu } from "../cpu.ts"
import { Numbers, serialization } from "../Numbers.ts"
import { drive, type Driven, flow, told, url } from "./Lane.ts"

const { depth, pid, port, serving: { carrier }, size } = told

const isEffect = process.argv[3] === "effect"

const theirs = (): Layer.Layer<Socket, unknown> =>
  carrier === "tcp" ? NodeSocket.layerNet({ host: "127.0.0.1", port }) : NodeSocket.layerWebSocket(url)

const ours = (): Layer.Layer<Socket, unknown> =>
  carrier === "tcp"
    ? ProvidedSocket.layer(Transport.Bytes)(`tcp://127.0.0.1:${port}`).pipe(Layer.provide(Tcp.layer()))
    : ProvidedSocket.layer(Transport.Messages)(url).pipe(Layer.provide(WebSocket.client()))

const connect = Effect.gen(function*() {
  const protocol = RpcClient.layerProtocolSocket().pipe(Layer.provide([serialization, isEffect ? theirs() : ours()]))
  const { Next, Range } = yield* Effect.provideContext(
    RpcClient.make(Numbers, { disableTracing: true }),
    yield* Layer.build(protocol)
  )
  const context = yield* Effect.context<never>()
  let asked = 0
  let answered = 0

  const expect = (answer: number, wanted: number): void => {
    if (answer !== wanted) throw new Error(`the answer is ${answer}, not ${wanted}`)
    answered++
  }
  const call = Effect.suspend(() => {
    const n = asked++
    return Effect.map(Next({ n }), (answer) => expect(answer, n + 1))
  })
  const stream = Effect.suspend(() => {
    let next = asked
    asked += size
    return Stream.runForEachArray(Range({ from: next, count: size }), (numbers) =>
      Effect.sync(() => {
        for (const number of numbers) expect(number, next++)
      }))
  })
  const calling = Effect.whileLoop({
    while: () => flow.running,
    body: () => size === 1 ? call : stream,
    step: () => undefined
  }).pipe(Effect.catchCause((cause) =>
    Effect.sync(() => {
      console.log(JSON.stringify({ error: String(Cause.squash(cause)) }))
      process.exit(1)
    })
  ))
  const client: Driven = {
    lane: {
      begin: () => [],
      get echoed() {
        return answered
      },
      get isQuiet() {
        return asked === answered
      }
    },
    send: () => {
      for (let n = 0; n < depth; n++) Effect.runForkWith(context)(calling)
    }
  }
  return client
})

const program = Effect.gen(function*() {
  const clients = yield* Effect.all(Array.from({ length: told.connections }, () => connect), { concurrency: 8 })
  return yield* Effect.promise(() => drive(clients, () => ownCpu() + cpuOf(pid)))
})

await Effect.runPromise(Effect.scoped(program))
