/**
 * Which runners there are, and which shards each has locked, in Redis, for Effect's Cluster.
 *
 * A runner that has not refreshed its locks for as long as a lock lasts is not healthy, and its locks are free. A minute later it is forgotten.
 */
import { PersistenceError } from "effect/cluster/ClusterError"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import { ShardingConfig } from "effect/cluster/ShardingConfig"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redis from "effect/persistence/Redis"

/** A lock is the address of its runner and when it is free again; a beat is when a runner is not healthy any more. */
const shared = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local function ownerOf(shard)
  local lock = redis.call('HGET', KEYS[1], shard)
  if not lock then return nil end
  local owner, expires = string.match(lock, '^(%S+) (%d+)$')
  if tonumber(expires) > now then return owner end
end
`

/** Locks shards, or keeps them locked; gives those that are. */
const locking = Redis.script(
  (
    locks: string,
    beats: string,
    address: string,
    millis: number,
    shards: ReadonlyArray<string>
  ) => [locks, beats, address, millis, ...shards],
  {
    numberOfKeys: 2,
    lua: `${shared}
local me, expires = ARGV[1], string.format('%d', now + ARGV[2])
redis.call('HSET', KEYS[2], me, expires)
local mine = {}
for n = 3, #ARGV do
  local owner = ownerOf(ARGV[n])
  if not owner or owner == me then
    redis.call('HSET', KEYS[1], ARGV[n], me .. ' ' .. expires)
    table.insert(mine, ARGV[n])
  end
end
return mine
`
  }
).withReturnType<Array<string>>()

/** Unlocks shards of a runner: one of them, or all. */
const unlocking = Redis.script(
  (locks: string, address: string, shard: string) => [locks, address, shard],
  {
    numberOfKeys: 1,
    lua: `${shared}
local shards = ARGV[2] == '' and redis.call('HKEYS', KEYS[1]) or {ARGV[2]}
for _, shard in ipairs(shards) do
  if ownerOf(shard) == ARGV[1] then redis.call('HDEL', KEYS[1], shard) end
end
`
  }
)

/** Gives runners and whether they are healthy, one after the other. */
const listing = Redis.script(
  (runners: string, sick: string, beats: string) => [runners, sick, beats],
  {
    numberOfKeys: 3,
    lua: `${shared}
local known = {}
local found = redis.call('HGETALL', KEYS[1])
for n = 1, #found, 2 do
  local beat = redis.call('HGET', KEYS[3], found[n])
  local expired = beat and now - beat or math.huge
  if expired > 60000 then
    redis.call('HDEL', KEYS[1], found[n])
    redis.call('SREM', KEYS[2], found[n])
    redis.call('HDEL', KEYS[3], found[n])
  else
    local well = expired < 0 and redis.call('SISMEMBER', KEYS[2], found[n]) == 0
    table.insert(known, found[n + 1])
    table.insert(known, well and '1' or '0')
  end
end
return known
`
  }
).withReturnType<ReadonlyArray<string>>()

const make = Effect.fnUntraced(function*(prefix: string) {
  const { eval: run, send } = yield* Redis.Redis
  const { shardLockExpiration } = yield* ShardingConfig
  const millis = Duration.toMillis(shardLockExpiration)
  const [runners, sick, beats, locks, machines] = ["runners", "sick", "beats", "locks", "machines"].map(
    (name) => `${prefix}:${name}`
  )
  const lock = (address: string, shards: ReadonlyArray<string>) =>
    PersistenceError.refail(run(locking)(locks, beats, address, millis, shards))
  const health = (address: string, healthy: boolean) => send(healthy ? "SREM" : "SADD", sick, address)

  return RunnerStorage.makeEncoded({
    getRunners: PersistenceError.refail(Effect.map(run(listing)(runners, sick, beats), (found) => {
      const pairs: Array<readonly [string, boolean]> = []
      for (let n = 0; n < found.length; n += 2) pairs.push([found[n], found[n + 1] === "1"])
      return pairs
    })),
    register: (address, runner, healthy) =>
      PersistenceError.refail(Effect.gen(function*() {
        yield* run(locking)(locks, beats, address, millis, [])
        yield* health(address, healthy)
        yield* send("HSET", runners, address, runner)
        return (yield* send<number>("INCR", machines)) % 1_024
      })),
    unregister: (address) => PersistenceError.refail(send("HDEL", runners, address)),
    setRunnerHealth: (address, healthy) => PersistenceError.refail(health(address, healthy)),
    acquire: lock,
    refresh: lock,
    release: (address, shard) => PersistenceError.refail(run(unlocking)(locks, address, shard)),
    releaseAll: (address) => PersistenceError.refail(run(unlocking)(locks, address, ""))
  })
})

/** The runners of a cluster, under a prefix of all keys. */
export const layer = (
  prefix: string
): Layer.Layer<RunnerStorage.RunnerStorage, never, Redis.Redis | ShardingConfig> =>
  Layer.effect(RunnerStorage.RunnerStorage)(make(prefix))
