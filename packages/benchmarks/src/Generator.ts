/**
 * The load generator: a program in C, compiled when it is first wanted, or where there is no compiler one on Node, which is
 * slower and can do less. A running one keeps its connections, and says nothing between two windows.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { mkdir, rename, stat } from "node:fs/promises"
import * as readline from "node:readline"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { adopt } from "./children.ts"
import type { Sample } from "./Sample.ts"
import type { Workload } from "./Workload.ts"

const run = promisify(execFile)

const source = fileURLToPath(new URL("../load/load.c", import.meta.url))
const program = fileURLToPath(new URL("../dist/load", import.meta.url))

/** The program, and its first arguments. */
export interface Generator {
  readonly name: "C" | "Node"
  readonly command: ReadonlyArray<string>
}

const isFresh = async (): Promise<boolean> =>
  existsSync(program) && (await stat(program)).mtimeMs > (await stat(source)).mtimeMs

const onNode: Generator = {
  name: "Node",
  command: [process.execPath, fileURLToPath(new URL("./load.js", import.meta.url))]
}

/** Finds or makes the generator; `WIRESTACK_LOAD=node` chooses the one on Node. */
export const make = async (): Promise<Generator> => {
  if (process.env.WIRESTACK_LOAD === "node") return onNode
  try {
    if (!await isFresh()) {
      await mkdir(new URL("../dist", import.meta.url), { recursive: true })
      await run("cc", ["-O2", "-o", `${program}.new`, source, "-lssl", "-lcrypto", "-lz", "-lm"])
      await rename(`${program}.new`, program)
    }
    return { name: "C", command: [program] }
  } catch {
    return onNode
  }
}

/** Whether it can put this load on a server; clients under test do so themselves. */
export const can = ({ name }: Generator, { mode, serving }: Workload): boolean =>
  name === "C" || mode === "client" || mode === "rpc" || (mode === "echo" && serving.deflate === undefined)

/** A running load, or a client under test. */
export interface Load {
  readonly pid: number | undefined
  /** Puts the load on for some time, and tells what it saw. */
  readonly window: (millis: number) => Promise<Sample>
  readonly stop: () => Promise<void>
}

/** Milliseconds after which a program that says nothing is given up. */
const patience = 120_000

/** Speaks to a program that answers each line with a line of JSON; what it says first is that it is ready. */
export const speak = async (child: ChildProcess): Promise<Load> => {
  adopt(child)
  const exited = once(child, "exit")
  // Of one that has ended, its output tells.
  child.stdin!.on("error", () => undefined)
  const lines = readline.createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const next = async (): Promise<any> => {
    const timer = setTimeout(() => child.kill("SIGKILL"), patience)
    const { done, value } = await lines.next()
    clearTimeout(timer)
    const said = done === true ? { error: "it has ended" } : JSON.parse(value)
    if (said.error !== undefined) throw new Error(said.error)
    return said
  }
  await next()
  return {
    pid: child.pid,
    window: (millis) => {
      child.stdin!.write(`${millis}\n`)
      return next()
    },
    stop: async () => {
      child.stdin!.end()
      await exited
    }
  }
}

/** Opens the connections of a workload to a server. */
export const start = (
  { command }: Generator,
  { connections, depth, mode, serving }: Workload,
  server: { readonly pid: number; readonly port: number },
  script: string
): Promise<Load> => {
  const [file, ...first] = command
  const how = [...serving.tls === undefined ? [] : ["tls"], ...serving.deflate === undefined ? [] : [serving.deflate]]
  const args = [mode, server.port, server.pid, connections, depth, script, ...how]
  return speak(spawn(file, [...first, ...args.map(String)], { stdio: ["pipe", "pipe", "inherit"] }))
}
