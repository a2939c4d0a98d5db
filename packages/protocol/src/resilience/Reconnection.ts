/**
 * How a connection comes back: what it waits for, how long, and what can be seen of that.
 *
 *     Preparing --> Ready --> Waiting --> Preparing ...
 *         `--> Waiting ...       `--> Closing --> Closed, Failed
 *
 * The wait before the first attempt is random, so that those who lost their connections at the same time don't come back at the same time;
 * when attempts fail, it is drawn from a time that doubles (RFC 6455 section 7.2.3).
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type * as Stream from "effect/Stream"
import type { Connection } from "../Connection.ts"
import type { LiveState } from "../ConnectionState.ts"
import type { Codes, Ended, Verdict } from "./Verdict.ts"

/** The states of a connection that comes back. */
export type State =
  /** It is being connected, for the `attempt`th time since it was connected last. */
  | { readonly _tag: "Preparing"; readonly attempt: number }
  /** A connection is over (`attempt` is 0), or an attempt has failed, as `ended` tells; the next one begins after `delay`. */
  | {
    readonly _tag: "Waiting"
    readonly attempt: number
    readonly ended: Ended
    readonly delay: Duration.Duration
  }
  | LiveState

/** What can be seen and done of it. */
export class Reconnection extends Context.Service<Reconnection, {
  readonly state: Effect.Effect<State>
  /** The states as they change, the present one first; it ends when there will be no connection any more. Of a late reader the latest 16 are kept. */
  readonly changes: Stream.Stream<State>
  /** Ends the waiting, if there is any: for those who know that the network is back. */
  readonly restart: Effect.Effect<void>
  /** The connection that carries it at present: what its layers tell, and how it can be cut. It is not to be closed otherwise. */
  readonly current: Effect.Effect<Option.Option<Pick<Connection<never, never>, "abort" | "closed" | "details">>>
}>()("@wirestack/protocol/resilience/Reconnection") {}

/** How a connection comes back. */
export interface Options {
  /** When to try again; `politely` by default. When it ends, the connection is given up. */
  readonly schedule?: Schedule.Schedule<unknown, Ended>
  /** How long a connection must have been there for the schedule to begin anew; 10 seconds by default. */
  readonly settlesAfter?: Duration.Input
  /** What the peer's closing statuses mean, where that differs from `Verdict.of`, such as `{ 4001: "stop" }`. */
  readonly codes?: Codes
  /** What to do after an end or a failure, where that differs; undefined for what is usual. */
  readonly verdict?: (ended: Ended) => Verdict | undefined
}

/** After 0 to 5 seconds, then to 10, to 20, and from then on to 30, without an end. */
export const politely: Schedule.Schedule<unknown, unknown> = Schedule.modifyDelay(
  Schedule.min([Schedule.exponential("5 seconds"), Schedule.spaced("30 seconds")]),
  ({ duration }) => Effect.map(Random.next, (random) => Duration.times(duration, random))
)
