/**
 * What a tap has seen, as plain data: to be kept, written down, and sent to others.
 *
 *     Opened  Passed*  Ended?  Passed*  Ended?  Closed
 *
 * All events of a tap have its number, and those of a connection its `id`; times are in milliseconds since the connection began.
 */
import * as Schema from "effect/Schema"
import type { Outcome } from "../Outcome.ts"
import type { Reason } from "../Reason.ts"
import * as EstablishmentReport from "../reports/EstablishmentReport.ts"
import * as Payload from "./Payload.ts"
import type { Subject } from "./Tap.ts"

const optional = Schema.optionalKey

/** Why something failed: the layer, the tag of its reason, and its message. */
export const Failure = Schema.Struct({ layer: Schema.String, reason: Schema.String, message: Schema.String })
export type Failure = typeof Failure.Type

/** An `EstablishmentReport`, with reasons as data. */
export const Establishment = Schema.Struct({
  took: Schema.Finite,
  attempts: Schema.Array(Schema.Array(Schema.Struct({
    layer: Schema.String,
    after: Schema.Finite,
    took: Schema.Finite,
    failure: optional(Failure),
    facts: Schema.Record(Schema.String, Schema.Json)
  })))
})
export type Establishment = typeof Establishment.Type

const Status = Schema.Struct({ code: Schema.Natural, reason: Schema.String })

/** An `Outcome`, with its error as data. */
export const Ending = Schema.Struct({
  first: Schema.Literals(["local", "remote", "none"]),
  clean: Schema.Boolean,
  sent: optional(Status),
  received: optional(Status),
  endOfInput: Schema.Literals(["announced", "unannounced", "unknown"]),
  unsent: Schema.Struct({ messages: Schema.Natural, bytes: Schema.Natural }),
  undelivered: Schema.Natural,
  skipped: optional(Schema.Natural),
  layers: Schema.Array(Schema.Struct({ layer: Schema.String, took: Schema.Finite, settled: Schema.Boolean })),
  error: optional(Failure)
})
export type Ending = typeof Ending.Type

const Way = Schema.Literals(["sent", "received"])

/** A connection has begun, as far as the layer below the tap. */
export const Opened = Schema.TaggedStruct("Opened", {
  tap: Schema.Natural,
  id: Schema.Natural,
  name: Schema.String,
  kind: Schema.Literals(["bytes", "messages", "datagrams", "records", "values"]),
  role: Schema.Literals(["client", "server"]),
  layer: Schema.String,
  endpoint: Schema.String,
  peer: optional(Schema.String),
  /** Milliseconds of the epoch from which times are counted. */
  since: Schema.Finite,
  at: Schema.Finite,
  establishment: Establishment
})
export type Opened = typeof Opened.Type

/** A message or chunk has passed. */
export const Passed = Schema.TaggedStruct("Passed", {
  tap: Schema.Natural,
  at: Schema.Finite,
  way: Way,
  payload: Payload.Payload,
  /** How much it was, which may be more than what is kept: bytes, or characters of a text or value. */
  size: Schema.Natural,
  /** How much had passed this way before it. */
  offset: Schema.Natural
})
export type Passed = typeof Passed.Type

/** Nothing more passes this way. */
export const Ended = Schema.TaggedStruct("Ended", {
  tap: Schema.Natural,
  at: Schema.Finite,
  way: Way,
  how: Schema.Literals(["announced", "unannounced", "unknown"])
})
export type Ended = typeof Ended.Type

/** Every layer of the connection has closed. */
export const Closed = Schema.TaggedStruct("Closed", { tap: Schema.Natural, at: Schema.Finite, outcome: Ending })
export type Closed = typeof Closed.Type

/** There was no room for so many events, with so much in them. */
export const Dropped = Schema.TaggedStruct("Dropped", { events: Schema.Natural, size: Schema.Natural })
export type Dropped = typeof Dropped.Type

export const Event = Schema.Union([Opened, Passed, Ended, Closed, Dropped])
export type Event = typeof Event.Type

const failureOf = (layer: string, { _tag, message }: Reason): Failure => ({ layer, reason: _tag, message })

/** The facts that are known. */
const factsOf = (facts: EstablishmentReport.Facts): Establishment["attempts"][0][0]["facts"] =>
  Object.fromEntries(Object.entries(facts).flatMap(([name, fact]) => fact === undefined ? [] : [[name, knownOf(fact)]]))

const knownOf = (fact: Exclude<EstablishmentReport.Fact, undefined>): Schema.Json =>
  typeof fact === "object" ? fact.map(factsOf) : fact

/** How a connection came about, as data. */
export const established = ({ attempts, took }: EstablishmentReport.EstablishmentReport): Establishment => ({
  took,
  attempts: attempts.map((attempt) =>
    attempt.map(({ after, facts, layer, reason, took }) => ({
      layer,
      after,
      took,
      facts: factsOf(facts),
      ...reason === undefined ? undefined : { failure: failureOf(layer, reason) }
    }))
  )
})

/** How a connection ended, as data. */
export const ending = ({ error, ...outcome }: Outcome): Ending => ({
  ...outcome,
  ...error === undefined ? undefined : { error: failureOf(error.layer, error.reason) }
})

/** The beginning of a tap. */
export const opened = (subject: Subject): Opened => {
  const { connection, endpoint, id, kind, layer, name, peer, role, since, tap } = subject
  const establishment = established(EstablishmentReport.of(connection))
  return {
    _tag: "Opened",
    tap,
    id,
    name,
    kind,
    role,
    layer,
    endpoint,
    since,
    at: establishment.took,
    establishment,
    ...peer === undefined ? undefined : { peer }
  }
}
