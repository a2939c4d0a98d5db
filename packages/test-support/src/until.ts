import * as Effect from "effect/Effect"

/** A moment of the system, whatever the test's clock says. */
const moment = Effect.promise(() => new Promise<void>((done) => void setTimeout(done, 1)))

/** Waits until something holds, or the test's time is up. */
export const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => holds() ? Effect.void : Effect.andThen(moment, until(holds)))
