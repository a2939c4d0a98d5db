/** What the peer did wrong at a layer above it is told; what went wrong on our side is nobody else's business. */
import type { ConnectionReason } from "@wirestack/protocol/ConnectionError"

export const isPeersFault = (reason: ConnectionReason | undefined): reason is ConnectionReason => {
  switch (reason?._tag) {
    case "Undecodable":
    case "TooLarge":
    case "Violation":
    case "RateExceeded":
    case "Unresponsive":
    case "TimedOut":
      return true
    default:
      return false
  }
}
