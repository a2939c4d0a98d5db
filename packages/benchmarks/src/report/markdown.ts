/** Markdown as the formatter of this repository writes it. */
import { wrap } from "./wrap.ts"

export const paragraph = (text: string): string => wrap(text, 120).join("\n")

export const list = (items: ReadonlyArray<string>): string =>
  items.map((item) => `- ${wrap(item, 118).join("\n  ")}`).join("\n")

type Cells = ReadonlyArray<string>

const widthOf = (text: string): number => [...text].length

/** The first columns are of words, the others are of numbers. */
export const table = (head: Cells, rows: ReadonlyArray<Cells>, words = 1): string => {
  const widths = head.map((_, n) => Math.max(3, ...[head, ...rows].map((cells) => widthOf(cells[n]))))
  const pad = (text: string, n: number): string => {
    const space = " ".repeat(widths[n] - widthOf(text))
    return n < words ? text + space : space + text
  }
  const line = (cells: Cells): string => `| ${cells.join(" | ")} |`
  return [
    line(head.map(pad)),
    line(widths.map((width, n) => n < words ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)),
    ...rows.map((cells) => line(cells.map(pad)))
  ].join("\n")
}
