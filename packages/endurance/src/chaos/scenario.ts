/** One scenario: a room over WebSocket over TLS over faults, some clients, a server that drains, and what must hold then. */
import type { ConnectError } from "@wirestack/protocol/ConnectError"
import { ConnectionError } from "@wirestack/protocol/ConnectionError"
import * as Faults from "@wirestack/protocol/faults/Faults"
import type { Plan } from "@wirestack/protocol/faults/Plan"
import { runScoped } from "@wirestack/protocol/Listener"
import * as MemoryTransport from "@wirestack/protocol/MemoryTransport"
import type { Outcome } from "@wirestack/protocol/Outcome"
import { withoutLeaks } from "@wirestack/protocol/testing"
import * as Transport from "@wirestack/protocol/Transport"
import * as Codec from "@wirestack/protocol/typed/Codec"
import { random } from "@wirestack/test-support"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import * as Tls from "@wirestack/transport-tls/Tls"
import * as WebSocket from "@wirestack/websocket/WebSocket"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import { Chat, Room } from "./Room.ts"
import { inVirtualTime } from "./VirtualTime.ts"
import { scriptOf, type Visit, visit } from "./Visitor.ts"

/** What is done in a scenario: it follows from the seed alone. */
export interface Scenario {
  readonly seed: number
  readonly drainsAt: number
  readonly scripts: ReadonlyArray<ReturnType<typeof scriptOf>>
  readonly plans: ReadonlyArray<Plan<"bytes">>
}

/** What came of one. */
export interface Result {
  readonly scenario: Scenario
  readonly visits: ReadonlyArray<Visit>
  /** What did not hold. */
  readonly broken: ReadonlyArray<string>
  /** Virtual milliseconds. */
  readonly took: number
}

/** Virtual time within which everything is over: the last clients, all budgets, all handshakes. */
const deadline = 300_000

const planned = (seed: number): Scenario => {
  const next = random(seed)
  const scripts = Array.from({ length: 1 + Math.floor(next() * 5) }, () => scriptOf(next))
  const planOf = Faults.random({ seed, withinBytes: 30_000 })
  return { seed, drainsAt: 2_000 + Math.floor(next() * 30_000), scripts, plans: scripts.map((_, nth) => planOf(nth)) }
}

const credentials = Effect.runSync(Effect.cached(Effect.gen(function*() {
  const authority = yield* DevelopmentCertificates.make({ signing: "Ed25519" })
  return { trust: { ca: authority.ca }, identity: yield* authority.issue() }
})))

const heartbeat = { interval: "4 seconds", timeout: "2 seconds", misses: 2 } as const

const stackOf = ({ plans }: Scenario) =>
  Layer.unwrap(Effect.map(credentials, ({ identity, trust }) =>
    MemoryTransport.layer().pipe(
      Faults.over(Transport.Bytes)({ plan: (nth) => plans[nth] }),
      Tls.over({ client: { trust, serverName: "localhost" }, server: { identity } }),
      WebSocket.over({
        client: { heartbeat },
        server: { heartbeat, authorities: ["localhost"] }
      }),
      Chat.over(Codec.json())
    )))

/** What a handler may end with. */
const isTyped = (cause: Cause.Cause<unknown>): boolean => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  return typeof error === "object" && error !== null && "_tag" in error && error._tag === "ConnectionError"
}

const play = (scenario: Scenario) => {
  const room = new Room()
  const broken: Array<string> = []
  const outcomes: Array<Outcome | undefined> = []
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
  return Effect.gen(function*() {
    const [, ...visits] = yield* Effect.all([listening, ...scenario.scripts.map((script, by) => visit(by, script))], {
      concurrency: "unbounded"
    })
    for (const { connection } of room.memberships) outcomes.push(yield* connection.closed)
    return { room, visits: visits as ReadonlyArray<Visit>, outcomes, broken }
  }).pipe(Effect.provide(stackOf(scenario)), Effect.scoped)
}

type Played = Effect.Success<ReturnType<typeof play>>

/** Whether an error says what has happened, or the one of the layer below that it comes from. */
const hasReason = ({ reason }: ConnectError | ConnectionError): boolean =>
  reason._tag !== "Other" || (reason.cause instanceof ConnectionError && hasReason(reason.cause))

/** What did not hold for one client. */
const faultsOf = (visit: Visit, { outcomes, room }: Played): ReadonlyArray<string> => {
  const { by, defect, outcome, received, refused, sent } = visit
  const broken: Array<string> = []
  const demand = (holds: boolean, what: string): void => {
    if (!holds) broken.push(`client ${by}: ${what}`)
  }
  demand(defect === undefined, `a defect: ${String(defect)}`)
  demand(refused !== undefined || outcome !== undefined, "neither refused nor closed")
  for (const error of [refused, outcome?.error]) {
    demand(error === undefined || hasReason(error), `${error?.message} has no reason of its own`)
  }
  const at = room.memberships.findIndex((membership) => membership.by === by)
  const membership = room.memberships[at]
  const numbers = received.flatMap((message) => message._tag === "Said" ? [message.number] : [])
  demand(numbers.every((number, n) => n === 0 || number === numbers[n - 1] + 1), `heard ${numbers.join(" ")}`)
  const [first] = received
  demand(first === undefined || first._tag === "Here", `was first told ${first?._tag}`)
  if (first?._tag === "Here" && numbers.length > 0) demand(numbers[0] === first.last + 1, `missed what was said first`)
  demand(
    received.every((message) => message._tag !== "Said" || /^x*$/.test(message.padding)),
    "was told something that nobody has said"
  )
  const taken = membership?.taken ?? []
  demand(taken.every((nth, n) => nth === n), `the server took ${taken.join(" ")}`)
  const acknowledged = received.flatMap((message) => message._tag === "Taken" ? [message.nth] : [])
  demand(acknowledged.every((nth, n) => nth === n), `was acknowledged ${acknowledged.join(" ")}`)
  demand(acknowledged.length <= taken.length, "was acknowledged more than was taken")
  if (membership === undefined || outcome === undefined) return broken
  const theirs = outcomes[at]!
  // Nothing is lost without being counted.
  if (outcome.clean && theirs.clean) {
    demand(
      received.length + outcome.undelivered === membership.sent - theirs.unsent.messages,
      `received ${received.length}, undelivered ${outcome.undelivered}, of ${membership.sent} that were accepted`
    )
    demand(
      taken.length + theirs.undelivered === sent - outcome.unsent.messages,
      `the server took ${taken.length}, undelivered ${theirs.undelivered}, of ${sent} that were accepted`
    )
  }
  return broken
}

/** Plays the scenario of a seed. */
export const run = (seed: number): Effect.Effect<Result> => {
  const scenario = planned(seed)
  return withoutLeaks(
    Effect.flatMap(credentials, () => inVirtualTime(Random.withSeed(play(scenario), seed), deadline))
  ).pipe(
    Effect.map(([played, { asleep, took }]) => ({
      scenario,
      visits: played.visits,
      took,
      broken: [
        ...played.broken,
        ...played.visits.flatMap((visit) => faultsOf(visit, played)),
        ...asleep > 0 ? [`${asleep} timers are left`] : []
      ]
    })),
    Effect.catchCause((cause) => Effect.succeed({ scenario, visits: [], took: 0, broken: [Cause.pretty(cause)] }))
  )
}
