/**
 * A value that may change while a stack is in use.
 *
 * A Stream gives the first value before the layer is built, and fails it if there is none. Each later one is used from the next
 * handshake on; live connections keep theirs. One that can't be used, or the failure of the Stream, is reported, and the last good
 * one stays. The end of the Stream leaves the last one for good.
 */
import type * as Stream from "effect/Stream"

/** A value, or a Stream of it. */
export type Changing<A, E = never, R = never> = A | Stream.Stream<A, E, R>
