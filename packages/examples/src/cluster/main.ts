/**
 * The chat in a cluster: each process is a gateway and a runner, in which some of the rooms live. Runners call each other by TLS, with
 * certificates at both ends, which are `certificate.pem` and `key.pem` of a folder, issued by `ca.pem`.
 *
 *     npm run example -- cluster --certificates DIR --redis redis://127.0.0.1:6379 --port 8081 --runner 9081
 */
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import { RedisBackplane } from "@wirestack/backplane-redis"
import * as Transport from "@wirestack/protocol/Transport"
import * as ClusterSocket from "@wirestack/transport-streams/ClusterSocket"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import * as Tls from "@wirestack/transport-tls/Tls"
import { MessageStorage, RunnerAddress, ShardingConfig } from "effect/cluster"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as path from "node:path"
import { parseArgs } from "node:util"
import { gateway } from "../gateway/gateway.ts"
import { options } from "../runProgram.ts"
import * as ClusterHost from "./ClusterHost.ts"
import * as RedisRunnerStorage from "./RedisRunnerStorage.ts"
import * as RoomEntity from "./RoomEntity.ts"

/** What the names of all keys begin with. */
const prefix = "cluster"

const host = "127.0.0.1"

const parse = (args: ReadonlyArray<string>) =>
  parseArgs({
    args: [...args],
    options: {
      certificates: { type: "string", default: "." },
      redis: { type: "string", default: "redis://127.0.0.1:6379" },
      port: { type: "string", default: "0" },
      runner: { type: "string", default: "9081" }
    }
  }).values

/** The rooms of a runner that is killed are elsewhere within seconds: its locks are free after three. */
const sharding = (port: number) =>
  ShardingConfig.layer({
    runnerAddress: Option.some(RunnerAddress.make(host, port)),
    shardsPerGroup: 60,
    shardLockExpiration: "3 seconds",
    shardLockRefreshInterval: "1 second",
    refreshAssignmentsInterval: "500 millis",
    runnerHealthCheckInterval: "1 second",
    entityMessagePollInterval: "500 millis",
    entityTerminationTimeout: "1 second"
  })

/** What runners call each other by. */
const stack = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const read = (name: string) => fs.readFileString(path.join(folder, name))
  const ca = yield* read("ca.pem")
  const identity = { certificate: yield* read("certificate.pem"), key: Redacted.make(yield* read("key.pem")) }
  return Tcp.layer({ noDelay: true }).pipe(
    Tls.over({
      client: { trust: { ca }, identity },
      server: { identity, clientCertificates: { mode: "required", ca } }
    })
  )
})

const runner = (folder: string, redis: string, port: number) =>
  RoomEntity.layer.pipe(
    Layer.provideMerge(
      ClusterSocket.layer(Transport.Bytes)({
        endpointOf: ({ host, port }) => `tls://${host}:${port}`
      })
    ),
    Layer.provide(Layer.unwrap(stack(folder))),
    // What is said is kept by the backplane, so no call has to be.
    Layer.provide([RedisRunnerStorage.layer(prefix), MessageStorage.layerNoop, RpcSerialization.layerSchemaBinary()]),
    Layer.provide([sharding(port), RedisBackplane.layer({ prefix })]),
    Layer.provide(NodeRedis.layer({ url: redis, commandsQueueMaxLength: 100_000 }))
  )

export const main = Effect.fnUntraced(function*(args: ReadonlyArray<string>) {
  const { certificates, port, redis, runner: runnerPort } = yield* options(() => parse(args))
  const serving = Effect.flatMap(ClusterHost.make, (host) => gateway(host, port))
  return yield* serving.pipe(Effect.scoped, Effect.provide(runner(certificates, redis, Number(runnerPort))))
})
