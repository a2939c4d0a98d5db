import type { ConnectError } from "@wirestack/protocol/ConnectError"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { Cause, Exit, Option } from "effect"

/** The layer and the reason's tag of a typed failure; undefined for success and defects. */
export const failureOf = (exit: Exit.Exit<unknown, unknown>) => {
  if (Exit.isSuccess(exit)) return undefined
  const failure = Cause.findErrorOption(exit.cause) as Option.Option<ConnectionError | ConnectError>
  if (Option.isNone(failure) || !("reason" in failure.value)) return undefined
  const { layer, reason } = failure.value
  return { layer, tag: reason._tag, reason: reason as object }
}
