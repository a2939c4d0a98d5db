/// <reference lib="dom" />
/** Latencies over time: pings, and how long it took from what the server was told until it said something. */
import { byId } from "../../chat/page/dom.ts"
import type { Latency } from "./Model.ts"
import { rows, svg } from "./svg.ts"
import * as words from "./words.ts"

const height = 180
const [left, right, top, bottom] = [64, 12, 10, 24]
/** How many of each are shown. */
const most = 60

/** A round number that is not less. */
const roundUp = (value: number): number => {
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value)!
}

interface Series {
  readonly name: string
  readonly kind: "sent" | "received"
  readonly of: ReadonlyArray<Latency>
}

export class Plot {
  private readonly svg = byId("plot", SVGSVGElement)
  private readonly table = byId("plot-table", HTMLTableElement)
  private series: ReadonlyArray<Series> = []
  private drawn = ""

  constructor() {
    new ResizeObserver(() => this.paint()).observe(this.svg)
  }

  draw(pings: ReadonlyArray<Latency>, answers: ReadonlyArray<Latency>): void {
    this.series = [
      { name: "ping", kind: "sent", of: pings.slice(-most) },
      { name: "answer", kind: "received", of: answers.slice(-most) }
    ]
    const next = JSON.stringify(this.series)
    if (next === this.drawn) return
    this.drawn = next
    this.paint()
    this.table.replaceChildren(rows(
      ["At", "What", "Took"],
      this.series
        .flatMap(({ name, of }) => of.map(({ at, took }) => ({ name, at, took })))
        .sort((a, b) => b.at - a.at)
        .map(({ at, name, took }) => [words.millis(at), name, words.millis(took)])
    ))
  }

  private paint(): void {
    const width = Math.max(200, this.svg.clientWidth)
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`)
    const all = this.series.flatMap(({ of }) => of)
    if (all.length === 0) {
      const [x, y] = [width / 2, height / 2]
      return this.svg.replaceChildren(svg("text", { x, y, "text-anchor": "middle" }, "Nothing was measured yet"))
    }
    const times = all.map(({ at }) => at)
    const [from, to] = [Math.min(...times), Math.max(...times)]
    const limit = roundUp(Math.max(...all.map(({ took }) => took), 0.01))
    const x = (at: number) => left + ((width - left - right) * (at - from)) / Math.max(to - from, 1)
    const y = (took: number) => height - bottom - ((height - top - bottom) * took) / limit
    const grid = [0, 0.5, 1].flatMap((part) => {
      const at = y(part * limit)
      return [
        svg("line", { class: "grid", x1: left, x2: width - right, y1: at, y2: at }),
        svg("text", { x: left - 8, y: at + 4, "text-anchor": "end" }, words.millis(part * limit))
      ]
    })
    const ends = [[left, "start", from], [width - right, "end", to]] as const
    this.svg.replaceChildren(
      ...grid,
      ...ends.map(([x, anchor, at]) =>
        svg("text", { x, y: height - 6, "text-anchor": anchor }, `${(at / 1_000).toFixed(1)} s`)
      ),
      ...this.series.flatMap(({ kind, of }) => [
        svg("polyline", {
          class: kind,
          points: of.map(({ at, took }) => `${x(at).toFixed(1)},${y(took).toFixed(1)}`).join(" ")
        }),
        ...of.map(({ at, took }) => svg("circle", { class: kind, cx: x(at).toFixed(1), cy: y(took).toFixed(1), r: 3 }))
      ])
    )
  }
}
