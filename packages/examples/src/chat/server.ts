/** The chat server: a handler for one member, whatever the stack below. */
import { messages } from "@wirestack/protocol/Connection"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ClientMessage } from "./Chat.ts"
import type { Member, Place, Rooms } from "./Rooms.ts"

/** Serves one member until it leaves or its connection ends. */
export const serve = (rooms: Rooms) => (member: Member) =>
  Effect.suspend(() => {
    let place: Place | undefined
    const leave = Effect.suspend(() => {
      const left = place
      place = undefined
      return left?.leave ?? Effect.void
    })
    const handle = (message: ClientMessage): Effect.Effect<void> => {
      switch (message._tag) {
        case "Join":
          return Effect.andThen(
            leave,
            Effect.map(rooms.join(message.room, message.name, member), (joined) => {
              place = joined
            })
          )
        case "Say":
          return place?.say(message.text)
            ?? Effect.ignore(member.send({ _tag: "Refused", reason: "join a room first" }))
        case "Leave":
          return leave
      }
    }
    return Effect.ensuring(Stream.runForEach(messages(member), handle), leave)
  })
