/** The last look at plaintext before TLS. */
import { ConnectError } from "@wirestack/protocol/ConnectError"
import * as Connection from "@wirestack/protocol/Connection"
import { ConnectionError } from "@wirestack/protocol/ConnectionError"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { PlaintextInjected } from "../StartTlsReason.ts"
import { lost, truncated } from "./tlsReason.ts"

const sizeOf = (chunks: ReadonlyArray<Uint8Array>): number => chunks.reduce((size, { length }) => size + length, 0)

/** The same connection, if nothing was received that is not used: `unread` is what was pulled. */
export const nothingUnread = <D>(
  lower: Connection.Connection<Uint8Array, Uint8Array, D>,
  unread: ReadonlyArray<Uint8Array>,
  layer: string
) =>
  Effect.suspend((): Effect.Effect<Connection.Connection<Uint8Array, Uint8Array, D>, ConnectError, Scope.Scope> => {
    const { leftover, over, wire } = Connection.release(lower)
    const size = sizeOf(unread) + sizeOf(leftover)
    const reason = size > 0
      ? new PlaintextInjected({ size })
      : over instanceof ConnectionError
      ? lost(over)
      : over === undefined
      ? undefined
      : truncated
    return reason === undefined
      ? Connection.replace(lower, wire)
      : Effect.fail(new ConnectError({ layer, reason }))
  })
