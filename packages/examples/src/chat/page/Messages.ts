/**
 * What was said in the rooms, and what waits to be. Each room has a log of its own, of which one is shown: so what comes is read out to those
 * who listen, and what is only shown again is not.
 */
import { Children, element, icon } from "./dom.ts"
import type { Item, Model, Pending, Room } from "./Model.ts"

/** Messages of one author within five minutes stand together. */
const together = 300_000

const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" })
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" })

/** What is shown, in one line of the log. */
type Line =
  | { readonly _tag: "Message"; readonly id: string; readonly message: Message; readonly isContinued: boolean }
  | { readonly _tag: "Between"; readonly id: string; readonly text: string; readonly kind: "day" | "gap" }

interface Message {
  readonly name: string
  readonly at: number
  readonly text: string
  readonly isMine: boolean
  readonly isPending: boolean
}

const said = (item: Item & { readonly _tag: "Said" }): Message => ({
  name: item.entry.name,
  at: item.entry.at,
  text: item.entry.text,
  isMine: item.mine,
  isPending: false
})

const pending = (name: string, { at, text }: Pending): Message => ({ name, at, text, isMine: true, isPending: true })

const textOf = (item: Exclude<Item, { readonly _tag: "Said" }>): string =>
  item._tag === "Anew"
    ? "The room has forgotten what was said before"
    : `${item.count} ${
      item.count === 1 ? "message is" : "messages are"
    } missing here: the room does not keep them any more`

/** The lines of a room. A message of ours keeps its line when it is confirmed. */
const linesOf = (room: Room, waiting: ReadonlyArray<Pending>, me: string): ReadonlyArray<Line> => {
  const lines: Array<Line> = []
  let last: Message | undefined
  const add = (id: string, message: Message): void => {
    const today = day.format(message.at)
    if (last === undefined || day.format(last.at) !== today) {
      lines.push({ _tag: "Between", id: `day-${id}`, text: today, kind: "day" })
      last = undefined
    }
    const isContinued = last !== undefined && last.name === message.name && message.at - last.at < together
    lines.push({ _tag: "Message", id, message, isContinued })
    last = message
  }
  for (const item of room.items) {
    if (item._tag === "Said") {
      const { key } = item.entry
      add(item.mine && key !== undefined ? `mine-${key}` : item.id, said(item))
    } else {
      lines.push({ _tag: "Between", id: item.id, text: textOf(item), kind: "gap" })
      last = undefined
    }
  }
  for (const one of waiting) add(`mine-${one.key}`, pending(me, one))
  return lines
}

/** A hue for each name: by the golden angle, names that are nearly the same have others. */
const hueOf = (name: string): number => {
  let hash = 0
  for (const char of name) hash = (hash * 31 + char.codePointAt(0)!) % 9_973
  return Math.round(hash * 137.508) % 360
}

/** The first letter of a name, in its colour. */
export const avatar = (name: string): HTMLElement => {
  const made = element("span", { class: "avatar", "aria-hidden": "true" }, [...name][0].toUpperCase())
  made.style.setProperty("--hue", `${hueOf(name)}`)
  return made
}

const make = (line: Line): HTMLElement => {
  if (line._tag === "Between") return element("p", { class: `between ${line.kind}` }, line.text)
  const { at, isMine, name, text } = line.message
  return element(
    "div",
    { class: `message${isMine ? " mine" : ""}` },
    avatar(name),
    element(
      "header",
      {},
      element("b", {}, isMine ? "You" : name),
      " ",
      element("time", { datetime: new Date(at).toISOString() }, time.format(at))
    ),
    element("p", { class: "text" }, text),
    ...isMine ? [element("span", { class: "mark" })] : []
  )
}

const marks = { said: "said", pending: "not confirmed yet" }

const mark = (line: HTMLElement, state: keyof typeof marks): void => {
  const place = line.querySelector<HTMLElement>(".mark")!
  if (place.dataset["state"] === state) return
  place.dataset["state"] = state
  place.title = marks[state]
  place.replaceChildren(icon(state), element("span", { class: "hidden" }, marks[state]))
}

const update = (made: HTMLElement, line: Line): void => {
  if (line._tag === "Between") return
  made.classList.toggle("continued", line.isContinued)
  made.firstElementChild!.nextElementSibling!.classList.toggle("hidden", line.isContinued)
  made.classList.toggle("pending", line.message.isPending)
  if (line.message.isMine) mark(made, line.message.isPending ? "pending" : "said")
}

/** How far from its end a log is still at it, in pixels. */
const nearly = 48

/** The log of one room. */
class Log {
  readonly element: HTMLElement
  private readonly lines: Children<Line>
  private readonly nothing = element("p", { class: "empty" }, "Nobody has said anything yet.")
  private isAtEnd = true
  private top = 0

  constructor(room: string, follows: () => void) {
    this.element = element("div", {
      role: "log",
      "aria-live": "polite",
      "aria-label": `Messages in ${room}`,
      tabindex: "0"
    })
    this.lines = new Children(this.element, { id: ({ id }) => id, make, update })
    this.element.addEventListener("scroll", () => {
      const { clientHeight, scrollHeight, scrollTop } = this.element
      this.top = scrollTop
      this.isAtEnd = scrollHeight - scrollTop - clientHeight < nearly
      follows()
    }, { passive: true })
  }

  /** Draws the room; says whether there is something new that is not in sight. */
  draw(lines: ReadonlyArray<Line>): boolean {
    const before = this.element.childElementCount
    if (lines.length === 0) this.element.replaceChildren(this.nothing)
    else this.nothing.remove()
    this.lines.draw(lines)
    if (this.isAtEnd) this.toEnd()
    return !this.isAtEnd && lines.length > before
  }

  /** Shows it as it was left. */
  restore(): void {
    if (this.isAtEnd) this.toEnd()
    else this.element.scrollTop = this.top
  }

  toEnd(): void {
    this.isAtEnd = true
    this.element.scrollTop = this.element.scrollHeight
  }

  get follows(): boolean {
    return this.isAtEnd
  }
}

export class Messages {
  private readonly logs = new Map<string, Log>()
  private readonly place: HTMLElement
  private readonly latest: HTMLElement
  private shown: Log | undefined

  constructor(place: HTMLElement, latest: HTMLElement) {
    this.place = place
    this.latest = latest
    latest.addEventListener("click", () => {
      this.toEnd()
      this.shown?.element.focus()
    })
    new ResizeObserver(() => this.shown?.restore()).observe(place)
  }

  /** Whether the end of what was said is in sight. */
  get follows(): boolean {
    return this.shown?.follows ?? true
  }

  toEnd(): void {
    this.shown?.toEnd()
    this.latest.hidden = true
  }

  draw(model: Model): void {
    for (const name of this.logs.keys()) if (!model.rooms.has(name)) this.logs.delete(name)
    for (const room of model.rooms.values()) {
      const log = this.logs.get(room.name) ?? new Log(room.name, () => this.scrolled())
      this.logs.set(room.name, log)
      const isBehind = log.draw(linesOf(room, model.pendingIn(room.name), model.me!.name))
      if (isBehind && log === this.shown) this.latest.hidden = false
    }
    const log = model.current === undefined ? undefined : this.logs.get(model.current)
    if (log === this.shown) return
    this.shown = log
    this.place.replaceChildren(...log === undefined ? [] : [log.element])
    this.latest.hidden = true
    log?.restore()
  }

  private scrolled(): void {
    if (this.follows) this.latest.hidden = true
  }
}
