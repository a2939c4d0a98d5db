/// <reference lib="dom" />
/** How a connection came about, each layer a bar from when it began to when it was ready; and how it ended. */
import type { Ending, Establishment } from "@wirestack/protocol/tap/Event"
import { byId, element } from "../../chat/page/dom.ts"
import type { Summary } from "../Inspector.ts"
import * as words from "./words.ts"

type Step = Establishment["attempts"][0][0]

/** The facts of a layer that say something. */
const factsOf = (facts: Step["facts"]): string =>
  Object.entries(facts)
    .filter(([, fact]) => !Array.isArray(fact) || fact.length > 0)
    .map(([name, fact]) => `${name} ${typeof fact === "object" ? JSON.stringify(fact) : fact}`)
    .join(", ")

const row = ({ after, facts, failure, layer, took }: Step, all: number): HTMLElement => {
  const bar = element("span", { class: failure === undefined ? "bar" : "bar failed" })
  bar.style.setProperty("--from", `${(100 * after) / all}%`)
  bar.style.setProperty("--long", `${(100 * took) / all}%`)
  const known = failure?.message ?? factsOf(facts)
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, layer),
    element(
      "td",
      {},
      element("span", { class: "track", "aria-hidden": "true" }, bar),
      element("span", { class: "hidden" }, `after ${words.millis(after)}`),
      ...known === "" ? [] : [element("span", { class: "facts" }, known)]
    ),
    element("td", { class: "time" }, words.millis(took))
  )
}

const heading = (text: string, kind = "") => element("th", { scope: "col", class: kind }, text)

const tableOf = ({ attempts, took }: Establishment): HTMLElement =>
  element(
    "table",
    {},
    element("thead", {}, element("tr", {}, heading("Layer"), heading("When"), heading("Took", "time"))),
    ...attempts.map((attempt, at) =>
      element(
        "tbody",
        {},
        ...attempts.length === 1
          ? []
          : [element("tr", {}, element("th", { scope: "rowgroup", colspan: "3" }, `Attempt ${at + 1}`))],
        ...attempt.map((step) => row(step, Math.max(took, 0.001)))
      )
    ),
    element(
      "tfoot",
      {},
      element(
        "tr",
        {},
        element("th", { scope: "row" }, "in all"),
        element("td"),
        element("td", { class: "time" }, words.millis(took))
      )
    )
  )

const status = (status: Ending["sent"]): string =>
  status === undefined ? "none" : `${status.code}${status.reason === "" ? "" : ` ${status.reason}`}`

const endingOf = (outcome: Ending): ReadonlyArray<readonly [string, string]> => [
  ["Who was first", outcome.first],
  ["Clean", outcome.clean ? "yes" : "no"],
  ["Close sent", status(outcome.sent)],
  ["Close received", status(outcome.received)],
  ["End of input", outcome.endOfInput],
  ["Unsent", `${outcome.unsent.messages} messages, ${words.size(outcome.unsent.bytes)}`],
  ["Undelivered", `${outcome.undelivered} messages`],
  [
    "Layers",
    outcome.layers.map(({ layer, settled, took }) => `${layer} ${words.millis(took)}${settled ? "" : ", given up"}`)
      .join("; ")
  ],
  ...outcome.error === undefined ? [] : [["Error", `${outcome.error.layer}: ${outcome.error.message}`] as const]
]

/** What is drawn already. */
let drawn = ""

export const draw = (summary: Summary | undefined): void => {
  const { establishment, id, outcome } = summary ?? {}
  const next = JSON.stringify([id, establishment, outcome])
  if (next === drawn) return
  drawn = next
  byId("waterfall", HTMLElement).replaceChildren(...establishment === undefined ? [] : [tableOf(establishment)])
  byId("ending", HTMLElement).toggleAttribute("hidden", outcome === undefined)
  byId("outcome", HTMLDListElement).replaceChildren(
    ...outcome === undefined
      ? []
      : endingOf(outcome).flatMap(([term, fact]) => [element("dt", {}, term), element("dd", {}, fact)])
  )
}
