/** Results as text. */
import type { Row } from "./Bench.ts"
import { contestants } from "./Contestant.ts"
import { median } from "./median.ts"
import * as Ratio from "./Ratio.ts"
import { cost, quantile, rate, type Sample } from "./Sample.ts"
import type { Workload } from "./Workload.ts"

const micros = (nanos: number): string => (nanos / 1_000).toFixed(0)

const ratio = (base: ReadonlyArray<Sample>, own: ReadonlyArray<Sample>): string => {
  const doubt = Ratio.distrust(base, own)
  if (doubt !== undefined) return `   -   (${doubt})`.padEnd(28)
  const { high, low, median } = Ratio.less(base.map(cost), own.map(cost))
  return `${median.toFixed(2).padStart(7)}   (${low.toFixed(2)} to ${high.toFixed(2)})`.padEnd(28)
}

/** A workload's rows: the ratio of CPU to that of `ws`, and for information the figures of this machine. */
export const print = (workload: Workload, rows: ReadonlyArray<Row>): void => {
  const of = (id: string) => rows.find(({ contestant }) => contestant === id)?.samples
  const base = of("ws")!
  console.log(`${workload.title} [${workload.id}]`)
  for (const { contestant, samples } of rows) {
    const { title } = contestants.find(({ id }) => id === contestant)!
    const figures = [
      `${(median(samples.map(cost))).toFixed(2)} us`,
      `${(median(samples.map(rate)) / 1_000).toFixed(1)} k/s`,
      `p50 ${micros(quantile(samples, 0.5))} us`,
      `p99 ${micros(quantile(samples, 0.99))} us`
    ]
    console.log(`  ${title.padEnd(30)}${ratio(base, samples)}${figures.map((figure) => figure.padStart(14)).join("")}`)
  }
  for (const { contestant, least, over } of workload.goals) {
    const [own, other] = [of(contestant), of(over)]
    if (own === undefined || other === undefined) continue
    const { median } = Ratio.less(other.map(cost), own.map(cost))
    console.log(
      `  ${contestant} / ${over}: ${median.toFixed(2)}, wanted ${least}: ${median >= least ? "met" : "MISSED"}`
    )
  }
}
