/** Connecting to one of several places: endpoints that are given, or the targets of a service. */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import { type AddressFailed, ConnectError, NoneReached } from "./ConnectError.ts"

/** A place that may be reached, and how. */
export interface Candidate<A, R> {
  readonly address: string
  readonly connect: Effect.Effect<A, ConnectError, R>
}

/** Tries one place after the other until one is reached. If none is, the error says what became of each; that of a single one stays. */
export const firstReached = <A, R>(
  layer: string,
  candidates: NonEmptyReadonlyArray<Candidate<A, R>>
): Effect.Effect<A, ConnectError, R> => {
  const from = (at: number, failed: ReadonlyArray<AddressFailed>): Effect.Effect<A, ConnectError, R> => {
    const { address, connect } = candidates[at]
    return Effect.catch(connect, (error) => {
      const attempts = [...failed, { address, reason: error.reason }]
      if (attempts.length < candidates.length) return from(at + 1, attempts)
      return Effect.fail(
        attempts.length === 1 ? error : new ConnectError({ layer, reason: new NoneReached({ attempts }) })
      )
    })
  }
  return from(0, [])
}
