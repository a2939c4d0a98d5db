/** The terminal client: what is typed is said, what is said is printed. */
import { messages } from "@wirestack/protocol/Connection"
import type { ClientConnection } from "@wirestack/protocol/typed/Subprotocol"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import type { Chat, ServerMessage } from "./Chat.ts"

/** A server's message as a line for people. */
export const line = (message: ServerMessage): string => {
  switch (message._tag) {
    case "Joined":
      return `* in ${message.room}: ${message.members.join(", ")}`
    case "Said":
      return `<${message.name}> ${message.text}`
    case "Presence":
      return `* ${message.name} ${message.here ? "came" : "left"}`
    case "Refused":
      return `! ${message.reason}`
  }
}

/** Talks until the input ends or the server closes. */
export const talk = Effect.fnUntraced(function*(chat: ClientConnection<typeof Chat>, room: string, name: string) {
  yield* chat.send({ _tag: "Join", room, name })
  const stdio = yield* Stdio.Stdio
  const typed = stdio.stdin.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.filter((text) => text !== ""),
    Stream.runForEach((text) => chat.send({ _tag: "Say", text }))
  )
  const heard = Stream.runForEach(messages(chat), (message) => Console.log(line(message)))
  yield* Effect.raceFirst(typed, heard)
})
