/** Who is at this end. */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { interactive } from "./interactive.ts"
import type { Format, Operator } from "./Operator.ts"
import { piped } from "./piped.ts"

/** A person if input and output are a terminal. */
export const isPerson = (): boolean => process.stdin.isTTY && process.stdout.isTTY

export const operatorOf = (format: Format): Effect.Effect<Operator, never, Scope.Scope> =>
  isPerson() ? interactive(format) : piped(format)
