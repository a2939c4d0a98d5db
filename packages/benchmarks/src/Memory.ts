/**
 * Bytes per idle connection, and what is left of them when they have closed.
 *
 * In every round each server is started anew, so that no round finds what an earlier one has made room for, and warmed up
 * with a few hundred connections, so that code and caches do not count. Then a client opens the connections and sends one
 * message on each; when all are echoed, the server collects its garbage and tells what memory it has; what was there
 * before is subtracted. `rss` is what the system sees, with all slack; `heapUsed` and `external` (which includes array
 * buffers) are what the connections hold, and hardly differ between two runs. The system's own memory for a socket is in
 * none of them.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { writeFile } from "node:fs/promises"
import type { Command } from "./clients/idle.ts"
import { choose, type Contestant, type Server, start } from "./Contestant.ts"
import { median } from "./median.ts"

/** What is measured, and where the results go. */
export interface Options {
  readonly connections: number
  readonly quick: boolean
  readonly servers?: string | undefined
  readonly json?: string | undefined
}

const contestants: ReadonlyArray<Contestant> = [
  { name: "ws", file: "ws", args: [], speaks: "frames" },
  { name: "wirestack", file: "wirestack", args: ["message"], speaks: "frames" },
  { name: "wirestack, deflate", file: "wirestack", args: ["message", "takeover"], speaks: "deflate" },
  {
    name: "wirestack, deflate, no takeover",
    file: "wirestack",
    args: ["message", "no-takeover"],
    speaks: "deflate"
  },
  { name: "ws, deflate", file: "ws", args: ["takeover"], speaks: "deflate" },
  { name: "ws, deflate, no takeover", file: "ws", args: ["no-takeover"], speaks: "deflate" },
  { name: "node:net, bytes", file: "raw", args: [], speaks: "bytes" }
]

const kinds = ["rss", "heapUsed", "external", "arrayBuffers"] as const

type Bytes = Record<typeof kinds[number], number>

/** Bytes per connection: while all are idle, and after all have closed. */
interface Sample {
  readonly idle: Bytes
  readonly remaining: Bytes
}

const warmUp = 500

/** A server hears of the end of a connection a little later than the client that ended it. */
const quiet = () => new Promise((resolve) => setTimeout(resolve, 300))

/** A process with connections to one server. */
const clientOf = (server: Server) => {
  const child = fork(new URL("./clients/idle.js", import.meta.url), [String(server.port), server.speaks])
  const tell = async (command: Command): Promise<void> => {
    child.send(command)
    const [failure] = await once(child, "message") as [string | null]
    if (failure !== null) throw new Error(`${server.name}: ${failure}`)
    await quiet()
  }
  return {
    open: (connections: number) => tell({ open: connections }),
    close: () => tell("close"),
    stop: () => child.disconnect()
  }
}

const sample = async (contestant: Contestant, connections: number): Promise<Sample> => {
  const server = await start(contestant, ["--expose-gc"])
  const client = clientOf(server)
  await client.open(warmUp)
  await client.close()
  const { memory: before } = await server.ask()
  await client.open(connections)
  const { memory: idle } = await server.ask()
  await client.close()
  const { memory: after } = await server.ask()
  client.stop()
  await server.stop()
  const perConnection = (memory: NodeJS.MemoryUsage): Bytes => ({
    rss: (memory.rss - before.rss) / connections,
    heapUsed: (memory.heapUsed - before.heapUsed) / connections,
    external: (memory.external - before.external) / connections,
    arrayBuffers: (memory.arrayBuffers - before.arrayBuffers) / connections
  })
  return { idle: perConnection(idle), remaining: perConnection(after) }
}

interface Figure {
  readonly median: number
  readonly low: number
  readonly high: number
}

const figure = (numbers: ReadonlyArray<number>): Figure => ({
  median: median(numbers),
  low: Math.min(...numbers),
  high: Math.max(...numbers)
})

const figures = (all: ReadonlyArray<Bytes>) => ({
  rss: figure(all.map(({ rss }) => rss)),
  heapUsed: figure(all.map(({ heapUsed }) => heapUsed)),
  external: figure(all.map(({ external }) => external)),
  arrayBuffers: figure(all.map(({ arrayBuffers }) => arrayBuffers))
})

const print = (title: string, rows: ReadonlyArray<readonly [string, ReturnType<typeof figures>]>): void => {
  console.log(`${title.padEnd(34)}${kinds.map((kind) => kind.padStart(26)).join("")}`)
  const text = (bytes: number): string => bytes.toFixed(0)
  for (const [name, row] of rows) {
    const cells = kinds.map((kind) => {
      const { high, low, median } = row[kind]
      return `${text(median)} (${text(low)} to ${text(high)})`.padStart(26)
    })
    console.log(`  ${name.padEnd(32)}${cells.join("")}`)
  }
  console.log()
}

/** Measures all contestants, round by round, and prints a table. */
export const measure = async ({ connections, json, quick, servers }: Options): Promise<void> => {
  const rounds = quick ? 3 : 7
  const chosen = choose(contestants, servers)
  const samples = new Map<Contestant, Array<Sample>>(chosen.map((contestant) => [contestant, []]))
  for (let round = 0; round < rounds; round++) {
    for (const contestant of chosen) samples.get(contestant)!.push(await sample(contestant, connections))
  }
  const results = [...samples].map(([{ name }, own]) => ({
    server: name,
    idle: figures(own.map(({ idle }) => idle)),
    remaining: figures(own.map(({ remaining }) => remaining))
  }))
  console.log(
    `server memory in bytes per connection, ${connections} connections; ${rounds} rounds, median (lowest to highest)\n`
  )
  print("idle", results.map(({ idle, server }) => [server, idle]))
  print("after all have closed", results.map(({ remaining, server }) => [server, remaining]))
  if (json === undefined) return
  await writeFile(json, `${JSON.stringify({ node: process.version, connections, rounds, results }, undefined, 2)}\n`)
}
