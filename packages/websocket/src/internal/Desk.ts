/** Where a request is heard and answered: on the connection it came on, or by somebody who has read it already. */
import type { Limits, Received, Request } from "@wirestack/http/HttpHead"
import type { ConnectError } from "@wirestack/protocol/ConnectError"
import * as Connection from "@wirestack/protocol/Connection"
import type { Place } from "@wirestack/protocol/Endpoint"
import { readUntil } from "@wirestack/protocol/handshake/Reader"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as ServerHandshake from "../handshake/ServerHandshake.ts"
import type { Arrival } from "../routing/Arrival.ts"
import { Arrived } from "./Arrived.ts"
import { fail, sending } from "./opening.ts"
import type { Lower } from "./upgraded.ts"

/** A request, and the chunks that came behind it. */
interface Heard {
  /** Undefined if the client has left before its end. */
  readonly found: Result.Result<Received<Request>, ServerHandshake.Refused> | undefined
  readonly rest: ReadonlyArray<Uint8Array>
}

export interface Desk {
  /** What knows the listener: its drain, and the details below. */
  readonly lower: Lower
  /** Where the server listens. */
  readonly place: Place
  /** What the handshake and the handler are given beside the listener's own. */
  readonly services?: Context.Context<never>
  /** The path to look for, if it is not the one of the request. */
  readonly path?: string | undefined
  readonly read: (limits: Limits) => Effect.Effect<Heard, ConnectError>
  readonly refuse: (refused: ServerHandshake.Refused) => Effect.Effect<void, ConnectError>
  /** Says yes, and gives the connection that goes on, and what has come on it meanwhile. */
  readonly accept: (
    response: Uint8Array
  ) => Effect.Effect<{ readonly lower: Lower; readonly rest: Heard["rest"] }, ConnectError, Scope.Scope>
}

/** The connection itself. */
export const own = (lower: Lower, place: Place): Desk => ({
  lower,
  place,
  read: (limits) => readUntil(lower, ServerHandshake.read(limits), () => undefined),
  refuse: ({ response }) => sending(lower, response),
  accept: (response) => Effect.as(sending(lower, response), { lower, rest: [] })
})

/** Whoever has read the request: until it is accepted, the connection is theirs. */
export const foreign = (lower: Lower): Desk => {
  const { arrival } = Arrived.of(Connection.release(lower).wire)
  const { path, place, services } = arrival
  return {
    lower,
    place,
    services,
    path,
    read: (limits) => Effect.sync(() => ({ found: ServerHandshake.read(limits)(arrival.head), rest: [] })),
    refuse: (refused) => Effect.sync(() => arrival.refuse(refused)),
    accept: (response) =>
      Effect.flatMap(
        taken(lower, arrival),
        ({ leftover, opened }) => Effect.as(sending(opened, response), { lower: opened, rest: leftover })
      )
  }
}

/** Goes on with the connection of a request, which from then on is nobody else's: so it is not left between the two. */
const taken = (lower: Lower, arrival: Arrival) =>
  Effect.uninterruptible(
    Effect.flatMap(
      Effect.catch(arrival.open, fail),
      ({ leftover, wire }) => Effect.map(Connection.replace(lower, wire), (opened) => ({ leftover, opened }))
    )
  )
