/** Asks a peer for a sign of life again and again, as long as the scope is open; one that gives none is given up. */
import { TimedOut } from "@wirestack/protocol/Reason"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export const keepAlive = ({ every, fail, heard, ping }: {
  readonly ping: Effect.Effect<void, unknown>
  /** In milliseconds; an answer may take as long. */
  readonly every: number
  /** How much was heard so far. */
  readonly heard: () => number
  readonly fail: (reason: TimedOut) => void
}): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    yield* Effect.sleep(every)
    const before = heard()
    yield* ping
    yield* Effect.sleep(every)
    if (heard() === before) fail(new TimedOut({ phase: "the answer to a ping", after: every }))
  }).pipe(Effect.forever, Effect.ignore, Effect.forkScoped, Effect.asVoid)
