import * as Effect from "effect/Effect"

/** Waits until a count stands still for 50 ms. */
export const stalled = (count: () => number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const before = count()
    return Effect.andThen(
      Effect.sleep("50 millis"),
      Effect.suspend(() => count() === before ? Effect.void : stalled(count))
    )
  })
