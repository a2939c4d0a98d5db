/** What both sides have in common: how a session begins on a connection, what bounds it, and what it tells. */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Redacted from "effect/Redacted"
import { ConnectError, type ConnectReason, fromConnectionError } from "../../ConnectError.ts"
import type { Connection } from "../../Connection.ts"
import { Closed, ConnectionError } from "../../ConnectionError.ts"
import { Other, TimedOut } from "../../Reason.ts"
import type { Options } from "../../resilience/Resume.ts"
import { Session } from "../../resilience/Session.ts"
import type { Message } from "../../Transport.ts"
import { atLeast } from "../atLeast.ts"
import { reasonOf } from "../reasonOf.ts"
import * as Frame from "./Frame.ts"
import { layer, type Limits, type SessionWire } from "./SessionWire.ts"

export const limitsOf = (options: Options): Limits => ({
  maxMessages: atLeast(1, "maxMessages", options.maxMessages ?? 1_024),
  maxBytes: atLeast(1, "maxBytes", options.maxBytes ?? 1_048_576),
  everyMessages: atLeast(1, "acknowledgeAfter", options.acknowledgeAfter ?? 64),
  everyBytes: 65_536,
  within: Duration.toMillis(options.acknowledgeWithin ?? "100 millis"),
  automatic: options.acknowledge !== "stored"
})

export const failed = (reason: ConnectReason): ConnectError => new ConnectError({ layer, reason })

/** What a handshake threw, or was told. */
const failureOf = (thrown: unknown): ConnectError =>
  failed((reasonOf(thrown) as ConnectReason | undefined) ?? new Other({ cause: thrown }))

export const plainly = <A>(make: () => A): Effect.Effect<A, ConnectError> => Effect.try({ try: make, catch: failureOf })

/** What the connection below gives up with. */
const lowerFailure = (error: unknown): ConnectError =>
  error instanceof ConnectionError ? fromConnectionError(error) : failed(new Closed())

export const detailsOf = (wire: SessionWire, ticket: () => Frame.Ticket) => () => {
  const { ledger } = wire
  return Context.make(Session, {
    get id() {
      return wire.name
    },
    get secret() {
      return Redacted.make(Hex.encode(ticket().secret), { label: "session" })
    },
    get received() {
      return ledger.done
    },
    get sent() {
      return ledger.sent
    },
    get acknowledged() {
      return ledger.acknowledged
    },
    acknowledge: (count) => Effect.sync(() => wire.acknowledge(count))
  })
}

export type Lower = Connection<Message, Message>

/** The first frame of the peer, and what came with it. */
export const firstFrame = (lower: Lower): Effect.Effect<readonly [Frame.Frame, ReadonlyArray<Message>], ConnectError> =>
  Effect.flatMap(
    Effect.mapError(lower.pull, lowerFailure),
    ([first, ...rest]) => plainly(() => [Frame.read(first), rest] as const)
  )

export const say = (lower: Lower, frame: Uint8Array): Effect.Effect<void, ConnectError> =>
  Effect.mapError(lower.send(frame), lowerFailure)

/** A handshake within its time; what fails cuts the connection. */
export const inTime = <A, R>(
  lower: Lower,
  within: Duration.Input = "10 seconds",
  handshake: Effect.Effect<A, ConnectError, R>
): Effect.Effect<A, ConnectError, R> => {
  const after = Duration.toMillis(within)
  const late = () => Effect.fail(failed(new TimedOut({ phase: "handshake", after })))
  return Effect.onError(Effect.timeoutOrElse(handshake, { duration: after, orElse: late }), () => lower.abort)
}
