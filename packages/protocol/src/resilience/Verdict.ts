/**
 * What to do when a connection is over, or did not come about: to try again, when, or to leave it.
 *
 * What the peer said decides first, by its status (RFC 6455 section 7.4.1 and the registry of close codes), then what broke. A
 * peer that is done, that wants no such connection, or that can't go on with what we do is left alone; everything else may
 * pass.
 */
import type * as Duration from "effect/Duration"
import { ConnectError } from "../ConnectError.ts"
import type { ConnectionReason } from "../ConnectionError.ts"
import { mayPass } from "../Establishment.ts"
import type { Outcome } from "../Outcome.ts"
import type { Reason } from "../Reason.ts"

/** How an attempt or a connection ended. */
export type Ended = ConnectError | Outcome

/**
 * `"retry"` as the schedule has it, `"stop"`, or to retry no earlier than at a random time between `from` and `to`, which is `from`
 * if it is left out.
 */
export type Verdict = "retry" | "stop" | { readonly from: Duration.Input; readonly to?: Duration.Input }

/** What each status of the peer means. */
export type Codes = Readonly<Record<number, Verdict>>

/** As many clients come back at once, they are to choose a time in between. */
const later: Verdict = { from: "5 seconds", to: "30 seconds" }

const codes: Codes = {
  // Normal Closure
  1000: "stop",
  // Protocol Error, Unsupported Data, Invalid Frame Payload Data
  1002: "stop",
  1003: "stop",
  1007: "stop",
  // Policy Violation, Message Too Big, Mandatory Extension
  1008: "stop",
  1009: "stop",
  1010: "stop",
  // Service Restart, Try Again Later
  1012: later,
  1013: later
}

/** Whether it would be the same with the next connection. */
const lasts = ({ _tag }: ConnectionReason): boolean =>
  _tag === "Violation" || _tag === "TooLarge" || _tag === "Undecodable" || _tag === "Unmigratable"

/** An hour: no peer has us wait longer, in milliseconds. */
const longest = 3_600_000

const afterAttempt = (error: ConnectError): Verdict => {
  const { retryAfter } = error.reason as Reason
  if (retryAfter !== undefined && retryAfter > 0) {
    const from = Math.min(retryAfter, longest)
    return { from, to: from + 5_000 }
  }
  return mayPass(error) ? "retry" : "stop"
}

/**
 * The verdict by default. `given` says what further statuses of the peer mean, or others than usual; those of applications
 * (4000 to 4999) and all that are not known are retried.
 */
export const of = (ended: Ended, given: Codes = {}): Verdict => {
  if (ended instanceof ConnectError) return afterAttempt(ended)
  const { error, received } = ended
  const said = received && (given[received.code] ?? codes[received.code])
  return said ?? (error !== undefined && lasts(error.reason) ? "stop" : "retry")
}
