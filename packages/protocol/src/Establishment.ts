/**
 * A connection that is being established: it can be watched, waits while the way is blocked, and tries again.
 *
 *     const establishment = yield* Establishment.make(Chat.connect("wss://chat.example/"))
 *     yield* Effect.forkScoped(Stream.runForEach(establishment.changes, show))
 *     const connection = yield* establishment.connection
 *
 * The contract:
 *
 * - It begins with `start`, or when the connection is first waited for, and belongs to the scope in which it was made: when that closes,
 *   it fails with `Closing` unless there is a connection.
 * - An attempt that failed in a way that may pass (`mayPass`) is followed by another as the schedule has it; `restart` has it
 *   tried at once, for those who know that the network is back. When the schedule ends, the last failure is final.
 * - An attempt has a scope of its own, so that one that failed leaves nothing, such as a connection on which only a login did.
 * - There is one connection: when that is over, so is this.
 */

import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { ConnectError, type ConnectReason } from "./ConnectError.ts"
import type { Connection } from "./Connection.ts"
import { Closing } from "./ConnectionError.ts"
import { changesOf, type ConnectionState } from "./ConnectionState.ts"
import { lifeOf } from "./internal/LiveConnection.ts"
import { Retrying } from "./internal/Retrying.ts"
import { Watched } from "./internal/Watched.ts"
import { Other, type Reason } from "./Reason.ts"
import { atomically } from "./Transport.ts"

/** A connection that is being established. */
export interface Establishment<out In, in Out, in Details = never> {
  readonly state: Effect.Effect<ConnectionState>
  /** The states as they change, the present one first; it ends when the connection is over, or failed to come about. */
  readonly changes: Stream.Stream<ConnectionState>
  /** Begins, if that has not been done. */
  readonly start: Effect.Effect<void>
  /** Ends the waiting, if there is any. */
  readonly restart: Effect.Effect<void>
  /** The connection, once there is one. Begins if that has not been done. Safe to interrupt: it is still established. */
  readonly connection: Effect.Effect<Connection<In, Out, Details>, ConnectError>
}

/** How a connection is established. */
export interface Options {
  /** When to try again; by default after half a second, then twice as long each time, 30 seconds at most, jittered, without an end. */
  readonly retry?: Schedule.Schedule<unknown, ConnectError>
  /** Which failures to wait for; `mayPass` by default. */
  readonly waitsFor?: (error: ConnectError) => boolean
}

const passing = (reason: ConnectReason): boolean => {
  switch (reason._tag) {
    case "Closed":
    case "Refused":
    case "Reset":
    case "TimedOut":
    case "Truncated":
    case "Unreachable":
    case "Unresolved":
      return true
    case "NoneReached":
      return reason.attempts.every(({ reason }) => passing(reason))
    default:
      return (reason as Reason).retryAfter !== undefined
  }
}

/**
 * Whether the way to the peer is what failed, and not what the peer said: not resolved, unreachable, refused, timed out, cut; or that
 * the peer said to come back (`Reason.retryAfter`).
 */
export const mayPass = ({ reason }: ConnectError): boolean => passing(reason)

const layer = "establishment"

/** What ended the attempts: a failure, the end of the scope, or a defect. */
const failureOf = (cause: Cause.Cause<ConnectError>): ConnectError => {
  const reason = Cause.hasInterruptsOnly(cause) ? new Closing() : new Other({ cause: Cause.squash(cause) })
  return Option.getOrElse(Cause.findErrorOption(cause), () => new ConnectError({ layer, reason }))
}

const patiently: Schedule.Schedule<unknown, ConnectError> = Schedule.jittered(
  Schedule.min([Schedule.exponential("500 millis"), Schedule.spaced("30 seconds")])
)

/**
 * Prepares to establish what `connect` connects, in the scope of the caller.
 *
 * @category constructors
 */
export const make = <In, Out, D, R>(
  connect: Effect.Effect<Connection<In, Out, D>, ConnectError, R>,
  { retry = patiently, waitsFor = mayPass }: Options = {}
): Effect.Effect<Establishment<In, Out, D>, never, R | Scope.Scope> =>
  Effect.gen(function*() {
    const context = yield* Effect.context<R | Scope.Scope>()
    const retrying = yield* Retrying.make(retry)
    const states = new Watched<ConnectionState>({ _tag: "Setup" })
    const made = Deferred.makeUnsafe<Connection<In, Out, D>, ConnectError>()
    let started = false

    const attempts = Effect.gen(function*() {
      for (let attempt = 1;; attempt++) {
        states.set({ _tag: "Preparing", attempt })
        const result = yield* Effect.result(atomically(connect))
        if (Result.isSuccess(result)) return result.success
        const error = result.failure
        if (!waitsFor(error)) return yield* error
        const delay = yield* retrying.delayAfter(error)
        if (delay === undefined) return yield* error
        states.set({ _tag: "Waiting", attempt, error, delay })
        yield* retrying.wait(delay)
      }
    })

    const settle = (exit: Exit.Exit<Connection<In, Out, D>, ConnectError>): void => {
      if (Exit.isSuccess(exit)) {
        Deferred.doneUnsafe(made, exit)
        lifeOf(exit.value).watch(states.set)
      } else {
        const error = failureOf(exit.cause)
        Deferred.doneUnsafe(made, Exit.fail(error))
        states.set({ _tag: "Failed", error, outcome: undefined })
      }
    }

    const scope = Context.get(context, Scope.Scope)

    const start = Effect.suspend(() => {
      if (started || scope.state._tag === "Closed") return Effect.void
      started = true
      const running = Effect.forkIn(Effect.provideContext(attempts, context), scope)
      return Effect.map(running, (fiber) => void fiber.addObserver(settle))
    })

    yield* Effect.addFinalizer(() => Effect.sync(() => started || settle(Exit.interrupt())))

    return {
      state: Effect.sync(() => states.state),
      changes: changesOf(states),
      start,
      restart: retrying.hurry,
      connection: Effect.andThen(start, Deferred.await(made))
    }
  })
