/**
 * A protocol once its handshake is over: a synchronous, sans-IO state machine between two layers.
 *
 * It is told what arrives (`receive`), what to send (`encode`), and that a time has come (`wakeup`), and answers through `Io`. It
 * knows nothing of sockets, fibers or clocks, so it can be tested with plain calls and runs anywhere.
 *
 * The contract:
 *
 * - `receive` takes all of `input`, and asks `io.room()` before each `emit`. When there is none it keeps the rest for
 *   itself and returns false; it is called again, with an empty `input`, once there is room. It may do the same to have what it
 *   emitted delivered, and perhaps answered, before it goes on (to a goodbye). Otherwise it returns true.
 * - `encode` checks first and throws a `ConnectionReason` (usually `Unencodable`) before its first write.
 * - What it emits belongs to the receiver: it must not be changed later. What it was given to encode is only read.
 * - After `io.fail`, `io.closed` or `io.end` it emits nothing more; input that still arrives after `fail` is not even
 *   shown to it.
 * - It bounds what it holds: an incomplete frame by its limit, control answers to the latest. What it was given to encode may
 *   wait in it, `busy`, until the layer below has room for the next piece; it may be lent (see `Loan`), so a machine with which it
 *   waits holds it, or copies it.
 */
import type { ConnectionReason } from "./ConnectionError.ts"
import type { Prepared } from "./fanout/Prepared.ts"
import type { EndOfInput, Status, Unsent, Why } from "./Outcome.ts"

/** What a machine knows of the closing handshake when it is over. */
export interface Goodbye {
  readonly first: "local" | "remote"
  readonly sent?: Status
  readonly received?: Status
  /** It has no answer, so that one side's is all there is, as DISCONNECT is in MQTT. */
  readonly unanswered?: boolean
}

/** What a machine may do: give messages to the layer above, and write to the layer below. */
export interface Io<in Up, in Down> {
  /** Whether the layer above takes more now. */
  room(): boolean
  /** Gives a message to the layer above; `size` is its weight in bytes. */
  emit(message: Up, size: number): void
  /** Writes to the layer below. A byte machine's reserved bytes go before it, and nothing comes in between. */
  write(message: Down): void
  /**
   * For machines above bytes: room for `length` bytes at the returned offset of `buffer`, to be filled at once. What is
   * reserved in one turn leaves in one piece, so small frames cost no allocation of their own.
   */
  reserve(length: number): number
  /** The buffer of the last `reserve`; it may be another one after the next. */
  readonly buffer: Uint8Array
  /** Gives back the last `length` bytes of what was reserved last. */
  giveBack(length: number): void
  /** The peer sends nothing more at this layer. */
  end(endOfInput: EndOfInput): void
  /** The closing handshake is over: nothing more in either direction. */
  closed(goodbye: Goodbye): void
  /** The peer broke the protocol, or a limit; what was emitted before is still delivered, nothing after. */
  fail(reason: ConnectionReason, goodbye?: Goodbye): void
}

/** The one alarm of a machine, on the clock of its connection. When the connection is over it is called off. */
export interface Timer {
  /** Milliseconds of a clock that never goes back. */
  readonly now: number
  /**
   * Has the machine woken after some milliseconds, rounded up and 1 at least, instead of when it had asked for before. To ask for the same
   * length each time is cheapest: no timer of the runtime belongs to one connection. Throws a `RangeError` for NaN.
   */
  wake(after: number): void
  /** Calls that off. */
  rest(): void
}

/** A protocol as a machine: `LIn` and `LOut` are the layer below, `In` and `Out` the one above. */
export interface Machine<in LIn, out LOut, out In, in Out> {
  /** The layer begins: before it is shown or given anything. A machine that does something in time keeps the timer. */
  start?(io: Io<In, LOut>, timer: Timer): void
  /**
   * The time has come that its timer was asked for. It may write, emit where there is room, ask to be woken again, and returns false as
   * `receive` does. A layer without a closing handshake is not woken any more once its side closes.
   */
  wakeup?(io: Io<In, LOut>): boolean
  receive(input: ReadonlyArray<LIn>, io: Io<In, LOut>): boolean
  /**
   * For machines above bytes: as `receive`, of the first `length` of bytes that are only lent. It may write to them, and copies what it keeps or emits
   * before it returns. A machine without it receives a copy. What there was no room for stays lent until `own` is called, or
   * `receive` has used it up.
   */
  borrow?(input: Uint8Array, length: number, io: Io<In, LOut>): boolean
  /** What it was lent and has not used is about to be overwritten: a machine that borrows makes that its own. */
  own?(): void
  /**
   * For machines above bytes: where the next bytes should lie, so that a large message is read into its place. They may
   * come there, and then `receive` gets a chunk that lies in this memory, or elsewhere. Asked after `receive` has taken all
   * of its input.
   */
  memory?(): Uint8Array | undefined
  /** Whether messages of bytes are lent to the layer above (see `Loan`): they are its own only until it asks for more. */
  readonly lends?: boolean
  encode(message: Out, io: Io<In, LOut>): void
  /**
   * What `encode` would write of a message that others are given too, in one form for all machines that would write the same (see
   * `Prepared`); undefined if it has to be encoded for this one. Throws as `encode` does, and changes nothing.
   */
  prepare?(message: Prepared<Out>): Prepared<LOut> | undefined
  /** A message was written in that form, and not encoded. */
  passed?(message: Prepared<Out>, form: Prepared<LOut>): void
  /** How many bytes the messages had that it was given to encode, if it counts them and `emit`s sizes in bytes. */
  readonly encoded?: number
  /** How many messages it has received and passed over, for the outcome. */
  readonly skipped?: number
  /** The input of the layer below is over: answer with `io.end`, `io.closed` or, inside a frame, `io.fail`. */
  ended(endOfInput: EndOfInput, io: Io<In, LOut>): void
  /**
   * Says goodbye, after all that was encoded before; ends in `io.closed`, now or when the peer has answered. What still
   * arrives until then is emitted as ever: the connection counts it as undelivered. A layer without a closing handshake
   * leaves this out. `reason` is why a layer above failed, if one did.
   */
  close?(why: Why, io: Io<In, LOut>, reason?: ConnectionReason): void
  /**
   * After the closing handshake, wait for the peer to end the layer below first (RFC 6455 section 7.1.1: the server
   * closes TCP, the client waits). Bounded by the connection's close budget.
   */
  readonly awaitsLowerEnd?: boolean
  /**
   * Writes the next piece of what waits in the machine, what is urgent (a pong) before the rest, and returns false if nothing
   * waits. Called as long as the layer below has room: a machine that keeps a large message to itself and writes it piece by
   * piece can so put an answer between any two of them.
   */
  proceed?(io: Io<In, LOut>): boolean
  /** Whether data waits in the machine: then the layer above is to wait, and the goodbye of the layer below. */
  readonly busy?: boolean
  /** What was encoded and still waits in the machine, for the outcome. */
  unsent?(): Unsent
  /** What has been said of the closing handshake so far, for the outcome. */
  goodbye?(): Goodbye | undefined
  /** The connection is over, however that came: gives back what the machine holds. */
  release?(): void
  /** The output ends while input goes on. A machine whose layer can't do that leaves it out. */
  end?(io: Io<In, LOut>): void
}
