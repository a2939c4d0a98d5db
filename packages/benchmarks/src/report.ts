/** Writes BENCHMARKS.md and its pictures from the JSON of a run. */
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { document } from "./report/document.ts"
import { pictures } from "./report/pictures.ts"
import type { Result } from "./Result.ts"

const root = new URL("../../../", import.meta.url)
const folder = "docs/benchmarks"

export const report = async (file: string): Promise<void> => {
  const result = JSON.parse(await readFile(file, "utf8")) as Result
  if (result.workloads.length === 0) throw new Error(`${file} holds no workload`)
  const drawn = pictures(result)
  await mkdir(new URL(folder, root), { recursive: true })
  for (const { file, svg } of drawn) await writeFile(new URL(`${folder}/${file}`, root), svg)
  await writeFile(new URL("BENCHMARKS.md", root), document(result, drawn, folder))
  console.log(`BENCHMARKS.md, and ${drawn.length} pictures in ${folder}`)
}
