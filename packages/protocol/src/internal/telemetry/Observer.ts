/**
 * Who is told of connections: nobody, unless a program has `Telemetry`. It is asked for once a connection, where that begins, and told
 * what is rare; what passes is counted by the layers anyway, and looked at when somebody wants to know.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { AnySpan } from "effect/Tracer"
import type { ConnectError } from "../../ConnectError.ts"
import type { Connection } from "../../Connection.ts"
import type { Endpoint } from "../../Endpoint.ts"
import type { Journal } from "../Journal.ts"
import type { Life } from "../LiveConnection.ts"

/** On which side a connection was made. */
export type Role = "client" | "server"

/** Why a listener did not take a connection: a limit, or that it drains. */
export type Refused = "listener" | "peer" | "waiting" | "draining"

/** A call, or a notification, of a protocol. */
export interface Called {
  readonly protocol: string
  readonly name: string
  readonly answered: boolean
}

/** Who is told of one connection. Its end is in its `Life`. */
export interface Witness {
  /** Runs the handler of an accepted connection, whose layers are all ready now. */
  handling<A, E, R>(connection: Connection<any, any>, handler: Effect.Effect<A, E, R>): Effect.Effect<A, E, R>
  /** The peer has said whose work the handshake of this connection is part of. */
  continues(parent: AnySpan): void
  /** A layer has measured how long the peer takes to answer, in milliseconds. */
  roundTrip(layer: string, took: number): void
  /** Makes a call, to which what goes on may be attached. */
  calling<A, E>(
    called: Called,
    call: (traceparent: string | undefined) => Effect.Effect<A, E>
  ): Effect.Effect<A, E>
  /** Handles a call of the peer, which may have said what it is part of. */
  answering<A, E>(
    called: Called,
    traceparent: string | undefined,
    answer: Effect.Effect<A, E>
  ): Effect.Effect<A, E>
}

/** Who is told of all connections. */
export interface Observer {
  /** Whether there are spans. */
  readonly traces: boolean
  /** Runs what connects, and keeps a journal of it. */
  connecting<A extends Connection<any, any>, R>(
    endpoint: Endpoint,
    journal: Journal,
    connect: Effect.Effect<A, ConnectError, R>
  ): Effect.Effect<A, ConnectError, R>
  /** A connection has begun, at the bottom of its stack. */
  begun(life: Life, role: Role): Witness
  /** Connections were refused before anything was made of them, or turned away. */
  refused(why: Refused, count: number): void
  /** Connecting again, for what outlives a connection, has failed for a reason or not. */
  reconnected(reason: string | undefined): void
  /** A session that was to be resumed was, or not: for want of messages, or as nobody knows it any more. */
  resumed(reason: "gap" | "unknown" | undefined): void
  /** Looks at something each time that somebody wants to know, and a last time when it is called off. */
  sampling(sample: Sample): () => void
}

/** Looks at something, for the last time or not. */
export type Sample = (meters: Meters, last: boolean) => void

/** What was counted, as numbers with attributes. */
export interface Meters {
  add(instrument: Instrument, attributes: Attributes, amount: number): void
  set(instrument: Instrument, attributes: Attributes, value: number): void
  remove(instrument: Instrument, attributes: Attributes): void
}

export type Attributes = { readonly [name: string]: string | undefined }

/** What is measured. */
export interface Instrument {
  readonly name: string
  readonly description: string
  /** By UCUM. */
  readonly unit: string | undefined
  /** A number that only grows, one that doesn't, or how often which amounts were seen, by the upper bounds of their classes. */
  readonly kind: "counter" | "gauge" | ReadonlyArray<number>
}

export const Observing: Context.Reference<Observer | undefined> = Context.Reference<Observer | undefined>(
  "@wirestack/protocol/telemetry",
  { defaultValue: () => undefined }
)
