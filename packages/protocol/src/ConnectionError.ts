/** What can go wrong on a live connection. */

import * as Data from "effect/Data"
import type { ConnectError } from "./ConnectError.ts"
import type { Outcome } from "./Outcome.ts"
import type { Other, Reason, TimedOut, TooLarge, Truncated, Violation } from "./Reason.ts"

/** Our side is closing: nothing more is accepted or delivered. What was in flight is counted in the `Outcome`. */
export class Closing extends Data.TaggedClass("Closing") implements Reason {
  get message(): string {
    return "the connection is closing"
  }
  get endsHandshakes(): true {
    return true
  }
}

/** The connection is over, by the peer or by us; `Connection.closed` tells how. */
export class Closed extends Data.TaggedClass("Closed") implements Reason {
  get message(): string {
    return "the connection is closed"
  }
  get endsHandshakes(): true {
    return true
  }
}

/** Our own output was ended with `Connection.end`; only receiving is left. */
export class Ended extends Data.TaggedClass("Ended") implements Reason {
  get message(): string {
    return "the output of this connection was ended"
  }
}

/** The connection was cut with `Connection.abort`. */
export class Aborted extends Data.TaggedClass("Aborted") implements Reason {
  get message(): string {
    return "the connection was aborted"
  }
}

/** The peer or the network cut the connection (RST, broken pipe). */
export class Reset extends Data.TaggedClass("Reset")<{ readonly cause: unknown }> implements Reason {
  get message(): string {
    return this.cause instanceof Error ? `the connection was cut: ${this.cause.message}` : "the connection was cut"
  }
  get endsHandshakes(): true {
    return true
  }
}

/** The message can't be carried by the layer. Nothing of it was written; the connection goes on. */
export class Unencodable extends Data.TaggedClass("Unencodable")<{ readonly detail: string; readonly cause?: unknown }>
  implements Reason
{
  get message(): string {
    return `this can't be sent: ${this.detail}`
  }
}

/** What arrived is well framed, but is not a value of this layer; `by` says so if it was the Schema that refused it. */
export class Undecodable extends Data.TaggedClass("Undecodable")<{
  readonly detail: string
  readonly cause?: unknown
  readonly by?: "schema"
}> implements Reason {
  get message(): string {
    return `what the peer sent is not valid: ${this.detail}`
  }
}

/** The peer sent nothing for `silent` milliseconds, and no answer to this many pings of a heartbeat. */
export class Unresponsive extends Data.TaggedClass("Unresponsive")<{
  readonly silent: number
  readonly pings: number
}> implements Reason {
  get message(): string {
    return `nothing came for ${this.silent} ms, and no answer to ${this.pings} pings`
  }
}

/** A message of one version of a protocol has no form in another (see `Migration`). */
export class Unmigratable extends Data.TaggedClass("Unmigratable")<{
  /** The version whose message it is. */
  readonly from: string
  /** The version it was to be migrated to. */
  readonly to: string
  readonly value: unknown
}> implements Reason {
  get message(): string {
    const { from, to, value } = this
    const tag = typeof value === "object" && value !== null && "_tag" in value ? ` ${String(value._tag)}` : ""
    return `a message${tag} of ${from} has no form in ${to}`
  }
}

/** The peer handles as many calls as it wants to already, and has not begun with this one (see `Requests`). */
export class Busy extends Data.TaggedClass("Busy")<{ readonly call: string }> implements Reason {
  get message(): string {
    return `the peer is too busy for the call ${this.call}`
  }
}

/** The peer has no answer to a call, for a reason that it keeps to itself (see `Requests`). */
export class PeerFailed extends Data.TaggedClass("PeerFailed")<{ readonly call: string }> implements Reason {
  get message(): string {
    return `the peer failed in handling the call ${this.call}`
  }
}

/** There is no connection at the moment, and nothing is to wait for the next one (see `Resilient`). Nothing was sent. */
export class Disconnected extends Data.TaggedClass("Disconnected") implements Reason {
  get message(): string {
    return "there is no connection at the moment"
  }
}

/** Nobody tries to connect any more; `ended` is how the last attempt or connection ended (see `Resilient`). */
export class GivenUp extends Data.TaggedClass("GivenUp")<{ readonly ended: ConnectError | Outcome }> implements Reason {
  get message(): string {
    const { ended } = this
    const error = "clean" in ended ? ended.error : ended
    const status = "clean" in ended ? ended.received : undefined
    const why = error?.message ??
      (status === undefined ? "the connection is over" : `the peer closed with ${status.code}`)
    return `there is no connection any more: ${why}`
  }
}

/** Messages with numbers, both included. */
export interface Range {
  readonly first: number
  readonly last: number
}

/**
 * A session can't be resumed: one side has forgotten it, or what it would have to send again (see `Resume`).
 */
export class ResumeGap extends Data.TaggedClass("ResumeGap")<{
  readonly session: string
  /** Our messages that were not acknowledged: the peer may have them, or not. */
  readonly unacknowledged: Range | undefined
  /** The peer's messages that are gone, as far as that is known. */
  readonly missing: Range | undefined
}> implements Reason {
  get message(): string {
    const shown = (range: Range | undefined) => range === undefined ? "none" : `${range.first} to ${range.last}`
    return `the session ${this.session} can't be resumed (not acknowledged: ${shown(this.unacknowledged)}; gone: ${
      shown(this.missing)
    })`
  }
  get endsHandshakes(): true {
    return true
  }
}

/** The layer has no such operation, such as half-close on a WebSocket. */
export class Unsupported extends Data.TaggedClass("Unsupported")<{ readonly operation: string }> implements Reason {
  get message(): string {
    return `this layer has no ${this.operation}`
  }
}

/** The reasons of a `ConnectionError`, open to augmentation (see the module `Reason`). */
export interface ConnectionReasons {
  readonly Closing: Closing
  readonly Closed: Closed
  readonly Ended: Ended
  readonly Aborted: Aborted
  readonly Reset: Reset
  readonly Truncated: Truncated
  readonly Violation: Violation
  readonly TooLarge: TooLarge
  readonly TimedOut: TimedOut
  readonly Unencodable: Unencodable
  readonly Undecodable: Undecodable
  readonly Unresponsive: Unresponsive
  readonly Unmigratable: Unmigratable
  readonly Busy: Busy
  readonly PeerFailed: PeerFailed
  readonly Disconnected: Disconnected
  readonly GivenUp: GivenUp
  readonly ResumeGap: ResumeGap
  readonly Unsupported: Unsupported
  readonly Other: Other
}

export type ConnectionReason = ConnectionReasons[keyof ConnectionReasons]

/** A live connection failed, or refused an operation; `layer` says where. */
export class ConnectionError extends Data.TaggedError("ConnectionError")<{
  readonly layer: string
  readonly reason: ConnectionReason
}> {
  override get message(): string {
    return `${this.layer}: ${this.reason.message}`
  }
}

const Stacks = Error as unknown as { stackTraceLimit: number }

/**
 * How a connection ended, as an error: without a stack, which would show the event loop only, and would take longer than all else
 * that has to be done for a connection that is cut.
 */
export const lost = (layer: string, reason: ConnectionReason): ConnectionError => {
  const { stackTraceLimit } = Stacks
  Stacks.stackTraceLimit = 0
  try {
    return new ConnectionError({ layer, reason })
  } finally {
    Stacks.stackTraceLimit = stackTraceLimit
  }
}
