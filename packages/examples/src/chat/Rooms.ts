/**
 * Rooms and who is in them. What is said in a room is sent to all its members at once; a member that takes nothing for
 * `patience` is cut, so that one stuck reader can't hold the others back for longer.
 */
import type { Connection } from "@wirestack/protocol/Connection"
import * as Effect from "effect/Effect"
import type { ClientMessage, ServerMessage } from "./Chat.ts"

const patience = "2 seconds"

/** A member's connection, as the room sees it. */
export type Member = Connection<ClientMessage, ServerMessage>

export interface Rooms {
  /** Enters a room; the effect's value is what to do on the way out. Refused if the name is taken. */
  readonly join: (room: string, name: string, member: Member) => Effect.Effect<Place | undefined>
}

/** A member's place in a room. */
export interface Place {
  readonly say: (text: string) => Effect.Effect<void>
  readonly leave: Effect.Effect<void>
}

const tell = (members: Iterable<Member>, message: ServerMessage): Effect.Effect<void> =>
  Effect.forEach(
    members,
    (member) =>
      Effect.catchTags(Effect.timeout(member.send(message), patience), {
        ConnectionError: () => Effect.void,
        TimeoutError: () => member.abort
      }),
    { concurrency: "unbounded", discard: true }
  )

export const make = (): Rooms => {
  const rooms = new Map<string, Map<string, Member>>()
  return {
    join: (room, name, member) =>
      Effect.suspend(() => {
        const members = rooms.get(room) ?? new Map<string, Member>()
        if (members.has(name)) {
          return Effect.as(tell([member], { _tag: "Refused", reason: `${name} is here already` }), undefined)
        }
        rooms.set(room, members)
        const others = [...members.values()]
        members.set(name, member)
        const place: Place = {
          say: (text) => Effect.suspend(() => tell(members.values(), { _tag: "Said", name, text })),
          leave: Effect.suspend(() => {
            if (members.get(name) !== member) return Effect.void
            members.delete(name)
            if (members.size === 0) rooms.delete(room)
            return tell(members.values(), { _tag: "Presence", name, here: false })
          })
        }
        return Effect.as(
          Effect.andThen(
            tell([member], { _tag: "Joined", room, members: [...members.keys()] }),
            tell(others, { _tag: "Presence", name, here: true })
          ),
          place
        )
      })
  }
}
