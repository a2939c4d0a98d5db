/**
 * The chat by way of gateways: any number of processes, any of which a load balancer may send a client to.
 *
 *     npm run example -- gateway --redis redis://127.0.0.1:6379 --port 8081
 *     npm run example -- gateway --redis redis://127.0.0.1:6379 --port 8082
 *
 * It speaks WebSocket without TLS, which is the load balancer's. On SIGTERM it drains: each client is told 1012, and comes back to another.
 */
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import { RedisBackplane } from "@wirestack/backplane-redis"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import type { Incident } from "@wirestack/protocol/Listener"
import * as Codec from "@wirestack/protocol/typed/Codec"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import * as WebSocket from "@wirestack/websocket/WebSocket"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { parseArgs } from "node:util"
import { Chat } from "../chat/Chat.ts"
import { serve } from "../chat/server.ts"
import { path } from "../chat/stack.ts"
import { tellDrained } from "../drained.ts"
import { options } from "../runProgram.ts"
import * as BackplaneHost from "./BackplaneHost.ts"
import * as Rooms from "./Rooms.ts"

/** What the names of all keys begin with. */
const prefix = "chat"

const parse = (args: ReadonlyArray<string>) =>
  parseArgs({
    args: [...args],
    options: {
      redis: { type: "string", default: "redis://127.0.0.1:6379" },
      port: { type: "string", default: "0" },
      over: { type: "string", default: "1000" }
    }
  }).values

const stack = () => Tcp.layer({ noDelay: true }).pipe(WebSocket.server({ path }), Chat.over(Codec.json()))

/** Load balancers ask without an upgrade, to see whether this is here. */
const onIncident = (incident: Incident) =>
  incident._tag === "HandshakeFailed" ? Effect.void : Effect.logWarning(incident)

const backplane = (url: string) =>
  RedisBackplane.layer({ prefix }).pipe(
    Layer.provideMerge(NodeRedis.layer({ url, commandsQueueMaxLength: 100_000 }))
  )

export const main = Effect.fnUntraced(function*(args: ReadonlyArray<string>) {
  const { over, port, redis } = yield* options(() => parse(args))
  const program = Effect.gen(function*() {
    const rooms = yield* Rooms.make(yield* BackplaneHost.make(prefix))
    const listener = yield* Chat.listen(`ws://127.0.0.1:${port}${path}`, {
      drain: { within: "10 seconds", over: Number(over), as: "restart" }
    })
    yield* tellDrained(listener)
    yield* Console.log(`serving ${Endpoint.format(listener.address)}`)
    return yield* listener.run(serve(rooms), { onIncident })
  })
  return yield* program.pipe(Effect.scoped, Effect.provide([stack(), backplane(redis)]))
})
