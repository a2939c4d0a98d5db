/** The terminal client: what is typed is said, what is said is printed. */
import { messages } from "@wirestack/protocol/Connection"
import type { ClientConnection } from "@wirestack/protocol/typed/Subprotocol"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import type { Chat, Entry, ServerMessage } from "./Chat.ts"

const spoken = ({ name, text }: Entry): string => `<${name}> ${text}`

/** A server's message as lines for people. */
export const line = (message: ServerMessage): string => {
  switch (message._tag) {
    case "Joined":
      return [
        ...message.missed === undefined ? [] : [`* ${message.missed} messages are not kept any more`],
        ...message.history.map(spoken),
        `* in ${message.room}: ${message.members.join(", ")}`
      ].join("\n")
    case "Said":
      return spoken(message)
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
    Stream.runForEach((text) => chat.send({ _tag: "Say", room, text }))
  )
  const heard = Stream.runForEach(messages(chat), (message) => Console.log(line(message)))
  yield* Effect.raceFirst(typed, heard)
})
