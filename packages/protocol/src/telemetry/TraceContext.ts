/**
 * The trace context of the W3C, which says of which trace something is a part: a text that goes along with a request, in a header of HTTP or
 * in a field of a message.
 *
 *     00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
 *     version, trace, span, flags: 01 if the trace is recorded
 *
 * It is a hint of whoever sends it: a peer that is not trusted may claim any trace, and may ask that it be recorded.
 *
 * @see https://www.w3.org/TR/trace-context/#traceparent-header
 */

import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { type AnySpan, DisablePropagation, type ExternalSpan, externalSpan } from "effect/Tracer"
import type { Connection } from "../Connection.ts"
import { lifeOf } from "../internal/LiveConnection.ts"
import { Observing } from "../internal/telemetry/Observer.ts"

/** The name of the header, and of the field. */
export const name = "traceparent"

/** A later version may have more behind the flags. */
const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

const isZero = (id: string): boolean => /^0+$/.test(id)

/** The longest text that is looked at. */
export const maxLength = 256

/** A span as text; undefined for one that is not to be told of. */
export const format = ({ annotations, sampled, spanId, traceId }: AnySpan): string | undefined =>
  Context.get(annotations, DisablePropagation)
    ? undefined
    : `00-${traceId.padStart(32, "0")}-${spanId}-${sampled ? "01" : "00"}`

/** The span that a text names; undefined if it names none, which is no error: then the trace begins here. */
export const parse = (text: string): ExternalSpan | undefined => {
  const match = text.length > maxLength ? null : pattern.exec(text)
  if (match === null) return undefined
  const [, version, traceId, spanId, flags, more] = match
  if (version === "ff" || version === "00" && more !== undefined || isZero(traceId) || isZero(spanId)) return undefined
  return externalSpan({ traceId, spanId, sampled: (parseInt(flags, 16) & 1) === 1 })
}

/** The current span as text: undefined if there is none, or the program has no `Telemetry` with spans. */
export const current: Effect.Effect<string | undefined> = Effect.flatMap(
  Observing,
  (observer) =>
    observer?.traces !== true ? Effect.undefined : Effect.match(Effect.currentParentSpan, {
      onFailure: () => undefined,
      onSuccess: format
    })
)

/**
 * Says of an accepted connection, during its handshake, of which trace that is a part, as its peer says: its spans are children of that one.
 * A text that names no span changes nothing.
 */
export const continued = <In, Out, D>(self: Connection<In, Out, D>, text: string): void => {
  const { witness } = lifeOf(self)
  const parent = witness && parse(text)
  if (parent !== undefined) witness!.continues(parent)
}
