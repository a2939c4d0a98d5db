/** What was measured, on what: as it is written to a file, and as the baseline is committed. */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { cpus } from "node:os"
import type { Result } from "./Result.ts"

export interface Report<R> {
  /** The processor, and the versions of what runs on it. */
  readonly machine: string
  readonly versions: Record<string, string>
  /** Processes a benchmark. */
  readonly rounds: number
  /** By the names of the benchmarks. */
  readonly results: Record<string, R>
}

/** The file of the baseline. */
export const baselineFile = new URL("../../micro.json", import.meta.url)

/** The one that is committed, if there is one yet. */
export const baseline = (): Report<Result> | undefined =>
  existsSync(baselineFile) ? JSON.parse(readFileSync(baselineFile, "utf8")) as Report<Result> : undefined

const require = createRequire(import.meta.url)

const versionOf = (name: string): string => (require(`${name}/package.json`) as { readonly version: string }).version

/** Results with what they were measured on, which is here. */
export const make = <R>(rounds: number, results: Record<string, R>): Report<R> => ({
  machine: `${cpus()[0].model.trim()}, ${process.arch}`,
  versions: {
    node: process.versions.node,
    effect: versionOf("effect"),
    ws: versionOf("ws"),
    bufferutil: versionOf("bufferutil")
  },
  rounds,
  results
})

/** More digits say nothing. */
const rounded = (_key: string, value: unknown): unknown =>
  typeof value !== "number" ? value : value < 100 ? Number(value.toPrecision(3)) : Math.round(value)

export const write = (report: Report<unknown>, to: URL | string): void =>
  writeFileSync(to, `${JSON.stringify(report, rounded, 2)}\n`)
