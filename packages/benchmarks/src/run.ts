/** A run: measures what was asked for, prints it as it comes, and keeps it as a `Result`. */
import { writeFile } from "node:fs/promises"
import { Bench } from "./Bench.ts"
import { type Contestant, contestants } from "./Contestant.ts"
import * as Generator from "./Generator.ts"
import { commit, machine, versions } from "./Machine.ts"
import * as Memory from "./Memory.ts"
import * as Result from "./Result.ts"
import * as Table from "./Table.ts"
import * as Verdict from "./Verdict.ts"
import { byConnections, bySize, type Workload } from "./Workload.ts"

/** What of a run is wanted. */
export interface Plan extends Result.Rounds {
  readonly workloads: ReadonlyArray<Workload>
  readonly rpc: ReadonlyArray<Workload>
  readonly contestants: ReadonlyArray<Contestant>
  /** Also the series of workloads that differ in one thing. */
  readonly series: boolean
  readonly memory?: {
    readonly cases: ReadonlyArray<Memory.Case>
    readonly connections: number
    readonly rounds: number
  }
  /** Where to keep the result, anew after each step. */
  readonly file: string | undefined
}

/** Series are measured in fewer rounds, and of these only. */
const seriesRounds = 7
const inSeries = ["ws", "raw", "batch"]

const empty = (generator: string): Result.Result => ({
  date: new Date().toISOString(),
  ...commit === undefined ? {} : { commit },
  machine,
  versions,
  generator,
  titles: Object.fromEntries(contestants.map(({ id, title }) => [id, title])),
  workloads: [],
  byConnections: [],
  bySize: []
})

export const run = async (plan: Plan): Promise<void> => {
  const generator = await Generator.make()
  const bench = new Bench(generator)
  let result = empty(generator.name)
  const add = async (part: Partial<Result.Result>): Promise<void> => {
    result = { ...result, ...part }
    if (plan.file !== undefined) await writeFile(plan.file, Result.encode(result))
  }
  const measure = async (
    list: "workloads" | "rpc" | "byConnections" | "bySize",
    workloads: ReadonlyArray<Workload>,
    contestants: ReadonlyArray<Contestant>,
    rounds: number
  ): Promise<void> => {
    for (const workload of workloads) {
      if (!Generator.can(generator, workload)) {
        console.log(`${workload.title} [${workload.id}]: only with the load generator in C`)
        continue
      }
      const measured = await bench.measure(workload, contestants, { rounds, millis: plan.millis })
      Table.workload(measured, result.titles)
      await add({ [list]: [...result[list] ?? [], measured] })
    }
  }

  if (plan.workloads.length + plan.rpc.length > 0) {
    const { millis, rounds } = plan
    console.log(
      `CPU per message, ws = 1 (of calls, Effect's own sockets = 1), higher is better; median of ${rounds} rounds of ${millis} ms (middle half of them)`
    )
    console.log(`load generator: ${generator.name}\n`)
  }
  await measure("workloads", plan.workloads, plan.contestants, plan.rounds)
  await measure("rpc", plan.rpc, contestants, plan.rounds)
  if (plan.series) {
    const chosen = plan.contestants.filter(({ id }) => inSeries.includes(id))
    const rounds = Math.min(plan.rounds, seriesRounds)
    await measure("byConnections", byConnections, chosen, rounds)
    await measure("bySize", bySize, chosen, rounds)
  }
  await bench.stop()
  if (plan.memory !== undefined) {
    const { cases, connections, rounds } = plan.memory
    const memory = await Memory.measure(generator, cases, connections, rounds)
    Table.memory(memory, result.titles)
    await add({ memory })
  }
  Table.summary(Verdict.all(result))
}
