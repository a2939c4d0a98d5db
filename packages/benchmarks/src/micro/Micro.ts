/**
 * How fast the parts of a message's way are, each as a ratio to something well known that does the same work at the same
 * time: higher is better. Nanoseconds are of one machine and one moment; ratios hardly are.
 *
 * Each round is a fresh process, in which a benchmark and its reference take turns; what is shown is the median of the rounds,
 * and how far they lie apart. What lies within that is not called a difference. Bytes are what one message allocates.
 *
 * - By default the results are shown beside the baseline, `micro.json`, which `save` replaces.
 * - With `against` they are compared with another commit, which is measured as well.
 */
import { benchmarks } from "./benchmarks.ts"
import { compare } from "./compare.ts"
import * as Effort from "./Effort.ts"
import * as Report from "./Report.ts"
import { tabulate } from "./tabulate.ts"
import * as Worktree from "./Worktree.ts"

export interface Options {
  readonly quick: boolean
  /** A part of the names of the benchmarks to run; all by default. */
  readonly only?: string | undefined
  /** A file for the results. */
  readonly json?: string | undefined
  /** Whether they become the baseline. */
  readonly save: boolean
  /** A commit, by whatever Git knows it by. */
  readonly against?: string | undefined
}

export const run = async ({ against, json, only = "", quick, save }: Options): Promise<void> => {
  if (save && (only !== "" || against !== undefined)) throw new Error("a baseline has all benchmarks of this tree")
  const effort = quick ? Effort.quick : Effort.thorough
  const chosen = benchmarks.filter(({ name }) => name.includes(only))
  const results = against === undefined
    ? await tabulate(chosen, effort, Report.baseline())
    : await compare(chosen, effort, Worktree.add(against))
  const report = Report.make<unknown>(effort.rounds, results)
  if (save) Report.write(report, Report.baselineFile)
  if (json !== undefined) Report.write(report, json)
}
