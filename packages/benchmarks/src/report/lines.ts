/** Lines between two axes. */
import type { Scale, Span } from "./Scale.ts"
import { isOurs } from "./style.ts"
import { element, line, text } from "./Svg.ts"

export interface Line {
  readonly contestant: string
  readonly points: ReadonlyArray<Span>
  /** It is a limit, not something that was seen. */
  readonly limit?: true
  /** Its points are marked. */
  readonly dots?: true
}

export interface Axis {
  readonly scale: Scale
  readonly label: string
  readonly tick: (value: number) => string
}

export interface Lines {
  readonly title: string
  readonly x: Axis
  readonly y: Axis
  readonly lines: ReadonlyArray<Line>
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

const curve = ({ contestant, dots, limit, points }: Line, { x, y }: Lines): string => {
  const places = points.map(([a, b]) => [x.scale.at(a), y.scale.at(b)] as const)
  const d = places.map(([a, b], n) => `${n === 0 ? "M" : "L"}${a.toFixed(1)} ${b.toFixed(1)}`).join("")
  const dot = ([cx, cy]: Span): string =>
    element("circle", { cx, cy, r: isOurs(contestant) ? 3.5 : 2.5, fill: "currentColor" })
  const stroke = { "stroke": "currentColor", "stroke-width": limit ? 1.5 : isOurs(contestant) ? 2.6 : 1.6 }
  return element(
    "g",
    { class: contestant },
    element("path", { d, ...stroke, "stroke-linejoin": "round", ...limit ? { class: "limit" } : {} }),
    ...dots ? places.map(dot) : []
  )
}

/** What is ours is drawn last, above the others. */
export const lines = (all: Lines): string => {
  const { bottom, left, right, title, top, x, y } = all
  const middle = (left + right) / 2
  return [
    text(left, top - 14, title, { class: "panel" }),
    ...y.scale.ticks.map((value) =>
      line(left, y.scale.at(value), right, y.scale.at(value), "grid")
      + text(left - 8, y.scale.at(value) + 4, y.tick(value), { "class": "tick", "text-anchor": "end" })
    ),
    ...x.scale.ticks.map((value) =>
      line(x.scale.at(value), top, x.scale.at(value), bottom, "grid")
      + text(x.scale.at(value), bottom + 17, x.tick(value), { "class": "tick", "text-anchor": "middle" })
    ),
    text(middle, bottom + 36, x.label, { "class": "axis", "text-anchor": "middle" }),
    text(0, 0, y.label, {
      "class": "axis",
      "text-anchor": "middle",
      "transform": `translate(${left - 50} ${(top + bottom) / 2}) rotate(-90)`
    }),
    ...all.lines.toSorted((a, b) => Number(isOurs(a.contestant)) - Number(isOurs(b.contestant)))
      .map((each) => curve(each, all))
  ].join("")
}
