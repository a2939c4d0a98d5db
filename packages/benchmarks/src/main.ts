/**
 * Measures Wirestack beside others (see `Bench`), and says which goals are met.
 *
 *     npm run bench -- [--quick] [--workload ID,...] [--servers ID,...] [--rounds N] [--millis N] [--json FILE]
 *     npm run bench -- --memory [--connections N] [--quick] [--servers ID,...] [--rounds N] [--json FILE]
 *     npm run bench -- --report FILE
 *     npm run bench -- --micro [--quick] [--only NAME] [--json FILE] [--save | --against REF]
 *
 * `rpc` stands for all workloads whose name begins with it. A run that is neither quick nor of some workloads only measures all there is, memory too. A report is written
 * of a run's JSON, and measures nothing. `--micro` measures parts of our own (see `micro/Micro`).
 */
import { parseArgs } from "node:util"
import { contestants } from "./Contestant.ts"
import { cases, fewCases } from "./Memory.ts"
import { run as micro } from "./micro/Micro.ts"
import { report } from "./report.ts"
import { run } from "./run.ts"
import { rpc, workloads } from "./Workload.ts"

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    workload: { type: "string" },
    servers: { type: "string" },
    rounds: { type: "string" },
    millis: { type: "string" },
    memory: { type: "boolean", default: false },
    connections: { type: "string" },
    json: { type: "string" },
    report: { type: "string" },
    micro: { type: "boolean", default: false },
    only: { type: "string" },
    save: { type: "boolean", default: false },
    against: { type: "string" }
  }
})

if (values.report !== undefined) {
  await report(values.report)
  process.exit()
}

if (values.micro) {
  await micro(values)
  process.exit()
}

const { memory, quick } = values
const named = values.servers?.split(",")
const ids = values.workload?.split(",")
const chosen = contestants.filter(({ id, slow }) =>
  id === "ws" || (named === undefined ? !(quick && slow === true) : named.includes(id))
)

await run({
  workloads: memory ? [] : workloads.filter(({ id }) => ids?.includes(id) ?? true),
  rpc: memory || (ids === undefined && quick)
    ? []
    : rpc.filter(({ id }) => ids === undefined || ids.includes("rpc") || ids.includes(id)),
  contestants: chosen,
  series: ids === undefined && !quick && !memory,
  rounds: Number(values.rounds ?? (quick ? 5 : 15)),
  millis: Number(values.millis ?? (quick ? 120 : 500)),
  ...ids === undefined
    ? {
      memory: {
        cases: (quick ? fewCases : cases).filter(([contestant]) => chosen.some(({ id }) => id === contestant)),
        connections: Number(values.connections ?? (quick ? 2_000 : 10_000)),
        rounds: Number(values.rounds ?? (quick ? 3 : 7))
      }
    }
    : {},
  file: values.json
})
process.exit()
