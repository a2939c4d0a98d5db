/// <reference lib="dom" />
/** The inspector in a browser: the model, the connection, and what shows them. */
import { byId, Children, element, setText } from "../../chat/page/dom.ts"
import { Bands } from "./Bands.ts"
import { Events } from "./Events.ts"
import * as Link from "./Link.ts"
import { Model, type Tracked } from "./Model.ts"
import { Plot } from "./Plot.ts"
import * as Waterfall from "./Waterfall.ts"
import * as words from "./words.ts"

const tickEvery = 500

const model = new Model()
const bands = new Bands()
const plot = new Plot()
const events = new Events(model, () => events.draw())

const url = new URL("/inspector/events", location.href)
url.protocol = location.protocol === "https:" ? "wss:" : "ws:"

const choose = (id: number): void => {
  model.choose(id)
  ask(id)
}

const list = new Children<Tracked>(byId("connections", HTMLUListElement), {
  id: ({ summary }) => `${summary.id}`,
  make: ({ summary: { id } }) => {
    const button = element(
      "button",
      { type: "button" },
      element("span", { class: "dot", "aria-hidden": "true" }),
      element("b"),
      element("span", { class: "word" }),
      element("span", { class: "soft" })
    )
    button.addEventListener("click", () => {
      isChosen = true
      choose(id)
      draw()
    })
    return element("li", {}, button)
  },
  update: (line, { summary }) => {
    const button = line.firstElementChild!
    const { kind, word } = words.stateOf(summary)
    line.dataset["kind"] = kind
    if (summary.id === model.chosen) button.setAttribute("aria-current", "true")
    else button.removeAttribute("aria-current")
    const [top, ...below] = summary.layers.map(({ layer }) => layer)
    setText(button.children[1], `#${summary.id} ${top}`)
    setText(button.children[2], word)
    setText(button.children[3], [...summary.peer === undefined ? [] : [summary.peer], ...below].join(" · "))
  }
})

const started = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" })

const drawAbout = (): void => {
  const summary = model.current?.summary
  setText(byId("about-title", HTMLElement), summary === undefined ? "No connection" : `Connection #${summary.id}`)
  const state = byId("state", HTMLElement)
  state.toggleAttribute("hidden", summary === undefined)
  const downloads = byId("downloads", HTMLElement)
  if (summary === undefined) {
    setText(byId("place", HTMLElement), "")
    return downloads.replaceChildren()
  }
  const { kind, word } = words.stateOf(summary)
  state.dataset["kind"] = kind
  setText(byId("state-word", HTMLElement), word)
  const from = summary.peer === undefined ? "" : `from ${summary.peer} `
  setText(byId("place", HTMLElement), `${from}to ${summary.endpoint}, since ${started.format(summary.since)}`)
  const forms = [["ndjson", "Recording"], ...summary.hasPackets ? [["pcapng", "Packets for Wireshark"]] : []]
  const wanted = `${summary.id} ${forms.length}`
  if (downloads.dataset["of"] === wanted) return
  downloads.dataset["of"] = wanted
  downloads.replaceChildren(
    ...forms.map(([form, name]) =>
      element(
        "a",
        { class: "button", href: `/inspector/recordings/connection-${summary.id}.${form}`, download: "" },
        name
      )
    )
  )
}

const draw = (): void => {
  const all = [...model.connections.values()].reverse()
  list.draw(all)
  byId("nobody", HTMLElement).toggleAttribute("hidden", all.length > 0)
  drawAbout()
  Waterfall.draw(model.current?.summary)
  plot.draw(model.current?.summary.pings ?? [], model.answers)
  events.draw()
}

/** Nobody has chosen yet: then what is shown is the latest connection that is open, or else the latest. */
let isChosen = false

const follow = (): void => {
  const all = [...model.connections.values()]
  const latest = all.findLast(({ summary }) => summary.outcome === undefined) ?? all.at(-1)
  const isAway = model.current === undefined || (!isChosen && model.current.summary.outcome !== undefined)
  if (isAway && latest !== undefined && latest !== model.current) choose(latest.summary.id)
}

let isDrawn = true

/** Draws what has changed, once for all that comes together. */
const changed = (): void => {
  if (!isDrawn) return
  isDrawn = false
  requestAnimationFrame(() => {
    isDrawn = true
    follow()
    draw()
  })
}

const ask = Link.start(url.href, {
  opened: () => {
    isChosen = false
    model.clear()
    changed()
  },
  receive: (message) => {
    model.receive(message)
    changed()
  },
  state: ({ _tag }) => {
    const isOpen = _tag === "Ready"
    byId("badge", HTMLElement).dataset["kind"] = isOpen ? "open" : "connecting"
    setText(byId("badge-word", HTMLElement), isOpen ? "Live" : "Connecting")
  }
})

setInterval(() => {
  for (const tracked of model.connections.values()) tracked.tick()
  bands.draw(model.current)
}, tickEvery)

draw()
