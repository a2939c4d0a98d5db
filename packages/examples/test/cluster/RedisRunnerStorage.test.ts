/** Runners and their locks, in redis-server. */
import { NodeRedis } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { redisServer } from "@wirestack/test-support"
import { Effect, Layer, Option } from "effect"
import { Runner, RunnerAddress, RunnerStorage, ShardId, ShardingConfig } from "effect/cluster"
import * as RedisRunnerStorage from "../../src/cluster/RedisRunnerStorage.ts"
import { missing } from "../interop/support.ts"
import { which } from "../support/processes.ts"

const skip = missing(which("redis-server") !== undefined, "redis-server")

const [one, other] = [1, 2].map((port) => RunnerAddress.make("127.0.0.1", port))
const runner = (address: RunnerAddress.RunnerAddress) => Runner.make({ address, groups: ["default"], weight: 1 })
const shards = [1, 2, 3].map((id) => ShardId.make("default", id))
const names = (ids: ReadonlyArray<ShardId.ShardId>) => ids.map(String)

describe.skipIf(skip)("runners in redis-server", () => {
  const live = (name: string, test: Effect.Effect<void, unknown, RunnerStorage.RunnerStorage>) =>
    it.live(name, () =>
      Effect.flatMap(redisServer, ({ url }) =>
        Effect.provide(
          test,
          RedisRunnerStorage.layer("test").pipe(
            Layer.provide([
              NodeRedis.layer({ url }),
              ShardingConfig.layer({ runnerAddress: Option.none(), shardLockExpiration: "1 second" })
            ])
          )
        )).pipe(Effect.scoped))

  live(
    "lock a shard for one, until it is released or not refreshed",
    Effect.gen(function*() {
      const storage = yield* RunnerStorage.RunnerStorage
      assert.deepStrictEqual(names(yield* storage.acquire(one, shards.slice(0, 2))), names(shards.slice(0, 2)))
      assert.deepStrictEqual(names(yield* storage.acquire(other, shards)), names(shards.slice(2)))
      yield* storage.release(other, shards[0])
      assert.lengthOf(yield* storage.acquire(other, shards.slice(0, 1)), 0)
      yield* storage.release(one, shards[0])
      assert.lengthOf(yield* storage.acquire(other, shards.slice(0, 1)), 1)
      yield* storage.releaseAll(other)
      assert.lengthOf(yield* storage.refresh(one, shards.slice(1, 2)), 1)
      const taken = yield* Effect.repeat(storage.acquire(other, shards.slice(1, 2)), {
        until: ({ length }) => length > 0
      })
      assert.lengthOf(taken, 1)
    })
  )

  live(
    "are healthy as long as they say so and refresh their locks",
    Effect.gen(function*() {
      const storage = yield* RunnerStorage.RunnerStorage
      const health = Effect.map(
        storage.getRunners,
        (all) => all.map(([{ address }, healthy]) => [address.port, healthy])
      )
      const machines = [yield* storage.register(runner(one), true), yield* storage.register(runner(other), true)]
      assert.strictEqual(new Set(machines).size, 2)
      yield* storage.setRunnerHealth(other, false)
      assert.sameDeepMembers(yield* health, [[1, true], [2, false]])
      yield* storage.unregister(other)
      assert.deepStrictEqual(yield* health, [[1, true]])
      yield* Effect.repeat(health, { until: ([[, healthy]]) => !healthy })
      yield* storage.refresh(one, [])
      assert.deepStrictEqual(yield* health, [[1, true]])
    })
  )
})
