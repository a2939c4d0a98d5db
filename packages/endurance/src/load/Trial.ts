/** One server under load: what its clients saw, and what it took. */
import { setTimeout as sleep } from "node:timers/promises"
import { type Child, start } from "../support/Child.ts"
import type * as Serving from "./Serving.ts"
import type * as Visitors from "./visitors.ts"

/** How much load, and for how long. */
export interface Load {
  readonly connections: number
  readonly seconds: number
  /** Seconds between two messages of one connection. */
  readonly every: number
  readonly atOnce: number
}

export interface Trial {
  readonly stormed: Visitors.Stormed
  readonly seen: Visitors.Seen
  /** Before there was a connection, while all were idle, and after the load. */
  readonly before: Serving.Usage
  readonly rest: Serving.Usage
  readonly end: Serving.Usage
  /** How much of a core the server used for opening the connections, and under load. */
  readonly opening: number
  readonly busy: number
}

const through = async (
  server: Child<Serving.Questions>,
  load: Child<Visitors.Questions>,
  { atOnce, connections, every, seconds }: Load
): Promise<Trial> => {
  const port = await server.ask("port")
  const before = await server.ask("usage")
  const stormed = await load.ask("storm", { port, connections, atOnce } satisfies Visitors.Storm)
  const rest = await server.ask("usage")
  const from = performance.now()
  await server.ask("publish")
  await load.ask("send", every)
  await sleep(seconds * 1_000)
  const broadcasts = await server.ask("hush")
  const took = (performance.now() - from) / 1_000
  const seen = await load.ask("finish", broadcasts)
  const end = await server.ask("usage")
  return {
    stormed,
    seen,
    before,
    rest,
    end,
    opening: (rest.cpu - before.cpu) / stormed.seconds,
    busy: (end.cpu - rest.cpu) / took
  }
}

/** Puts the load on the server in a file of `servers`. */
export const trial = async (name: string, load: Load): Promise<Trial> => {
  const server = start<Serving.Questions>(new URL(`./servers/${name}.ts`, import.meta.url), [], ["--expose-gc"])
  const visitors = start<Visitors.Questions>(new URL("./visitors.ts", import.meta.url))
  try {
    return await through(server, visitors, load)
  } finally {
    await server.stop()
    await visitors.stop()
  }
}
