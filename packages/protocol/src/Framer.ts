/**
 * A framer finds messages in a stream of bytes, and puts messages into one: a protocol that is only a machine.
 *
 *     chunks   | 00 03 61 | 62 63 00 00 00 | 02 64 65 |      as the network cut them
 *     frames   |   abc    |       |     |     de     |       as they were sent
 *
 * Chunks mean nothing. A framer keeps the contract of a `Machine`, and beyond it:
 *
 * - **The buffer.** `receive` finds itself in one of three situations, and handles all three in one loop: it has a whole
 *   frame (emit it and look again), it has a part of one (keep that part, return true), or it has no room (keep
 *   everything from the frame on, return false). However the input is cut, the same frames come out, and the same end.
 * - **Failure is final.** A stream that has lost its frames does not find them again. After `io.fail` a framer is not
 *   shown anything more. What came before the bad frame is still delivered.
 * - **Bounded.** It holds at most one incomplete frame, has a limit for that by default, and refuses at the first byte
 *   that tells the limit will be passed. It allocates for bytes that have arrived, not for those that were announced.
 * - **Safe to interrupt.** It is plain calls: no fiber can be interrupted inside it, so no byte is lost or seen twice.
 * - **Ownership.** A frame that lies within one chunk may be a view of it, and keeps the chunk alive; copy what is kept
 *   for long. What is encoded is only read: a large payload is not even copied.
 * - **End.** Between two frames the end of the input is the end of the messages; inside a frame it is `Truncated`.
 */
import type { Machine } from "./Machine.ts"
import * as Protocol from "./Protocol.ts"
import { Bytes, type Message, Messages, type Shape } from "./Transport.ts"

/** A way to carry messages in a stream of bytes; they are text or bytes by default. */
export interface Framer<out In = Message, in Out = Message> {
  /** The name of the layer, for errors. */
  readonly layer: string
  /** A machine for one connection. */
  readonly machine: () => Machine<Uint8Array, Uint8Array, In, Out>
}

/**
 * Puts a framer on a stack of bytes, for both roles. The connection can half-close where the layer below can and the
 * framer's machine has `end`.
 *
 * @category constructors
 */
export const over = (framer: Framer): Protocol.Over<"bytes", never, "messages", never> => onto(Messages)(framer)

/**
 * The same for a framer whose messages are neither text nor bytes: `onto(Records)(framer)`.
 *
 * @category constructors
 */
export const onto =
  <S, In, Out>(shape: Shape<S, In, Out>) => (framer: Framer<In, Out>): Protocol.Over<"bytes", never, S, never> =>
    Protocol.machine(Bytes, shape, { layer: framer.layer, client: framer.machine, server: framer.machine })
