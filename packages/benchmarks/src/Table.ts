/** Results as text. */
import { many, plain, time } from "./format.ts"
import { median } from "./median.ts"
import { kinds, type Result as Memory } from "./Memory.ts"
import * as Ratio from "./Ratio.ts"
import { latencyAt, type Measured, type Row } from "./Result.ts"
import * as Verdict from "./Verdict.ts"

type Titles = Readonly<Record<string, string>>

const ratio = (base: Row | undefined, own: Row): string => {
  const found = Ratio.between(base, own)
  if (Ratio.isDoubt(found)) return `-   (${found.doubt})`
  return `${plain(found.median).padStart(5)}   (${plain(found.low)} to ${plain(found.high)})`
}

/** A workload's rows: the ratio of CPU to that of `ws` (of calls, to Effect's own), and for information the figures of this machine. */
export const workload = (measured: Measured, titles: Titles): void => {
  const { rows, workload } = measured
  const other = workload.mode === "rpc" ? "rpc-effect" : "ws"
  const base = rows.find(({ contestant }) => contestant === other)
  console.log(`${workload.title} [${workload.id}]`)
  for (const row of rows) {
    const figures = [
      `${plain(median(row.costs))} µs`,
      `${many(median(row.rates))}/s`,
      `p50 ${time(latencyAt(row, 50))}`,
      `p99 ${time(latencyAt(row, 99))}`
    ]
    const cells = figures.map((figure) => figure.padStart(14)).join("")
    console.log(`  ${titles[row.contestant].padEnd(32)}${ratio(base, row).padEnd(26)}${cells}`)
  }
  for (const verdict of Verdict.ofWorkload(measured)) console.log(`  ${verdict.goal}: ${Verdict.text(verdict)}`)
}

const spread = (numbers: ReadonlyArray<number>): string =>
  numbers.length === 0
    ? "-"
    : `${median(numbers).toFixed(0)} (${Math.min(...numbers).toFixed(0)} to ${Math.max(...numbers).toFixed(0)})`

const states = { idle: "bytes per idle connection", remaining: "bytes left when they have closed" } as const

/** What connections hold, and leave behind. */
export const memory = ({ connections, rows }: Memory, titles: Titles): void => {
  for (const state of ["idle", "remaining"] as const) {
    const title = `${states[state]}, of ${connections.toLocaleString("en")}`
    console.log(`${title.padEnd(48)}${kinds.map((kind) => kind.padStart(26)).join("")}`)
    for (const { contestant, deflate, doubt, samples } of rows) {
      const name = deflate === undefined ? titles[contestant] : `${titles[contestant]}, ${deflate}`
      const cells = kinds.map((kind) => spread(samples.map((held) => held[state][kind])).padStart(26))
      console.log(`  ${name.padEnd(46)}${cells.join("")}${doubt === undefined ? "" : `  (${doubt})`}`)
    }
  }
}

/** How many goals are met, and those that are not. */
export const summary = (verdicts: ReadonlyArray<Verdict.Verdict>): void => {
  if (verdicts.length === 0) return
  console.log(`\n${verdicts.filter(Verdict.isMet).length} of ${verdicts.length} goals met`)
  for (const verdict of verdicts.filter((verdict) => !Verdict.isMet(verdict))) {
    console.log(`  ${verdict.of.padEnd(16)}${verdict.goal}: ${Verdict.text(verdict)}`)
  }
}
