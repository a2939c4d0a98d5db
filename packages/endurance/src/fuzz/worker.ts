/** Runs targets one after the other, and tells of each what came of it. */
import { parentPort, workerData } from "node:worker_threads"
import { campaign, type Report } from "./Campaign.ts"
import { targets } from "./targets/index.ts"
import { Watch } from "./Watch.ts"

export interface Work {
  readonly names: ReadonlyArray<string>
  /** For each target. */
  readonly seconds: number
  readonly seed: number
  readonly memory: SharedArrayBuffer
}

export type Told =
  | { readonly _tag: "Begun"; readonly target: string }
  | { readonly _tag: "Done"; readonly report: Report }
  | { readonly _tag: "Over" }

const { memory, names, seconds, seed } = workerData as Work
const watch = new Watch(memory)
const tell = (told: Told): void => parentPort!.postMessage(told)

for (const target of targets.filter(({ name }) => names.includes(name))) {
  tell({ _tag: "Begun", target: target.name })
  tell({ _tag: "Done", report: await campaign(target, { seconds, seed, watch: (input) => watch.show(input) }) })
}
tell({ _tag: "Over" })
