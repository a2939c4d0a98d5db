/** The columns that all tables have: a name at the left, and numbers. */
import { benchmarks } from "./benchmarks.ts"

const nameWidth = Math.max(...benchmarks.map(({ name }) => name.length))

export const row = (name: string, cells: ReadonlyArray<string>, remark: string): string =>
  `${name.padEnd(nameWidth)}  ${cells.join("  ")}  ${remark}`.trimEnd()
