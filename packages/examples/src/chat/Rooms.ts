/**
 * Rooms, who is in them, and what is said there. What is said is numbered and kept in a `Log`, then published in the room's topic; a
 * member that takes too little to keep up with it is closed as overloaded, so that nobody misses what was said without knowing it.
 *
 * A name is somebody's as long as they are in the room: others are refused, unless they show the same secret. Then they are the same
 * person in another place, such as a second tab, or a connection that comes back before the one before is known to be gone.
 */
import type { Connection } from "@wirestack/protocol/Connection"
import * as Budget from "@wirestack/protocol/fanout/Budget"
import * as Policy from "@wirestack/protocol/fanout/Policy"
import * as Topic from "@wirestack/protocol/fanout/Topic"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { ClientMessage, Join, Say as Saying, ServerMessage } from "./Chat.ts"
import * as Log from "./Log.ts"

/** What may wait for one member, and for all. */
const policy = Policy.close({ maxWaiting: 256 })
const maxBytes = 16_777_216

/** A member's connection, as the room sees it. */
export type Member = Connection<ClientMessage, ServerMessage>

export interface Rooms {
  /**
   * Enters a room for as long as the scope is open, answers with `Joined`, and gives what is to be said there its way. Refused if the
   * name is somebody else's.
   */
  readonly join: (join: Join, member: Member) => Effect.Effect<Say | undefined, never, Scope.Scope>
}

/** Says something in the room; if it was said before, with the same key, it only tells the member so. */
export type Say = (say: Saying) => Effect.Effect<void>

/** Somebody in a room, in so many places. */
interface Person {
  readonly secret: Redacted.Redacted<string> | undefined
  places: number
}

interface Room {
  readonly people: Map<string, Person>
  readonly topic: Topic.Topic<ServerMessage>
  /** Held while something is published, or somebody learns what was. */
  readonly turns: Semaphore.Semaphore
}

const isSame = (a: Person["secret"], b: Person["secret"]): boolean =>
  a !== undefined && b !== undefined && Redacted.value(a) === Redacted.value(b)

export const make = (log: Log.Log = Log.memory()): Rooms => {
  const budget = Budget.make({ maxBytes })
  const rooms = new Map<string, Room>()

  /** The room, with the person in it; undefined if the name is somebody else's. */
  const enter = ({ name, room: key, secret }: Join): Room | undefined => {
    const room = rooms.get(key) ?? { people: new Map(), topic: Topic.make({ budget }), turns: Semaphore.makeUnsafe(1) }
    const person = room.people.get(name) ?? { secret, places: 0 }
    if (person.places > 0 && !isSame(person.secret, secret)) return undefined
    person.places++
    room.people.set(name, person)
    rooms.set(key, room)
    return room
  }

  /** Whether the person is in no place any more. */
  const leave = ({ name, room: key }: Join, { people }: Room): boolean => {
    const person = people.get(name)!
    if (--person.places > 0) return false
    people.delete(name)
    if (people.size === 0) rooms.delete(key)
    return true
  }

  const tell = ({ topic }: Room, message: ServerMessage) => Effect.ignore(topic.publish(message))

  const present = ({ name, room: key }: Join, room: Room, here: boolean) =>
    Semaphore.withPermit(room.turns, tell(room, { _tag: "Presence", room: key, name, here }))

  const joined = ({ after, room: key }: Join, { people }: Room): ServerMessage => {
    const kept = log.history(key)
    const { history, missed } = kept.after(after)
    const all = { _tag: "Joined", room: key, members: [...people.keys()], history, last: kept.last } as const
    return missed === 0 ? all : { ...all, missed }
  }

  /** Being in line before it is a member, `Joined` goes before all that is published from then on. */
  const introduce = (join: Join, room: Room, member: Member) =>
    Semaphore.withPermit(
      room.turns,
      Effect.gen(function*() {
        const telling = yield* Effect.forkChild(Effect.ignore(member.send(joined(join, room))), {
          startImmediately: true
        })
        yield* room.topic.join(member, policy)
        return telling
      })
    )

  const say = ({ name }: Join, room: Room, member: Member): Say =>
    Effect.fnUntraced(
      function*({ key, room: where, text }) {
        const history = log.history(where)
        const known = key === undefined ? undefined : history.receipt(name, key)
        const said = known ??
          { n: history.last + 1, at: yield* Clock.currentTimeMillis, name, ...key !== undefined && { key } }
        if (known !== undefined) return yield* member.send({ _tag: "Said", room: where, ...said, text })
        yield* Effect.uninterruptible(
          Effect.andThen(log.add(where, { ...said, text }), tell(room, { _tag: "Said", room: where, ...said, text }))
        )
      },
      (saying, { room: where }) =>
        Effect.ignore(Effect.catchTag(
          Semaphore.withPermit(room.turns, saying),
          "Unkept",
          ({ message }) => member.send({ _tag: "Refused", room: where, reason: message })
        ))
    )

  return {
    join: Effect.fnUntraced(function*(join, member) {
      const room = yield* Effect.acquireRelease(
        Effect.sync(() => enter(join)),
        (room) =>
          Effect.suspend(() => room !== undefined && leave(join, room) ? present(join, room, false) : Effect.void)
      )
      if (room === undefined) {
        const reason = `${join.name} is here already`
        yield* Effect.ignore(member.send({ _tag: "Refused", room: join.room, reason }))
        return undefined
      }
      if (room.people.get(join.name)!.places === 1) yield* present(join, room, true)
      yield* Fiber.join(yield* introduce(join, room, member))
      return say(join, room, member)
    })
  }
}
