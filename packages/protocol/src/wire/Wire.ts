/**
 * The synchronous seam between layers: a duplex of plain calls, no Effect inside.
 *
 * A transport at the bottom (a socket, a memory pipe, a TLS engine) implements `Wire`. A `Machine` on top of a wire is
 * again a wire, so a stack of protocols is one chain of direct calls with a single Effect boundary, the `Connection`,
 * at its top. There is one reader: bytes are pushed up as they arrive, and `pause` is the only backpressure.
 *
 *        Connection      pull, send                        Effect
 *     ------------------------------------------------------------
 *        Receiver  ^          |  write, flush, close        plain calls
 *                  |          v
 *        Wire     (machine over wire)
 *                  ^          |
 *        Wire     (socket)    v
 *
 * The contract, for those who implement one:
 *
 * - Nothing is delivered before `attach` and the first `resume`, and nothing while paused, except what was already on its way up (at most one
 *   read). What is delivered belongs to the receiver.
 * - `write` never refuses for want of room and never blocks; the layer above asks `writable` first and waits for
 *   `drained`. It throws a `ConnectionReason` if the message can't be encoded, before anything of it is written. What
 *   was given to `write` is not modified, and is not copied either: the caller leaves it alone. It may be lent (see `Loan`), so
 *   that a wire which keeps it beyond the turn holds it, or copies it.
 * - A wire at the bottom calls its receiver only from turns of its own, never from inside a call of the layer above.
 * - Written data may be held back until `flush`, so that what is written in one turn leaves in one piece. What is written while
 *   the wire delivers something need not be flushed: the wire does that itself when it has delivered.
 * - `failed` is terminal: nothing is called on the receiver after it. After `failed`, `abort` or the end of `close`,
 *   `write` is a no-op.
 * - `close` and `abort` may be called at any time, more than once, and re-entrantly from a receiver's method.
 */
import type { Patience, Phase } from "../ClosePolicy.ts"
import type { ConnectionError, ConnectionReason } from "../ConnectionError.ts"
import type { Prepared } from "../fanout/Prepared.ts"
import type { Draft, EndOfInput, Why } from "../Outcome.ts"
import type { LayerTransfer } from "../reports/DataTransferReport.ts"

/** What a wire tells the layer above it. */
export interface Receiver<in In> {
  /** Takes a non-empty batch; `size` is its weight in bytes, for the receiver's bounds. */
  receive(batch: ReadonlyArray<In>, size: number): void
  /**
   * Takes the first `length` of bytes that are only lent: it may write to them, and copies what it keeps before it returns. Where
   * there is no such method, they are copied first and received.
   */
  borrow?(bytes: Uint8Array, length: number): void
  /**
   * Memory for the next bytes, not empty, asked for before each read by a wire that can read into memory it is given.
   * What is read lies at its beginning, and is received before anything else. What is offered may go unused.
   */
  memory?(): Uint8Array | undefined
  /** Whether all that was delivered has been taken; true where it can't be told. */
  readonly caughtUp?: boolean
  /** There is room again after `writable` was false. */
  drained(): void
  /** The peer sends nothing more; our own output may go on. */
  ended(endOfInput: EndOfInput): void
  /** The peer said goodbye at this layer: nothing more in either direction. */
  goodbye(): void
  /** The wire is broken. */
  failed(error: ConnectionError): void
}

/** A duplex of messages `In` and `Out` as plain calls. */
export interface Wire<out In, in Out> {
  /** The name of the layer, for errors and reports. */
  readonly layer: string
  /** The wire this one stands on, if it stands on one that closes on its own. */
  readonly lower: Wire<any, any> | undefined
  /** How long each phase of closing may take; by default what is left of the connection's budget. */
  readonly patience?: Patience | undefined
  /** Whether `end` is supported: our output may end while the peer's goes on. */
  readonly halfClose: boolean
  /** Whether there is room for another message. */
  readonly writable: boolean
  /** Bytes that wait here until the layer below, or the system, takes them; 0 by default. */
  readonly outbox?: number
  /** Whether what is written is copied, and so never seen by anybody else; false by default. */
  readonly copies?: boolean
  /** Whether messages of bytes are only lent, until the receiver asks for more (see `Loan`); false by default. */
  readonly lends?: boolean
  /** Sets who receives; replaces the one before. Delivery begins with `resume`. */
  attach(receiver: Receiver<In>): void
  write(message: Out): void
  /** The same for a message that others are given too; whoever has no such method is given the message. */
  writePrepared?(message: Prepared<Out>): void
  /** Has the forms made of it in which it would be written. */
  prepare?(message: Prepared<Out>): void
  /** Hands what was written to the layer below, down to the system. */
  flush(): void
  pause(): void
  resume(): void
  /** Half-close: what was written is flushed, then our output ends. */
  end(): void
  /**
   * Closes this layer gracefully, and only this one: flushes, says goodbye, and calls `settled` once the peer has
   * answered, or at once if there is nothing (any more) to wait for. What arrives meanwhile is discarded, and reading
   * goes on even if the wire was paused. `reason` is why a layer above failed, for a goodbye that can tell the peer. A wire with
   * `patience` tells each phase it enters.
   */
  close(why: Why, settled: () => void, reason?: ConnectionReason, entered?: (phase: Phase) => void): void
  /** Closing it took too long, and the wire below is closed next: it writes nothing more. */
  giveUp?(): void
  /** Cuts this wire and all below it now. A `close` under way settles. */
  abort(): void
  /** Adds what this layer knows to the outcome; called from the bottom up. */
  report(outcome: Draft): void
  /** Adds what has passed this layer, and then has those below it do so. */
  tally(layers: Array<LayerTransfer>): void
}

/** A wire taken from the layer that was reading it, with what that layer had read and not passed on. */
export interface Released<out In, in Out> {
  readonly wire: Wire<In, Out>
  readonly leftover: ReadonlyArray<In>
  /** How the input was over already, if it was. */
  readonly over: EndOfInput | ConnectionError | undefined
}

/** How much a layer reads ahead of the one above it, in bytes, before it stops reading. */
export const readAhead = 65_536

/** How many messages a layer reads ahead, however small they are. */
export const readAheadMessages = 4_096

/** How many bytes a layer holds for the one below it before it stops being `writable`. */
export const writeAhead = 65_536
