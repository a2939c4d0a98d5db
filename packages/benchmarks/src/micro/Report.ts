/** What was measured, on what: as it is written to a file, and as the baseline is committed. */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { machine, versions } from "../Machine.ts"
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

/** Results with what they were measured on, which is here. */
export const make = <R>(rounds: number, results: Record<string, R>): Report<R> => ({
  machine: `${machine.cpu}, ${process.arch}`,
  versions: {
    node: versions.Node,
    effect: versions.effect,
    ws: versions.ws,
    bufferutil: versions.bufferutil
  },
  rounds,
  results
})

/** More digits say nothing. */
const rounded = (_key: string, value: unknown): unknown =>
  typeof value !== "number" ? value : value < 100 ? Number(value.toPrecision(3)) : Math.round(value)

export const write = (report: Report<unknown>, to: URL | string): void =>
  writeFileSync(to, `${JSON.stringify(report, rounded, 2)}\n`)
