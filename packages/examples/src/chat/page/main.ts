/** The chat in a browser: the model, the connection, and what shows them. */
import * as Client from "./Client.ts"
import { Composer } from "./Composer.ts"
import { byId } from "./dom.ts"
import { Entry } from "./Entry.ts"
import * as memory from "./memory.ts"
import { Messages } from "./Messages.ts"
import { Model } from "./Model.ts"
import { Side } from "./Side.ts"
import { Status } from "./Status.ts"

const known = memory.profile.get()
const secret = known?.secret ?? crypto.randomUUID()
const model = new Model(memory.unsaid.get())
let client: Client.Client | undefined

const messages = new Messages(byId("logs", HTMLElement), byId("latest", HTMLElement))
const side = new Side(model, { enter: (room) => show(room), leave: (room) => client?.send(model.leave(room)) })
const status = new Status(
  () => client?.restart(),
  () => ({ trip: model.trip, pending: model.pending.length })
)
const composer = new Composer((text) => {
  const said = model.say(text, crypto.randomUUID(), Date.now())
  if (said === undefined) return false
  client?.send(said)
  messages.toEnd()
  return true
})
const entry = new Entry(({ name, room }) => {
  const isOther = model.me !== undefined && model.me.name !== name
  if (isOther && !model.mayBeRenamed) {
    return entry.ask("name", { name, room }, "You can change your name when all that you have said is confirmed.")
  }
  model.me = { name, secret }
  if (isOther) client?.send([...model.rooms.keys()].map((room) => model.join(room)))
  show(room)
  start()
})

model.isSeen = () => document.visibilityState === "visible" && messages.follows

/** Shows a room, which is entered if we are not in it. */
const show = (room: string): void => {
  const greetings = model.enter(room)
  client?.send(greetings)
  const drawer = byId("side", HTMLElement)
  if (drawer.matches(":popover-open")) drawer.hidePopover()
  composer.focus()
}

const start = (): void => {
  client ??= Client.start(model, {
    opened: (facts) => status.opened(facts),
    state: (state) => {
      model.isConnected = state._tag === "Ready"
      status.state(state)
      model.changed()
    }
  })
}

/** The room before or behind the one that is shown. */
const move = (by: number): void => {
  const rooms = [...model.rooms.keys()]
  const at = rooms.indexOf(model.current!)
  show(rooms[(at + by + rooms.length) % rooms.length])
}

let isDrawn = true

const draw = (): void => {
  isDrawn = true
  if (model.me === undefined) return
  messages.draw(model)
  side.draw(model)
  status.draw()
  if (model.current !== undefined) composer.draw(model.current)
  memory.profile.set({ name: model.me.name, secret, rooms: [...model.rooms.keys()] })
  memory.unsaid.set(model.pending)
  const { me, room } = model
  if (typeof room?.state === "object" && room.state !== asked) {
    asked = room.state
    entry.ask("both", { name: me.name, room: room.name }, `${asked.refused}.`)
  }
}

/** The refusal that was asked about. */
let asked: { readonly refused: string } | undefined

model.watch(() => {
  if (!isDrawn) return
  isDrawn = false
  queueMicrotask(draw)
})

const seen = (): void => {
  if (model.room !== undefined && model.room.unread > 0 && model.isSeen()) {
    model.room.unread = 0
    model.changed()
  }
}
document.addEventListener("visibilitychange", seen)
byId("logs", HTMLElement).addEventListener("scroll", seen, { capture: true, passive: true })
addEventListener("keydown", (event) => {
  if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown") || model.rooms.size === 0) return
  event.preventDefault()
  move(event.key === "ArrowUp" ? -1 : 1)
})
byId("add", HTMLElement).addEventListener("click", () => entry.ask("room", { name: model.me!.name, room: "" }))
byId("me", HTMLElement).addEventListener(
  "click",
  () => entry.ask("name", { name: model.me!.name, room: model.current ?? "lobby" })
)

if (known === undefined || known.rooms.length === 0) {
  entry.ask("both", { name: known?.name ?? "", room: "lobby" })
} else {
  model.me = { name: known.name, secret }
  for (const room of known.rooms) model.enter(room)
  show(known.rooms[0])
  start()
}
