/** What can go wrong between asking for a connection and having one, on either side. */

import * as Data from "effect/Data"
import type { Closed, Closing, ConnectionError, ConnectionReason, Reset, ResumeGap } from "./ConnectionError.ts"
import { Other, type Reason, type TimedOut, type TooLarge, type Truncated, type Violation } from "./Reason.ts"

/** The endpoint can't be used: malformed, or of a kind this stack does not speak. */
export class InvalidEndpoint extends Data.TaggedClass("InvalidEndpoint")<{
  readonly input: string
  readonly detail: string
}> implements Reason {
  get message(): string {
    return `${JSON.stringify(this.input)} is not a usable endpoint: ${this.detail}`
  }
}

/** The URL asks for layers (`wss://` for TLS and WebSocket) that this stack lacks. Nothing was sent. */
export class LayersMissing extends Data.TaggedClass("LayersMissing")<{
  readonly endpoint: string
  readonly layers: ReadonlyArray<string>
}> implements Reason {
  get message(): string {
    return `${this.endpoint} needs ${this.layers.join(" and ")} in the stack`
  }
}

/** The host has no usable address. */
export class Unresolved extends Data.TaggedClass("Unresolved")<{ readonly host: string; readonly cause: unknown }>
  implements Reason
{
  get message(): string {
    return `${this.host} could not be resolved`
  }
}

/** The peer answered that nobody listens there. */
export class Refused extends Data.TaggedClass("Refused")<{ readonly address: string; readonly cause?: unknown }>
  implements Reason
{
  get message(): string {
    return `${this.address} refused the connection`
  }
  get endsHandshakes(): true {
    return true
  }
}

/** There is no way to the address (network or host unreachable, address not available). */
export class Unreachable extends Data.TaggedClass("Unreachable")<{ readonly address: string; readonly cause?: unknown }>
  implements Reason
{
  get message(): string {
    return `${this.address} is unreachable`
  }
  get endsHandshakes(): true {
    return true
  }
}

/** The system does not allow it (privileged port, socket file permissions). */
export class Forbidden extends Data.TaggedClass("Forbidden")<{ readonly address: string; readonly cause?: unknown }>
  implements Reason
{
  get message(): string {
    return `no permission for ${this.address}`
  }
  get endsHandshakes(): true {
    return true
  }
}

/** Both ends speak the protocol, but agreed on no version or subprotocol of it. */
export class NothingNegotiated extends Data.TaggedClass("NothingNegotiated")<{
  readonly offered: ReadonlyArray<string>
  readonly selected?: string
}> implements Reason {
  get message(): string {
    if (this.offered.length === 0) return "no protocol was offered"
    return this.selected === undefined
      ? `none of ${this.offered.join(", ")} was selected`
      : `${this.selected} was selected, which is none of ${this.offered.join(", ")}`
  }
}

/** The handshake came to its end, and one side said no: wrong credentials, nothing to be had. */
export class Denied extends Data.TaggedClass("Denied")<{ readonly detail: string }> implements Reason {
  get message(): string {
    return this.detail
  }
}

/** An address that was tried, and why it would not do. */
export interface AddressFailed {
  readonly address: string
  readonly reason: ConnectReason
}

/** Several addresses were tried, and failed for different reasons; with none, there was none left to try. */
export class NoneReached extends Data.TaggedClass("NoneReached")<{ readonly attempts: ReadonlyArray<AddressFailed> }>
  implements Reason
{
  get message(): string {
    const { attempts } = this
    return attempts.length === 0 ?
      "no address is left" :
      `none of ${attempts.length} addresses was reached: ${
        attempts.map(({ address, reason }) =>
          reason.message.includes(address) ? reason.message : `${address}: ${reason.message}`
        ).join("; ")
      }`
  }
}

/** The reasons of a `ConnectError`, open to augmentation (see the module `Reason`). */
export interface ConnectReasons {
  readonly InvalidEndpoint: InvalidEndpoint
  readonly LayersMissing: LayersMissing
  readonly Unresolved: Unresolved
  readonly Refused: Refused
  readonly Unreachable: Unreachable
  readonly Forbidden: Forbidden
  readonly NoneReached: NoneReached
  readonly NothingNegotiated: NothingNegotiated
  readonly Denied: Denied
  readonly TimedOut: TimedOut
  readonly TooLarge: TooLarge
  readonly Truncated: Truncated
  readonly Violation: Violation
  readonly Closed: Closed
  readonly Closing: Closing
  readonly Reset: Reset
  readonly ResumeGap: ResumeGap
  readonly Other: Other
}

export type ConnectReason = ConnectReasons[keyof ConnectReasons]

/** No connection came about; `layer` says which layer failed. Nothing of it is left open. */
export class ConnectError extends Data.TaggedError("ConnectError")<{
  readonly layer: string
  readonly reason: ConnectReason
  /** Where it was on the way to, if the reason is about another place: a proxy. */
  readonly way?: string
}> {
  override get message(): string {
    const { layer, reason, way } = this
    return way === undefined ? `${layer}: ${reason.message}` : `${layer}: ${reason.message}, on the way ${way}`
  }
}

/** The reasons of a connection that are those of a failed handshake too. */
type Shared = Extract<ConnectionReason, { readonly endsHandshakes: true }>

const isShared = (reason: ConnectionReason): reason is Shared => (reason as Reason).endsHandshakes === true

/** What a failure of the connection below is to a handshake that was going on. */
export const fromConnectionError = (error: ConnectionError): ConnectError => {
  const { layer, reason } = error
  return new ConnectError({ layer, reason: isShared(reason) ? reason : new Other({ cause: error }) })
}
