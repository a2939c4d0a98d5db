/**
 * Bytes per idle connection, and what is left of them when they have closed.
 *
 * In every round each server is started anew, so that no round finds what an earlier one has made room for, and warmed up
 * with a few hundred connections, so that code and caches do not count. Then the connections are opened, and one message goes back
 * and forth on each; the server collects its garbage and tells what memory it has; what was there before is subtracted. `rss`
 * is what the system sees, with all slack; `heapUsed` and `external` (which includes array buffers) are what the
 * connections hold, and hardly differ between two runs. The system's own memory for a socket is in none of them.
 */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { type Contestant, contestants, type Running, start } from "./Contestant.ts"
import * as Generator from "./Generator.ts"
import { reason } from "./reason.ts"
import * as Script from "./Script.ts"
import type { Serving } from "./Serving.ts"
import { temporary } from "./temporary.ts"
import type { Workload } from "./Workload.ts"

export const kinds = ["rss", "heapUsed", "external", "arrayBuffers"] as const

export type Bytes = Readonly<Record<typeof kinds[number], number>>

/** Bytes per connection: while all are idle, and after all have closed. */
export interface Held {
  readonly idle: Bytes
  readonly remaining: Bytes
}

/** What a contestant held, round by round. */
export interface Row {
  readonly contestant: string
  readonly deflate?: Serving["deflate"]
  readonly samples: ReadonlyArray<Held>
  /** How it failed, if it did. */
  readonly doubt?: string
}

export interface Result {
  readonly connections: number
  readonly rounds: number
  readonly rows: ReadonlyArray<Row>
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
  const load = await Generator.start(generator, workload, server, script)
  await load.window(0)
  const result = await what()
  await load.stop()
  await quiet()
  return result
}

const sample = async (
  server: Running,
  contestant: Contestant,
  workload: Workload,
  generator: Generator.Generator,
  folder: string
): Promise<Held> => {
  const script = join(folder, contestant.id)
  await writeFile(script, Script.encode(await Script.learn(workload, contestant, server.port)))
  const { usage } = server
  await during({ ...workload, connections: warmUp }, generator, server, script, quiet)
  const { memory: before } = await usage()
  const { memory: idle } = await during(workload, generator, server, script, usage)
  const { memory: after } = await usage()
  const held = (kind: typeof kinds[number], memory: NodeJS.MemoryUsage): number =>
    Math.round((memory[kind] - before[kind]) / workload.connections)
  const perConnection = (memory: NodeJS.MemoryUsage): Bytes => ({
    rss: held("rss", memory),
    heapUsed: held("heapUsed", memory),
    external: held("external", memory),
    arrayBuffers: held("arrayBuffers", memory)
  })
  return { idle: perConnection(idle), remaining: perConnection(after) }
}

/** What is measured: a server, and how it compresses. */
export type Case = readonly [contestant: string, deflate?: Serving["deflate"]]

export const cases: ReadonlyArray<Case> = [
  ["ws"],
  ["message"],
  ["raw"],
  ["ws", "no-takeover"],
  ["message", "no-takeover"],
  ["ws", "takeover"],
  ["message", "takeover"]
]

/** The first of them, for those in a hurry. */
export const fewCases: ReadonlyArray<Case> = cases.slice(0, 2)

/** Measures cases round by round. */
export const measure = async (
  generator: Generator.Generator,
  chosen: ReadonlyArray<Case>,
  connections: number,
  rounds: number
): Promise<Result> => {
  const folder = temporary()
  const rows = chosen.map(([id, deflate]) => ({
    contestant: contestants.find((contestant) => contestant.id === id)!,
    deflate,
    samples: new Array<Held>(),
    doubt: undefined as string | undefined
  }))
  for (let round = 0; round < rounds; round++) {
    for (const row of rows.filter(({ doubt }) => doubt === undefined)) {
      const { contestant, deflate, samples } = row
      const server = await start(contestant, { what: "echo", deflate }, ["--expose-gc"])
      try {
        samples.push(await sample(server, contestant, workloadOf(connections, deflate), generator, folder))
      } catch (error) {
        row.doubt = reason(error)
      }
      await server.stop()
    }
  }
  return {
    connections,
    rounds,
    rows: rows.map(({ contestant, deflate, doubt, samples }) => ({
      contestant: contestant.id,
      ...deflate === undefined ? {} : { deflate },
      samples,
      ...doubt === undefined ? {} : { doubt }
    }))
  }
}
