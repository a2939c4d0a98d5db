import * as Effect from "effect/Effect"

/** Why something fails; if it does not, the test dies. */
export const reasonOf = <A, E extends { readonly reason: unknown }, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<E["reason"], never, R> =>
  Effect.map(Effect.orDie(Effect.flip(effect)), (error) => error.reason as E["reason"])
