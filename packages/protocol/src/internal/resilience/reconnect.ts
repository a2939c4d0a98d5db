/** Connecting again and again, on behalf of a connection that outlives those that carry it. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { ConnectError } from "../../ConnectError.ts"
import { changesOf } from "../../ConnectionState.ts"
import type { Outcome } from "../../Outcome.ts"
import { Other } from "../../Reason.ts"
import { type Options, politely, type Reconnection, type State } from "../../resilience/Reconnection.ts"
import { type Ended, of as usual, type Verdict } from "../../resilience/Verdict.ts"
import type { LiveConnection } from "../LiveConnection.ts"
import { Retrying } from "../Retrying.ts"
import { Observing } from "../telemetry/Observer.ts"
import { Watched } from "../Watched.ts"
import type { Leg } from "./Leg.ts"

/** On whose behalf that is. */
export interface Passenger {
  /** Nobody needs a further connection. */
  readonly arrived: boolean
  /** A connection that carried it is over. */
  parted(outcome: Outcome): void
  /** There will be no further one. */
  stranded(ended: Ended): void
}

export interface Journey {
  readonly reconnection: Reconnection["Service"]
  /** Connects until the passenger has arrived or is stranded; `join` connects, and is then carried. `retries` says whether there may be a next attempt. */
  readonly run: <R>(
    join: Effect.Effect<Leg<any, any>, ConnectError, R | Scope.Scope>,
    passenger: Passenger,
    retries?: () => boolean
  ) => Effect.Effect<void, never, Exclude<R, Scope.Scope>>
  /** The states from now on, once it closes, are those of this connection. */
  readonly follow: (connection: LiveConnection<any, any, any>) => void
}

const layer = "reconnection"

/** How long to wait at least, in milliseconds. */
const leastWait = (verdict: Exclude<Verdict, "stop">): Effect.Effect<number> => {
  if (verdict === "retry") return Effect.succeed(0)
  const from = Duration.toMillis(verdict.from)
  const to = Duration.toMillis(verdict.to ?? verdict.from)
  return Effect.map(Random.next, (random) => to > from ? Math.ceil(from + (to - from) * random) : from)
}

/** A defect is told as an error. */
const endOf = (exit: Exit.Exit<Outcome, ConnectError>): Ended =>
  Exit.isSuccess(exit)
    ? exit.value
    : Option.getOrElse(
      Cause.findErrorOption(exit.cause),
      () => new ConnectError({ layer, reason: new Other({ cause: Cause.squash(exit.cause) }) })
    )

export const prepare = (
  { codes, schedule = politely, settlesAfter = "10 seconds", verdict }: Options
): Effect.Effect<Journey> =>
  Effect.zipWith(Retrying.make<Ended>(schedule), Observing, (retrying, observer) => {
    const states = new Watched<State>({ _tag: "Preparing", attempt: 1 })
    const settled = Duration.toMillis(settlesAfter)
    let current: LiveConnection<never, never, any> | undefined = undefined
    let followed = false
    /** An attempt was made before, which has failed or is over. */
    let again = false

    const set = (state: State): void => {
      if (!followed) states.set(state)
    }

    const judge = (ended: Ended): Verdict => verdict?.(ended) ?? usual(ended, codes)

    /** How long to wait, if there is to be a further attempt. */
    const delayAfter = (ended: Ended): Effect.Effect<Duration.Duration | undefined> => {
      const verdict = judge(ended)
      return verdict === "stop" ? Effect.undefined : Effect.zipWith(
        retrying.delayAfter(ended),
        leastWait(verdict),
        (scheduled, least) => scheduled && Duration.max(scheduled, Duration.millis(least))
      )
    }

    /** As long as one connection carries: it ends with its scope. */
    const carried = ({ connection }: Leg<any, any>) =>
      Effect.gen(function*() {
        const since = yield* Clock.currentTimeMillis
        current = connection
        if (again) observer?.reconnected(undefined)
        const leave = connection.life.watch((state) => state._tag === "Ready" && set(state))
        yield* Effect.exit(connection.pull)
        leave()
        current = undefined
        if ((yield* Clock.currentTimeMillis) - since >= settled) yield* retrying.anew
        return connection
      })

    const run: Journey["run"] = (join, passenger, retries = () => true) => {
      const travel = Effect.gen(function*() {
        for (let attempt = 1;; attempt++) {
          set({ _tag: "Preparing", attempt })
          const exit = yield* Effect.exit(
            Effect.flatMap(Effect.scoped(Effect.flatMap(join, carried)), ({ closed }) => closed)
          )
          if (Exit.isSuccess(exit)) {
            attempt = 0
            passenger.parted(exit.value)
          }
          if (passenger.arrived) return
          const ended = endOf(exit)
          if (again && "reason" in ended) observer?.reconnected(ended.reason._tag)
          again = true
          if (Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause)) return passenger.stranded(ended)
          const delay = retries() ? yield* delayAfter(ended) : undefined
          if (delay === undefined) return passenger.stranded(ended)
          set({ _tag: "Waiting", attempt, ended, delay })
          yield* retrying.wait(delay)
        }
      })
      // A schedule or a verdict may have a defect.
      return Effect.catchCause(travel, (cause) => Effect.sync(() => passenger.stranded(endOf(Exit.failCause(cause)))))
    }

    return {
      run,
      follow: ({ life }) =>
        void life.watch((state) => {
          if (state._tag === "Ready") return
          followed = true
          states.set(state)
        }),
      reconnection: {
        state: Effect.sync(() => states.state),
        changes: changesOf(states),
        restart: retrying.hurry,
        current: Effect.sync(() => Option.fromUndefinedOr(current))
      }
    }
  })
