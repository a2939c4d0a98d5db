/**
 * A connection that survives those that carry it: when one breaks, another is connected, and senders and whoever pulls go on.
 *
 *     const chat = yield* Connection.resilient(Chat.connect("wss://chat.example/"), { between: { buffer: 100 } })
 *     yield* Effect.forkScoped(Stream.runForEach(Connection.detail(chat, Reconnection).changes, show))
 *
 * The contract, which is that of every connection, with these differences:
 *
 * - It is there at once, and connected in the background; `connect` is run anew for each connection, in a scope of its own, and may
 *   log in or subscribe on it before it gives it away. What it is connected for again, and when, says `Reconnection.Options`.
 * - Messages in between are a choice (`between`). What was accepted by a connection that then breaks may be lost: of that its
 *   `Outcome` tells, in `Reconnection.changes` and in `verdict`, and the sum is in the outcome of this one. `Resume` loses nothing.
 * - `pull` waits for the next connection. It ends when the peer has closed and is not connected to again, whatever its status, which
 *   `closed` tells; it fails with `GivenUp` when nobody tries any more after anything else.
 * - Whoever carries bytes across connections must know where the peer goes on; messages are better carried.
 * - There is no half-close. Closing says goodbye on the connection that is there, if there is one.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { ConnectError } from "../ConnectError.ts"
import type { Connection } from "../Connection.ts"
import { atLeast } from "../internal/atLeast.ts"
import { LiveConnection } from "../internal/LiveConnection.ts"
import { HeldWire, type Holding } from "../internal/resilience/HeldWire.ts"
import { Leg } from "../internal/resilience/Leg.ts"
import { prepare } from "../internal/resilience/reconnect.ts"
import { atomically, type ConnectOptions } from "../Transport.ts"
import * as Reconnection from "./Reconnection.ts"

/**
 * What becomes of messages that are sent while there is no connection: sending fails with `Disconnected`; up to so many are held,
 * and then senders wait; or so many are held, and the oldest dropped. What is held has 1 MiB at most, unless `bytes` says otherwise.
 */
export type Between =
  | "fail"
  | { readonly buffer: number; readonly bytes?: number }
  | { readonly dropOldest: number; readonly bytes?: number }

/** How a connection survives. */
export interface Options extends Reconnection.Options, Pick<ConnectOptions, "closeWithin"> {
  /** `"fail"` by default. */
  readonly between?: Between
}

/** What is told of the messages in between. */
export class Resilient extends Context.Service<Resilient, {
  /** How many messages were dropped since there was no room for them. */
  readonly dropped: number
}>()("@wirestack/protocol/resilience/Resilient") {}

const holdingOf = (between: Between): Holding | undefined => {
  if (between === "fail") return undefined
  const bytes = atLeast(1, "bytes", between.bytes ?? 1_048_576)
  return "buffer" in between
    ? { messages: atLeast(0, "buffer", between.buffer), bytes, drops: undefined }
    : { messages: atLeast(0, "dropOldest", between.dropOldest), bytes, drops: "oldest" }
}

/**
 * A connection that survives those that `connect` connects. The scope owns it.
 *
 * @category constructors
 */
export const make = <In, Out, D, R>(
  connect: Effect.Effect<Connection<In, Out, D>, ConnectError, R>,
  { between = "fail", closeWithin, ...options }: Options = {}
): Effect.Effect<Connection<In, Out, Resilient | Reconnection.Reconnection>, never, R | Scope.Scope> =>
  atomically(Effect.gen(function*() {
    const journey = yield* prepare(options)
    let running: Fiber.Fiber<void> | undefined = undefined
    const wire: HeldWire<In, Out> = new HeldWire(holdingOf(between), () => running?.interruptUnsafe())
    const join = Effect.tap(
      Effect.flatMap(connect, (connection) => Leg.of(connection, wire)),
      (leg) => Effect.sync(() => wire.board(leg))
    )
    const details = () =>
      Context.make(Reconnection.Reconnection, journey.reconnection).pipe(
        Context.add(Resilient, {
          get dropped() {
            return wire.dropped
          }
        })
      )
    const ask = closeWithin === undefined ? undefined : { closeWithin }
    running = yield* Effect.forkScoped(journey.run(join, wire))
    const connection = yield* LiveConnection.make<In, Out, Resilient | Reconnection.Reconnection>(wire, {
      ask,
      details
    })
    journey.follow(connection)
    return connection
  }))
