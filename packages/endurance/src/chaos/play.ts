/** Plays a scenario: a room, some clients, and a server that drains. */
import * as Connection from "@wirestack/protocol/Connection"
import type { Plan } from "@wirestack/protocol/faults/Plan"
import { runScoped } from "@wirestack/protocol/Listener"
import type { Outcome } from "@wirestack/protocol/Outcome"
import { withoutLeaks } from "@wirestack/protocol/testing"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import { comesBack } from "./comesBack.ts"
import { faultsOf } from "./faultsOf.ts"
import { Chat, Room } from "./Room.ts"
import { planned, type Scenario } from "./Scenario.ts"
import { credentials, stackOf } from "./stack.ts"
import { inVirtualTime } from "./VirtualTime.ts"
import { type Visit, visit } from "./Visitor.ts"

/** What came of a scenario. */
export interface Result {
  readonly scenario: Scenario
  readonly visits: ReadonlyArray<Visit>
  /** How often somebody has connected. */
  readonly connections: number
  /** What did not hold. */
  readonly broken: ReadonlyArray<string>
  /** Virtual milliseconds. */
  readonly took: number
}

/** Virtual time within which everything is over: the last clients, all budgets, all handshakes. */
const deadline = 300_000

/** What a handler may end with. */
const isTyped = (cause: Cause.Cause<unknown>): boolean => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  return typeof error === "object" && error !== null && "_tag" in error && error._tag === "ConnectionError"
}

const connecting = Chat.connect("memory:chat")

const connectionOf = ({ buffer, kind }: Scenario) =>
  kind === "resilient"
    ? Connection.resilient(connecting, { ...comesBack, between: buffer === undefined ? "fail" : { buffer } })
    : connecting

const played = (scenario: Scenario) => {
  const room = new Room()
  const broken: Array<string> = []
  const outcomes: Array<Outcome> = []
  let connections = 0
  const planOf = (nth: number): Plan<"bytes"> => {
    connections++
    return scenario.plans[nth] ?? {}
  }
  const listening = Effect.scoped(Effect.gen(function*() {
    const listener = yield* Chat.listen("memory:chat", { drain: { within: "3 seconds" } })
    yield* runScoped(listener.run(room.enter, {
      onIncident: (incident) =>
        Effect.sync(() => {
          if (incident._tag === "HandlerFailed" && !isTyped(incident.cause)) broken.push(Cause.pretty(incident.cause))
          if (incident._tag === "TooManyConnections") broken.push("too many connections")
        })
    }))
    yield* Effect.sleep(scenario.drainsAt)
  }))
  const visiting = scenario.scripts.map((script, by) => visit(by, script, connectionOf(scenario)))
  return Effect.gen(function*() {
    const [, ...visits] = yield* Effect.all([listening, ...visiting], { concurrency: "unbounded" })
    for (const { connection } of room.memberships) outcomes.push(yield* connection.closed)
    return { scenario, room, visits: visits as ReadonlyArray<Visit>, outcomes, connections, broken }
  }).pipe(Effect.provide(stackOf(scenario, planOf)), Effect.scoped)
}

/** Plays the scenario of a seed. */
export const play = (seed: number): Effect.Effect<Result> => {
  const scenario = planned(seed)
  return withoutLeaks(
    Effect.flatMap(credentials, () => inVirtualTime(Random.withSeed(played(scenario), seed), deadline))
  ).pipe(
    Effect.map(([seen, { asleep, took }]) => ({
      scenario,
      visits: seen.visits,
      connections: seen.connections,
      took,
      broken: [
        ...seen.broken,
        ...seen.visits.flatMap((visit) => faultsOf(visit, seen)),
        ...asleep > 0 ? [`${asleep} timers are left`] : []
      ]
    })),
    Effect.catchCause((cause) =>
      Effect.succeed({ scenario, visits: [], connections: 0, took: 0, broken: [Cause.pretty(cause)] })
    )
  )
}
