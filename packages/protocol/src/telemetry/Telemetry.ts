/**
 * Metrics and spans of all connections of a program: a Layer turns them on, and without it nothing is done for them.
 *
 *     Effect.provide(program, Layer.provideMerge(Telemetry.layer(), Otlp.layerJson({ baseUrl })))
 *
 * They are those of Effect (`Metric`, `Tracer`), so whatever exports these exports them: `effect/observability` over OTLP or for Prometheus.
 * Names are those of OpenTelemetry's semantic conventions where there are any.
 *
 *     connect                              from when a connection is asked for until it is there
 *       connect tcp                        each layer of each attempt, with what it tells in the `EstablishmentReport`
 *       connect tls
 *     accept                               the same for a connection that was accepted
 *       accept tcp
 *     connection                           from then until it is over; the handler of an accepted one runs in it
 *       files.v1/read                      a call of `Requests`; in the trace of its caller if the definition says so
 *
 * The contract:
 *
 * - What is rare (that a connection begins, is ready, ends, is refused) is told as it happens. What passes is not: layers count it anyway
 *   (`DataTransferReport`), and all open connections are looked at when somebody reads the metrics, and each once more when it ends.
 * - Nothing of a connection is kept once it is over. A metric has `maxSeries` series at most.
 * - Addresses, and what layers tell, are in spans; metrics have nothing that differs from peer to peer but close codes.
 * - A trace leaves the program, or is taken over from a peer, only where somebody says so: `trace` of a `Requests.Service` and of a
 *   WebSocket's opening handshake, and `Traced` messages.
 */

import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Counts, Topic } from "../fanout/Topic.ts"
import { atLeast } from "../internal/atLeast.ts"
import * as attribute from "../internal/telemetry/attributes.ts"
import * as instruments from "../internal/telemetry/instruments.ts"
import { Meter } from "../internal/telemetry/Meter.ts"
import { Observation } from "../internal/telemetry/Observation.ts"
import { Observing } from "../internal/telemetry/Observer.ts"

/** What is made of connections. */
export interface Options {
  /** True by default. */
  readonly metrics?: boolean
  /** True by default. */
  readonly spans?: boolean
  /** How many series a metric may have; what is beyond them is counted in one more, `otel.metric.overflow`. 2,000 by default. Of two layers with one registry the first decides. */
  readonly maxSeries?: number
}

/**
 * Turns telemetry on for all connections and listeners that are made with it in the context. Metrics go to the registry that the layer finds,
 * spans to the tracer of whoever connects or listens. Throws a `RangeError` if `maxSeries` is not 1 at least.
 *
 * @category layers
 */
export const layer = ({ maxSeries = 2_000, metrics = true, spans = true }: Options = {}): Layer.Layer<never> => {
  const limit = atLeast(1, "maxSeries", maxSeries)
  const metering = Effect.contextWith((context: Context.Context<never>) =>
    Effect.acquireRelease(
      Effect.sync(() => Meter.use(context, limit)),
      (meter) => Effect.sync(() => meter.leave())
    )
  )
  return Layer.effect(
    Observing,
    Effect.map(metrics ? metering : Effect.undefined, (meter) => new Observation(meter, spans))
  )
}

const none: Counts = { members: 0, messages: 0, bytes: 0, dropped: 0, superseded: 0, overloaded: 0 }

const gaugesOf = ({ bytes, members, messages }: Counts) =>
  [
    [instruments.topicMembers, members],
    [instruments.topicMessages, messages],
    [instruments.topicBytes, bytes]
  ] as const

/**
 * Has the metrics tell of a topic under a name, as long as the scope is open: its members, what waits for them, and what they have missed.
 * Of two topics with one name the sums are wrong. Does nothing without `layer`.
 */
export const topic = <A>(name: string, self: Topic<A>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.flatMap(Observing, (observer) => {
    if (observer === undefined) return Effect.void
    const attributes = { [attribute.topic]: name }
    let before = none
    const look = Effect.sync(() =>
      observer.sampling((meters, last) => {
        const now = self.counts
        for (const [gauge, value] of gaugesOf(now)) {
          if (last) meters.remove(gauge, attributes)
          else meters.set(gauge, attributes, value)
        }
        meters.add(instruments.topicDropped, attributes, now.dropped - before.dropped)
        meters.add(instruments.topicSuperseded, attributes, now.superseded - before.superseded)
        meters.add(instruments.topicOverloaded, attributes, now.overloaded - before.overloaded)
        before = now
      })
    )
    return Effect.asVoid(Effect.acquireRelease(look, (leave) => Effect.sync(leave)))
  })
