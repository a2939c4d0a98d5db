/** SVG as text, without a library: elements, and whole pictures that follow the reader's light or dark mode. */
import { style } from "./style.ts"

export type Attributes = Readonly<Record<string, string | number>>

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("\"", "&quot;")

const short = (value: string | number): string =>
  typeof value === "string" ? escape(value) : String(Math.round(value * 10) / 10)

export const element = (name: string, attributes: Attributes, ...content: ReadonlyArray<string>): string => {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${short(value)}"`).join("")
  return content.length === 0 ? `<${name}${written}/>` : `<${name}${written}>${content.join("")}</${name}>`
}

export const text = (x: number, y: number, content: string, attributes: Attributes = {}): string =>
  element("text", { x, y, ...attributes }, escape(content))

export const line = (x1: number, y1: number, x2: number, y2: number, of: string): string =>
  element("line", { x1, y1, x2, y2, class: of })

/** The width of every picture, that of a page on GitHub. */
export const width = 880
/** Between the edge of a picture and what is in it. */
export const margin = 24

/** About as wide as some text is; who has other fonts has other widths. */
export const widthOf = (content: string, size = 12): number => content.length * size * 0.53

/** A colour's meaning. */
export interface Key {
  readonly contestant: string
  readonly title: string
}

/** The keys in a line, or several. */
const legend = (keys: ReadonlyArray<Key>, top: number): { readonly drawn: string; readonly bottom: number } => {
  let x = margin
  let y = top
  const drawn = keys.map(({ contestant, title }) => {
    const needs = 18 + widthOf(title) + 16
    if (x + needs > width - margin) {
      x = margin
      y += 20
    }
    const at = x
    x += needs
    return element(
      "g",
      { class: contestant },
      element("rect", { x: at, y: y - 10, width: 12, height: 12, rx: 3, fill: "currentColor" }),
      text(at + 18, y, title, { class: "key" })
    )
  })
  return { drawn: drawn.join(""), bottom: y }
}

/** A picture with a heading and keys; `body` draws below some height, and tells down to which. */
export const picture = (
  title: string,
  about: string,
  keys: ReadonlyArray<Key>,
  body: (top: number) => { readonly drawn: string; readonly bottom: number }
): string => {
  const { bottom: top, drawn: colours } = legend(keys, 84)
  const { bottom, drawn } = body(top + 24)
  const height = bottom + margin
  return `${
    element(
      "svg",
      {
        xmlns: "http://www.w3.org/2000/svg",
        width,
        height,
        viewBox: `0 0 ${width} ${Math.round(height)}`,
        role: "img"
      },
      `<title>${escape(title)}</title>`,
      `<style>${style}</style>`,
      element("rect", { x: 0.5, y: 0.5, width: width - 1, height: height - 1, rx: 8, class: "paper" }),
      text(margin, 36, title, { class: "title" }),
      text(margin, 57, about, { class: "about" }),
      colours,
      drawn
    ).replaceAll("><", ">\n<")
  }\n`
}
