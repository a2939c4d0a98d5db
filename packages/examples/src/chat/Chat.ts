/**
 * The chat's protocol, `chat.v1`: what clients say, what the server says, and the one definition both ends share.
 *
 * Each room numbers what is said in it: 1, 2, 3, and so on. Who comes back says the last number it has (`after`), and is told what
 * followed; who does not know whether something was said says it again, with the same `key`. So nothing is lost, and nothing is said
 * twice, whatever happens to connections and servers, as long as the rooms remember.
 *
 * - `Joined` comes before all else that a room has to say; after it come, in their order, those with the numbers that follow.
 * - A connection may be in several rooms, and in each under one name.
 */
import * as Subprotocol from "@wirestack/protocol/typed/Subprotocol"
import * as Schema from "effect/Schema"

/** Halves of surrogate pairs would all become the same in UTF-8, and so one name another. */
const isText = Schema.isPattern(/^\P{Surrogate}*$/u)

/** A name as people type it: 1 to 32 characters. */
export const Name = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(32), isText)

/** What is said: 1 to 2,000 characters. */
export const Text = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(2_000))

/** By what a client knows again what it has said: 1 to 64 characters that nobody else chooses. */
export const Key = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(64))

/** By what somebody is known again: 16 to 64 characters that nobody guesses. */
export const Secret = Schema.RedactedFromValue(
  Schema.String.check(Schema.isMinLength(16), Schema.isMaxLength(64)),
  { label: "secret" }
)

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** Something that was said: its number in the room, when, by whom, and its key, if it had one. */
const said = { n: Count, at: Schema.Int, name: Name, text: Text, key: Schema.optionalKey(Key) }
export const Entry = Schema.Struct(said)
export type Entry = typeof Entry.Type

/** Enters a room, or comes back with all up to `after`. With a secret one may be there under the same name from several places. */
export const Join = Schema.TaggedStruct("Join", {
  room: Name,
  name: Name,
  after: Schema.optionalKey(Count),
  secret: Schema.optionalKey(Secret)
})
/** Says something, once for each key. */
export const Say = Schema.TaggedStruct("Say", { room: Name, text: Text, key: Schema.optionalKey(Key) })
export const Leave = Schema.TaggedStruct("Leave", { room: Name })
export const ClientMessage = Schema.Union([Join, Say, Leave])
export type Join = typeof Join.Type
export type Say = typeof Say.Type
export type ClientMessage = typeof ClientMessage.Type

/**
 * The answer to `Join`: who is in the room, oneself included, and what was said after `after`, or what is kept of all; `last` is the
 * number of what was said last. What is not kept any more of it is `missed`. A room whose `last` is less than `after` has begun anew,
 * and tells all that it has.
 */
export const Joined = Schema.TaggedStruct("Joined", {
  room: Name,
  members: Schema.Array(Name),
  history: Schema.Array(Entry),
  last: Count,
  missed: Schema.optionalKey(Count)
})
/** Somebody said something; also sent to whoever said it. */
export const Said = Schema.TaggedStruct("Said", { room: Name, ...said })
/** Somebody came or went. */
export const Presence = Schema.TaggedStruct("Presence", { room: Name, name: Name, here: Schema.Boolean })
/** What was asked of a room is not possible; the connection goes on. */
export const Refused = Schema.TaggedStruct("Refused", { room: Name, reason: Schema.String })
export const ServerMessage = Schema.Union([Joined, Said, Presence, Refused])
export type Joined = typeof Joined.Type
export type ServerMessage = typeof ServerMessage.Type

export class Chat extends Subprotocol.Service<Chat>()("chat.v1", { client: ClientMessage, server: ServerMessage }) {}
