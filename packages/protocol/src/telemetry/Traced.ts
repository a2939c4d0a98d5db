/**
 * A message of a typed protocol, and of which trace it is a part: so who handles it may continue that trace.
 *
 *     class Jobs extends Subprotocol.Service<Jobs>()("jobs.v1", { client: Traced.schema(Job), server: Report }) {}
 *
 *     connection.send(yield* Traced.of(job))                          { "value": job, "traceparent": "00-..." }
 *     Traced.handle(message, "jobs.v1", (job) => run(job))            a span in the sender's trace
 *
 * It is a Schema, so every codec carries it. Without `Telemetry` nothing is added, and nothing is made of what others have added.
 */

import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Observing } from "../internal/telemetry/Observer.ts"
import * as TraceContext from "./TraceContext.ts"

/** A message, and the span in which it was sent, if it says so. */
export interface Traced<out A> {
  readonly value: A
  readonly traceparent?: string
}

/** The Schema of messages that may say of which trace they are a part. */
export const schema = <S extends Schema.Constraint>(value: S) =>
  Schema.Struct({ value, traceparent: Schema.optionalKey(Schema.String) })

/** A message with the current span, if the program has `Telemetry` with spans. */
export const of = <A>(value: A): Effect.Effect<Traced<A>> =>
  Effect.map(TraceContext.current, (traceparent) => traceparent === undefined ? { value } : { value, traceparent })

/** Handles a message in a span of that name, which is part of the sender's trace, or else of the current one. */
export const handle = <A, B, E, R>(
  { traceparent, value }: Traced<A>,
  name: string,
  handler: (value: A) => Effect.Effect<B, E, R>
): Effect.Effect<B, E, R> =>
  Effect.flatMap(Observing, (observer) => {
    if (observer?.traces !== true) return handler(value)
    const parent = traceparent === undefined ? undefined : TraceContext.parse(traceparent)
    return Effect.useSpan(name, { kind: "consumer", parent }, (span) => Effect.withParentSpan(handler(value), span))
  }) as Effect.Effect<B, E, R>
