/** Calls and notifications, as metrics and spans are made of them. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Tracer from "effect/Tracer"
import * as TraceContext from "../../telemetry/TraceContext.ts"
import * as attribute from "./attributes.ts"
import { errorOf } from "./errorOf.ts"
import type { Meter } from "./Meter.ts"
import type { Called, Role } from "./Observer.ts"
import { linkTo } from "./Spans.ts"

/** What is made of them on a connection. */
export interface Making {
  readonly meter: Meter | undefined
  readonly spans: boolean
  /** The span of the connection. */
  readonly lifetime: Tracer.Span | undefined
}

const kindOf = (role: Role, { answered }: Called): Tracer.SpanKind =>
  answered ? role : role === "client" ? "producer" : "consumer"

/** Makes or handles a call, in a span of a parent, or else of the current one; `run` is given what to tell the peer. */
export const tell = <A, E>(
  { lifetime, meter, spans }: Making,
  role: Role,
  called: Called,
  parent: Tracer.AnySpan | undefined,
  run: (traceparent: string | undefined) => Effect.Effect<A, E>
): Effect.Effect<A, E> => {
  const { name, protocol } = called
  const calling = !spans ? run(undefined) : Effect.useSpan(
    `${protocol}/${name}`,
    {
      kind: kindOf(role, called),
      parent,
      links: lifetime === undefined || parent === lifetime ? [] : [linkTo(lifetime)],
      attributes: attribute.ofCall(protocol, name)
    },
    (span) => inSpan(span, run(TraceContext.format(span)))
  )
  return meter === undefined ? calling : timed(meter, role, called, calling)
}

const inSpan = <A, E>(span: Tracer.Span, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.onExit(Effect.provideService(effect, Tracer.ParentSpan, span), (exit) =>
    Effect.sync(() => {
      const error = errorOf(exit)
      if (error !== undefined) span.attribute(attribute.error, error)
    }))

const timed = <A, E>(meter: Meter, role: Role, called: Called, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.flatMap(Clock.Clock, (clock) => {
    const began = clock.monotonicTimeNanosUnsafe()
    return Effect.onExit(effect, (exit) =>
      Effect.sync(() => {
        const took = Number(clock.monotonicTimeNanosUnsafe() - began)
        meter.called(role, called, took / 1e9, errorOf(exit))
      }))
  })
