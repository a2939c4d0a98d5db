/** Spans that are made once it is known what they tell: in the past, or for as long as a connection lives. */
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import { ConnectError } from "../../ConnectError.ts"
import type { EstablishmentReport } from "../../reports/EstablishmentReport.ts"
import * as attribute from "./attributes.ts"

/** What a span is. */
export interface Told {
  readonly name: string
  readonly kind: Tracer.SpanKind
  readonly parent: Tracer.AnySpan | undefined
  readonly start: bigint
  readonly links?: ReadonlyArray<Tracer.AnySpan>
  readonly attributes: { readonly [name: string]: unknown }
}

export const linkTo = (span: Tracer.AnySpan): Tracer.SpanLink => ({ span, attributes: {} })

const isSampled = (context: Context.Context<never>, parent: Tracer.AnySpan | undefined): boolean =>
  parent?.sampled !== false && !LogLevel.isGreaterThan(
    Context.get(context, Tracer.MinimumTraceLevel),
    Context.get(context, Tracer.CurrentTraceLevel)
  )

/** Begins a span in the trace of its parent, or in one of its own. Undefined if there are to be none. */
export const begin = (
  context: Context.Context<never>,
  { attributes, kind, links = [], name, parent, start }: Told
): Tracer.Span | undefined => {
  if (!Context.get(context, References.TracerEnabled)) return undefined
  if (parent !== undefined && Context.get(parent.annotations, Tracer.DisablePropagation)) return undefined
  const span = Context.get(context, Tracer.Tracer).span({
    name,
    kind,
    parent: Option.fromUndefinedOr(parent),
    root: parent === undefined,
    links: links.map(linkTo),
    startTime: start,
    annotations: Context.empty(),
    sampled: isSampled(context, parent)
  })
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) span.attribute(name, value)
  return span
}

/** A span for each step of each attempt; `at` is when it was so many milliseconds after the beginning. */
export const steps = (
  context: Context.Context<never>,
  parent: Tracer.Span,
  { attempts }: EstablishmentReport,
  at: (after: number) => bigint
): void => {
  for (const [index, attempt] of attempts.entries()) {
    for (const { after, facts, layer, reason, took } of attempt) {
      const span = begin(context, {
        name: `${parent.name} ${layer}`,
        kind: parent.kind,
        parent,
        start: at(after),
        attributes: {
          [attribute.layer]: layer,
          [attribute.attempt]: index + 1,
          [attribute.error]: reason?._tag,
          ...attribute.ofFacts(layer, facts)
        }
      })
      span?.end(at(after + took), reason === undefined ? Exit.void : Exit.fail(new ConnectError({ layer, reason })))
    }
  }
}
