/** The picture of latencies: which part of all messages came back how soon. */
import { time } from "../format.ts"
import { type Measured, percentiles, type Result, type Row } from "../Result.ts"
import { halves } from "./growth.ts"
import { lines } from "./lines.ts"
import { around, keysOf, type Picture } from "./Picture.ts"
import { logarithmic, percentile } from "./Scale.ts"
import { picture } from "./Svg.ts"

const drawn = ["ws", "bun", "raw", "batch", "message"]
const workloads = ["pipelined", "depth-1"]
const panelHeight = 280

const rowsOf = ({ rows }: Measured): ReadonlyArray<Row> =>
  rows.filter(({ contestant, doubt, latency }) =>
    drawn.includes(contestant) && doubt === undefined && latency.length > 0
  )

export const latency = (result: Result): ReadonlyArray<Picture> => {
  const title = "Latency under full load"
  const found = result.workloads.filter((measured) => workloads.includes(measured.workload.id))
  const rows = found.flatMap(rowsOf)
  if (rows.length === 0) return []
  const heights = around(rows.flatMap(({ latency }) => latency), 1.2)
  const about =
    "From the write of a message to the read of its echo; so many percent of all messages took at most so long"
  const svg = picture(title, about, keysOf(result, rows.map(({ contestant }) => contestant)), (top) => {
    const bottom = top + panelHeight
    const panels = found.map((measured, n) => {
      const [left, right] = halves[n]
      return lines({
        title: measured.workload.title,
        x: { label: "percent of all messages", tick: String, scale: percentile([0.9, 99.91], [left, right]) },
        y: { label: "latency", tick: time, scale: logarithmic(10, heights, [bottom, top + 16]) },
        lines: rowsOf(measured).map(({ contestant, latency }) => ({
          contestant,
          points: latency.map((nanos, n) => [percentiles[n], nanos])
        })),
        left,
        right,
        top: top + 16,
        bottom
      })
    })
    return { drawn: panels.join(""), bottom: bottom + 40 }
  })
  return [{ file: "latency.svg", title, svg }]
}
