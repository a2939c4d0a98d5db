/**
 * The rooms of a gateway: each is followed once, and what its host tells is published to the members that are connected here, by way of
 * one topic, in which it is encoded once.
 *
 * What a member says is said only when the host has it, and the member learns it with all others. While the host is away, what has a key is
 * said again until it is there, and meanwhile nothing more is read from the member; what has none is refused.
 */
import * as Budget from "@wirestack/protocol/fanout/Budget"
import * as Policy from "@wirestack/protocol/fanout/Policy"
import * as Topic from "@wirestack/protocol/fanout/Topic"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as RcMap from "effect/RcMap"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { hash } from "node:crypto"
import type { Entry, Join, ServerMessage } from "../chat/Chat.ts"
import { History, maxEntries } from "../chat/History.ts"
import type { Member, Rooms, Say } from "../chat/Rooms.ts"
import { type Away, type Event, type Host, latest, type Person } from "./Host.ts"

/** What may wait for one member, and for all. */
const policy = Policy.close({ maxWaiting: 1_024 })
const maxBytes = 67_108_864

/** When a host that is away is tried again. */
const again = Schedule.jittered(Schedule.spaced("100 millis"))

/** As often as it takes. */
const patiently = <A>(effect: Effect.Effect<A, Away>): Effect.Effect<A> => Effect.orDie(Effect.retry(effect, again))

const personOf = ({ name, secret }: Join): Person => ({
  name,
  secret: secret === undefined ? "" : hash("sha256", Redacted.value(secret), "base64url")
})

/** A room as it is known here. */
class Room {
  readonly name: string
  readonly topic: Topic.Topic<ServerMessage>
  history = new History(latest)
  members: ReadonlySet<string> = new Set()
  /** Those of this gateway, each in so many places. */
  readonly people = new Map<string, { readonly person: Person; places: number }>()
  /** Opens when it is known what was said. */
  readonly known = Latch.makeUnsafe()
  /** Held while something is published, or somebody learns what was. */
  readonly turns = Semaphore.makeUnsafe(1)
  /** Held while somebody comes or goes. */
  readonly door = Semaphore.makeUnsafe(1)

  constructor(name: string, budget: Budget.Budget) {
    this.name = name
    this.topic = Topic.make({ budget })
  }

  /** What its members are told of an event. */
  take(event: Event): Array<ServerMessage> {
    switch (event._tag) {
      case "Said":
        return [this.add(event.entry)]
      case "Members":
        return this.meet(event.members)
      case "Opened":
        return this.reopen(event.history, event.last)
    }
  }

  /** Has the person here, in one more place; false if the name is that of somebody else who is here. */
  place(person: Person): boolean {
    const here = this.people.get(person.name) ?? { person, places: 0 }
    if (here.places > 0 && (person.secret === "" || person.secret !== here.person.secret)) return false
    here.places++
    this.people.set(person.name, here)
    return true
  }

  /** Whether the person was in no other place. */
  displace({ name }: Person): boolean {
    const here = this.people.get(name)!
    if (--here.places > 0) return false
    return this.people.delete(name)
  }

  /** Who comes in is there for those who are here, before the host has told so. */
  welcome(): Array<ServerMessage> {
    return this.meet(this.members)
  }

  joined(after: number | undefined): ServerMessage {
    const { history, missed } = this.history.after(after)
    const { last } = this.history
    const joined = { _tag: "Joined", room: this.name, members: [...this.members], history, last } as const
    if (after === undefined) return { ...joined, history: history.slice(-maxEntries) }
    return missed === 0 ? joined : { ...joined, missed }
  }

  said(entry: Entry): ServerMessage {
    return { _tag: "Said", room: this.name, ...entry }
  }

  private add(entry: Entry): ServerMessage {
    this.history.add(entry)
    return this.said(entry)
  }

  private meet(names: Iterable<string>): Array<ServerMessage> {
    const before = this.members
    this.members = new Set([...names, ...this.people.keys()])
    const presence = (name: string, here: boolean): ServerMessage => ({ _tag: "Presence", room: this.name, name, here })
    return [
      ...[...before].filter((name) => !this.members.has(name)).map((name) => presence(name, false)),
      ...[...this.members].filter((name) => !before.has(name)).map((name) => presence(name, true))
    ]
  }

