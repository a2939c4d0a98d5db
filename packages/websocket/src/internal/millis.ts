import type * as Clock from "effect/Clock"

/** The time that never goes back, in milliseconds. */
export const millis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
