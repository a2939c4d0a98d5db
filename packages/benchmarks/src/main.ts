/**
 * Measures Wirestack beside others (see `Bench`), and says which goals are met.
 *
 *     npm run bench -- [--quick] [--workload ID,...] [--servers ID,...] [--rounds N] [--millis N] [--json FILE]
 *     npm run bench -- --memory [--connections 10000] [--quick] [--servers ID,...] [--json FILE]
 */
import { parseArgs } from "node:util"
import { Bench } from "./Bench.ts"
import { contestants } from "./Contestant.ts"
import * as Memory from "./Memory.ts"
import * as Table from "./Table.ts"
import { workloads } from "./Workload.ts"

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    workload: { type: "string" },
    servers: { type: "string" },
    rounds: { type: "string" },
    millis: { type: "string" },
    memory: { type: "boolean", default: false },
    connections: { type: "string", default: "10000" },
    json: { type: "string" }
  }
})

const { quick } = values
const named = values.servers?.split(",")
const chosen = contestants.filter(({ id, slow }) =>
  id === "ws" || (named === undefined ? !(quick && slow === true) : named.includes(id))
)
const rounds = {
  rounds: Number(values.rounds ?? (quick ? 5 : 15)),
  millis: Number(values.millis ?? (quick ? 150 : 500))
}

if (values.memory) {
  Memory.print(await Memory.measure(Number(values.connections), quick ? 3 : 7, quick))
} else {
  const bench = await Bench.make()
  try {
    console.log(
      `server CPU per message, ws = 1, higher is better; ${rounds.rounds} rounds, median (middle half); load by ${bench.generatorName}\n`
    )
    for (const workload of workloads) {
      if (values.workload !== undefined && !values.workload.split(",").includes(workload.id)) continue
      Table.print(workload, await bench.measure(workload, chosen, rounds))
    }
  } finally {
    await bench.stop()
  }
}
process.exit()
