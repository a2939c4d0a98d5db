/**
 * A backplane: what one process of a service publishes, all of them are given, each for its own connections.
 *
 *     process A --publish--> +-----------------------+ --events--> A: Topic --> its connections
 *                            | log of the topic      |
 *                            | ... 41  42  43  44    |
 *     process B --publish--> +-----------------------+ --events--> B: Topic --> its connections
 *                             kept by an engine: this process, or Redis
 *
 * A topic is a bounded log of numbered messages, and a subscription is a place in it.
 *
 * - **Order.** The log gives the numbers, from 1 on and without a hole. So all subscriptions have the same messages in the same order, and a
 *   message that is published is in the log: who comes back after it was away asks for what is behind the number it has.
 * - **Exactly once.** A message may have a key. As long as its message is in the log a key is published once: publishing it again gives the
 *   number it has. So who has no answer publishes again, as often as it takes.
 * - **Backpressure.** A subscription that takes little makes nobody wait, and nothing is kept for it: its place stays where it is, and the log goes
 *   on. What is at most kept in this process for each is one batch that was read ahead.
 * - **Gaps.** The log is bounded. If what comes next was trimmed meanwhile, a `Gap` is in its place: nothing is missing without being told.
 * - **An engine that is away** costs time. Subscriptions wait and go on where they were, `publish` fails, and `state` tells it to whoever
 *   should send nobody here any more.
 *
 * - **Text.** Topics, payloads and keys are what UTF-8 can carry: halves of surrogate pairs would all become the same, and so are refused.
 *
 * One subscription a topic is enough for a process: what it brings is published in a `Topic`, which encodes it once for all members.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { Unencodable } from "../ConnectionError.ts"
import { Logs } from "../internal/fanout/Logs.ts"
import { isWellFormed } from "../internal/isWellFormed.ts"
import { loneSurrogate } from "../internal/utf8.ts"
import { TooLarge } from "../Reason.ts"
import { BackplaneError } from "./BackplaneError.ts"

/** A message of a topic. */
export interface Entry {
  readonly _tag: "Entry"
  readonly number: number
  readonly payload: string
  readonly key: string | undefined
}

/** What came after the message of this number is not there any more. */
export interface Gap {
  readonly _tag: "Gap"
  readonly after: number
  /** The log was lost or forgotten, or its end was: what is there now follows, from the beginning. */
  readonly restarted: boolean
}

export type Event = Entry | Gap

/** Where a subscription begins. With neither, behind the last message. */
export interface From {
  /** Behind the message of this number; 0 is the beginning of the log. */
  readonly after?: number
  /** With so many of the latest messages, or as many as there are. */
  readonly latest?: number
}

/** A place in a topic. */
export interface Subscription {
  /** The number of the topic's last message when this began; 0 without one. */
  readonly last: number
  /** What comes next, as much as there is, in batches of at most 256; waits for it. One pulls at a time. Safe to interrupt: nothing was taken then. */
  readonly pull: Effect.Effect<NonEmptyReadonlyArray<Event>>
}

/** How a message was published. */
export interface Published {
  readonly number: number
  /** Its key was published before: this is the number it got then. */
  readonly repeated: boolean
}

/** Whether the engine can be reached. */
export type State = { readonly _tag: "Linked" } | { readonly _tag: "Unlinked"; readonly cause: unknown }

export class Backplane extends Context.Service<Backplane, {
  /** Puts a message at the end of a topic's log. When interrupted it may be there or not; with a key it can be published again. */
  readonly publish: (topic: string, payload: string, key?: string) => Effect.Effect<Published, BackplaneError>
  /** Takes a place in a topic, as long as the scope is open. */
  readonly subscribe: (topic: string, from?: From) => Effect.Effect<Subscription, BackplaneError, Scope.Scope>
  readonly state: SubscriptionRef.SubscriptionRef<State>
}>()("@wirestack/protocol/fanout/Backplane") {}

/**
 * What a subscription brings, as a Stream that does not end.
 *
 * @category accessors
 */
export const events = ({ pull }: Subscription): Stream.Stream<Event> => Stream.fromPull(Effect.succeed(pull))

/** What is told to an engine. */
export interface Told {
  readonly topic: string
  readonly payload?: string
  readonly key?: string | undefined
}

/**
 * For engines: whether what they are told can be kept as it is, with a payload of at most so many UTF-16 units.
 *
 * @category constructors
 */
export const fitting =
  (maxPayload: number) => ({ key = "", payload = "", topic }: Told): Effect.Effect<void, BackplaneError> => {
    const size = payload.length
    const reason = size > maxPayload
      ? new TooLarge({ what: "a payload", size, limit: maxPayload })
      : [topic, payload, key].every(isWellFormed)
      ? undefined
      : new Unencodable({ detail: loneSurrogate })
    return reason === undefined ? Effect.void : Effect.fail(new BackplaneError({ topic, reason }))
  }

/** How a backplane in this process is bounded. */
export interface Options {
  /** How many messages of a topic are kept; 1,024 by default. */
  readonly maxEntries?: number
  /** How much is kept of all topics, in UTF-16 units; 33,554,432 by default. Beyond it those go first that were not published in for the longest time. */
  readonly maxSize?: number
  /** How many topics are known; 65,536 by default. Beyond it one nobody is subscribed to is forgotten. */
  readonly maxTopics?: number
  /** The largest payload, in UTF-16 units; 65,536 by default. */
  readonly maxPayload?: number
}

/**
 * A backplane for one process, and for tests: the logs are in its memory, and end with it.
 *
 * @category layers
 */
export const layer = ({ maxPayload = 65_536, ...bounds }: Options = {}): Layer.Layer<Backplane> =>
  Layer.effect(Backplane)(Effect.gen(function*() {
    const logs = new Logs(bounds)
    const fits = fitting(maxPayload)
    return {
      publish: (topic, payload, key) =>
        Effect.map(fits({ topic, payload, key }), () => logs.publish(topic, payload, key)),
      subscribe: (topic, from = {}) =>
        Effect.acquireRelease(
          Effect.map(fits({ topic }), () => logs.subscribe(topic, from)),
          (place) => Effect.sync(() => place.leave())
        ),
      state: yield* SubscriptionRef.make<State>({ _tag: "Linked" })
    }
  }))
