/** The chat's protocol, `chat.v1`: what clients say, what the server says, and the one definition both ends share. */
import * as Subprotocol from "@wirestack/protocol/typed/Subprotocol"
import * as Schema from "effect/Schema"

/** A name as people type it: 1 to 32 characters. */
export const Name = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(32))

/** What is said: 1 to 2,000 characters. */
export const Text = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(2_000))

export const Join = Schema.TaggedStruct("Join", { room: Name, name: Name })
export const Say = Schema.TaggedStruct("Say", { text: Text })
export const Leave = Schema.TaggedStruct("Leave", {})
export const ClientMessage = Schema.Union([Join, Say, Leave])
export type ClientMessage = typeof ClientMessage.Type

/** The answer to `Join`: who is in the room, oneself included. */
export const Joined = Schema.TaggedStruct("Joined", { room: Name, members: Schema.Array(Name) })
/** Somebody said something; also sent to whoever said it. */
export const Said = Schema.TaggedStruct("Said", { name: Name, text: Text })
/** Somebody came or went. */
export const Presence = Schema.TaggedStruct("Presence", { name: Name, here: Schema.Boolean })
/** What was asked is not possible; the connection goes on. */
export const Refused = Schema.TaggedStruct("Refused", { reason: Schema.String })
export const ServerMessage = Schema.Union([Joined, Said, Presence, Refused])
export type ServerMessage = typeof ServerMessage.Type

export class Chat extends Subprotocol.Service<Chat>()("chat.v1", { client: ClientMessage, server: ServerMessage }) {}
