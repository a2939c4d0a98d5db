import * as Effect from "effect/Effect"

/** Waits until a count stands still for some milliseconds. */
export const stalled = (count: () => number, millis = 50): Effect.Effect<void> =>
  Effect.suspend(() => {
    const before = count()
    return Effect.andThen(
      Effect.sleep(millis),
      Effect.suspend(() => count() === before ? Effect.void : stalled(count, millis))
    )
  })
