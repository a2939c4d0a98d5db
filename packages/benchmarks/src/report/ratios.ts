/** The picture of every workload: how many times less CPU than `ws`. */
import { plain } from "../format.ts"
import * as Ratio from "../Ratio.ts"
import type { Measured, Result } from "../Result.ts"
import { type Bar, bars, type Group } from "./bars.ts"
import { around, keysOf, type Picture } from "./Picture.ts"
import { logarithmic } from "./Scale.ts"
import { margin, picture, width } from "./Svg.ts"
import { wrap } from "./wrap.ts"

/** Who is in the picture; the table has all. */
const drawn = ["bun", "raw", "batch", "lent", "message"]

/** Where bars begin, and how many characters fit in before. */
const indent = 236
const column = 38

const groupOf = ({ rows, workload }: Measured): Group => {
  const row = (id: string) => rows.find(({ contestant }) => contestant === id)
  const found = drawn.filter((id) => row(id) !== undefined)
  return {
    name: workload.id,
    about: wrap(workload.title, column),
    bars: found.map((contestant): Bar => {
      const ratio = Ratio.between(row("ws"), row(contestant))
      if (Ratio.isDoubt(ratio)) return { contestant, label: `not trusted: ${ratio.doubt}` }
      const goal = workload.goals.find((goal) => goal.contestant === contestant && goal.over === "ws")?.least
      const { high, low, median } = ratio
      return { contestant, value: median, low, high, label: plain(median), ...goal === undefined ? {} : { goal } }
    })
  }
}

const fraction = (value: number): string => value < 1 ? `1/${1 / value}` : String(value)

export const ratios = (result: Result): Picture => {
  const title = "Server CPU per message, against ws"
  const groups = result.workloads.map(groupOf)
  const seen = groups.flatMap(({ bars }) => bars.map(({ contestant }) => contestant))
  const numbers = groups.flatMap(({ bars }) => bars.flatMap(({ goal = 1, high = 1, low = 1 }) => [goal, low, high]))
  const scale = logarithmic(2, around(numbers, 1.6), [margin + indent, width - margin])
  const about =
    "How many times less than ws with bufferutil (= 1), log scale; whisker: middle half of the rounds; upright mark: goal"
  return {
    file: "ratios.svg",
    title,
    svg: picture(
      title,
      about,
      keysOf(result, seen),
      (top) => bars({ groups, scale, origin: 1, names: margin, title: "", tick: fraction, left: margin, top: top - 24 })
    )
  }
}
