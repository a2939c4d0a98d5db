/** The failure of a connect that had several addresses to try. */
import type { ConnectReason } from "@wirestack/protocol/ConnectError"
import type { Reason } from "@wirestack/protocol/Reason"
import * as Data from "effect/Data"

/** One address that was tried, and why it failed. */
export interface Attempt {
  readonly address: string
  readonly reason: ConnectReason
}

/** Several addresses were tried, and failed for different reasons. */
export class NoneReached extends Data.TaggedClass("NoneReached")<{ readonly attempts: ReadonlyArray<Attempt> }>
  implements Reason
{
  get message(): string {
    return `none of ${this.attempts.length} addresses was reached: ${
      this.attempts.map(({ reason }) => reason.message).join("; ")
    }`
  }
}

declare module "@wirestack/protocol/ConnectError" {
  interface ConnectReasons {
    readonly NoneReached: NoneReached
  }
}
