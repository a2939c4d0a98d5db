/** The reasons UDP adds to `ConnectionError`: what the network answers to a datagram. */
import type { Forbidden, Refused, Unreachable } from "@wirestack/protocol/ConnectError"

declare module "@wirestack/protocol/ConnectionError" {
  interface ConnectionReasons {
    readonly Refused: Refused
    readonly Unreachable: Unreachable
    readonly Forbidden: Forbidden
  }
}

export type { Forbidden, Refused, Unreachable }
