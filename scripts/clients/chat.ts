/** What a client of the chat does, whatever it stands on. */
import { Connection, Subprotocol } from "@wirestack/protocol"
import { Effect, Schema, Stream } from "effect"

export class Chat extends Subprotocol.Service<Chat>()("chat.v1", {
  client: Schema.TaggedStruct("Say", { text: Schema.String }),
  server: Schema.TaggedStruct("Said", { name: Schema.String, text: Schema.String })
}) {}

export const program = Effect.gen(function*() {
  const chat = yield* Chat.connect("wss://chat.example/")
  yield* chat.send({ _tag: "Say", text: "hello" })
  yield* Stream.runForEach(Connection.messages(chat), ({ name, text }) => Effect.log(name, text))
})
