/**
 * The inspector's protocol, `inspector.v1`: a server tells a page which connections it has seen, what has passed each of their layers, and of
 * the one that is chosen what passed its taps.
 *
 * - `Seen` comes for each connection at the beginning, and whenever something of it has changed; of what waits for a slow page only the latest.
 * - `History` answers `Choose`: all that is kept. `Events` follow, each with the number of its first one; they may begin before the history
 *   ends, and where some are missing a `Dropped` says how many.
 */
import * as Event from "@wirestack/protocol/tap/Event"
import * as Subprotocol from "@wirestack/protocol/typed/Subprotocol"
import * as Schema from "effect/Schema"

/** What has passed one way of a layer, as far as it counts that. */
const Amount = Schema.Struct({
  messages: Schema.optionalKey(Schema.Natural),
  bytes: Schema.optionalKey(Schema.Natural)
})
export type Amount = typeof Amount.Type

/** A layer, and what has passed it. */
export const LayerTransfer = Schema.Struct({ layer: Schema.String, received: Amount, sent: Amount })
export type LayerTransfer = typeof LayerTransfer.Type

/** What is known of a connection. */
export const Summary = Schema.Struct({
  id: Schema.Natural,
  endpoint: Schema.String,
  peer: Schema.optionalKey(Schema.String),
  /** Milliseconds of the epoch at which it began; all its times are counted from there. */
  since: Schema.Finite,
  /** Its age, when this was said. */
  age: Schema.Finite,
  /** From the top down. */
  layers: Schema.Array(LayerTransfer),
  /** The taps, from the bottom up. */
  taps: Schema.Array(Schema.Struct({ tap: Schema.Natural, name: Schema.String })),
  establishment: Event.Establishment,
  /** Pings, the latest 60: when they were answered, and how long that took, in milliseconds. */
  pings: Schema.Array(Schema.Struct({ at: Schema.Finite, took: Schema.Finite })),
  /** Whether there is a recording that Wireshark can read. */
  hasPackets: Schema.Boolean,
  outcome: Schema.optionalKey(Event.Ending)
})
export type Summary = typeof Summary.Type

/** Shows one connection, instead of the one before. */
export const Choose = Schema.TaggedStruct("Choose", { id: Schema.Natural })

const Seen = Schema.TaggedStruct("Seen", { connection: Summary })
const Forgotten = Schema.TaggedStruct("Forgotten", { id: Schema.Natural })
const History = Schema.TaggedStruct("History", {
  id: Schema.Natural,
  events: Schema.Array(Event.Event),
  /** The number of the next event. */
  next: Schema.Natural
})
const Events = Schema.TaggedStruct("Events", {
  id: Schema.Natural,
  /** The number of the first one. */
  from: Schema.Natural,
  events: Schema.Array(Event.Event)
})
export const ServerMessage = Schema.Union([Seen, Forgotten, History, Events])
export type ServerMessage = typeof ServerMessage.Type

export class Inspector
  extends Subprotocol.Service<Inspector>()("inspector.v1", { client: Choose, server: ServerMessage })
{}
