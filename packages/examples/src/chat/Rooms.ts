/**
 * Rooms and who is in them. What is said in a room is published in its topic; a member that takes too little to keep up with it is closed
 * as overloaded, so that nobody misses what was said without knowing it.
 */
import type { Connection } from "@wirestack/protocol/Connection"
import * as Budget from "@wirestack/protocol/fanout/Budget"
import * as Policy from "@wirestack/protocol/fanout/Policy"
import * as Topic from "@wirestack/protocol/fanout/Topic"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ClientMessage, ServerMessage } from "./Chat.ts"

/** What may wait for one member, and for all. */
const policy = Policy.close({ maxWaiting: 256 })
const maxBytes = 16_777_216

/** A member's connection, as the room sees it. */
export type Member = Connection<ClientMessage, ServerMessage>

export interface Rooms {
  /** Enters a room for as long as the scope is open, and gives what is to be said there its way. Refused if the name is taken. */
  readonly join: (room: string, name: string, member: Member) => Effect.Effect<Say | undefined, never, Scope.Scope>
}

/** Says something in a room. */
export type Say = (text: string) => Effect.Effect<void>

interface Room {
  readonly names: Set<string>
  readonly topic: Topic.Topic<ServerMessage>
}

export const make = (): Rooms => {
  const budget = Budget.make({ maxBytes })
  const rooms = new Map<string, Room>()

  /** The room, with the name in it; undefined if it was there. */
  const enter = (key: string, name: string): Room | undefined => {
    const room = rooms.get(key) ?? { names: new Set(), topic: Topic.make({ budget }) }
    if (room.names.has(name)) return undefined
    rooms.set(key, room)
    room.names.add(name)
    return room
  }

  const leave = (key: string, name: string, { names, topic }: Room) =>
    Effect.suspend(() => {
      names.delete(name)
      if (names.size === 0) rooms.delete(key)
      return Effect.ignore(topic.publish({ _tag: "Presence", name, here: false }))
    })

  return {
    join: Effect.fnUntraced(function*(key, name, member) {
      const room = yield* Effect.acquireRelease(
        Effect.sync(() => enter(key, name)),
        (room) => room === undefined ? Effect.void : leave(key, name, room)
      )
      if (room === undefined) {
        yield* Effect.ignore(member.send({ _tag: "Refused", reason: `${name} is here already` }))
        return undefined
      }
      const tell = (message: ServerMessage) => Effect.ignore(room.topic.publish(message))
      yield* tell({ _tag: "Presence", name, here: true })
      yield* room.topic.join(member, policy)
      yield* Effect.ignore(member.send({ _tag: "Joined", room: key, members: [...room.names] }))
      return (text) => tell({ _tag: "Said", name, text })
    })
  }
}
