/** The chat server: a handler for one member, whatever the stack below. */
import { messages } from "@wirestack/protocol/Connection"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ClientMessage, Join, Say as Saying } from "./Chat.ts"
import type { Member, Rooms, Say } from "./Rooms.ts"

/** In how many rooms one may be. */
const maxRooms = 16

interface Place {
  readonly say: Say
  readonly leave: Effect.Effect<void>
}

/** Serves one member until it leaves or its connection ends. */
export const serve = (rooms: Rooms) => (member: Member) =>
  Effect.suspend(() => {
    const places = new Map<string, Place>()

    const refuse = (room: string, reason: string) => Effect.ignore(member.send({ _tag: "Refused", room, reason }))

    const leave = (room: string) =>
      Effect.suspend(() => {
        const left = places.get(room)
        places.delete(room)
        return left?.leave ?? Effect.void
      })

    /** Who joins once more comes in before it leaves, so that nobody sees it go. */
    const join = Effect.fnUntraced(function*(join: Join) {
      if (!places.has(join.room) && places.size >= maxRooms) return yield* refuse(join.room, "these are too many rooms")
      const scope = yield* Scope.fork(yield* Effect.scope)
      const say = yield* Scope.provide(rooms.join(join, member), scope)
      const close = Scope.close(scope, Exit.void)
      if (say === undefined) return yield* close
      yield* leave(join.room)
      places.set(join.room, { say, leave: close })
    })

    const say = (say: Saying) => places.get(say.room)?.say(say) ?? refuse(say.room, "join the room first")

    const handle = (message: ClientMessage): Effect.Effect<void, never, Scope.Scope> => {
      switch (message._tag) {
        case "Join":
          return join(message)
        case "Say":
          return say(message)
        case "Leave":
          return leave(message.room)
      }
    }
    return Stream.runForEach(messages(member), handle)
  })
