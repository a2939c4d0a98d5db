/** The picture of what an idle connection costs. */
import { bytes } from "../format.ts"
import { median } from "../median.ts"
import type { Bytes, Row } from "../Memory.ts"
import type { Result } from "../Result.ts"
import { type Bar, bars } from "./bars.ts"
import { keysOf, type Picture } from "./Picture.ts"
import { linear } from "./Scale.ts"
import { margin, picture, width } from "./Svg.ts"

/** What is drawn of what a connection holds. */
type Part = (idle: Bytes) => number

const panels: ReadonlyArray<readonly [title: string, part: Part]> = [
  ["As the system sees it (rss)", ({ rss }) => rss],
  ["Objects and buffers", ({ external, heapUsed }) => heapUsed + external]
]

const groups: ReadonlyArray<readonly [deflate: Row["deflate"], name: string, about: string]> = [
  [undefined, "no compression", "one 64 B message before"],
  ["no-takeover", "deflate", "no context takeover"],
  ["takeover", "deflate", "context takeover"]
]

const barOf = ({ contestant, doubt, samples }: Row, part: Part): Bar => {
  if (doubt !== undefined) return { contestant, label: doubt }
  const values = samples.map(({ idle }) => part(idle))
  const value = median(values)
  return { contestant, value, low: Math.min(...values), high: Math.max(...values), label: bytes(value) }
}

const indent = 160
const between = 40
const panelWidth = (width - 2 * margin - indent - between) / 2
/** For the figure behind the longest bar. */
const room = 70

/** A group has scales of its own: what is compressed holds far more. */
const drawGroup = (rows: ReadonlyArray<Row>, name: string, about: string, top: number, first: boolean) => {
  const drawn = panels.map(([title, part], n) => {
    const left = margin + indent + n * (panelWidth + between)
    const found = rows.map((row) => barOf(row, part))
    const scale = linear(Math.max(...found.map(({ high = 1 }) => high)), [left, left + panelWidth - room])
    return bars({
      groups: [{ name, about: [about], bars: found }],
      scale,
      origin: 0,
      ...n === 0 ? { names: margin } : {},
      title: first ? title : "",
      tick: bytes,
      left,
      top
    })
  })
  return { drawn: drawn.map(({ drawn }) => drawn).join(""), bottom: drawn[0].bottom }
}

export const memory = (result: Result): ReadonlyArray<Picture> => {
  if (result.memory === undefined) return []
  const { connections, rounds, rows } = result.memory
  const title = "Memory of an idle connection"
  const about = `Of ${connections.toLocaleString("en")} connections, what the kernel holds aside; `
    + `median, least and most of ${rounds} rounds`
  const svg = picture(title, about, keysOf(result, rows.map(({ contestant }) => contestant)), (top) => {
    const found = groups.map(([deflate, ...words]) =>
      [rows.filter((row) => row.deflate === deflate), ...words] as const
    )
      .filter(([{ length }]) => length > 0)
    let bottom = top
    const drawn = found.map((each, n) => {
      const group = drawGroup(...each, bottom, n === 0)
      bottom = group.bottom
      return group.drawn
    })
    return { drawn: drawn.join(""), bottom }
  })
  return [{ file: "memory.svg", title, svg }]
}
