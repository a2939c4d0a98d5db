/**
 * The platform's own socket under a wire, for a layer that the platform can put right on it.
 *
 * A wire that is nothing more than a socket may offer it under a well-known symbol. A layer above that has an engine of
 * its own for such sockets (TLS on Node) takes it and leaves the wire out of the data path: half the copies, one hop
 * less. Where there is nothing to take, the layer works through the `Wire` instead; both ways must behave alike.
 *
 * The contract of taking:
 *
 * - What was written to the wire and not flushed is handed to the socket first.
 * - What the socket has read and the wire has not delivered stays in the socket, which is left paused.
 * - The wire delivers nothing and writes nothing from then on. Its `close` and `abort` still cut the socket, so that a
 *   layer which fails before it has made a wire of its own leaves nothing open.
 */
import type { Intake } from "./SocketWire.ts"
import type { Wire } from "./Wire.ts"

/** The name of the method by which a wire gives up its socket. */
export const RawSocket: unique symbol = Symbol.for("@wirestack/protocol/RawSocket")

/** A socket that was taken. */
export interface Raw<out A> {
  readonly socket: A
  /** Has a socket that was made on this one read into our memory too, if that can be (see `Intake`). */
  readonly adopt?: ((socket: unknown) => Intake | undefined) | undefined
}

/** A wire that offers its socket; `accepts` says whether the taker can use it, and nothing happens if it can't. */
export interface Offering {
  readonly [RawSocket]: <A>(accepts: (socket: unknown) => socket is A) => Raw<A> | undefined
}

/** Takes the socket of a wire, or returns undefined if it stands on none that `accepts` knows. */
export const take = <A>(wire: Wire<any, any>, accepts: (socket: unknown) => socket is A): Raw<A> | undefined =>
  RawSocket in wire ? (wire as unknown as Offering)[RawSocket](accepts) : undefined
