/** A typed protocol like those of chat applications: a union of eight, told apart by a tag. */
import * as Subprotocol from "@wirestack/protocol/typed/Subprotocol"
import * as Schema from "effect/Schema"

const User = Schema.Struct({ id: Schema.Int, name: Schema.String, admin: Schema.Boolean })

const Point = Schema.Struct({ x: Schema.Finite, y: Schema.Finite })

const common = { id: Schema.String, at: Schema.Int, user: User }

const Strings = Schema.Array(Schema.String)

const Event = Schema.Union([
  Schema.TaggedStruct("Posted", { ...common, room: Schema.String, text: Schema.String, tags: Strings }),
  Schema.TaggedStruct("Edited", {
    ...common,
    room: Schema.String,
    revision: Schema.Int,
    text: Schema.String,
    tags: Strings
  }),
  Schema.TaggedStruct("Deleted", { ...common, room: Schema.String, reason: Schema.String }),
  Schema.TaggedStruct("Reacted", { ...common, emoji: Schema.String, count: Schema.Int, note: Schema.String }),
  Schema.TaggedStruct("Joined", { ...common, rooms: Strings, greeting: Schema.String }),
  Schema.TaggedStruct("Left", { ...common, rooms: Strings, farewell: Schema.String }),
  Schema.TaggedStruct("Moved", { ...common, from: Point, to: Point, log: Schema.String }),
  Schema.TaggedStruct("Shared", {
    ...common,
    file: Schema.Struct({ name: Schema.String, size: Schema.Int, preview: Schema.String })
  })
])

/** What is sent, both ways. */
export type Event = typeof Event.Type

export class Events extends Subprotocol.Service<Events>()("events.v1", { client: Event, server: Event }) {}
