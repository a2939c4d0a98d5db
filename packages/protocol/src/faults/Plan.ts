/**
 * What is to befall a connection, as plain data: print a plan with `JSON.stringify`, and give it back to have the same again.
 *
 * Everything is seen from the end where the faults are: `sent` is what goes to the peer, `received` what comes from it. Conditions hold all
 * the time; a mishap happens once. Times are rounded up to whole milliseconds, and are those of the connection's clock.
 */
import type * as Duration from "effect/Duration"

/** The two ways of a connection. */
export type Way = "sent" | "received"

/** What one way is like. What is on its way is bounded as what a layer reads ahead is: beyond 64 KiB (or 4,096 messages) the sender waits. */
export interface Conditions {
  /** How long everything takes. */
  readonly delay?: Duration.Input
  /** How much longer it takes at most, each time another time. Only datagrams overtake one another by it. */
  readonly jitter?: Duration.Input
  /** Bytes a second. */
  readonly bandwidth?: number
}

/** What one way of a byte stream is like. */
export interface ByteConditions extends Conditions {
  /** Cuts what passes into pieces of 1 to so many bytes; 1,460 by default if there is a `bandwidth`, else it stays as it is. */
  readonly split?: number
  /** What arrives within such a time arrives together at its end, as one piece. */
  readonly merge?: Duration.Input
  /** Flips one bit in about so many bytes. */
  readonly corruptEvery?: number
}

/** What one way is like where messages have boundaries. The chances are from 0 to 1. */
export interface MessageConditions extends Conditions {
  /** The chance that a message is lost. */
  readonly drop?: number
  /** The chance that a message comes twice. */
  readonly duplicate?: number
}

/** What the ways of a shape can be like. */
export type ConditionsOf<S> = S extends "bytes" ? ByteConditions : MessageConditions

/**
 * A time after the connection was made, of 1 ms at least, or when so many bytes (or messages) have passed, which is exactly then; where
 * both ways are counted, whichever is first.
 */
export type When = Duration.Input | { readonly [W in Way]?: number }

/**
 * What happens.
 *
 * - `reset`: the connection is cut, and both ends see that (RST).
 * - `end`: one way ends as if the sender had ended it (FIN); what it sends later vanishes.
 * - `lose`: what goes one way, or either, vanishes from now on without a word, the end included: the peer is gone, or half of the way.
 * - `hold`: nothing passes one way, or either, for a time, and then goes on. Streams lose nothing, and their senders are held back;
 *   datagrams are lost. To hold what is received is a reader who stalls; to hold both is a network that is away.
 */
export type Mishap =
  & { readonly after: When }
  & (
    | { readonly what: "reset" }
    | { readonly what: "end"; readonly way: Way }
    | { readonly what: "lose"; readonly way?: Way }
    | { readonly what: "hold"; readonly way?: Way; readonly for: Duration.Input }
  )

/** A bit of the next byte is flipped. */
export interface Flip {
  readonly after: When
  readonly what: "flip"
  readonly way: Way
}

/** What can happen to a shape. */
export type MishapOf<S> = S extends "bytes" ? Mishap | Flip : Mishap

/** How connecting goes. */
export interface Connecting {
  /** How long it takes; none by default. */
  readonly delay?: Duration.Input
  /** Whether it comes to nothing: it is refused, there is no way, or nobody answers for as long as a connect may take. */
  readonly fails?: "refused" | "unreachable" | "silent"
}

/** What befalls one connection. */
export interface Plan<in out S> {
  /** For all that is left to chance; 0 by default. */
  readonly seed?: number
  readonly connecting?: Connecting
  readonly sent?: ConditionsOf<S>
  readonly received?: ConditionsOf<S>
  readonly mishaps?: ReadonlyArray<MishapOf<S>>
}
