/**
 * Measures benchmarks of this tree and of another, and prints what is different.
 *
 * In every round each tree has a process, one right after the other; a change is the quotient of their ratios, and is one if
 * all rounds agree on its direction.
 */
import type { Benchmark } from "./Benchmark.ts"
import { row } from "./columns.ts"
import type { Effort } from "./Effort.ts"
import * as Figure from "./Figure.ts"
import * as Processes from "./Processes.ts"
import * as Result from "./Result.ts"
import type { Timing } from "./Timing.ts"

/** What a benchmark was, what it is, and how many times as fast it became. */
export interface Change {
  readonly base: Result.Result
  readonly now: Result.Result
  readonly change: Figure.Figure
}

const measure = async (benchmark: Benchmark, base: Processes.Tree, { rounds, turns }: Effort): Promise<Change> => {
  const trees = [base, Processes.thisTree]
  const timings = new Map<Processes.Tree, Array<Timing>>(trees.map((tree) => [tree, []]))
  for (let round = 0; round < rounds; round++) {
    for (const tree of trees) timings.get(tree)!.push(await Processes.timing(tree, benchmark, turns))
    trees.reverse()
  }
  const resultOf = async (tree: Processes.Tree): Promise<Result.Result> =>
    Result.make(benchmark, timings.get(tree)!, await Processes.allocation(tree, benchmark))
  const before = timings.get(base)!
  const ratios = timings.get(Processes.thisTree)!.map(({ ratio }, round) => ratio / before[round].ratio)
  return { base: await resultOf(base), now: await resultOf(Processes.thisTree), change: Figure.figure(ratios) }
}

const heads = [
  "change (lowest to highest)".padEnd(Figure.width),
  "base".padStart(7),
  "now".padStart(7),
  "bytes".padStart(8),
  "now".padStart(8)
]

export const compare = async (
  benchmarks: ReadonlyArray<Benchmark>,
  effort: Effort,
  base: Processes.Tree
): Promise<Record<string, Change>> => {
  const changes: Record<string, Change> = {}
  console.log(row("times as fast as the base", heads, ""))
  for (const benchmark of benchmarks) {
    const { base: before, change, now } = changes[benchmark.name] = await measure(benchmark, base, effort)
    const cells = [
      Figure.format(change),
      before.ratio.median.toFixed(2).padStart(7),
      now.ratio.median.toFixed(2).padStart(7),
      before.bytes.ours.toFixed(0).padStart(8),
      now.bytes.ours.toFixed(0).padStart(8)
    ]
    console.log(row(benchmark.name, cells, Result.verdict(change, now.bytes.ours, before.bytes.ours)))
  }
  return changes
}
