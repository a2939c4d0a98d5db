/** How the connection is: a badge, a notice while there is none, and all there is to know of it in the details. */
import type { State } from "@wirestack/protocol/resilience/Reconnection"
import * as Duration from "effect/Duration"
import type { Facts } from "./Client.ts"
import { byId, element, setText } from "./dom.ts"
import * as words from "./words.ts"

/** How many connections that are over are told of. */
const maxBefore = 20

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" })

const millis = (time: number): string => `${time < 10 ? time.toFixed(1) : Math.round(time)} ms`

const sentence = (text: string): string => text === "" ? "" : `${text[0].toUpperCase()}${text.slice(1)}.`

/** What may be asked for to be told. */
export interface Asked {
  /** How long it took from saying something to hearing it, in milliseconds. */
  readonly trip: number | undefined
  readonly pending: number
}

export class Status {
  private readonly badge = byId("badge", HTMLButtonElement)
  private readonly notice = byId("notice", HTMLElement)
  private readonly details = byId("details", HTMLDialogElement)
  private readonly when = byId("notice-when", HTMLElement)
  private told: words.Told = { kind: "closed", word: "Not connected", why: "" }
  private facts: Facts | undefined
  private until: number | undefined
  private readonly asked: () => Asked

  constructor(restart: () => void, asked: () => Asked) {
    this.asked = asked
    byId("again", HTMLButtonElement).addEventListener("click", restart)
    byId("details-close", HTMLButtonElement).addEventListener("click", () => this.details.close())
    this.badge.addEventListener("click", () => {
      this.drawDetails()
      this.details.showModal()
    })
    setInterval(() => this.count(), 250)
  }

  opened(facts: Facts): void {
    this.facts = facts
  }

  state(state: State): void {
    const before = this.told
    this.told = words.ofState(state)
    const { kind, why, word } = this.told
    this.until = state._tag === "Waiting" ? performance.now() + Duration.toMillis(state.delay) : undefined
    if (kind === "waiting" || (kind === "closed" && state._tag !== "Closing")) this.remember(why)
    this.badge.dataset["kind"] = kind
    // A connection that is being tried again is told of until it is there.
    const isAway = kind === "waiting" || kind === "closed" || (kind === "connecting" && !this.notice.hidden)
    this.notice.hidden = !isAway
    if (kind !== "connecting") {
      this.notice.dataset["kind"] = kind
      setText(byId("notice-word", HTMLElement), kind === "waiting" ? "No connection." : "The connection is closed.")
      setText(byId("notice-why", HTMLElement), sentence(why))
      setText(byId("again", HTMLElement), kind === "waiting" ? "Reconnect now" : "Connect again")
    }
    if (kind !== before.kind && kind !== "connecting") {
      setText(
        byId("status", HTMLElement),
        kind === "open" ? "Connected." : `${kind === "waiting" ? "No connection" : word}. ${sentence(why)}`
      )
    }
    this.draw()
  }

  draw(): void {
    setText(byId("badge-word", HTMLElement), this.told.word)
    this.count()
    if (this.details.open) this.drawDetails()
  }

  /** Counts down to the next attempt; only for those who look at it. */
  private count(): void {
    const { kind } = this.told
    const rest = this.until === undefined ? 0 : Math.max(0, Math.ceil((this.until - performance.now()) / 1_000))
    const trip = this.asked().trip ?? this.facts?.report.took
    setText(this.when, kind === "waiting" ? `Trying again in ${rest}\u00a0s.` : kind === "connecting" ? "Trying…" : "")
    setText(
      byId("badge-fact", HTMLElement),
      kind === "waiting" ? `${rest}\u00a0s` : kind === "open" && trip !== undefined ? millis(trip) : ""
    )
  }

  private remember(why: string): void {
    const before = byId("before", HTMLOListElement)
    const at = new Date()
    before.prepend(
      element("li", {}, element("time", { datetime: at.toISOString() }, clock.format(at)), ` ${sentence(why)}`)
    )
    if (before.childElementCount > maxBefore) before.lastElementChild!.remove()
  }

  private drawDetails(): void {
    const { pending, trip } = this.asked()
    const facts: Array<readonly [string, string]> = [
      ["State", `${this.told.word}${this.told.why === "" ? "" : `: ${this.told.why}`}`],
      ["Unconfirmed", `${pending} ${pending === 1 ? "message" : "messages"}`]
    ]
    if (this.facts !== undefined) {
      const { socket } = this.facts
      facts.push(
        ["There and back", trip === undefined ? "nothing was said yet" : millis(trip)],
        ["Address", socket.url],
        ["Subprotocol", socket.protocol ?? "none"],
        ["Extensions", socket.extensions === "" ? "none" : socket.extensions],
        ["Browser's API", socket.api === "stream" ? "WebSocketStream" : "WebSocket"]
      )
    }
    byId("facts", HTMLElement).replaceChildren(
      ...facts.flatMap(([term, fact]) => [element("dt", {}, term), element("dd", {}, fact)])
    )
    if (this.facts !== undefined) byId("report", HTMLElement).replaceChildren(reportOf(this.facts))
  }
}

/** The establishment of the present connection, a layer a line. */
const reportOf = ({ report }: Facts): HTMLElement => {
  const lines = report.attempts.flat().map(({ after, layer, reason, took }) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, layer),
      element("td", {}, reason?.message ?? "ready"),
      element("td", { class: "time" }, millis(after)),
      element("td", { class: "time" }, millis(took))
    )
  )
  const heading = (text: string, kind = "") => element("th", { scope: "col", class: kind }, text)
  return element(
    "table",
    {},
    element(
      "thead",
      {},
      element("tr", {}, heading("Layer"), heading("Result"), heading("After", "time"), heading("Took", "time"))
    ),
    element("tbody", {}, ...lines)
  )
}
