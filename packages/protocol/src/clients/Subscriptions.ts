/**
 * Subscriptions: what a connection receives is given to whoever has subscribed to its topic, as Streams.
 *
 *     const subscriptions = Subscriptions.make<string, Published>({ layer: "redis" })
 *     const news = yield* subscriptions.subscribe("news", { join: run("subscribe", "news"), leave: run("unsubscribe", "news") })
 *     subscriptions.deliver("news", published, size)            what is received
 *
 * The contract:
 *
 * - A subscription lives as long as the scope, or until its `join` fails; its Stream ends then, behind what came before. It `join`s each
 *   time, and `leave`s once when nobody has the topic any more, one after the other: who joins while the last one leaves joins after that.
 * - What waits for a subscriber is bounded by `maxWaiting` bytes; a Stream takes all that is there at once, and that waits no more. Whoever
 *   falls behind further is told so with `TooLarge`, behind what came before: a connection that waited for one subscriber would hold up all
 *   others, and the replies that this one may wait for.
 * - Once the connection is over (`lost`), all Streams fail with the reason, behind what came before, and so do those that come later.
 */

import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { ConnectionError } from "../ConnectionError.ts"
import { TooLarge } from "../Reason.ts"

/** How subscriptions are bounded. */
export interface Options {
  /** The name of the layer, for errors. */
  readonly layer: string
  /** How long a `leave` may take; 5 seconds by default. Nobody is told if it fails, since who left wants nothing more. */
  readonly leaveWithin?: Duration.Input
}

/** How a topic is subscribed to. */
export interface Subscribing<E, R> {
  /** Asks the peer for it; the subscription is there when this succeeds, and what comes meanwhile is not missed. */
  readonly join: Effect.Effect<unknown, E, R>
  /** Tells the peer that nobody wants it any more. */
  readonly leave: Effect.Effect<unknown, unknown>
  /** How many bytes may wait for this subscriber; 16 MiB by default. */
  readonly maxWaiting?: number | undefined
}

/** What keeping a message costs beyond its bytes. */
const overhead = 64

export class Subscriptions<K, A, E = never> {
  private readonly topics = new Map<K, Topic<A, E>>()
  private readonly options: Options
  private error: ConnectionError | undefined

  constructor(options: Options) {
    this.options = options
  }

  /** Subscribes for as long as the scope is open. */
  subscribe<E2, R>(
    key: K,
    { join, leave, maxWaiting = 16_777_216 }: Subscribing<E2, R>
  ): Effect.Effect<Stream.Stream<A, ConnectionError | E>, ConnectionError | E2, R | Scope.Scope> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        Effect.flatMap(Effect.scope, Scope.fork),
        (scope) =>
          Effect.suspend((): Effect.Effect<Stream.Stream<A, ConnectionError | E>, ConnectionError | E2, R> => {
            if (this.error !== undefined) return Effect.fail(this.error)
            const feed = new Feed<A, E>(this.options.layer, maxWaiting)
            const topic = this.enter(key, feed)
            return Scope.addFinalizer(scope, this.leave(key, topic, feed, leave)).pipe(
              Effect.andThen(restore(topic.join(join))),
              Effect.as(feed.stream)
            )
          }).pipe(Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))))
      )
    )
  }

  /** A message of a topic was received; `size` is its weight in bytes. */
  deliver(key: K, message: A, size: number): void {
    this.topics.get(key)?.deliver(message, size)
  }

  /** The same for a message of all topics that `admits` says yes to, such as patterns. */
  deliverWhere(admits: (key: K) => boolean, message: A, size: number): void {
    for (const [key, topic] of this.topics) if (admits(key)) topic.deliver(message, size)
  }

  /** The peer does not give us a topic: its Streams fail. */
  fail(key: K, error: E): void {
    this.topics.get(key)?.fail(error)
  }

  /** The connection is over, and why. */
  lost(error: ConnectionError): void {
    this.error = error
    for (const topic of this.topics.values()) topic.fail(error)
  }

  private enter(key: K, feed: Feed<A, E>): Topic<A, E> {
    const topic = this.topics.get(key) ?? new Topic<A, E>()
    this.topics.set(key, topic)
    topic.feeds.add(feed)
    topic.holders++
    return topic
  }

  private leave(
    key: K,
    topic: Topic<A, E>,
    feed: Feed<A, E>,
    leave: Effect.Effect<unknown, unknown>
  ): Effect.Effect<void> {
    const forget = Effect.sync(() => {
      if (--topic.holders === 0) this.topics.delete(key)
    })
    return Effect.suspend(() => {
      topic.feeds.delete(feed)
      feed.end()
      return within(topic.leave(leave), this.options.leaveWithin ?? "5 seconds")
    }).pipe(Effect.ignore, Effect.ensuring(forget))
  }
}

