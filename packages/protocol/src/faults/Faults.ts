/**
 * Faults on purpose: a layer between any two layers of bytes, messages or datagrams that delays, cuts up, corrupts, holds, loses and resets
 * what passes, by a plan or by chance. For tests, and for seeing what a stack in staging does on a bad day.
 *
 *     MemoryTransport.layer().pipe(
 *       Faults.over(Transport.Bytes)({ plan: Faults.random({ seed: 7 }) }),
 *       Tls.over(...),
 *       Chat.over(...)
 *     )
 *
 * The contract:
 *
 * - **One end.** Faults are at the end that connects, unless `at` says otherwise, and act on both ways; so a stack that plays both
 *   roles has them once a connection.
 * - **Streams stay streams.** Whatever the conditions, bytes and messages keep their order, and are lost only by what says so.
 * - **Time** is that of the connection's clock, so a `TestClock` decides when anything happens.
 * - **Bounds.** Each way holds 64 KiB (or 4,096 messages) before it holds the sender back.
 * - **Silence.** While nothing passes, nothing of an end passes either. A connection that is given up then is left open to its peer; the
 *   wire below it is cut when the stack is closed.
 * - **Repeatable.** The same plan does the same to the same bytes at the same times.
 */

import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Ask } from "../Ask.ts"
import { ConnectError, Refused, Unreachable } from "../ConnectError.ts"
import * as Connection from "../Connection.ts"
import { type Endpoint, format } from "../Endpoint.ts"
import { checked } from "../internal/faults/checked.ts"
import { FaultyWire, layer } from "../internal/faults/FaultyWire.ts"
import { Graveyard } from "../internal/faults/Graveyard.ts"
import { lifeOf } from "../internal/LiveConnection.ts"
import { millisOf } from "../internal/millisOf.ts"
import * as Protocol from "../Protocol.ts"
import { TimedOut } from "../Reason.ts"
import { type At, Bytes, Datagrams, type Message, type Shape } from "../Transport.ts"
import type { Link } from "./Link.ts"
import type { MishapOf, Plan, Way } from "./Plan.ts"
import { random as chance } from "./random.ts"

/** What befalls the connections of a stack. */
export interface Options<in out S> {
  /** The plan of each connection, or that of the nth, from 0; by default nothing happens. */
  readonly plan?: Plan<S> | ((nth: number) => Plan<S>)
  /** The link each connection is on, which may depend on where it leads; by default it is on none. */
  readonly link?: Link | ((endpoint: Endpoint) => Link)
  /**
   * Whose connections have faults: those that are made, the default, or those that are accepted, for which what a plan says of connecting,
   * and `connectWithin`, mean nothing.
   */
  readonly at?: "connect" | "listen"
  /** How long a connect waits for a link that is held, or for an answer that does not come; 10 seconds by default. */
  readonly connectWithin?: Duration.Input
}

/**
 * Puts faults on a stack. Throws a `RangeError` for a plan that means nothing, such as a negative delay; a connection whose plan is one
 * dies of it.
 *
 * @category layers
 */
export const over =
  <S, M extends Message>(shape: Shape<S, M, M>) => (options: Options<S> = {}): Protocol.Over<S, never, S, never> => {
    if (typeof options.plan === "object") checked(options.plan)
    const put = (lower: Layer.Layer<At<S, any>, unknown, unknown>) =>
      Layer.unwrap(Effect.map(graveyard, (graves) => layered(shape, options, graves)(lower as any)))
    return put as unknown as Protocol.Over<S, never, S, never>
  }

/** Where the wires are whose peers must not hear of their end, as long as the stack is there. */
const graveyard = Effect.acquireRelease(
  Effect.sync(() => new Graveyard()),
  (graveyard) => Effect.sync(() => graveyard.clear())
)

const layered = <S, M extends Message>(
  shape: Shape<S, M, M>,
  { at = "connect", connectWithin = "10 seconds", link, plan = {} }: Options<S>,
  graves: Graveyard
): Protocol.Over<S, never, S, never> => {
  const kind = kindOf(shape)
  const within = millisOf("the time for a connect", connectWithin)
  let count = 0
  const next = (): Plan<S> => typeof plan === "function" ? checked(plan(count++)) : plan
  const linkTo = (endpoint: Endpoint) => typeof link === "function" ? link(endpoint) : link

  const wrap = (lower: Connection.Connection<M, M>, plan: Plan<S>, link: Link | undefined) =>
    Effect.suspend(() => {
      const deadlines = lifeOf(lower).deadlines
      const around = { kind, deadlines, graves, join: link?.join ?? (() => () => {}) }
      return Connection.replace(lower, new FaultyWire(Connection.release(lower), plan, around))
    })

  return Protocol.within(shape)<never>({
    layer,
    connect: (attempt, ask) =>
      Effect.suspend(() => {
        if (at === "listen") return attempt(ask, Effect.succeed)
        const link = linkTo(ask.endpoint)
        const plan = next()
        return Effect.andThen(
          begin(plan, link, ask, within),
          attempt(ask, (lower) => wrap(lower, plan, link))
        )
      }),
    server: (lower, ask) =>
      at === "connect" ? Effect.succeed(lower) : Effect.suspend(() => wrap(lower, next(), linkTo(ask.endpoint)))
  })
}

