/// <reference lib="dom" />
/** The stack as bands, the top first: what passes each layer now, and in the last minute. */
import { byId, Children, element, setText } from "../../chat/page/dom.ts"
import type { LayerTransfer } from "../Inspector.ts"
import type { Flow, Rate, Tracked } from "./Model.ts"
import { rows, svg } from "./svg.ts"
import * as words from "./words.ts"

const [width, height, middle] = [240, 40, 20]
const maxTicks = 120

/** What of a rate is drawn: bytes where they are known. */
const weight = ({ bytes, messages }: Rate): number => bytes ?? messages ?? 0

/** The outline of one way: what is small is to be seen beside what is large. */
const outline = (flows: ReadonlyArray<Flow>, way: "sent" | "received", most: number): string => {
  const up = way === "sent" ? -1 : 1
  const x = (at: number) => (width * (maxTicks - flows.length + at)) / (maxTicks - 1)
  const y = (flow: Flow) => middle + up * (middle - 1) * Math.sqrt(weight(flow[way]) / most)
  if (flows.length === 0) return ""
  const points = flows.map((flow, at) => `${x(at).toFixed(1)},${y(flow).toFixed(1)}`)
  return `M${x(0).toFixed(1)},${middle} L${points.join(" ")} L${width},${middle} Z`
}

const make = ({ layer }: LayerTransfer): HTMLElement => {
  const flow = svg(
    "svg",
    { class: "flow", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("path", { class: "sent" }),
    svg("path", { class: "received" }),
    svg("line", { x1: 0, x2: width, y1: middle, y2: middle })
  )
  const way = (name: "sent" | "received", arrow: string) =>
    element(
      "span",
      { class: `way ${name}` },
      element("span", { class: "arrow", "aria-hidden": "true" }, arrow),
      element("span", { class: "hidden" }, `${name} `),
      element("span", { class: "rate" })
    )
  return element(
    "li",
    {},
    element("b", { class: "layer" }, layer),
    flow,
    element("span", { class: "ways" }, way("sent", "↑"), way("received", "↓"))
  )
}

export class Bands {
  private readonly table = byId("bands-table", HTMLTableElement)
  private tracked: Tracked | undefined
  private readonly bands = new Children<LayerTransfer>(byId("bands", HTMLOListElement), {
    id: ({ layer }) => layer,
    make,
    update: (band, { layer }) => this.update(band, layer)
  })

  draw(tracked: Tracked | undefined): void {
    this.tracked = tracked
    const layers = tracked?.summary.layers ?? []
    this.bands.draw(layers)
    this.table.replaceChildren(rows(
      ["Layer", "Sent", "Received", "Sent in all", "Received in all"],
      layers.map(({ layer, received, sent }) => {
        const flow = tracked!.flowOf(layer)
        return [layer, words.rate(flow.sent), words.rate(flow.received), words.total(sent), words.total(received)]
      })
    ))
  }

  private update(band: HTMLElement, layer: string): void {
    const flows = this.tracked!.flowsOf(layer)
    const now = this.tracked!.flowOf(layer)
    const most = Math.max(1, ...flows.flatMap(({ received, sent }) => [weight(received), weight(sent)]))
    for (const way of ["sent", "received"] as const) {
      band.querySelector(`path.${way}`)!.setAttribute("d", outline(flows, way, most))
      band.querySelector(`.way.${way}`)!.toggleAttribute("data-active", weight(now[way]) > 0)
      setText(band.querySelector(`.way.${way} .rate`)!, words.rate(now[way]))
    }
  }
}
