/** What both sides of an opening handshake do on the connection below. */
import * as HttpHead from "@wirestack/http/HttpHead"
import { ConnectError, type ConnectReason, fromConnectionError } from "@wirestack/protocol/ConnectError"
import * as Effect from "effect/Effect"
import { layer } from "./details.ts"
import type { Lower } from "./upgraded.ts"

export const fail = (reason: ConnectReason): Effect.Effect<never, ConnectError> =>
  Effect.fail(new ConnectError({ layer, reason }))

export const limits = (maxHeadSize = HttpHead.defaultLimits.maxHeadSize): HttpHead.Limits => ({
  ...HttpHead.defaultLimits,
  maxHeadSize
})

export const sending = (lower: Lower, bytes: Uint8Array): Effect.Effect<void, ConnectError> =>
  Effect.mapError(lower.send(bytes), fromConnectionError)
