import { Effect } from "effect"

/** Some turns for the fibers that have something to do. */
export const turns = Effect.gen(function*() {
  for (let i = 0; i < 10; i++) yield* Effect.yieldNow
})
