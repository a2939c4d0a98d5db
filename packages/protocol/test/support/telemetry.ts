/** What telemetry has told: the spans, and the values of metrics in a registry of its own. */
import { Effect, Metric, Option, Tracer } from "effect"

/** The spans of a program, in the order in which they were made. */
export class Recorded {
  readonly spans: Array<Tracer.NativeSpan> = []

  readonly tracer: Tracer.Tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      this.spans.push(span)
      return span
    }
  })

  /** The only one of its name and kind. */
  one(name: string, kind?: Tracer.SpanKind): Tracer.NativeSpan {
    const found = this.spans.filter((span) => span.name === name && (kind === undefined || span.kind === kind))
    if (found.length !== 1) throw new Error(`${found.length} spans are named ${name}`)
    return found[0]
  }

  /** Name, milliseconds from and to of those below a span. */
  below(parent: Tracer.Span): ReadonlyArray<readonly [name: string, from: number, to: number]> {
    return this.spans.filter((span) => parentOf(span) === parent).map((span) => [span.name, ...timesOf(span)])
  }
}

export const parentOf = ({ parent }: Tracer.Span): Tracer.AnySpan | undefined => Option.getOrUndefined(parent)

/** Milliseconds, as the clock has it; NaN for the end of one that is not over. */
export const timesOf = ({ status }: Tracer.Span): readonly [from: number, to: number] => [
  Number(status.startTime) / 1e6,
  status._tag === "Ended" ? Number(status.endTime) / 1e6 : NaN
]

export const attributesOf = (span: Tracer.Span): { readonly [name: string]: unknown } =>
  Object.fromEntries(span.attributes)

/** The series of a metric, with the value of each: of histograms how many were recorded, and their sum. */
export const seriesOf = (name: string) =>
  Effect.map(
    Metric.snapshot,
    (snapshot) =>
      snapshot.filter(({ id }) => id === name).map(({ attributes, state }): [unknown, Metric.Metric.AttributeSet] => [
        "value" in state
          ? state.value
          : "sum" in state
          ? [state.count, state.sum]
          : "count" in state
          ? state.count
          : state,
        attributes ?? {}
      ])
  )

/** The values of those series of a metric that have these attributes. */
export const valuesOf = (name: string, attributes: { readonly [name: string]: string } = {}) =>
  Effect.map(seriesOf(name), (series) =>
    series
      .filter(([, has]) => Object.entries(attributes).every(([name, value]) => has[name] === value))
      .map(([value]) => value))

/** Runs a program with a tracer and a registry of its own. */
export const recorded = <A, E, R>(program: (recorded: Recorded) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const own = new Recorded()
    return program(own).pipe(
      Effect.provideService(Tracer.Tracer, own.tracer),
      Effect.provideService(Metric.MetricRegistry, new Map())
    )
  })