const kindOf = ({ key }: Shape<any, any, any>): "bytes" | "messages" | "datagrams" =>
  key.key === Bytes.key.key ? "bytes" : key.key === Datagrams.key.key ? "datagrams" : "messages"

/** What a connect goes through before there is anything to connect to. */
const begin = (
  { connecting: { delay = 0, fails } = {} }: Plan<any>,
  link: Link | undefined,
  { endpoint }: Ask,
  within: number
): Effect.Effect<void, ConnectError> => {
  const address = format(endpoint)
  const late = new ConnectError({ layer, reason: new TimedOut({ phase: `connect to ${address}`, after: within }) })
  const answer = Effect.suspend(() => {
    switch (fails) {
      case "refused":
        return Effect.fail(new ConnectError({ layer, reason: new Refused({ address }) }))
      case "unreachable":
        return Effect.fail(new ConnectError({ layer, reason: new Unreachable({ address }) }))
      case "silent":
        return Effect.never
      default:
        return Effect.void
    }
  })
  const passable = link?.released ?? Effect.void
  const way = Effect.andThen(Effect.andThen(passable, Effect.sleep(delay)), passable)
  return Effect.timeoutOrElse(Effect.andThen(way, answer), { duration: within, orElse: () => Effect.fail(late) })
}

/** How likely a connection has each of these, from 0 to 1. */
export interface Chances {
  readonly split: number
  readonly merge: number
  readonly delay: number
  readonly jitter: number
  readonly bandwidth: number
  /** Bits are flipped all along. */
  readonly corrupt: number
  readonly reset: number
  readonly end: number
  readonly lose: number
  readonly hold: number
  /** Connecting fails. */
  readonly fail: number
}

/** What is likely by default. */
export const usual: Chances = {
  split: 0.4,
  merge: 0.2,
  delay: 0.6,
  jitter: 0.5,
  bandwidth: 0.2,
  corrupt: 0.05,
  reset: 0.15,
  end: 0.05,
  lose: 0.1,
  hold: 0.2,
  fail: 0.03
}

/** The same without all by which a connection may be lost. */
export const harmless: Partial<Chances> = { corrupt: 0, reset: 0, end: 0, lose: 0, fail: 0 }

/** How plans are drawn. */
export interface Random {
  readonly seed: number
  /** Where they differ from `usual`. */
  readonly chances?: Partial<Chances>
  /** The longest delay and jitter; 100 ms by default. */
  readonly delayUpTo?: Duration.Input
  /** Within which time mishaps happen, and how long holds last at most; 10 seconds by default. */
  readonly within?: Duration.Input
  /** Within how many bytes those happen that are counted; 10,000 by default. */
  readonly withinBytes?: number
}

/** The plan of the nth connection of bytes for a seed: always the same one. */
export const random = (options: Random): (nth: number) => Plan<"bytes"> => (nth) => {
  const next = chance(Math.imul(options.seed, 0x9e3779b1) ^ Math.imul(nth + 1, 0x85ebca6b))
  const chances = { ...usual, ...options.chances }
  const longest = Duration.toMillis(Duration.fromInputUnsafe(options.delayUpTo ?? 100))
  const time = Duration.toMillis(Duration.fromInputUnsafe(options.within ?? "10 seconds"))
  const bytes = options.withinBytes ?? 10_000
  const upTo = (limit: number) => Math.floor(next() * limit)
  const perhaps = <A>(chance: number, make: () => A): A | undefined => next() < chance ? make() : undefined
  const present = <A extends object>(fields: A) =>
    Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
  const way = (): Way => next() < 0.5 ? "sent" : "received"
  const either = (): { readonly way?: Way } => next() < 0.5 ? {} : { way: way() }
  const when = () => next() < 0.5 ? upTo(time) : { [way()]: upTo(bytes) }
  const conditions = () =>
    present({
      split: perhaps(chances.split, () => 1 + upTo(next() < 0.5 ? 16 : 1_460)),
      merge: perhaps(chances.merge, () => 1 + upTo(longest)),
      delay: perhaps(chances.delay, () => upTo(longest)),
      jitter: perhaps(chances.jitter, () => upTo(longest)),
      bandwidth: perhaps(chances.bandwidth, () => 10_000 + upTo(100_000)),
      corruptEvery: perhaps(chances.corrupt, () => 100 + upTo(bytes))
    })
  const mishaps: ReadonlyArray<MishapOf<"bytes"> | undefined> = [
    perhaps(chances.reset, () => ({ after: when(), what: "reset" })),
    perhaps(chances.end, () => ({ after: when(), what: "end", way: way() })),
    perhaps(chances.lose, () => ({ after: when(), what: "lose", ...either() })),
    perhaps(chances.hold, () => ({ after: when(), what: "hold", ...either(), for: upTo(time) }))
  ]
  const fails = perhaps(chances.fail, () => (["refused", "unreachable", "silent"] as const)[upTo(3)])
  return {
    seed: upTo(0x7fff_ffff),
    connecting: { delay: upTo(longest), ...(fails === undefined ? {} : { fails }) },
    sent: conditions(),
    received: conditions(),
    mishaps: mishaps.filter((mishap) => mishap !== undefined)
  }
}
