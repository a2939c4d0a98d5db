/// <reference lib="dom" />
/** Parts of drawings. */
const space = "http://www.w3.org/2000/svg"

/** Makes an SVG element with attributes and children; a child that is a string is text. */
export const svg = <Name extends keyof SVGElementTagNameMap>(
  name: Name,
  attributes: Readonly<Record<string, string | number>> = {},
  ...children: ReadonlyArray<Node | string>
): SVGElementTagNameMap[Name] => {
  const made = document.createElementNS(space, name)
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, `${value}`)
  made.append(...children)
  return made
}

/** The rows of a table with a head; the first cell of each row is its heading. */
export const rows = (head: ReadonlyArray<string>, body: ReadonlyArray<ReadonlyArray<string>>): DocumentFragment => {
  const cell = (name: "th" | "td", text: string, scope?: string) => {
    const made = document.createElement(name)
    made.textContent = text
    if (scope !== undefined) made.setAttribute("scope", scope)
    return made
  }
  const row = (cells: ReadonlyArray<Node>) => {
    const made = document.createElement("tr")
    made.append(...cells)
    return made
  }
  const thead = document.createElement("thead")
  thead.append(row(head.map((text) => cell("th", text, "col"))))
  const tbody = document.createElement("tbody")
  tbody.append(
    ...body.map((texts) => row(texts.map((text, at) => at === 0 ? cell("th", text, "row") : cell("td", text))))
  )
  const made = document.createDocumentFragment()
  made.append(thead, tbody)
  return made
}