/** Waits no longer, also for what can't be interrupted, such as a request whose key is kept. */
const within = (leave: Effect.Effect<unknown, unknown>, time: Duration.Input): Effect.Effect<unknown, unknown> =>
  Effect.flatMap(
    Effect.forkDetach(Effect.interruptible(leave), { startImmediately: true }),
    (fiber) =>
      Effect.timeout(Effect.interruptible(Fiber.join(fiber)), time).pipe(
        Effect.ensuring(Effect.sync(() => fiber.interruptUnsafe()))
      )
  )

class Topic<A, E> {
  readonly feeds = new Set<Feed<A, E>>()
  /** How many have it, or are about to leave it. */
  holders = 0
  private joined = false
  private readonly turn = Semaphore.makeUnsafe(1)

  join<E2, R>(join: Effect.Effect<unknown, E2, R>): Effect.Effect<unknown, E2, R> {
    return this.turn.withPermit(Effect.suspend(() => {
      this.joined = true
      return join
    }))
  }

  /** Leaves if nobody is here, as often as somebody has joined. */
  leave(leave: Effect.Effect<unknown, unknown>): Effect.Effect<unknown, unknown> {
    const last = Effect.suspend(() => {
      if (!this.isLeft) return Effect.void
      this.joined = false
      return leave
    })
    return Effect.suspend(() => this.isLeft ? this.turn.withPermit(last) : Effect.void)
  }

  private get isLeft(): boolean {
    return this.joined && this.feeds.size === 0
  }

  deliver(message: A, size: number): void {
    for (const feed of this.feeds) feed.give(message, size + overhead)
  }

  fail(error: ConnectionError | E): void {
    for (const feed of this.feeds) feed.fail(error)
  }
}

/** What one subscriber has yet to take. */
class Feed<A, E> {
  private readonly layer: string
  private readonly limit: number
  private readonly queue = Effect.runSync(Queue.unbounded<readonly [A, number], ConnectionError | E | Cause.Done>())
  private waiting = 0

  constructor(layer: string, limit: number) {
    this.layer = layer
    this.limit = limit
  }

  give(message: A, size: number): void {
    const { layer, limit } = this
    if (this.waiting + size > limit) {
      const reason = new TooLarge({ what: "what waits for a subscriber", size: this.waiting + size, limit })
      return this.fail(new ConnectionError({ layer, reason }))
    }
    if (Queue.offerUnsafe(this.queue, [message, size])) this.waiting += size
  }

  fail(error: ConnectionError | E): void {
    Queue.failCauseUnsafe(this.queue, Cause.fail(error))
  }

  end(): void {
    Queue.endUnsafe(this.queue)
  }

  get stream(): Stream.Stream<A, ConnectionError | Exclude<E, Cause.Done>> {
    return Stream.map(Stream.fromQueue(this.queue), ([message, size]) => {
      this.waiting -= size
      return message
    })
  }
}

/**
 * The subscriptions of one connection.
 *
 * @category constructors
 */
export const make = <K, A, E = never>(options: Options): Subscriptions<K, A, E> => new Subscriptions(options)