  /** After a time without news: what was said meanwhile, or all there is with what is missing, if it does not follow. */
  private reopen(entries: ReadonlyArray<Entry>, last: number): Array<ServerMessage> {
    const before = this.history.last
    const isAnew = last < before
    if (isAnew) this.history = new History(latest)
    const news = entries.filter(({ n }) => n > this.history.last)
    const follows = !isAnew && (before === 0 || last === before || news[0]?.n === before + 1)
    const said = news.map((entry) => this.add(entry))
    return follows ? said : [this.joined(isAnew ? undefined : before)]
  }
}

/** The rooms of a gateway, as long as the scope is open. */
export const make = Effect.fnUntraced(function*(host: Host) {
  const scope = yield* Effect.scope
  const budget = Budget.make({ maxBytes })

  const tell = (room: Room, messages: ReadonlyArray<ServerMessage>) =>
    Effect.forEach(messages, (message) => Effect.ignore(room.topic.publish(message)), { discard: true })

  const follow = (room: Room) =>
    Effect.suspend(() => {
      const after = room.known.isOpen() ? room.history.last : undefined
      const people = () => Array.from(room.people.values(), ({ person }) => person)
      return Stream.runForEach(host.follow(room.name, after, people), (event) =>
        Semaphore.withPermit(
          room.turns,
          Effect.suspend(() => {
            const messages = room.take(event)
            if (event._tag === "Opened") room.known.openUnsafe()
            return tell(room, messages)
          })
        ))
    })

  const rooms = yield* RcMap.make({
    idleTimeToLive: "10 seconds",
    lookup: Effect.fnUntraced(function*(name: string) {
      const room = new Room(name, budget)
      yield* Effect.forkScoped(Effect.repeat(Effect.ignore(follow(room)), again))
      yield* room.known.await
      return room
    })
  })

  /** Whether the host has the person in the room, too. */
  const enter = (room: Room, person: Person) =>
    Semaphore.withPermit(room.door, patiently(host.enter(room.name, person)))

  /** Nobody waits for the host to know of it. */
  const leave = (room: Room, person: Person) =>
    Effect.suspend(() => {
      if (!room.displace(person)) return Effect.void
      const left = Effect.suspend(() =>
        room.people.has(person.name) ? Effect.void : patiently(host.leave(room.name, person.name))
      )
      return Effect.asVoid(Effect.forkIn(Semaphore.withPermit(room.door, left), scope))
    })

  /** Being in line before it is a member, `Joined` goes before all that is published from then on. */
  const introduce = ({ after }: Join, room: Room, member: Member) =>
    Semaphore.withPermit(
      room.turns,
      Effect.gen(function*() {
        yield* tell(room, room.welcome())
        const telling = yield* Effect.forkChild(Effect.ignore(member.send(room.joined(after))), {
          startImmediately: true
        })
        yield* room.topic.join(member, policy)
        return telling
      })
    )

  const say = ({ name }: Join, room: Room, member: Member): Say => ({ key, text }) => {
    const saying = host.say(room.name, { name, text, ...key !== undefined && { key } })
    return (key === undefined ? saying : patiently(saying)).pipe(
      Effect.flatMap(({ entry, repeated }) =>
        // What is new here yet comes in its turn.
        Semaphore.withPermit(
          room.turns,
          Effect.suspend(() => repeated && entry.n <= room.history.last ? member.send(room.said(entry)) : Effect.void)
        )
      ),
      Effect.catchTag("Away", ({ message }) => member.send({ _tag: "Refused", room: room.name, reason: message })),
      Effect.ignore
    )
  }

  const gateway: Rooms = {
    join: Effect.fnUntraced(function*(join, member) {
      const room = yield* RcMap.get(rooms, join.room)
      const person = personOf(join)
      const placed = yield* Effect.acquireRelease(
        Effect.sync(() => room.place(person)),
        (placed) => placed ? leave(room, person) : Effect.void
      )
      if (!placed || !(yield* enter(room, person))) {
        const reason = `${join.name} is here already`
        yield* Effect.ignore(member.send({ _tag: "Refused", room: join.room, reason }))
        return undefined
      }
      yield* Fiber.join(yield* introduce(join, room, member))
      return say(join, room, member)
    })
  }
  return gateway
})
