/** How something failed, in a word that is one of few: the tag of its reason, or of its error. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"

const tagOf = (error: unknown): string | undefined =>
  typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string"
    ? error._tag
    : undefined

const reasonOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "reason" in error ? error.reason : undefined

export const errorOf = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  if (Cause.hasInterruptsOnly(exit.cause)) return "interrupted"
  return Option.match(Cause.findErrorOption(exit.cause), {
    onNone: () => "defect",
    onSome: (error) => tagOf(reasonOf(error)) ?? tagOf(error) ?? "_OTHER"
  })
}
