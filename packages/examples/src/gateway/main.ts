/**
 * The chat by way of gateways: any number of processes, any of which a load balancer may send a client to.
 *
 *     npm run example -- gateway --redis redis://127.0.0.1:6379 --port 8081
 *     npm run example -- gateway --redis redis://127.0.0.1:6379 --port 8082
 */
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import { RedisBackplane } from "@wirestack/backplane-redis"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { parseArgs } from "node:util"
import { options } from "../runProgram.ts"
import * as BackplaneHost from "./BackplaneHost.ts"
import { gateway } from "./gateway.ts"

/** What the names of all keys begin with. */
const prefix = "chat"

const parse = (args: ReadonlyArray<string>) =>
  parseArgs({
    args: [...args],
    options: {
      redis: { type: "string", default: "redis://127.0.0.1:6379" },
      port: { type: "string", default: "0" }
    }
  }).values

const backplane = (url: string) =>
  RedisBackplane.layer({ prefix }).pipe(
    Layer.provideMerge(NodeRedis.layer({ url, commandsQueueMaxLength: 100_000 }))
  )

export const main = Effect.fnUntraced(function*(args: ReadonlyArray<string>) {
  const { port, redis } = yield* options(() => parse(args))
  const serving = Effect.flatMap(BackplaneHost.make(prefix), (host) => gateway(host, port))
  return yield* serving.pipe(Effect.scoped, Effect.provide(backplane(redis)))
})
