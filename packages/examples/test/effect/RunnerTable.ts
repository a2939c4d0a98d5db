/** Which runners there are and which shards each has locked, for runners in one process; Effect's own in memory has no locks. */
import { Effect } from "effect"
import { MachineId, type RunnerAddress, type RunnerStorage, type ShardId } from "effect/cluster"

export const make = (): RunnerStorage.RunnerStorage["Service"] => {
  const runners = new Map<string, Parameters<RunnerStorage.RunnerStorage["Service"]["register"]>>()
  const owners = new Map<string, string>()
  let machines = 0
  const owned = ({ host, port }: RunnerAddress.RunnerAddress, shards: Iterable<ShardId.ShardId>, isFree: boolean) =>
    Array.from(shards).filter((shard) => {
      const owner = owners.get(shard.toString())
      if (owner === undefined && isFree) owners.set(shard.toString(), `${host}:${port}`)
      return owners.get(shard.toString()) === `${host}:${port}`
    })
  const release = (address: RunnerAddress.RunnerAddress, isMeant: (shard: string) => boolean) => {
    for (const [shard, owner] of owners) {
      if (owner === `${address.host}:${address.port}` && isMeant(shard)) owners.delete(shard)
    }
  }
  return {
    register: (runner, healthy) =>
      Effect.sync(() => {
        runners.set(`${runner.address}`, [runner, healthy])
        return MachineId.make(machines++)
      }),
    unregister: (address) => Effect.sync(() => void runners.delete(`${address}`)),
    getRunners: Effect.sync(() => Array.from(runners.values())),
    setRunnerHealth: (address, healthy) =>
      Effect.sync(() => {
        const known = runners.get(`${address}`)
        if (known !== undefined) runners.set(`${address}`, [known[0], healthy])
      }),
    acquire: (address, shards) => Effect.sync(() => owned(address, shards, true)),
    refresh: (address, shards) => Effect.sync(() => owned(address, shards, false)),
    release: (address, shard) => Effect.sync(() => release(address, (one) => one === shard.toString())),
    releaseAll: (address) => Effect.sync(() => release(address, () => true))
  }
}
