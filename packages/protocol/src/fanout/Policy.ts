/**
 * What becomes of a member of a topic that takes less than is published.
 *
 * What a connection has no room for waits for it in the topic: up to `maxWaiting` messages and `maxBytes` bytes. Beyond that the policy
 * decides, for this member alone.
 *
 * | policy       | beyond the bounds                                                     | who is told                  |
 * | ------------ | --------------------------------------------------------------------- | ---------------------------- |
 * | `close`      | the connection is closed as `"overloaded"` (WebSocket: 1013)          | the peer                     |
 * | `dropOldest` | the oldest that wait are dropped                                      | the receiver, in their place |
 * | `keepLatest` | `close`; but of what waits, only the latest of each key is kept at all | nobody                       |
 * | `suspend`    | `publish` waits, up to `within`; then `close`                         | the publisher                |
 *
 * A connection that is closed and whose peer does not read on within `closeWithin` is cut, so that the peer may not see why.
 */
import * as Duration from "effect/Duration"
import { atLeast } from "../internal/atLeast.ts"

/** How much may wait for one member. */
export interface Bounds {
  /** Messages; 1,024 by default. */
  readonly maxWaiting?: number
  /** Bytes, as they are encoded; 1 MiB by default. */
  readonly maxBytes?: number
}

/** The bounds of a member, all of them. */
export type Limits = Required<Bounds>

/** Whoever falls behind is closed. */
export interface Close {
  readonly _tag: "Close"
  readonly limits: Limits
}

/** Whoever falls behind misses the oldest. */
export interface DropOldest<out A> {
  readonly _tag: "DropOldest"
  readonly limits: Limits
  readonly gap: (count: number) => A | undefined
}

/** Of what waits, only the latest of each key is kept. */
export interface KeepLatest<in A> {
  readonly _tag: "KeepLatest"
  readonly limits: Limits
  readonly key: (message: A) => unknown
}

/** Whoever falls behind holds up the publisher, for so many milliseconds. */
export interface Suspend {
  readonly _tag: "Suspend"
  readonly limits: Limits
  readonly within: number
}

/** A policy for messages `A`. */
export type Policy<A> = Close | DropOldest<A> | KeepLatest<A> | Suspend

const limitsOf = ({ maxBytes = 1_048_576, maxWaiting = 1_024 }: Bounds): Limits => ({
  maxWaiting: atLeast(1, "maxWaiting", maxWaiting),
  maxBytes: atLeast(1, "maxBytes", maxBytes)
})

/**
 * Closes the connection of who falls behind: so that nobody misses a message without knowing it. The default.
 *
 * @category constructors
 */
export const close = (bounds: Bounds = {}): Close => ({ _tag: "Close", limits: limitsOf(bounds) })

/**
 * Drops the oldest, and sends what `gap` makes of their number in their place; if that is `undefined`, they are only counted. Whoever
 * can't be told, since `gap` throws or its message can't be encoded, is closed as overloaded.
 *
 * @category constructors
 */
export const dropOldest = <A>(
  { gap, ...bounds }: Bounds & { readonly gap: (count: number) => A | undefined }
): DropOldest<A> => ({ _tag: "DropOldest", limits: limitsOf(bounds), gap })

/**
 * Of what waits, keeps the latest of each key, in the place of the one before: so none is put off by being followed by newer ones.
 *
 * @category constructors
 */
export const keepLatest = <A>(key: (message: A) => unknown, bounds: Bounds = {}): KeepLatest<A> => ({
  _tag: "KeepLatest",
  limits: limitsOf(bounds),
  key
})

/**
 * Has the publisher wait for this member, with all others: up to `within`, 5 seconds by default, and then its connection is closed.
 *
 * @category constructors
 */
export const suspend = (
  { within = "5 seconds", ...bounds }: Bounds & { readonly within?: Duration.Input } = {}
): Suspend => {
  const millis = Duration.toMillis(within)
  if (!(millis > 0)) throw new RangeError(`a publisher can't wait for ${millis} ms`)
  return { _tag: "Suspend", limits: limitsOf(bounds), within: millis }
}
