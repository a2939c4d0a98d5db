/**
 * A backplane kept by Redis, 7.0 or later, through Effect's `Redis` service: `NodeRedis.layer` of `@effect/platform-node`, or any other.
 *
 * The log of a topic is a Redis stream, not a channel of its publish and subscribe: what is published to a channel while a process is
 * not connected is lost to it, and a stream is read on from the last number. Each process reads all its topics with one blocking command, on
 * a connection of its own; publishing is one script.
 *
 * - **Acknowledged** is what Redis has answered, so it is as safe as Redis keeps it: with `appendonly yes` and `appendfsync always` it outlives
 *   a crash of the machine, with `everysec` one of Redis. A replica that takes over may lack what was acknowledged last.
 *   Subscriptions that have read what Redis came back without are told so with a `Gap` that says `restarted`, and are given the log anew.
 * - **Redis is away.** Subscriptions connect again by themselves. `publish` fails `Unavailable`, or with `TimedOut` while the client waits to be
 *   connected again; with `disableOfflineQueue` it fails at once.
 * - **Bounds.** Redis keeps `maxEntries` messages a topic, and forgets a topic that nobody published in for `timeToLive`.
 * - **Redis Cluster** is not supported: one command reads all topics. Use a Redis for a part of the topics each.
 */
import { Backplane, BackplaneError, Reason } from "@wirestack/protocol"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redis from "effect/persistence/Redis"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { lastOf } from "./internal/lastOf.ts"
import { Place, positionOf } from "./internal/Place.ts"
import { publish } from "./internal/publish.ts"
import { Reader } from "./internal/Reader.ts"

export interface Options {
  /** What the names of all keys begin with; `"wirestack"` by default. Backplanes with the same one, on the same Redis, are one. */
  readonly prefix?: string
  /** How many messages of a topic are kept; 10,000 by default. */
  readonly maxEntries?: number
  /** The largest payload, in UTF-16 units; 65,536 by default. */
  readonly maxPayload?: number
  /** How long a topic is kept that nobody publishes in; 7 days by default. */
  readonly timeToLive?: Duration.Input
  /** How long `publish` waits for Redis; 5 seconds by default. */
  readonly within?: Duration.Input
}

const engine = "redis"

/**
 * A backplane on this Redis. When the layer is built, its reader begins to connect, and subscriptions wait for that.
 *
 * @category layers
 */
export const layer = (
  { maxEntries = 10_000, maxPayload = 65_536, prefix = "wirestack", timeToLive = "7 days", within = "5 seconds" }:
    Options = {}
): Layer.Layer<Backplane.Backplane, never, Redis.Redis> =>
  Layer.effect(Backplane.Backplane)(Effect.gen(function*() {
    const redis = yield* Redis.Redis
    const state = yield* SubscriptionRef.make<Backplane.State>({ _tag: "Linked" })
    const reader = new Reader(redis, state)
    yield* Effect.forkScoped(reader.run)
    const seconds = Math.max(1, Math.ceil(Duration.toSeconds(timeToLive)))
    const store = redis.eval(publish)
    const fits = Backplane.fitting(maxPayload)
    const millis = Duration.toMillis(within)
    const timedOut = new Reason.TimedOut({ phase: "redis", after: millis })

    /** What Redis answers about a topic, in time. */
    const about = <A>(topic: string, answer: Effect.Effect<A, Redis.RedisError>) =>
      answer.pipe(
        Effect.mapError(({ cause }) => new BackplaneError.Unavailable({ engine, cause })),
        Effect.timeoutOrElse({ duration: millis, orElse: () => Effect.fail(timedOut) }),
        Effect.mapError((reason) => new BackplaneError.BackplaneError({ topic, reason }))
      )
    const log = (topic: string) => `${prefix}:{${topic}}:log`
    const keys = (topic: string) => `${prefix}:{${topic}}:keys`

    return {
      publish: (topic, payload, key = "") =>
        fits({ topic, payload, key }).pipe(
          Effect.andThen(about(topic, store(log(topic), keys(topic), payload, key, maxEntries, seconds))),
          Effect.map(([id, repeated]) => ({ number: positionOf(id).number, repeated: repeated === 1 }))
        ),
      subscribe: (topic, from = {}) =>
        Effect.acquireRelease(
          Effect.map(Effect.andThen(fits({ topic }), about(topic, lastOf(redis, log(topic)))), (last) => {
            const place = new Place(log(topic), last, from, reader.hurry)
            reader.add(place)
            return place
          }),
          (place) => Effect.sync(() => reader.delete(place))
        ),
      state
    }
  }))
