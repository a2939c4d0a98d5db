/** The chat server: a handler for one member, whatever the stack below. */
import { messages } from "@wirestack/protocol/Connection"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ClientMessage } from "./Chat.ts"
import type { Member, Rooms, Say } from "./Rooms.ts"

interface Place {
  readonly say: Say
  readonly leave: Effect.Effect<void>
}

/** Serves one member until it leaves or its connection ends. */
export const serve = (rooms: Rooms) => (member: Member) =>
  Effect.suspend(() => {
    let place: Place | undefined
    const leave = Effect.suspend(() => {
      const left = place
      place = undefined
      return left?.leave ?? Effect.void
    })
    const join = Effect.fnUntraced(function*(room: string, name: string) {
      yield* leave
      const scope = yield* Scope.fork(yield* Effect.scope)
      const say = yield* Scope.provide(rooms.join(room, name, member), scope)
      const close = Scope.close(scope, Exit.void)
      if (say === undefined) yield* close
      else place = { say, leave: close }
    })
    const handle = (message: ClientMessage): Effect.Effect<void, never, Scope.Scope> => {
      switch (message._tag) {
        case "Join":
          return join(message.room, message.name)
        case "Say":
          return place?.say(message.text)
            ?? Effect.ignore(member.send({ _tag: "Refused", reason: "join a room first" }))
        case "Leave":
          return leave
      }
    }
    return Stream.runForEach(messages(member), handle)
  })
