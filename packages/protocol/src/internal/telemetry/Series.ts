/**
 * The series of Effect's metrics, each made when it is first needed. A name has so many at most: beyond them, all is counted in one more
 * that says so, as OpenTelemetry has it, since what a peer sends (a close code) may become an attribute.
 *
 * @see https://opentelemetry.io/docs/specs/otel/metrics/sdk/#cardinality-limits
 */
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { Attributes, Instrument, Meters } from "./Observer.ts"

type Known = { [name: string]: string }

const overflow = { "otel.metric.overflow": "true" }

const make = ({ description, kind, name }: Instrument, attributes: Known): Metric.Metric<number, unknown> =>
  kind === "counter"
    ? Metric.counter(name, { description, attributes, incremental: true })
    : kind === "gauge"
    ? Metric.gauge(name, { description, attributes })
    : Metric.histogram(name, { description, attributes, boundaries: kind })

/** Those that are known, with the unit as Effect's exporters look for it. */
const known = (attributes: Attributes, unit: string | undefined): Known => {
  const known: Known = unit === undefined ? {} : { unit }
  for (const name in attributes) {
    const value = attributes[name]
    if (value !== undefined) known[name] = value
  }
  return known
}

export class Series implements Meters {
  private readonly context: Context.Context<never>
  private readonly limit: number
  private readonly byName = new Map<string, Map<string, Metric.Metric<number, unknown>>>()

  constructor(context: Context.Context<never>, limit: number) {
    this.context = context
    this.limit = limit
  }

  add(instrument: Instrument, attributes: Attributes, amount: number): void {
    this.of(instrument, attributes).modifyUnsafe(amount, this.context)
  }

  set(instrument: Instrument, attributes: Attributes, value: number): void {
    this.of(instrument, attributes).updateUnsafe(value, this.context)
  }

  remove(instrument: Instrument, attributes: Attributes): void {
    const key = JSON.stringify(attributes)
    const series = this.byName.get(instrument.name)
    const metric = series?.get(key)
    if (metric === undefined) return
    series!.delete(key)
    Metric.removeUnsafe(metric, this.context)
  }

  private of(instrument: Instrument, attributes: Attributes): Metric.Metric<number, unknown> {
    let series = this.byName.get(instrument.name)
    if (series === undefined) this.byName.set(instrument.name, series = new Map())
    const key = JSON.stringify(attributes)
    const found = series.get(key)
    if (found !== undefined) return found
    if (series.size >= this.limit && attributes !== overflow) return this.of(instrument, overflow)
    const metric = make(instrument, known(attributes, instrument.unit))
    series.set(key, metric)
    return metric
  }
}
