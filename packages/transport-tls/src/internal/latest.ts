/** What is made of the latest good value of something that changes. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Changing } from "../Changing.ts"
import { CredentialsError } from "../CredentialsError.ts"

/** The role whose options these are, and who is told what can't be used. */
export interface Watch {
  readonly role: "client" | "server"
  readonly onUnusable?: ((error: unknown) => Effect.Effect<void>) | undefined
}

/** What later values are made of is at hand at once; the scope ends the watch. */
export const latest = <A, B, E, R>(
  changing: Changing<A, E, R>,
  make: (value: A) => Effect.Effect<B, CredentialsError>,
  {
    role,
    onUnusable = (error) =>
      Effect.logWarning(`the TLS ${role} stays with what it has:`, error instanceof Error ? error.message : error)
  }: Watch
): Effect.Effect<() => B, E | CredentialsError, R | Scope.Scope> =>
  Stream.isStream(changing)
    ? Effect.gen(function*() {
      const none = Effect.fail(new CredentialsError({ role, cause: new Error("the Stream has ended without a value") }))
      const pull = yield* Stream.toPull(changing as Stream.Stream<A, E, R>)
      const [first, ...rest] = yield* Effect.catchTag(pull, "Done", () => none)
      let made = yield* make(first)
      const renew = (value: A) => Effect.catch(Effect.map(make(value), (renewed) => void (made = renewed)), onUnusable)
      const all = (values: ReadonlyArray<A>) => Effect.forEach(values, renew, { discard: true })
      yield* Effect.andThen(all(rest), Effect.forever(Effect.flatMap(pull, all))).pipe(
        Effect.catchTag("Done", () => Effect.void),
        Effect.catchCauseIf((cause) => !Cause.hasInterruptsOnly(cause), (cause) => onUnusable(Cause.squash(cause))),
        Effect.forkScoped
      )
      return () => made
    })
    : Effect.map(make(changing as A), (made) => () => made)
