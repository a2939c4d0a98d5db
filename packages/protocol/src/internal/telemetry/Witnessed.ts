/** One connection, as metrics and spans are made of it. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Tracer from "effect/Tracer"
import type { Connection } from "../../Connection.ts"
import type { Outcome } from "../../Outcome.ts"
import * as TraceContext from "../../telemetry/TraceContext.ts"
import { reportOf, whenOf } from "../Journal.ts"
import type { Life } from "../LiveConnection.ts"
import { tallyOf } from "../tallyOf.ts"
import * as attribute from "./attributes.ts"
import * as calls from "./calls.ts"
import { errorOf } from "./errorOf.ts"
import type { Meter } from "./Meter.ts"
import type { Metered } from "./Metered.ts"
import type { Called, Role, Witness } from "./Observer.ts"
import * as Spans from "./Spans.ts"

export class Witnessed implements Witness, calls.Making {
  private readonly life: Life
  private readonly role: Role
  readonly meter: Meter | undefined
  private readonly metered: Metered | undefined
  readonly spans: boolean
  /** The layer at the bottom. */
  private readonly transport: string
  private parent: Tracer.AnySpan | undefined = undefined
  /** It is ready, or was told of when it ended before. */
  private established = false
  /** From when it is ready until it is over. */
  lifetime: Tracer.Span | undefined = undefined

  constructor(life: Life, role: Role, meter: Meter | undefined, spans: boolean) {
    this.life = life
    this.role = role
    this.meter = meter
    this.metered = meter?.begun(life, role)
    this.spans = spans
    this.transport = life.top.layer
    let began = false
    life.watch((state) => {
      if (!began) began = true
      else if (state._tag === "Closing") this.event("closing")
      else if (state._tag === "Ready") this.event(state.viable ? "responsive" : "unresponsive")
      else if (state.outcome !== undefined) this.over(state.outcome)
    })
  }

  private get now(): bigint {
    return Context.get(this.life.context, Clock.Clock).currentTimeNanosUnsafe()
  }

  private event(name: string): void {
    this.lifetime?.event(name, this.now)
  }

  continues(parent: Tracer.AnySpan): void {
    this.parent = parent
  }

  /** It was connected: its establishment has a span already, in that of `parent`. */
  connected(parent: Tracer.AnySpan | undefined, connecting: Tracer.Span | undefined): void {
    this.parent = parent
    this.ready(connecting)
  }

  handling<A, E, R>(connection: Connection<any, any>, handler: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    // It may be over before it is handled.
    if (!this.established) this.accepted(connection, Exit.void)
    const { lifetime } = this
    return lifetime === undefined ? handler : Effect.provideService(handler, Tracer.ParentSpan, lifetime)
  }

  /** The spans of what led to a connection that was accepted, or failed before its handler was run. */
  private accepted(connection: Connection<any, any> | undefined, exit: Exit.Exit<unknown, unknown>): void {
    const { life, parent, role, transport } = this
    const report = reportOf(life.journal, connection?.details)
    const at = whenOf(Context.get(life.context, Clock.Clock), life.journal)
    this.meter?.established(role, report)
    const accept = this.spans
      ? Spans.begin(life.context, {
        name: "accept",
        kind: "server",
        parent,
        start: at(0),
        attributes: {
          [attribute.transport]: transport,
          [attribute.error]: errorOf(exit),
          ...attribute.ofPeer(life.peer)
        }
      })
      : undefined
    if (accept !== undefined) Spans.steps(life.context, accept, report, at)
    if (connection === undefined) this.established = true
    else this.ready(accept)
    accept?.end(this.now, exit)
  }

  private ready(establishing: Tracer.Span | undefined): void {
    this.established = true
    if (this.life.outcome !== undefined) return
    this.metered?.ready()
    if (!this.spans) return
    const { life, now, parent, role, transport } = this
    this.lifetime = Spans.begin(life.context, {
      name: "connection",
      kind: role,
      parent,
      start: now,
      links: establishing === undefined ? [] : [establishing],
      attributes: {
        [attribute.transport]: transport,
        [attribute.protocol]: life.top.layer,
        ...attribute.ofPeer(life.peer)
      }
    })
  }

  private over(outcome: Outcome): void {
    const { life, lifetime, now, role } = this
    const { error, undelivered, unsent } = outcome
    const exit = error === undefined ? Exit.void : Exit.fail(error)
    if (!this.established && role === "server") this.accepted(undefined, exit)
    this.metered?.over(outcome)
    if (lifetime === undefined) return
    const attributes = {
      ...attribute.ofOutcome(outcome),
      "wirestack.unsent.messages": unsent.messages,
      "wirestack.unsent.bytes": unsent.bytes,
      "wirestack.undelivered.messages": undelivered,
      ...attribute.ofTransfer(tallyOf(life))
    }
    for (const [name, value] of Object.entries(attributes)) if (value !== undefined) lifetime.attribute(name, value)
    lifetime.end(now, exit)
  }

  roundTrip(layer: string, took: number): void {
    this.metered?.roundTrip(layer, took / 1_000)
  }

  calling<A, E>(
    called: Called,
    call: (traceparent: string | undefined) => Effect.Effect<A, E>
  ): Effect.Effect<A, E> {
    return calls.tell(this, "client", called, undefined, call)
  }

  answering<A, E>(
    called: Called,
    traceparent: string | undefined,
    answer: Effect.Effect<A, E>
  ): Effect.Effect<A, E> {
    const parent = traceparent === undefined ? undefined : TraceContext.parse(traceparent)
    return calls.tell(this, "server", called, parent ?? this.lifetime, () => answer)
  }
}
