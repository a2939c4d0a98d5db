/**
 * Measures Wirestack beside others (see `Bench`), and says which goals are met.
 *
 *     npm run bench -- [--quick] [--workload ID,...] [--servers ID,...] [--rounds N] [--millis N] [--json FILE]
 *     npm run bench -- --memory [--connections N] [--quick] [--servers ID,...] [--rounds N] [--json FILE]
 *
 * A run that is neither quick nor of some workloads only measures all there is, memory too.
 */
import { parseArgs } from "node:util"
import { contestants } from "./Contestant.ts"
import { cases, fewCases } from "./Memory.ts"
import { run } from "./run.ts"
import { workloads } from "./Workload.ts"

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    workload: { type: "string" },
    servers: { type: "string" },
    rounds: { type: "string" },
    millis: { type: "string" },
    memory: { type: "boolean", default: false },
    connections: { type: "string" },
    json: { type: "string" }
  }
})

const { memory, quick } = values
const named = values.servers?.split(",")
const all = values.workload === undefined

await run({
  workloads: memory ? [] : workloads.filter(({ id }) => all || values.workload!.split(",").includes(id)),
  contestants: contestants.filter(({ id, slow }) =>
    id === "ws" || (named === undefined ? !(quick && slow === true) : named.includes(id))
  ),
  series: all && !quick && !memory,
  rounds: Number(values.rounds ?? (quick ? 5 : 15)),
  millis: Number(values.millis ?? (quick ? 120 : 500)),
  ...all
    ? {
      memory: {
        cases: (quick ? fewCases : cases).filter(([id]) => named?.includes(id) ?? true),
        connections: Number(values.connections ?? (quick ? 2_000 : 10_000)),
        rounds: Number(values.rounds ?? (quick ? 3 : 7))
      }
    }
    : {},
  file: values.json
})
process.exit()
