/** Measures benchmarks of this tree, and prints them beside a baseline. */
import type { Benchmark } from "./Benchmark.ts"
import { row } from "./columns.ts"
import type { Effort } from "./Effort.ts"
import * as Figure from "./Figure.ts"
import * as Processes from "./Processes.ts"
import type { Report } from "./Report.ts"
import * as Result from "./Result.ts"
import type { Timing } from "./Timing.ts"

const measure = async (benchmark: Benchmark, { rounds, turns }: Effort): Promise<Result.Result> => {
  const timings: Array<Timing> = []
  while (timings.length < rounds) timings.push(await Processes.timing(Processes.thisTree, benchmark, turns))
  return Result.make(benchmark, timings, await Processes.allocation(Processes.thisTree, benchmark))
}

const heads = [
  "ratio (lowest to highest)".padEnd(Figure.width),
  "baseline".padStart(8),
  "ns".padStart(9),
  "bytes".padStart(8),
  "baseline".padStart(8),
  "reference".padStart(9)
]

export const tabulate = async (
  benchmarks: ReadonlyArray<Benchmark>,
  effort: Effort,
  baseline: Report<Result.Result> | undefined
): Promise<Record<string, Result.Result>> => {
  const results: Record<string, Result.Result> = {}
  if (baseline !== undefined) console.log(`the baseline is of ${baseline.machine}, Node ${baseline.versions["node"]}\n`)
  console.log(row("times as fast as the reference", heads, ""))
  for (const benchmark of benchmarks) {
    const result = results[benchmark.name] = await measure(benchmark, effort)
    const before = baseline?.results[benchmark.name]
    const { bytes, nanos, ratio, reference } = result
    const cells = [
      Figure.format(ratio),
      (before?.ratio.median.toFixed(2) ?? "").padStart(8),
      nanos.toFixed(0).padStart(9),
      bytes.ours.toFixed(0).padStart(8),
      (before?.bytes.ours.toFixed(0) ?? "").padStart(8),
      `${bytes.reference.toFixed(0).padStart(9)}  ${reference.padEnd(16)}`
    ]
    const remark = before === undefined
      ? "new"
      : Result.verdict(Figure.over(ratio, before.ratio), bytes.ours, before.bytes.ours)
    console.log(row(benchmark.name, cells, remark))
  }
  return results
}
