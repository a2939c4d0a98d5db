/**
 * Bytes per idle connection, and what is left of them when they have closed.
 *
 * In every round each server is started anew, so that no round finds what an earlier one has made room for, and warmed up
 * with a few hundred connections, so that code and caches do not count. Then the connections are opened, and one message goes back
 * and forth on each; the server collects its garbage and tells what memory it has; what was there before is subtracted. `rss`
 * is what the system sees, with all slack; `heapUsed` and `external` (which includes array buffers) are what the
 * connections hold, and hardly differ between two runs. The system's own memory for a socket is in none of them.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Contestant, contestants, start } from "./Contestant.ts"
import * as Generator from "./Generator.ts"
import { median } from "./median.ts"
import * as Script from "./Script.ts"
import type { Serving } from "./Serving.ts"
import type { Workload } from "./Workload.ts"

const kinds = ["rss", "heapUsed", "external", "arrayBuffers"] as const

export type Bytes = Readonly<Record<typeof kinds[number], number>>

/** Bytes per connection: while all are idle, and after all have closed. */
export interface Held {
  readonly idle: Bytes
  readonly remaining: Bytes
}

/** What a contestant held in all rounds. */
export interface Row {
  readonly contestant: string
  readonly deflate: Serving["deflate"]
  readonly samples: ReadonlyArray<Held>
}

const warmUp = 500

/** A server hears of the end of a connection a little later than the client that ended it. */
const quiet = () => new Promise((resolve) => setTimeout(resolve, 500))

const workloadOf = (connections: number, deflate: Serving["deflate"]): Workload => ({
  id: `memory-${deflate}`,
  title: "",
  mode: "echo",
  connections,
  depth: 1,
  kind: deflate === undefined ? "text" : "json",
  size: deflate === undefined ? 64 : 2_000,
  serving: { what: "echo", deflate },
  goals: []
})

/** Opens connections, sends one message on each, and does something before they are closed. */
const during = async <A>(
  workload: Workload,
  generator: Generator.Generator,
  server: { readonly pid: number; readonly port: number },
  script: string,
  what: () => Promise<A>
): Promise<A> => {
  const load = await Generator.start(generator, workload, server, script, "memory")
  await load.window(0)
  const result = await what()
  await load.stop()
  await quiet()
  return result
}

const sample = async (
  contestant: Contestant,
  deflate: Serving["deflate"],
  connections: number,
  generator: Generator.Generator,
  folder: string
): Promise<Held> => {
  const workload = workloadOf(connections, deflate)
  const server = await start(contestant, { what: "echo", deflate }, ["--expose-gc"])
  const script = join(folder, contestant.id)
  await writeFile(script, Script.encode(await Script.learn(workload, contestant, server.port)))
  const { usage } = server
  await during({ ...workload, connections: warmUp }, generator, server, script, quiet)
  const { memory: before } = await usage()
  const { memory: idle } = await during(workload, generator, server, script, usage)
  const { memory: after } = await usage()
  await server.stop()
  const perConnection = (memory: NodeJS.MemoryUsage): Bytes => ({
    rss: (memory.rss - before.rss) / connections,
    heapUsed: (memory.heapUsed - before.heapUsed) / connections,
    external: (memory.external - before.external) / connections,
    arrayBuffers: (memory.arrayBuffers - before.arrayBuffers) / connections
  })
  return { idle: perConnection(idle), remaining: perConnection(after) }
}

/** What is measured: a server, and how it compresses. */
const cases: ReadonlyArray<readonly [contestant: string, deflate: Serving["deflate"]]> = [
  ["ws", undefined],
  ["message", undefined],
  ["raw", undefined],
  ["ws", "no-takeover"],
  ["message", "no-takeover"],
  ["ws", "takeover"],
  ["message", "takeover"]
]

/** Measures all round by round; with `plain`, only servers that do not compress. */
export const measure = async (connections: number, rounds: number, plain: boolean): Promise<ReadonlyArray<Row>> => {
  const generator = await Generator.make()
  const folder = await mkdtemp(join(tmpdir(), "wirestack-memory-"))
  const rows = cases.filter(([, deflate]) => !plain || deflate === undefined)
    .map(([contestant, deflate]) => ({ contestant, deflate, samples: new Array<Held>() }))
  try {
    for (let round = 0; round < rounds; round++) {
      for (const { contestant, deflate, samples } of rows) {
        const found = contestants.find(({ id }) => id === contestant)!
        samples.push(await sample(found, deflate, connections, generator, folder))
      }
    }
  } finally {
    await rm(folder, { recursive: true })
  }
  return rows
}

const text = (numbers: ReadonlyArray<number>): string =>
  `${median(numbers).toFixed(0)} (${Math.min(...numbers).toFixed(0)} to ${Math.max(...numbers).toFixed(0)})`

/** Prints a table. */
export const print = (rows: ReadonlyArray<Row>): void => {
  for (const state of ["idle", "remaining"] as const) {
    const title = state === "idle" ? "bytes per idle connection" : "bytes left when they have closed"
    console.log(`${title.padEnd(44)}${kinds.map((kind) => kind.padStart(26)).join("")}`)
    for (const { contestant, deflate, samples } of rows) {
      const { title } = contestants.find(({ id }) => id === contestant)!
      const name = deflate === undefined ? title : `${title}, ${deflate}`
      const cells = kinds.map((kind) => text(samples.map((held) => held[state][kind])).padStart(26))
      console.log(`  ${name.padEnd(42)}${cells.join("")}`)
    }
  }
}
