/** A client of the room: what it is to do, drawn from a seed, and what it has seen. */
import type { ConnectError } from "@wirestack/protocol/ConnectError"
import type { Connection } from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import type { Outcome } from "@wirestack/protocol/Outcome"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { FromServer, Say } from "./Room.ts"

/** What a client does. Times are in milliseconds. */
export interface Script {
  readonly comesAt: number
  /** How long it waits before each message, and how long that is. */
  readonly says: ReadonlyArray<{ readonly after: number; readonly size: number }>
  /** When it stops reading, and for how long, if it does. */
  readonly stalls: { readonly after: number; readonly for: number } | undefined
  /** How it ends, after the last message: it leaves, at once or when all was acknowledged, cuts, is interrupted, or stays. */
  readonly ends: "leaves" | "waits" | "cuts" | "interrupted" | "stays"
}

/** Draws a script of fewer messages than `limit`. */
export const scriptOf = (random: () => number, limit: number): Script => {
  const upTo = (limit: number) => Math.floor(random() * limit)
  const size = () => random() < 0.1 ? upTo(40_000) : upTo(200)
  return {
    comesAt: upTo(3_000),
    says: Array.from({ length: upTo(limit) }, () => ({ after: random() < 0.3 ? 0 : upTo(1_500), size: size() })),
    stalls: random() < 0.15 ? { after: upTo(5_000), for: upTo(4_000) } : undefined,
    ends: (["leaves", "waits", "waits", "stays", "cuts", "interrupted"] as const)[upTo(6)]
  }
}

/** What became of a client. */
export interface Visit {
  readonly by: number
  readonly script: Script
  readonly received: Array<FromServer>
  /** How many of its messages were accepted. */
  sent: number
  /** How its reading ended. */
  readEnd: "end" | ConnectionError | undefined
  refused: ConnectError | undefined
  outcome: Outcome | undefined
  /** What must not be: a defect. */
  defect: unknown
}

type Client = Connection<FromServer, typeof Say.Type>

const acknowledged = (visit: Visit): number => visit.received.filter(({ _tag }) => _tag === "Taken").length

const reading = (client: Client, visit: Visit): Effect.Effect<void> => {
  const { stalls } = visit.script
  const next: Effect.Effect<void> = Effect.matchEffect(client.pull, {
    onSuccess: (batch) => {
      visit.received.push(...batch)
      return next
    },
    onFailure: (why) => Effect.sync(() => void (visit.readEnd = Cause.isDone(why) ? "end" : why))
  })
  if (stalls === undefined) return next
  // An interrupted pull loses nothing.
  return Effect.flatMap(
    Effect.timeoutOption(next, stalls.after),
    (ended) => ended._tag === "Some" ? Effect.void : Effect.andThen(Effect.sleep(stalls.for), next)
  )
}

const saying = (client: Client, visit: Visit): Effect.Effect<void, ConnectionError> =>
  Effect.forEach(visit.script.says, ({ after, size }, nth) =>
    Effect.andThen(
      Effect.sleep(after),
      Effect.tap(
        client.send({ _tag: "Say", by: visit.by, nth, padding: "x".repeat(size) }),
        () => Effect.sync(() => visit.sent++)
      ).pipe(Effect.catchReason("ConnectionError", "Disconnected", () => Effect.void))
    ), { discard: true })

const ending = (client: Client, visit: Visit, read: Fiber.Fiber<void>): Effect.Effect<void> => {
  const waits: Effect.Effect<void> = Effect.suspend(() =>
    acknowledged(visit) >= visit.sent || visit.readEnd !== undefined
      ? Effect.void
      : Effect.andThen(Effect.sleep(100), waits)
  )
  switch (visit.script.ends) {
    case "leaves":
      return Effect.void
    case "waits":
      return waits
    case "cuts":
      return client.abort
    case "interrupted":
      return Effect.interrupt
    case "stays":
      return Fiber.join(read)
  }
}

/** Plays a client. Only what must not be is a defect; it ends when the connection is closed. */
export const visit = <R>(by: number, script: Script, connect: Effect.Effect<Client, ConnectError, R>) =>
  Effect.gen(function*() {
    const visit: Visit = {
      by,
      script,
      received: [],
      sent: 0,
      readEnd: undefined,
      refused: undefined,
      outcome: undefined,
      defect: undefined
    }
    yield* Effect.sleep(script.comesAt)
    let client: Client | undefined
    const staying = Effect.scoped(Effect.gen(function*() {
      client = yield* connect
      const read = yield* Effect.forkScoped(reading(client, visit))
      yield* Effect.ignore(saying(client, visit))
      yield* ending(client, visit, read)
    }))
    // Its own fiber, so that its interruption is not ours.
    const exit = yield* Fiber.await(yield* Effect.forkChild(staying))
    if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) {
      const error = Cause.findErrorOption(exit.cause)
      if (error._tag === "Some" && error.value._tag === "ConnectError") visit.refused = error.value
      else visit.defect = Cause.pretty(exit.cause)
    }
    if (client !== undefined) visit.outcome = yield* client.closed
    return visit
  })
