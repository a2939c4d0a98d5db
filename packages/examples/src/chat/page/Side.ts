/** The side: the rooms that we are in, and who is in the one that is shown. */
import { byId, Children, element, icon, setText } from "./dom.ts"
import { avatar } from "./Messages.ts"
import type { Model, Room } from "./Model.ts"

/** Somebody: in the room, or gone and still in what was said. */
interface Person {
  readonly name: string
  readonly isHere: boolean
}

const peopleOf = ({ items, members }: Room): ReadonlyArray<Person> => {
  const names = new Set([...members, ...items.flatMap((item) => item._tag === "Said" ? [item.entry.name] : [])])
  const people = [...names].map((name) => ({ name, isHere: members.has(name) }))
  return people.sort((a, b) => Number(b.isHere) - Number(a.isHere) || a.name.localeCompare(b.name))
}

/** What can be done there. */
export interface Doing {
  readonly enter: (room: string) => void
  readonly leave: (room: string) => void
}

/** The number of messages that were not seen. */
const count = (unread: number): string => unread === 0 ? "" : unread > 99 ? "99+" : `${unread}`

export class Side {
  private readonly rooms: Children<Room>
  private readonly people: Children<Person>
  private current: string | undefined

  constructor(model: Model, { enter, leave }: Doing) {
    this.rooms = new Children(byId("rooms", HTMLUListElement), {
      id: ({ name }) => name,
      make: ({ name }) => {
        const open = element(
          "button",
          { type: "button" },
          element("span", { "aria-hidden": "true" }, "#"),
          element("span", { class: "name" }, name),
          element("span", { class: "count" }),
          element("span", { class: "hidden" })
        )
        const close = element(
          "button",
          { type: "button", class: "leave", "aria-label": `Leave ${name}` },
          icon("close")
        )
        open.addEventListener("click", () => enter(name))
        close.addEventListener("click", () => leave(name))
        return element("li", {}, open, close)
      },
      update: (line, { name, unread }) => {
        const isCurrent = name === this.current
        line.toggleAttribute("data-current", isCurrent)
        const [open, close] = line.children
        if (isCurrent) open.setAttribute("aria-current", "true")
        else open.removeAttribute("aria-current")
        const [, , number, words] = open.children
        setText(number, count(unread))
        number.toggleAttribute("hidden", unread === 0)
        number.setAttribute("aria-hidden", "true")
        setText(words, unread === 0 ? "" : `, ${unread} unread`)
        close.toggleAttribute("hidden", model.rooms.size === 1)
      }
    })
    this.people = new Children(byId("people", HTMLUListElement), {
      id: ({ name }) => name,
      make: ({ name }) => element("li", {}, avatar(name), element("span", { class: "name" }, name), element("small")),
      update: (line, { isHere, name }) => {
        line.toggleAttribute("data-away", !isHere)
        setText(line.lastElementChild!, !isHere ? "away" : name === model.me!.name ? "you" : "")
      }
    })
  }

  draw(model: Model): void {
    this.current = model.current
    this.rooms.draw([...model.rooms.values()])
    this.people.draw(model.room === undefined ? [] : peopleOf(model.room))
    setText(byId("me-name", HTMLElement), model.me!.name)
    const elsewhere = [...model.rooms.values()].reduce((sum, { unread }) => sum + unread, 0)
    const badge = byId("elsewhere", HTMLElement)
    setText(badge, count(elsewhere))
    badge.hidden = elsewhere === 0
    const { room } = model
    if (room === undefined) return
    setText(byId("where", HTMLElement), `# ${room.name}`)
    const here = room.members.size
    setText(
      byId("present", HTMLElement),
      typeof room.state === "object"
        ? room.state.refused
        : !model.isConnected
        ? "Not connected"
        : room.state === "joining"
        ? "Joining…"
        : `${here} ${here === 1 ? "person" : "people"} here`
    )
    document.title = `${elsewhere === 0 ? "" : `(${elsewhere}) `}${room.name} · Chat`
  }
}
