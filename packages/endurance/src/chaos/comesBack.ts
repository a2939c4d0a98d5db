/** How those come back whose connections break. */
import { ConnectError } from "@wirestack/protocol/ConnectError"
import type * as Reconnection from "@wirestack/protocol/resilience/Reconnection"
import * as Schedule from "effect/Schedule"

/** Soon, and some times. */
export const comesBack: Reconnection.Options = {
  schedule: Schedule.max([Schedule.jittered(Schedule.spaced("300 millis")), Schedule.recurs(12)]),
  // What breaks TLS here is the network.
  verdict: (ended) => (ended instanceof ConnectError ? ended : ended.error)?.layer === "tls" ? "retry" : undefined
}
