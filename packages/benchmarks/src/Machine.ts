/** Where a run took place, and with what. */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { findPackageJSON } from "node:module"
import * as os from "node:os"

export interface Machine {
  readonly cpu: string
  readonly cores: number
  /** Bytes. */
  readonly memory: number
  readonly kernel: string
}

export const machine: Machine = {
  cpu: os.cpus()[0].model.trim(),
  cores: os.availableParallelism(),
  memory: os.totalmem(),
  kernel: `${os.type()} ${os.release()} ${os.arch()}`
}

const packages = ["effect", "ws", "bufferutil", "websocket", "bun"]

const versionOf = (name: string): string =>
  (JSON.parse(readFileSync(findPackageJSON(name, import.meta.url)!, "utf8")) as { readonly version: string }).version

/** What was compared, and what it ran on, each with its version. */
export const versions: Readonly<Record<string, string>> = {
  Node: process.versions.node,
  V8: process.versions.v8,
  OpenSSL: process.versions.openssl,
  ...Object.fromEntries(packages.map((name) => [name, versionOf(name)]))
}

const describe = (): string | undefined => {
  try {
    return execFileSync("git", ["describe", "--always", "--dirty"], { encoding: "utf8", stdio: "pipe" }).trim()
  } catch {
    return undefined
  }
}

/** The commit that was measured; nothing where there is no git. */
export const commit = describe()
