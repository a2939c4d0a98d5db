/** What can go wrong with a listener itself; a single connection's failure never ends a listener. */

import * as Data from "effect/Data"
import type { Forbidden, InvalidEndpoint, LayersMissing, Unreachable, Unresolved } from "./ConnectError.ts"
import type { Other, Reason } from "./Reason.ts"

/** Somebody else listens there. */
export class AddressInUse
  extends Data.TaggedClass("AddressInUse")<{ readonly address: string; readonly cause?: unknown }>
  implements Reason
{
  get message(): string {
    return `${this.address} is in use`
  }
}

/** The listener was closed while it was run, or is run a second time. */
export class NotListening extends Data.TaggedClass("NotListening")<{ readonly address: string }> implements Reason {
  get message(): string {
    return `${this.address} is no longer listened on`
  }
}

/** The reasons of a `ListenError`, open to augmentation (see the module `Reason`). */
export interface ListenReasons {
  readonly InvalidEndpoint: InvalidEndpoint
  readonly LayersMissing: LayersMissing
  readonly Unresolved: Unresolved
  readonly Unreachable: Unreachable
  readonly Forbidden: Forbidden
  readonly AddressInUse: AddressInUse
  readonly NotListening: NotListening
  readonly Other: Other
}

export type ListenReason = ListenReasons[keyof ListenReasons]

/** The listener could not be bound, or was lost; `layer` says which layer failed. */
export class ListenError extends Data.TaggedError("ListenError")<{
  readonly layer: string
  readonly reason: ListenReason
}> {
  override get message(): string {
    return `${this.layer}: ${this.reason.message}`
  }
}
