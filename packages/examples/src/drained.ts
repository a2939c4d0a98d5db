/** What becomes of a server's connections when the program ends. */
import type { DrainReport } from "@wirestack/protocol/Listener"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Drains the listener when the scope closes, and says what that did. */
export const tellDrained = (
  { drain }: { readonly drain: () => Effect.Effect<DrainReport> }
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.addFinalizer(() =>
    Effect.flatMap(
      drain(),
      ({ clean, failed, forced, open, took }) =>
        Console.log(
          `drained in ${Math.ceil(took)} ms: ${open} open, ${clean} clean, ${forced} forced, ${failed} failed`
        )
    )
  )
