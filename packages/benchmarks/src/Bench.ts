/**
 * Measures workloads: every contestant gets the same load for the same time, round by round, so that what the machine does
 * meanwhile meets all alike. A server is started for each kind of serving, and its connections stay from round to round.
 */
import { execFile, spawn } from "node:child_process"
import { writeFile } from "node:fs/promises"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { certificate } from "./certificate.ts"
import { type Contestant, contestants, type Running, start, takesPart } from "./Contestant.ts"
import * as Generator from "./Generator.ts"
import { reason } from "./reason.ts"
import * as Result from "./Result.ts"
import type { Sample } from "./Sample.ts"
import * as Script from "./Script.ts"
import { maxMessageSize, type Serving } from "./Serving.ts"
import { temporary } from "./temporary.ts"
import type { Workload } from "./Workload.ts"

const run = promisify(execFile)

/** A contestant while it is measured. Once something fails, it is left alone. */
interface Turn {
  readonly contestant: Contestant
  readonly samples: Array<Sample>
  load?: Generator.Load
  failure?: string
}

const each = async (turns: ReadonlyArray<Turn>, what: (turn: Turn) => Promise<void>): Promise<void> => {
  for (const turn of turns.filter(({ failure }) => failure === undefined)) {
    try {
      await what(turn)
    } catch (error) {
      turn.failure = reason(error)
    }
  }
}

/** Gives a process, and what it starts later, one core to itself. */
const pin = async (pid: number | undefined, core: number): Promise<void> => {
  if (availableParallelism() < 2 || pid === undefined) return
  await run("taskset", ["-acp", String(core), String(pid)]).catch(() => undefined)
}

/** Milliseconds of a window that is not counted: compilers take their time. */
const warmUp = 400

/** How many of them there are. What happens once a connection becomes hot only after many connections. */
const warmUps = ({ mode }: Workload): number => mode === "handshake" || mode === "visit" ? 4 : 1

const serverCore = 0
const loadCore = 1

/** The server against whose echo clients are measured. */
const echoServer = "codec"

/** A server, and the core it has. */
interface Host {
  readonly id: string
  readonly core: number
  readonly serving: Workload["serving"]
}

const startOn = async ({ core, id, serving: { tls, ...what } }: Host): Promise<Running> => {
  const contestant = contestants.find((contestant) => contestant.id === id)!
  const serving: Serving = { ...what, ...tls === undefined ? {} : { tls: await certificate() } }
  const server = await start(contestant, serving)
  await pin(server.pid, core)
  return server
}

export class Bench {
  private readonly generator: Generator.Generator
  private readonly folder = temporary()
  private readonly servers = new Map<string, Promise<Running>>()

  constructor(generator: Generator.Generator) {
    this.generator = generator
  }

  /** Measures these contestants by a workload, those that can't do it aside; a failure ends a contestant's turn only. */
  async measure(
    workload: Workload,
    chosen: ReadonlyArray<Contestant>,
    { millis, rounds }: Result.Rounds
  ): Promise<Result.Measured> {
    const turns = chosen.filter((contestant) => takesPart(contestant, workload))
      .map((contestant): Turn => ({ contestant, samples: [] }))
    await each(turns, async (turn) => {
      turn.load = await this.load(workload, turn.contestant)
    })
    for (let i = 0; i < warmUps(workload); i++) {
      await each(turns, async ({ load }) => {
        await load!.window(Math.max(warmUp, millis))
      })
    }
    for (let round = 0; round < rounds; round++) {
      await each(turns, async ({ load, samples }) => {
        samples.push(await load!.window(millis))
      })
    }
    for (const { contestant, failure, load } of turns) {
      await load?.stop()
      if (failure !== undefined) await this.stopServer(JSON.stringify(this.host(workload, contestant)))
    }
    const rows = turns.map(({ contestant, failure, samples }) => Result.row(contestant.id, samples, failure))
    return { workload, rounds, millis, rows }
  }

  async stop(): Promise<void> {
    for (const key of this.servers.keys()) await this.stopServer(key)
  }

  private async load(workload: Workload, contestant: Contestant): Promise<Generator.Load> {
    if (workload.mode === "client" || workload.mode === "rpc") return this.client(workload, contestant)
    const server = await this.server(workload, contestant)
    const script = join(this.folder, `${workload.id}-${contestant.id}`)
    await writeFile(script, Script.encode(await Script.learn(workload, contestant, server.port)))
    const load = await Generator.start(this.generator, workload, server, script)
    await pin(load.pid, loadCore)
    return load
  }

  private async client(workload: Workload, contestant: Contestant): Promise<Generator.Load> {
    const { args = [], env, file } = contestant
    const server = await this.server(workload, contestant)
    const program = fileURLToPath(new URL(`./clients/${file}.js`, import.meta.url))
    const { connections, depth, kind, serving, size } = workload
    const { pid, port } = server
    const told = JSON.stringify({ pid, port, connections, depth, kind, size, serving, maxMessageSize })
    const child = spawn(process.execPath, [program, told, ...args], {
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "inherit"]
    })
    const load = await Generator.speak(child)
    await pin(load.pid, serverCore)
    return load
  }

  /** The server that a contestant needs: itself, or for clients one for all. */
  private host({ mode, serving }: Workload, { id }: Contestant): Host {
    if (mode === "client") return { id: echoServer, core: loadCore, serving }
    return { id, core: mode === "rpc" ? loadCore : serverCore, serving }
  }

  private server(workload: Workload, contestant: Contestant): Promise<Running> {
    const host = this.host(workload, contestant)
    const key = JSON.stringify(host)
    const known = this.servers.get(key)
    if (known !== undefined) return known
    const starting = startOn(host)
    this.servers.set(key, starting)
    return starting
  }

  private async stopServer(key: string): Promise<void> {
    const server = await this.servers.get(key)?.catch(() => undefined)
    this.servers.delete(key)
    await server?.stop()
  }
}
