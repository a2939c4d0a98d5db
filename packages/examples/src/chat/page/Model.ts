/**
 * What a page knows of the chat: rooms, who is in them, what was said there, and what we have said and nobody has confirmed.
 *
 *     typed --> pending, with a key --> said, with a number
 *
 * The model is plain data that changes by plain calls; whoever draws it is told after each change. What loses nothing is here:
 *
 * - On each new connection the page joins with the last number it has (`joins`), and then says what is pending, in its order (`says`). A
 *   server that has heard it already knows the key.
 * - What was said is taken in the order of its numbers, and once. Where numbers are missing there is a gap.
 * - What is pending is kept by the tab, and so outlives a reload.
 *
 * Bounds: 500 items of a room are kept, and 100 messages may be pending.
 */
import * as Redacted from "effect/Redacted"
import type { ClientMessage, Entry, Join, Joined, Say, ServerMessage } from "../Chat.ts"

const maxItems = 500
const maxPending = 100

/** What was said, and what is missing of it. */
export type Item =
  | { readonly _tag: "Said"; readonly id: string; readonly entry: Entry; readonly mine: boolean }
  /** So many messages are not kept any more. */
  | { readonly _tag: "Gap"; readonly id: string; readonly count: number }
  /** The room has forgotten what was said before, and counts from 1 again. */
  | { readonly _tag: "Anew"; readonly id: string }

/** What we have said, and nobody has confirmed. */
export interface Pending {
  readonly room: string
  readonly key: string
  readonly text: string
  readonly at: number
}

/** Who we are: the secret is by what we are known again, in other tabs and after a reconnect. */
export interface Me {
  readonly name: string
  readonly secret: string
}

export class Room {
  readonly name: string
  /** Whether the server has let us in; or why not. */
  state: "joining" | "joined" | { readonly refused: string } = "joining"
  items: Array<Item> = []
  readonly members = new Set<string>()
  unread = 0
  /** The number of what was said last. */
  last = 0
  private begun = 0

  constructor(name: string) {
    this.name = name
  }

  /** What is new of what the server tells of all that was said. */
  joined({ history, last, members, missed = 0 }: Joined, me: Me): ReadonlyArray<Entry> {
    this.state = "joined"
    this.members.clear()
    for (const member of members) this.members.add(member)
    if (last < this.last) {
      this.begun++
      this.last = 0
      this.push({ _tag: "Anew", id: `anew-${this.begun}` })
    } else if (missed > 0) {
      this.gap(missed)
    }
    return history.filter((entry) => this.said(entry, me))
  }

  /** Whether it is new. */
  said(entry: Entry, me: Me): boolean {
    if (entry.n <= this.last) return false
    if (this.last > 0 && entry.n > this.last + 1) this.gap(entry.n - this.last - 1)
    this.last = entry.n
    this.push({ _tag: "Said", id: `${this.begun}-${entry.n}`, entry, mine: entry.name === me.name })
    return true
  }

  private gap(count: number): void {
    this.push({ _tag: "Gap", id: `gap-${this.begun}-${this.last + 1}`, count })
    this.last += count
  }

  private push(item: Item): void {
    this.items.push(item)
    if (this.items.length > maxItems) this.items.shift()
  }
}

export class Model {
  me: Me | undefined
  readonly rooms = new Map<string, Room>()
  current: string | undefined
  /** Whether there is a connection. */
  isConnected = false
  pending: ReadonlyArray<Pending>
  /** How long the last message took to come back, in milliseconds. */
  trip: number | undefined
  /** Whether what is said now is seen. */
  isSeen: () => boolean = () => true
  /** What was said on more than one connection. */
  private readonly again = new Set<string>()
  private readonly watchers = new Set<() => void>()

  constructor(pending: ReadonlyArray<Pending> = []) {
    this.pending = pending
  }

  watch(watcher: () => void): void {
    this.watchers.add(watcher)
  }

  changed(): void {
    for (const watcher of this.watchers) watcher()
  }

  get room(): Room | undefined {
    return this.current === undefined ? undefined : this.rooms.get(this.current)
  }

