/**
 * Server CPU per message, as ratios to `ws` of the same run; with `--memory`, bytes per idle connection (see `Memory`).
 *
 * Each server is a process of its own, and runs what is published: the compiled packages. Rounds are interleaved: in
 * every round each server gets the same load for the same time, so what the machine does meanwhile meets all alike; a
 * ratio is taken within a round, and the median over the rounds is shown with its spread. Every echoed byte is checked.
 *
 *     npm run bench -- [--quick] [--workload NAME] [--servers FILE,...] [--frame-size BYTES] [--json FILE]
 *     npm run bench -- --memory [--connections 10000] [--quick] [--servers FILE,...] [--json FILE]
 */
import { parseArgs } from "node:util"
import { choose, type Contestant, type Server, start } from "./Contestant.ts"
import * as Load from "./Load.ts"
import { median } from "./median.ts"
import * as Memory from "./Memory.ts"
import { type Workload, workloads } from "./Workload.ts"

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    workload: { type: "string" },
    servers: { type: "string" },
    "frame-size": { type: "string", default: `${1024 * 1024}` },
    memory: { type: "boolean", default: false },
    connections: { type: "string", default: "10000" },
    json: { type: "string" }
  }
})

if (values.memory) {
  await Memory.measure({ ...values, connections: Number(values.connections) })
  process.exit()
}

/** What Wirestack cuts large messages into. */
const frameSize = Number(values["frame-size"])

const contestants: ReadonlyArray<Contestant> = [
  { name: "ws", file: "ws", args: [], speaks: "frames" },
  {
    name: "wirestack, Stream per batch",
    file: "wirestack",
    args: ["batch", `${frameSize}`],
    speaks: "frames",
    frameSize
  },
  {
    name: "wirestack, Stream per message",
    file: "wirestack",
    args: ["message", `${frameSize}`],
    speaks: "frames",
    frameSize
  },
  { name: "node:net, bytes", file: "raw", args: [], speaks: "bytes" }
]

/** CPU microseconds per message of one server under a load for some time. */
const measure = async (server: Server, workload: Workload, millis: number): Promise<number> => {
  let failure: Error | undefined
  const load = await Load.start(server.port, workload, server, (error) => failure ??= error)
  await new Promise((resolve) => setTimeout(resolve, millis / 10))
  const before = await server.ask()
  const from = load.echoed()
  await new Promise((resolve) => setTimeout(resolve, millis))
  const after = await server.ask()
  const messages = load.echoed() - from
  if (failure !== undefined) throw new Error(`${server.name}: ${failure.message}`)
  await load.stop()
  return (after.cpu - before.cpu) / messages
}

const rounds = values.quick ? 7 : 21
const millis = values.quick ? 600 : 1_500
const chosen = choose(contestants, values.servers === undefined ? undefined : `ws,${values.servers}`)
const servers = await Promise.all(chosen.map((contestant) => start(contestant)))
const results: Array<
  {
    readonly workload: string
    readonly server: string
    readonly ratio: number
    readonly low: number
    readonly high: number
    readonly cpu: number
  }
> = []

console.log(`server CPU per message, ws = 1, higher is better; ${rounds} rounds, median (lowest to highest)\n`)
for (const workload of workloads.filter(({ name }) => name.includes(values.workload ?? ""))) {
  console.log(workload.name)
  const seen = new Map<Server, Array<number>>(servers.map((server) => [server, []]))
  for (const server of servers) await measure(server, workload, millis)
  for (let round = 0; round < rounds; round++) {
    for (const server of servers) seen.get(server)!.push(await measure(server, workload, millis))
  }
  const base = seen.get(servers[0])!
  for (const server of servers) {
    const own = seen.get(server)!
    const ratios = own.map((cpu, round) => base[round] / cpu)
    const result = {
      workload: workload.name,
      server: server.name,
      ratio: median(ratios),
      low: Math.min(...ratios),
      high: Math.max(...ratios),
      cpu: median(own)
    }
    results.push(result)
    console.log(
      `  ${server.name.padEnd(32)} ${result.ratio.toFixed(2).padStart(7)}   (${result.low.toFixed(2)} to ${
        result.high.toFixed(2)
      })   ${result.cpu.toFixed(2)} us`
    )
  }
}
await Promise.all(servers.map((server) => server.stop()))
if (values.json !== undefined) {
  const { writeFile } = await import("node:fs/promises")
  await writeFile(values.json, `${JSON.stringify({ node: process.version, rounds, results }, undefined, 2)}\n`)
}
