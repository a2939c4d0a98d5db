/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** Elements: found, made and kept in step with data. What people have written becomes text, and never markup. */

/** The element of the page with this id. */
export const byId = <E extends Element>(id: string, kind: new() => E): E => {
  const element = document.getElementById(id)
  if (element instanceof kind) return element
  throw new Error(`the page has no ${kind.name} with the id ${id}`)
}

/** Makes an element with attributes and children; a child that is a string is text. */
export const element = <Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Readonly<Record<string, string>> = {},
  ...children: ReadonlyArray<Node | string>
): HTMLElementTagNameMap[Name] => {
  const made = document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value)
  made.append(...children)
  return made
}

const svg = "http://www.w3.org/2000/svg"

/** One of the page's icons; it says nothing to those who listen. */
export const icon = (name: string): SVGSVGElement => {
  const made = document.createElementNS(svg, "svg")
  made.setAttribute("aria-hidden", "true")
  const use = document.createElementNS(svg, "use")
  use.setAttribute("href", `#icon-${name}`)
  made.append(use)
  return made
}

/** Sets the text, if it is another one: so nobody is told the same twice. */
export const setText = (element: Element, text: string): void => {
  if (element.textContent !== text) element.textContent = text
}

/** How the children of an element follow from data. */
export interface Drawing<A> {
  readonly id: (item: A) => string
  readonly make: (item: A) => HTMLElement
  readonly update?: (element: HTMLElement, item: A, index: number) => void
}

/** The children of an element, one for each item, each the same as long as its item has the same id. */
export class Children<A> {
  private elements = new Map<string, HTMLElement>()
  private readonly parent: HTMLElement
  private readonly drawing: Drawing<A>

  constructor(parent: HTMLElement, drawing: Drawing<A>) {
    this.parent = parent
    this.drawing = drawing
  }

  draw(items: ReadonlyArray<A>): void {
    const { id, make, update } = this.drawing
    const before = this.elements
    this.elements = new Map()
    for (const item of items) this.elements.set(id(item), before.get(id(item)) ?? make(item))
    for (const [id, element] of before) if (!this.elements.has(id)) element.remove()
    let place = this.parent.firstElementChild
    items.forEach((item, index) => {
      const element = this.elements.get(id(item))!
      if (element === place) place = place.nextElementSibling
      else this.parent.insertBefore(element, place)
      update?.(element, item, index)
    })
  }
}
