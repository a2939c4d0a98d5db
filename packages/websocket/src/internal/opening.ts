/** What both sides of an opening handshake do on the connection below. */
import { ConnectError, type ConnectReason, fromConnectionError } from "@wirestack/protocol/ConnectError"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as HttpHead from "../HttpHead.ts"
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

/** What reading found, and the chunks behind those it used. */
export interface Found<A> {
  readonly found: A
  readonly rest: ReadonlyArray<Uint8Array>
}

/** Reads from below until `receive` has found what it looks for, or the input is over. */
export const readUntil = <A>(
  lower: Lower,
  receive: (chunk: Uint8Array) => A | undefined,
  ended: () => A
): Effect.Effect<Found<A>, ConnectError> => {
  const next: Effect.Effect<Found<A>, ConnectError> = Effect.matchEffect(lower.pull, {
    onSuccess: (chunks) => {
      for (let i = 0; i < chunks.length; i++) {
        const found = receive(chunks[i])
        if (found !== undefined) return Effect.succeed({ found, rest: chunks.slice(i + 1) })
      }
      return next
    },
    onFailure: (error) =>
      Cause.isDone(error) ? Effect.succeed({ found: ended(), rest: [] }) : Effect.fail(fromConnectionError(error))
  })
  return next
}
