/**
 * Server CPU per message, as ratios to `ws` of the same run.
 *
 * Each server is a process of its own, and runs what is published: the compiled packages. Rounds are interleaved: in every round each server gets the same load for the
 * same time, so what the machine does meanwhile meets all alike; a ratio is taken within a round, and the median over
 * the rounds is shown with its spread. Every echoed byte is checked.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { parseArgs } from "node:util"
import * as Load from "./Load.ts"
import { type Workload, workloads } from "./Workload.ts"

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    workload: { type: "string" },
    servers: { type: "string" },
    json: { type: "string" }
  }
})

const contestants = [
  { name: "ws", file: "ws", args: [], framed: true },
  { name: "wirestack, Stream per batch", file: "wirestack", args: ["batch"], framed: true },
  { name: "wirestack, Stream per message", file: "wirestack", args: ["message"], framed: true },
  { name: "node:net, bytes", file: "raw", args: [], framed: false }
]

type Contestant = typeof contestants[number]

const start = async (contestant: Contestant) => {
  const child = fork(new URL(`./servers/${contestant.file}.js`, import.meta.url), contestant.args)
  const ask = async (): Promise<{ readonly cpu: number; readonly rss: number }> => {
    child.send("cpu")
    return (await once(child, "message"))[0] as any
  }
  const [{ port }] = await once(child, "message") as [{ readonly port: number }]
  return { ...contestant, port, ask, stop: () => child.disconnect() }
}

type Server = Awaited<ReturnType<typeof start>>

/** CPU microseconds per message of one server under a load for some time. */
const measure = async (server: Server, workload: Workload, millis: number): Promise<number> => {
  let failure: Error | undefined
  const load = await Load.start(server.port, workload, server.framed, (error) => failure ??= error)
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

const median = (numbers: ReadonlyArray<number>): number => {
  const sorted = [...numbers].sort((a, b) => a - b)
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2
}

const rounds = values.quick ? 7 : 21
const millis = values.quick ? 600 : 1_500
const chosen = contestants.filter(({ file }) => file === "ws" || (values.servers ?? file).split(",").includes(file))
const servers = await Promise.all(chosen.map(start))
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
for (const server of servers) server.stop()
if (values.json !== undefined) {
  const { writeFile } = await import("node:fs/promises")
  await writeFile(values.json, `${JSON.stringify({ node: process.version, rounds, results }, undefined, 2)}\n`)
}
