/** The pictures of series: what becomes of throughput and cost as one thing grows. */
import { bytes, many } from "../format.ts"
import { median } from "../median.ts"
import type { Result } from "../Result.ts"
import * as Series from "../Series.ts"
import { type Axis, type Line, lines } from "./lines.ts"
import { around, keysOf, type Picture } from "./Picture.ts"
import { logarithmic, type Span } from "./Scale.ts"
import { margin, picture, width } from "./Svg.ts"

/** What is drawn of a point, up. */
type Height = (point: Series.Point) => number

interface Panel {
  readonly title: string
  readonly label: string
  readonly tick: (value: number) => string
  readonly height: Height
}

interface Plan {
  readonly name: Series.Name
  readonly title: string
  readonly about: string
  readonly x: Omit<Axis, "scale"> & { readonly base: number }
  readonly panels: readonly [Panel, Panel]
}

const plans: ReadonlyArray<Plan> = [
  {
    name: "byConnections",
    title: "From few connections to many",
    about: "One message of 64 bytes under way on each connection; dashed: the most that CPU is meant to grow to",
    x: { label: "connections", tick: many, base: 10 },
    panels: [
      {
        title: "Throughput",
        label: "messages per second",
        tick: many,
        height: ({ row }) => median(row.rates)
      },
      {
        title: "CPU per message",
        label: "microseconds",
        tick: String,
        height: ({ row }) => median(row.costs)
      }
    ]
  },
  {
    name: "bySize",
    title: "From small messages to large",
    about: "Four connections, some 1 MiB under way on each; dashed: the most that CPU is meant to grow to",
    x: { label: "bytes of a message", tick: bytes, base: 16 },
    panels: [
      {
        title: "Throughput",
        label: "bytes per second, each way",
        tick: many,
        height: ({ row, units }) => median(row.rates) * units
      },
      {
        title: "CPU per byte",
        label: "nanoseconds",
        tick: String,
        height: ({ row, units }) => median(row.costs) / units * 1e3
      }
    ]
  }
]

const panelHeight = 280
const gutter = 74

/** The left and right end of the first and second panel of a picture. */
export const halves: readonly [Span, Span] = [
  [margin + gutter - 14, width / 2 - 10],
  [width / 2 + gutter - 10, width - margin - 10]
]

/** The most that is wanted of a contestant, from where it is counted. */
const limits = (points: ReadonlyArray<Series.Point>, name: Series.Name, height: Height): ReadonlyArray<Line> =>
  Series.growths.filter(({ series }) => series === name).flatMap(({ contestant, from, most, to }) => {
    const first = points.find(({ row, x }) => row.contestant === contestant && x === from)
    if (first === undefined) return []
    const limit = height(first) * most
    return [{ contestant, points: [[from, limit], [to, limit]], limit: true }]
  })

const draw = (result: Result, { about, name, panels, title, x }: Plan): Picture => {
  const seen = Object.keys(result.titles).filter((id) => Series.points(name, result[name], id).length > 0)
  const of = (contestant: string) =>
    Series.points(name, result[name], contestant).filter(({ row }) => row.doubt === undefined)
  const all = seen.flatMap(of)
  return {
    file: `${name}.svg`,
    title,
    svg: picture(title, about, keysOf(result, seen), (top) => {
      const bottom = top + panelHeight
      const drawn = panels.map(({ height, label, tick, title }, n) => {
        const [left, right] = halves[n]
        const domain = around(result[name].map(({ workload }) => Series.series[name].of(workload)), 1.15)
        return lines({
          title,
          x: { ...x, scale: logarithmic(x.base, domain, [left, right]) },
          y: { label, tick, scale: logarithmic(10, around(all.map(height), 1.3), [bottom, top + 16]) },
          lines: [
            ...n === 1 ? limits(all, name, height) : [],
            ...seen.map((contestant): Line => ({
              contestant,
              points: of(contestant).map((point) => [point.x, height(point)]),
              dots: true
            }))
          ],
          left,
          right,
          top: top + 16,
          bottom
        })
      })
      return { drawn: drawn.join(""), bottom: bottom + 40 }
    })
  }
}

export const growth = (result: Result): ReadonlyArray<Picture> =>
  plans.filter(({ name }) => result[name].length > 0).map((plan) => draw(result, plan))
