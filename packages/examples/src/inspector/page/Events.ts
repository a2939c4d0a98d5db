/// <reference lib="dom" />
/** What passed the taps, the latest first, and all that is kept of the event that is chosen. */
import { byId, Children, element } from "../../chat/page/dom.ts"
import type { Model, Numbered } from "./Model.ts"
import * as words from "./words.ts"

/** How many are shown. */
const most = 200

const arrows = { sent: "↑", received: "↓" } as const

/** The tap of the events that are shown: the top of the stack, any, or that of a number. */
type Choice = "top" | "any" | number

export class Events {
  private readonly select = byId("tap", HTMLSelectElement)
  private readonly hold = byId("hold", HTMLButtonElement)
  private readonly pane = byId("event", HTMLElement)
  private readonly model: Model
  private readonly list: Children<Numbered>
  private taps = ""
  private chosen: number | undefined
  private connection: number | undefined

  constructor(model: Model, redraw: () => void) {
    this.model = model
    this.select.addEventListener("change", redraw)
    this.hold.addEventListener("click", () => {
      this.hold.setAttribute("aria-pressed", `${!this.isHeld}`)
      redraw()
    })
    this.list = new Children(byId("events", HTMLOListElement), {
      id: ({ n }) => `${model.chosen} ${n}`,
      make: (numbered) => this.make(numbered),
      update: (line, { n }) => line.firstElementChild!.setAttribute("aria-pressed", `${n === this.chosen}`)
    })
  }

  private get isHeld(): boolean {
    return this.hold.getAttribute("aria-pressed") === "true"
  }

  private get choice(): Choice {
    const { value } = this.select
    return value === "top" || value === "any" ? value : Number(value)
  }

  draw(): void {
    const { chosen, events } = this.model
    if (chosen !== this.connection) {
      this.connection = chosen
      this.chosen = undefined
      this.hold.setAttribute("aria-pressed", "false")
      this.pane.replaceChildren(element("p", { class: "soft" }, "Choose an event to see all that is kept of it."))
    } else if (this.isHeld) return
    this.drawTaps()
    const tap = this.choice === "top" ? this.model.current?.summary.taps.at(-1)?.tap : this.choice
    const shown = events.filter(({ event }) => tap === "any" || event._tag === "Dropped" || event.tap === tap)
    this.list.draw(shown.slice(-most).reverse())
  }

  private drawTaps(): void {
    const taps = this.model.current?.summary.taps ?? []
    const next = JSON.stringify(taps)
    if (next === this.taps) return
    this.taps = next
    const option = (value: string, text: string) => element("option", { value }, text)
    this.select.replaceChildren(
      option("top", "the top"),
      option("any", "any place"),
      ...[...taps].reverse().map(({ name, tap }) => option(`${tap}`, name))
    )
  }

  private make({ event, n }: Numbered): HTMLElement {
    const name = "tap" in event ? this.model.current?.summary.taps.find(({ tap }) => tap === event.tap)?.name ?? "" : ""
    const way = event._tag === "Passed" ? event.way : undefined
    const line = element(
      "button",
      { type: "button", "data-way": way ?? "none" },
      element("time", {}, "at" in event ? words.millis(event.at) : ""),
      element("span", { class: "arrow", "aria-hidden": "true" }, way === undefined ? "·" : arrows[way]),
      element("span", { class: "hidden" }, way ?? event._tag),
      element("span", { class: "place" }, name),
      element("span", { class: "preview" }, words.lineOf(event)),
      element("span", { class: "size" }, event._tag === "Passed" ? words.size(event.size) : "")
    )
    line.addEventListener("click", () => {
      for (const other of line.closest("ol")!.querySelectorAll("[aria-pressed=true]")) {
        other.setAttribute("aria-pressed", "false")
      }
      line.setAttribute("aria-pressed", "true")
      this.chosen = n
      this.show({ event, n }, name)
    })
    return element("li", {}, line)
  }

  private show({ event }: Numbered, name: string): void {
    if (event._tag !== "Passed") {
      const all = JSON.stringify(event, undefined, 2)
      return this.pane.replaceChildren(element("h4", {}, event._tag), element("pre", {}, all))
    }
    const { bytes, decoded } = words.shown(event.payload)
    const kept = event.size - ("bytes" in event.payload ? event.payload.bytes.length : event.size)
    this.pane.replaceChildren(
      element("h4", {}, `${event.way} at ${name}, ${words.millis(event.at)}`),
      ...kept > 0
        ? [
          element(
            "p",
            { class: "soft" },
            `The first ${words.size(event.size - kept)} of ${words.size(event.size)} are kept.`
          )
        ]
        : [],
      ...decoded === undefined ? [] : [element("pre", { class: "decoded" }, decoded)],
      ...bytes === undefined ? [] : [element("pre", { class: "bytes" }, bytes)]
    )
  }
}
