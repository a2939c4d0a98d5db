/**
 * How long each phase of a layer's closing handshake may take, within the one budget of its connection.
 *
 *     flush      what was accepted is handed down, and our goodbye behind it
 *     wait       the peer says its goodbye
 *     linger     the peer ends the layer below, where that is its turn (RFC 6455 section 7.1.1)
 *
 * A phase that takes longer is given up, and with it the layer: what was not sent is lost and told, and the connection is not clean.
 */
import * as Duration from "effect/Duration"

/** A limit a phase; by default what is left of the connection's budget. */
export interface ClosePolicy {
  readonly flush?: Duration.Input
  readonly wait?: Duration.Input
  readonly linger?: Duration.Input
}

/** A phase of closing. */
export type Phase = keyof ClosePolicy

/** The limits in milliseconds. */
export type Patience = Readonly<Record<Phase, number>>

const limit = (input: Duration.Input | undefined): number =>
  input === undefined ? Infinity : Duration.toMillis(Duration.fromInputUnsafe(input))

/** The limits a policy sets. */
export const patience = ({ flush, linger, wait }: ClosePolicy): Patience => ({
  flush: limit(flush),
  wait: limit(wait),
  linger: limit(linger)
})
