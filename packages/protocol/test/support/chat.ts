/** The protocols of the tests. */
import { Subprotocol } from "@wirestack/protocol"
import { Schema } from "effect"

export class Joined extends Schema.TaggedClass<Joined>()("Joined", { room: Schema.String, at: Schema.Date }) {}

export const Said = Schema.TaggedStruct("Said", { text: Schema.String })
export const Heard = Schema.TaggedStruct("Heard", { text: Schema.String, count: Schema.Int })

export class ChatV1 extends Subprotocol.Service<ChatV1>()("chat.v1", { client: Said, server: Heard }) {}

export class ChatV2 extends Subprotocol.Service<ChatV2>()("chat.v2", {
  client: Schema.Union([Said, Joined]),
  server: Schema.Union([Heard, Joined])
}) {}

export class Chats extends Subprotocol.Family<Chats>()({ "chat.v2": ChatV2, "chat.v1": ChatV1 }) {}
