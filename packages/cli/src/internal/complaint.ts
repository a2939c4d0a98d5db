/** What is wrong with how a connection has ended. */
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import type { Outcome } from "@wirestack/protocol/Outcome"
import * as CloseCode from "@wirestack/websocket/frames/CloseCode"
import * as Effect from "effect/Effect"
import { PeerClosed, Unsent } from "../PeerClosed.ts"

/** Codes of a peer that say that all is well. */
const fine = new Set<number>([
  CloseCode.Protocol.NormalClosure,
  CloseCode.Protocol.GoingAway,
  CloseCode.Absent.NoStatusReceived
])

/** Fails if anything is wrong. */
export const complaint = (
  { error, first, received, unsent }: Outcome
): Effect.Effect<void, ConnectionError | PeerClosed | Unsent> => {
  if (error !== undefined) return Effect.fail(error)
  if (first === "remote" && received !== undefined && !fine.has(received.code)) {
    return Effect.fail(new PeerClosed(received))
  }
  return unsent.messages + unsent.bytes > 0 ? Effect.fail(new Unsent(unsent)) : Effect.void
}
