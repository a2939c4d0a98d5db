/** Bars from left to right, in groups, on an axis above them. */
import type { Scale } from "./Scale.ts"
import { isOurs } from "./style.ts"
import { element, line, text, widthOf } from "./Svg.ts"

export interface Bar {
  readonly contestant: string
  /** What stands at its end, or instead of it. */
  readonly label: string
  /** Nothing if it can't be told. */
  readonly value?: number
  readonly low?: number
  readonly high?: number
  readonly goal?: number
}

export interface Group {
  readonly name: string
  readonly about: ReadonlyArray<string>
  readonly bars: ReadonlyArray<Bar>
}

export interface Bars {
  readonly groups: ReadonlyArray<Group>
  readonly scale: Scale
  /** Where bars begin. */
  readonly origin: number
  /** Where names of groups stand, if they are to stand anywhere. */
  readonly names?: number
  readonly title: string
  readonly tick: (value: number) => string
  readonly left: number
  readonly top: number
}

const thick = 10
const step = 12
const lineHeight = 14

const heightOf = ({ about, bars }: Group): number => Math.max(bars.length * step, (1 + about.length) * lineHeight)

const whisker = (from: number, to: number, y: number): string =>
  [line(from, y, to, y, "whisker"), line(from, y - 3, from, y + 3, "whisker"), line(to, y - 3, to, y + 3, "whisker")]
    .join("")

const label = ({ contestant, goal, label, low, high, value }: Bar, { origin, scale }: Bars, y: number): string => {
  const attributes = { class: isOurs(contestant) ? "value strong" : "value" }
  if (value === undefined) return text(scale.at(origin) + 6, y + 4, label, { class: "note" })
  const wide = widthOf(label, 11)
  const mark = goal === undefined ? NaN : scale.at(goal)
  if (value < origin) {
    const end = scale.at(Math.min(value, low ?? value)) - 5
    const free = mark > end - wide - 4 && mark < end + 4 ? mark - 5 : end
    return text(free, y + 4, label, { ...attributes, "text-anchor": "end" })
  }
  const start = scale.at(Math.max(value, high ?? value)) + 5
  return text(mark > start - 4 && mark < start + wide + 4 ? mark + 5 : start, y + 4, label, attributes)
}

const bar = (one: Bar, all: Bars, y: number): string => {
  const { contestant, goal, high, low, value } = one
  const { origin, scale } = all
  const ends = [scale.at(origin), scale.at(value ?? origin)]
  const x = Math.min(...ends)
  return [
    element("rect", {
      class: contestant,
      fill: "currentColor",
      x,
      y: y - thick / 2,
      width: Math.max(...ends) - x,
      height: thick,
      rx: 2
    }),
    low === undefined || high === undefined ? "" : whisker(scale.at(low), scale.at(high), y),
    goal === undefined ? "" : line(scale.at(goal), y - thick / 2 - 1, scale.at(goal), y + thick / 2 + 1, "goal"),
    label(one, all, y)
  ].join("")
}

const group = (one: Group, all: Bars, top: number): string => {
  const from = top + (heightOf(one) - one.bars.length * step) / 2 + step / 2
  const bars = one.bars.map((each, n) => bar(each, all, from + n * step)).join("")
  if (all.names === undefined) return bars
  const first = top + (heightOf(one) - (1 + one.about.length) * lineHeight) / 2 + 11
  const about = one.about.map((words, n) => text(all.names!, first + (n + 1) * lineHeight, words, { class: "note" }))
  return [text(all.names, first, one.name, { class: "name" }), ...about, bars].join("")
}

export const bars = (all: Bars): { readonly drawn: string; readonly bottom: number } => {
  const { groups, left, origin, scale, tick, title, top } = all
  const gap = 16
  let y = top + 44
  const drawn = groups.map((each) => {
    const at = y
    y += heightOf(each) + gap
    return group(each, all, at)
  })
  const bottom = y - gap + 6
  const axis = scale.ticks.map((value) =>
    line(scale.at(value), top + 32, scale.at(value), bottom, value === origin ? "one" : "grid")
    + text(scale.at(value), top + 24, tick(value), { "class": "tick", "text-anchor": "middle" })
  )
  return { drawn: [text(left, top + 4, title, { class: "panel" }), ...axis, ...drawn].join(""), bottom }
}
