/**
 * Measures workloads: every contestant gets the same load for the same time, round by round, so that what the machine does
 * meanwhile meets all alike. A server is started for each kind of serving, and its connections stay from round to round.
 */
import { execFile, spawn } from "node:child_process"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { certificate } from "./certificate.ts"
import { type Contestant, contestants, type Running, start, takesPart } from "./Contestant.ts"
import * as Generator from "./Generator.ts"
import type { Sample } from "./Sample.ts"
import * as Script from "./Script.ts"
import { maxMessageSize, type Serving } from "./Serving.ts"
import type { Workload } from "./Workload.ts"

const run = promisify(execFile)

/** How long and how often. */
export interface Rounds {
  readonly rounds: number
  /** Milliseconds of a window. */
  readonly millis: number
}

/** What a contestant did in all rounds. */
export interface Row {
  readonly contestant: string
  readonly samples: ReadonlyArray<Sample>
}

/** Gives a process, and what it starts later, one core to itself. */
const pin = async (pid: number | undefined, core: number): Promise<void> => {
  if (availableParallelism() < 2 || pid === undefined) return
  await run("taskset", ["-acp", String(core), String(pid)]).catch(() => undefined)
}

/** Milliseconds of load before anything is counted: compilers take their time. */
const warmUp = 500

const serverCore = 0
const loadCore = 1

/** Servers against whose echo clients are measured. */
const echoServer = contestants.find(({ id }) => id === "codec")!

export class Bench {
  private readonly generator: Generator.Generator
  private readonly folder: string
  private readonly servers = new Map<string, Promise<Running>>()

  private constructor(generator: Generator.Generator, folder: string) {
    this.generator = generator
    this.folder = folder
  }

  static async make(): Promise<Bench> {
    return new Bench(await Generator.make(), await mkdtemp(join(tmpdir(), "wirestack-bench-")))
  }

  get generatorName(): string {
    return this.generator.name
  }

  can(workload: Workload): boolean {
    return Generator.can(this.generator, workload)
  }

  /** Measures these contestants by a workload; all rows have a sample a round. */
  async measure(
    workload: Workload,
    chosen: ReadonlyArray<Contestant>,
    { millis, rounds }: Rounds
  ): Promise<ReadonlyArray<Row>> {
    const taking = chosen.filter((contestant) => takesPart(contestant, workload))
    const loads: Array<
      { readonly contestant: string; readonly load: Generator.Load; readonly samples: Array<Sample> }
    > = []
    for (const contestant of taking) {
      loads.push({ contestant: contestant.id, load: await this.load(workload, contestant), samples: [] })
    }
    for (const { load } of loads) await load.window(Math.max(warmUp, millis))
    for (let round = 0; round < rounds; round++) {
      for (const { load, samples } of loads) samples.push(await load.window(millis))
    }
    for (const { load } of loads) await load.stop()
    return loads.map(({ contestant, samples }) => ({ contestant, samples }))
  }

  async stop(): Promise<void> {
    for (const server of this.servers.values()) await (await server).stop()
    await rm(this.folder, { recursive: true })
  }

  private async load(workload: Workload, contestant: Contestant): Promise<Generator.Load> {
    if (workload.mode === "client") return this.client(workload, contestant)
    const server = await this.server(contestant, workload.serving)
    const script = join(this.folder, `${workload.id}-${contestant.id}`)
    await writeFile(script, Script.encode(await Script.learn(workload, contestant, server.port)))
    const load = await Generator.start(this.generator, workload, server, script, contestant.title)
    await pin(load.pid, loadCore)
    return load
  }

  private async client(workload: Workload, { args = [], env, file, title }: Contestant): Promise<Generator.Load> {
    const server = await this.server(echoServer, workload.serving, loadCore)
    const program = fileURLToPath(new URL(`./clients/${file}.js`, import.meta.url))
    const { connections, depth, kind, size } = workload
    const told = JSON.stringify({ port: server.port, connections, depth, kind, size, maxMessageSize })
    const child = spawn(process.execPath, [program, told, ...args], {
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "inherit"]
    })
    const load = await Generator.speak(child, title)
    await pin(load.pid, serverCore)
    return load
  }

  private server(contestant: Contestant, { tls, ...what }: Workload["serving"], core = serverCore): Promise<Running> {
    const key = JSON.stringify([contestant.id, what, tls, core])
    const known = this.servers.get(key)
    if (known !== undefined) return known
    const starting = (async () => {
      const serving: Serving = { ...what, ...tls === undefined ? {} : { tls: await certificate() } }
      const server = await start(contestant, serving)
      await pin(server.pid, core)
      return server
    })()
    this.servers.set(key, starting)
    return starting
  }
}
