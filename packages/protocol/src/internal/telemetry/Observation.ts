/** Who makes metrics and spans of all connections. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { ConnectError } from "../../ConnectError.ts"
import type { Connection } from "../../Connection.ts"
import type { Endpoint } from "../../Endpoint.ts"
import { type Journal, reportOf, whenOf } from "../Journal.ts"
import { type Life, lifeOf } from "../LiveConnection.ts"
import * as attribute from "./attributes.ts"
import { errorOf } from "./errorOf.ts"
import type { Meter } from "./Meter.ts"
import type { Observer, Refused, Role, Sample } from "./Observer.ts"
import * as Spans from "./Spans.ts"
import { Witnessed } from "./Witnessed.ts"

type Connected = Exit.Exit<Connection<any, any>, ConnectError>

export class Observation implements Observer {
  private readonly meter: Meter | undefined
  readonly traces: boolean

  constructor(meter: Meter | undefined, traces: boolean) {
    this.meter = meter
    this.traces = traces
  }

  begun(life: Life, role: Role): Witnessed {
    return new Witnessed(life, role, this.meter, this.traces)
  }

  connecting<A extends Connection<any, any>, R>(
    endpoint: Endpoint,
    journal: Journal,
    connect: Effect.Effect<A, ConnectError, R>
  ): Effect.Effect<A, ConnectError, R> {
    return Effect.contextWith((context: Context.Context<never>) => {
      const parent = Option.getOrUndefined(Context.getOption(context, Tracer.ParentSpan))
      const told = (span: Tracer.Span | undefined) =>
        Effect.onExit(
          connect,
          (exit) => Effect.sync(() => this.connected(context, journal, exit as Connected, span, parent))
        )
      return this.traces
        ? Effect.useSpan(
          "connect",
          { kind: "client", attributes: attribute.ofEndpoint(endpoint) },
          (span) => Effect.provideService(told(span), Tracer.ParentSpan, span)
        )
        : told(undefined)
    })
  }

  private connected(
    context: Context.Context<never>,
    journal: Journal,
    exit: Connected,
    span: Tracer.Span | undefined,
    parent: Tracer.AnySpan | undefined
  ): void {
    const connection = Exit.isSuccess(exit) ? exit.value : undefined
    const report = reportOf(journal, connection?.details)
    const error = errorOf(exit)
    this.meter?.connected(journal.elapsed / 1_000, error)
    this.meter?.established("client", report)
    if (span !== undefined) {
      const clock = Context.get(context, Clock.Clock)
      Spans.steps(context, span, report, whenOf(clock, journal))
      if (error !== undefined) span.attribute(attribute.error, error)
      // Not with what was connected, which a span would keep.
      span.end(clock.currentTimeNanosUnsafe(), Exit.asVoid(exit))
    }
    const witness = connection && lifeOf(connection).witness
    if (witness instanceof Witnessed) witness.connected(parent, span)
  }

  refused(why: Refused, count: number): void {
    this.meter?.refused(why, count)
  }

  reconnected(reason: string | undefined): void {
    this.meter?.reconnected(reason)
  }

  resumed(reason: "gap" | "unknown" | undefined): void {
    this.meter?.resumed(reason)
  }

  sampling(sample: Sample): () => void {
    return this.meter?.sampling(sample) ?? (() => {})
  }
}