  /** What waits in a room to be confirmed. */
  pendingIn(room: string): ReadonlyArray<Pending> {
    return this.pending.filter((pending) => pending.room === room)
  }

  /** Whether we may take another name: what may have been said under this one already would be said twice. */
  get mayBeRenamed(): boolean {
    return this.pending.every(({ room }) => typeof this.rooms.get(room)?.state === "object")
  }

  /**
   * What is to be said first on a new connection. After a reload something may be pending in a room that we are not in: which ones we are in
   * is known to all tabs together.
   */
  greetings(): ReadonlyArray<ClientMessage> {
    for (const { room } of this.pending) if (!this.rooms.has(room)) this.rooms.set(room, new Room(room))
    for (const room of this.rooms.values()) room.state = "joining"
    for (const { key } of this.pending) this.again.add(key)
    return [...[...this.rooms.keys()].map((room) => this.join(room)), ...this.pending.map(saying)]
  }

  /** How a room is entered. */
  join(name: string): Join {
    const { last } = this.rooms.get(name)!
    const me = this.me!
    const secret = Redacted.make(me.secret, { label: "secret" })
    return { _tag: "Join", room: name, name: me.name, ...last > 0 && { after: last }, secret }
  }

  /** Shows a room, and enters it if we are not in it yet; then what is to be said is given. */
  enter(name: string): ReadonlyArray<ClientMessage> {
    const known = this.rooms.get(name)
    const room = known ?? new Room(name)
    this.rooms.set(name, room)
    this.current = name
    room.unread = 0
    const isNew = known === undefined || typeof known.state === "object"
    if (isNew) room.state = "joining"
    this.changed()
    return isNew ? [this.join(name)] : []
  }

  /** Leaves a room, and forgets what was not confirmed there. */
  leave(name: string): ReadonlyArray<ClientMessage> {
    this.rooms.delete(name)
    this.pending = this.pending.filter(({ room }) => room !== name)
    if (this.current === name) this.current = this.rooms.keys().next().value
    this.changed()
    return [{ _tag: "Leave", room: name }]
  }

  /** Says something in the room that is shown; undefined if too much waits to be confirmed already. */
  say(text: string, key: string, at: number): ReadonlyArray<ClientMessage> | undefined {
    if (this.current === undefined || this.pending.length >= maxPending) return undefined
    const pending = { room: this.current, key, text, at }
    this.pending = [...this.pending, pending]
    this.changed()
    return [saying(pending)]
  }

  /** Takes what the server says, `now`. */
  receive(message: ServerMessage, now: number): void {
    const room = this.rooms.get(message.room)
    if (room === undefined) return
    switch (message._tag) {
      case "Joined": {
        const isBack = room.last > 0
        const news = room.joined(message, this.me!)
        for (const entry of message.history) this.confirm(entry)
        if (isBack) this.count(room, news)
        break
      }
      case "Said": {
        const isNew = room.said(message, this.me!)
        const at = this.confirm(message)
        if (at !== undefined) this.trip = now - at
        if (isNew) this.count(room, [message])
        break
      }
      case "Presence":
        if (message.here) room.members.add(message.name)
        else room.members.delete(message.name)
        break
      case "Refused":
        if (room.state === "joining") room.state = { refused: message.reason }
        break
    }
    this.changed()
  }

  /** Confirms what we have said, if it is that; gives when it was, if it was said once. */
  private confirm({ key, name }: Entry): number | undefined {
    const confirmed = name === this.me!.name ? this.pending.find((pending) => pending.key === key) : undefined
    if (confirmed === undefined) return undefined
    this.pending = this.pending.filter((pending) => pending !== confirmed)
    return this.again.delete(confirmed.key) ? undefined : confirmed.at
  }

  private count(room: Room, news: ReadonlyArray<Entry>): void {
    if (room.name === this.current && this.isSeen()) return
    room.unread += news.filter(({ name }) => name !== this.me!.name).length
  }
}

const saying = ({ key, room, text }: Pending): Say => ({ _tag: "Say", room, text, key })
