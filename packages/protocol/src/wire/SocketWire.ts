/**
 * A wire on a Node stream: a TCP or Unix socket, a TLS socket, or any other Duplex of bytes.
 *
 * This module knows the stream by its shape only, so it loads anywhere. The stream must be open for half-close
 * (`allowHalfOpen: true`), must not be in object mode, and must emit `close`; the wire owns it from the start.
 *
 * Beyond the contract of `Wire`:
 *
 * - **Reading.** A socket made with an `Intake` reads into the memory that the layer above offers, or into a buffer that
 *   all sockets of the thread share, whose content is lent or copied. Any other stream passes its chunks up as they are.
 * - **Writing.** What is written in one turn is joined into one buffer up to 32 KiB; larger chunks are handed over uncopied,
 *   together. What was handed over is not written to, before a stream that copies has done so.
 * - **Bounds.** While the wire is paused, a stream without an `Intake` reads ahead up to its own high-water mark (64 KiB) and
 *   one read. `writable` counts what is collected here and what the stream holds, against `writeAhead`.
 * - **Ends.** What was read before a failure is delivered before it. A paused stream that is full, or that has an `Intake`,
 *   sees neither the end nor a failure until it is resumed.
 * - **Close** ends the output and settles when the stream has closed, that is when the peer has ended its output too.
 */

import * as Loan from "../bytes/Loan.ts"
import { owned, ownedFrom } from "../bytes/Memory.ts"
import { type ConnectionError, type ConnectionReason, lost, Reset } from "../ConnectionError.ts"
import { done, Piece, settled } from "../internal/Piece.ts"
import type { Draft, EndOfInput, Why } from "../Outcome.ts"
import type { LayerTransfer } from "../reports/DataTransferReport.ts"
import { type Offering, type Raw, RawSocket } from "./RawSocket.ts"
import { type Receiver, type Wire, writeAhead } from "./Wire.ts"

declare const queueMicrotask: (f: () => void) => void

/** What is needed of a stream; a `net.Socket`, `tls.TLSSocket` or `stream.Duplex` has it. */
export interface SocketLike {
  readonly writable: boolean
  readonly writableLength: number
  readonly bytesRead?: number
  readonly bytesWritten?: number
  on(event: "data" | "end" | "error" | "close", listener: (arg: any) => void): unknown
  removeListener(event: "data" | "end" | "error" | "close", listener: (arg: any) => void): unknown
  read(): any
  push?(chunk: Uint8Array): boolean
  write(chunk: Uint8Array, callback?: (error?: Error | null) => void): boolean
  cork(): void
  uncork(): void
  end(): unknown
  pause(): unknown
  resume(): unknown
  destroy(): unknown
}

/** What the wire is to make of its stream. */
export interface Options {
  /** The name of the layer, for errors and reports. */
  readonly layer: string
  /** What the end of the stream's input means; `"announced"` by default. */
  readonly endOfInput?: EndOfInput
  /** What an error of the stream means; a `Reset` by default. */
  readonly reasonOf?: (cause: unknown) => ConnectionReason
  /** The wire that has given its stream to this one's, for reports. */
  readonly beneath?: Wire<Uint8Array, Uint8Array>
  /**
   * Whether the other side leaves by closing the stream, once its output has ended: then that is its goodbye, unless something that was
   * written is lost by it. By default it cuts our output.
   */
  readonly closeIsGoodbye?: boolean
  /** Cuts the stream at once, in a way the peer notices if there is one; `destroy` by default. */
  cut?(socket: SocketLike): void
  /** Offers the stream to a layer that can stand on it directly (see `RawSocket`). */
  readonly bare?: boolean
  /** How a stream that such a layer makes on it is to read into our memory too. */
  readonly adopt?: (stream: unknown) => Intake | undefined
  /** Whether the stream has copied what it holds no more, as a socket does, and not passed it on; false by default. */
  readonly copies?: boolean
}

/** Where what a socket reads goes to. */
export interface Reader {
  /** Takes what was read; false stops reading. */
  take(chunk: Uint8Array): boolean
  /** The same, of the first `length` bytes of memory that is read into again next time. */
  borrow(bytes: Uint8Array, length: number): boolean
  /** Memory for what is read next, if there is some. */
  memory(): Uint8Array | undefined
}

const nobody: Reader = { take: () => false, borrow: () => false, memory: () => undefined }

/** Where reads go by default. What is read is used or copied at once, so that one buffer serves every socket. */
const shared = new Uint8Array(65_536)

/**
 * How a `net.Socket` reads into memory of ours: made before the socket, given to it as its option `onread`, and then to
 * its wire. No buffer is allocated for a read, none is kept for an idle socket, and a large message is read into its place.
 */
export class Intake {
  reader: Reader = nobody
  private target: Uint8Array = shared

  /** Asked by the socket for the memory of its next read. */
  readonly buffer = (): Uint8Array => this.target = this.reader.memory() ?? shared

  /** Told by the socket how much it has read. */
  readonly callback = (size: number): boolean =>
    this.target === shared
      ? this.reader.borrow(shared, size)
      : this.reader.take(this.target.subarray(0, size))
}

/**
 * How bytes are given to a socket past its stream, which is a good part of what a small write costs. What goes either way stays in
 * order.
 */
export interface Outlet {
  /** Bytes that were given and that the system has not taken yet. */
  readonly waiting: number
  /** Gives bytes, which may have to wait; false, and nothing is done, if they are to go through the stream. */
  write(bytes: Uint8Array): boolean
  /** Is told when nothing waits any more. An error becomes one of the socket. */
  onDrained: (() => void) | undefined
}

/** Up to this size, what was collected is copied into one buffer; above, a copy costs more than a vectored write. */
const joinSize = 32_768

const nothing = new Uint8Array(0)

/** No chunks. They are replaced before one is added. */
const none: Array<never> = []

const kept = new Piece(false)

const copied = new Piece(true)

/** One buffer with the contents of some chunks; `joinSize` at most. */
const join = (
  chunks: ReadonlyArray<Uint8Array>,
  from: number,
  to: number,
  size: number,
  piece: Piece
): Uint8Array => {
  if (to - from === 1) return chunks[from]
  let offset = piece.reserve(size)
  const buffer = piece.buffer
  for (let i = from; i < to; i++) {
    buffer.set(chunks[i], offset)
    offset += chunks[i].length
  }
  return piece.take()
}

/** Chunks as few pieces: neighbours are joined up to `joinSize`, larger ones stay as they are. */
const piecesOf = (chunks: ReadonlyArray<Uint8Array>, piece: Piece): Array<Uint8Array> => {
  const pieces: Array<Uint8Array> = []
  let from = 0
  let size = 0
  for (let i = 0; i < chunks.length; i++) {
    const { length } = chunks[i]
    if (size > 0 && size + length > joinSize) {
      pieces.push(join(chunks, from, i, size, piece))
      from = i
      size = 0
    }
    size += length
  }
  pieces.push(join(chunks, from, chunks.length, size, piece))
  return pieces
}

/** Hands pieces over past the stream, if it is empty; false if that can't be, and then none is handed over. */
const pass = (pieces: ReadonlyArray<Uint8Array>, socket: SocketLike, outlet: Outlet): boolean => {
  if (socket.writableLength > 0 || !socket.writable || !outlet.write(pieces[0])) return false
  for (let i = 1; i < pieces.length; i++) outlet.write(pieces[i])
  return true
}

/** Without what Node adds to bytes: a `slice` of a `Buffer` is no copy. */
const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)

/** A wire at the bottom of a stack that reads and writes a stream. */
export class SocketWire implements Wire<Uint8Array, Uint8Array>, Reader, Offering {
  readonly layer: string
  readonly lower: Wire<Uint8Array, Uint8Array> | undefined = undefined
  readonly halfClose = true
  protected readonly socket: SocketLike
  protected receiver: Receiver<Uint8Array> | undefined = undefined
  private readonly options: Options
  private readonly intake: Intake | undefined
  private outlet: Outlet | undefined
  private readonly onData: ((chunk: Uint8Array) => void) | undefined = undefined

  private chunks: Array<Uint8Array> = none
  private collected = 0
  /** What of that is lent. */
  private loans: Array<Loan.Loan> | undefined = undefined
  /** What of what was handed over is lent. */
  private lent: Array<Loan.Loan> | undefined = undefined
  /** What the stream was given and has not confirmed, at most. */
  private pending = 0
  /** Whether to be told when something is written; a stream that takes all at once (a socket with room) need not. */
  private confirm = true
  /** The layer above has seen that there is no room. */
  private starved = false
  /** The layer above takes nothing now. */
  private paused = true

  /** How the peer's output ended, once it has. */
  protected inputOver: EndOfInput | undefined = undefined
  /** Nobody has been told that yet. */
  private unheard = false
  protected outputEnded = false
  protected closing = false
  /** The stream is gone, or another layer has it: nothing is read or written any more. */
  protected over = false
  private closed = false
  private failure: ConnectionError | undefined = undefined
  /** The other side has closed the stream, and that is its goodbye. */
  private parted = false
  private told = false
  private aborted = false
  private lost = 0
  /** What was read and handed over, for streams that don't count it. */
  private taken = 0
  private handed = 0
  protected settled: (() => void) | undefined = undefined

  /** `intake` is what the socket was given as `onread`, if it was; `outlet` is of the same socket. */
  constructor(socket: SocketLike, options: Options, intake?: Intake, outlet?: Outlet) {
    this.layer = options.layer
    this.options = options
    this.socket = socket
    this.intake = intake
    this.outlet = outlet
    if (outlet !== undefined) outlet.onDrained = () => this.written()
    socket.pause()
    if (intake !== undefined) intake.reader = this
    if (intake === undefined || options.bare !== true) {
      socket.on(
        "data",
        this.onData = (chunk) => this.take(plain(chunk))
      )
    }
    socket.on("end", this.onEnd)
    socket.on("error", this.onError)
    socket.on("close", this.onClose)
  }

  attach(receiver: Receiver<Uint8Array>): void {
    this.receiver = receiver
  }

  // Writing.

  get copies(): boolean {
    return this.options.copies === true
  }

  /** What was handed over and not written yet. */
  private get held(): number {
    return this.outlet === undefined ? this.socket.writableLength : this.socket.writableLength + this.outlet.waiting
  }

  get outbox(): number {
    return this.collected + this.held
  }

  get writable(): boolean {
    if (this.collected + this.held < writeAhead) return true
    this.starved = true
    return false
  }

  write(chunk: Uint8Array): void {
    if (this.over || this.outputEnded || chunk.length === 0) return
    const lasting = this.hold(this.held === 0 ? chunk : settled(chunk))
    if (this.chunks === none) this.chunks = [lasting]
    else this.chunks.push(lasting)
    this.collected += chunk.length
    if (this.collected >= writeAhead) this.handOver()
  }

  /** Sees to it that a chunk stays what it is until it is written. */
  private hold(chunk: Uint8Array): Uint8Array {
    const loan = Loan.of(chunk)
    if (loan === undefined) return chunk
    if (!this.copies) return owned(chunk)
    loan.hold()
    if (this.loans === undefined) this.loans = [loan]
    else this.loans.push(loan)
    return chunk
  }

  /** All that was handed over is written. */
  private letGo(): void {
    const { lent } = this
    this.lent = undefined
    Loan.releaseAll(lent)
  }

  /** While the stream is busy with what it has, the rest is collected, and follows in one piece. */
  flush(): void {
    if (this.collected > 0 && this.held === 0) this.handOver()
  }

  private handOver(): void {
    const { chunks, collected, copies, socket } = this
    if (collected === 0) return
    if (this.held === 0) this.letGo()
    if (this.loans !== undefined) {
      this.lent = this.lent === undefined ? this.loans : [...this.lent, ...this.loans]
      this.loans = undefined
    }
    this.handed += collected
    const pieces = chunks.length === 1 ? chunks : piecesOf(chunks, copies ? copied : kept)
    this.collected = 0
    this.chunks = none
    // A stream that takes no more confirms nothing of what it has been given.
    this.pending = (socket.writable ? this.held : this.pending) + collected
    if (this.outlet === undefined || !pass(pieces, socket, this.outlet)) this.stream(pieces)
    if (this.held === 0 && socket.writable) {
      this.pending = 0
      if (copies) { for (let i = pieces.length - 1; i >= 0; i--) done(pieces[i]) }
      this.letGo()
    }
  }

  /** Hands over by way of the stream. */
  private stream(pieces: ReadonlyArray<Uint8Array>): void {
    const { socket } = this
    const written = this.confirm || this.starved ? this.whenWritten : undefined
    if (pieces.length > 1) socket.cork()
    for (const piece of pieces) socket.write(piece, written)
    if (pieces.length > 1) socket.uncork()
    if (socket.writableLength === 0 && socket.writable) this.confirm = false
    else if (written === undefined) {
      this.confirm = true
      socket.write(nothing, this.whenWritten)
    }
  }

  private get whenWritten(): (error?: Error | null) => void {
    return (error) => {
      if (error == null) this.written()
    }
  }

  private written(): void {
    if (this.held === 0) this.letGo()
    if (!this.over) this.flush()
    this.pending = this.held
    if (this.outputEnded && !this.over && this.socket.writable) this.endStream()
    if (this.starved && !this.over && this.collected + this.pending < writeAhead) {
      this.starved = false
      this.receiver?.drained()
    }
  }

  end(): void {
    if (this.over || this.outputEnded) return
    this.handOver()
    this.outputEnded = true
    this.endStream()
  }

  /** Ends the stream once nothing waits past it: a socket that is about to end can't be reset any more. */
  private endStream(): void {
    if (this.outlet === undefined || this.outlet.waiting === 0) this.socket.end()
  }

  // Reading.

  pause(): void {
    if (this.closing || this.over) return
    this.paused = true
    this.socket.pause()
  }

  resume(): void {
    this.paused = false
    if (!this.over) this.socket.resume()
    if (this.unheard || (!this.told && (this.parted || this.failure !== undefined))) queueMicrotask(() => this.tell())
  }

  /** For the stream, or the `Intake` of the socket. */
  take(chunk: Uint8Array): boolean {
    if (this.over) return true
    this.deliver(chunk)
    this.flush()
    return true
  }

  private deliver(chunk: Uint8Array): void {
    this.taken += chunk.length
    this.receiver!.receive([chunk], chunk.length)
  }

  /** For the `Intake` of the socket. */
  borrow(bytes: Uint8Array, length: number): boolean {
    if (this.over) return true
    // TLS has more than it was read for.
    if (this.paused) return this.socket.push!(ownedFrom(bytes, 0, length))
    const receiver = this.receiver!
    if (receiver.borrow === undefined) receiver.receive([ownedFrom(bytes, 0, length)], length)
    else receiver.borrow(bytes, length)
    this.flush()
    return true
  }

  /** For the `Intake` of the socket. */
  memory(): Uint8Array | undefined {
    return this.over ? undefined : this.receiver?.memory?.()
  }

  private readonly onEnd = (): void => this.inputEnds(this.options.endOfInput ?? "announced")

  /** The peer sends nothing more. */
  protected inputEnds(endOfInput: EndOfInput): void {
    if (this.inputOver !== undefined) return
    this.inputOver = endOfInput
    this.unheard = this.receiver === undefined
    this.receiver?.ended(endOfInput)
  }

  /** Stays to the last: a stream that is gone may still tell that its writes were cancelled. */
  private readonly onError = (cause: unknown): void => {
    this.fail(this.error(this.options.reasonOf?.(cause) ?? new Reset({ cause })))
  }

  private readonly onClose = (): void => {
    this.closed = true
    if (this.inputOver !== undefined && this.outputEnded) this.drop(0)
    else if (this.isLeft) this.part()
    else this.fail(this.error(new Reset({ cause: "the socket was closed" })))
    this.socket.removeListener("close", this.onClose)
    this.letGo()
    this.settle()
  }

  private get isLeft(): boolean {
    const { collected, inputOver, options, over, pending } = this
    return options.closeIsGoodbye === true && inputOver !== undefined && !over && collected + pending === 0
  }

  private part(): void {
    this.drop(0)
    this.parted = true
    this.tell()
  }

  protected error(reason: ConnectionReason): ConnectionError {
    return lost(this.layer, reason)
  }

  /** The stream is broken: what it had read is still delivered, then the layer above is told. */
  protected fail(error: ConnectionError): void {
    if (this.over) return
    this.drop(this.pending)
    this.failure = error
    this.tell()
  }

  private tell(): void {
    const { failure, receiver, socket } = this
    if (receiver === undefined) return
    if (this.unheard) {
      this.unheard = false
      receiver.ended(this.inputOver!)
    }
    if (this.told || (failure === undefined && !this.parted)) return
    this.told = true
    if (failure === undefined) return receiver.goodbye()
    if (this.inputOver === undefined) {
      for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) this.deliver(plain(chunk))
    }
    // Whoever took that may have put another layer on this one.
    this.receiver!.failed(failure)
  }

  /** Neither reads nor writes any more; `pending` is what the stream held and will not write. */
  protected drop(pending: number): void {
    if (this.over) return
    this.over = true
    this.lost = this.collected + pending
    this.collected = 0
    this.chunks = none
    Loan.releaseAll(this.loans)
    this.loans = undefined
    this.detach()
  }

  private detach(): void {
    if (this.onData !== undefined) this.socket.removeListener("data", this.onData)
    this.socket.removeListener("end", this.onEnd)
  }

  // Closing.

  close(_why: Why, settled: () => void): void {
    if (this.closed) return settled()
    this.settled = settled
    this.closing = true
    if (this.over) {
      // After an abort the stream is on its way out already.
      if (!this.aborted) this.socket.destroy()
      return
    }
    this.end()
    this.paused = false
    this.socket.resume()
  }

  abort(): void {
    if (this.closed || this.told) return
    this.drop(this.held)
    this.told = this.aborted = true
    if (this.options.cut === undefined) this.socket.destroy()
    else this.options.cut(this.socket)
  }

  protected settle(): void {
    const { settled } = this
    this.settled = undefined
    settled?.()
  }

  report(outcome: Draft): void {
    if (this.inputOver !== undefined) outcome.endOfInput = this.inputOver
    else if (this.over) outcome.endOfInput = "unannounced"
    outcome.unsent.bytes += this.lost
    if (this.failure !== undefined && !this.aborted) outcome.clean = false
  }

  tally(layers: Array<LayerTransfer>): void {
    const { layer, socket } = this
    layers.push({
      layer,
      received: { messages: undefined, bytes: socket.bytesRead ?? this.taken },
      sent: { messages: undefined, bytes: (socket.bytesWritten ?? this.handed) + this.collected }
    })
    const below = this.lower ?? this.options.beneath
    below?.tally(layers)
  }

  [RawSocket]<A>(accepts: (socket: unknown) => socket is A): Raw<A> | undefined {
    const socket: unknown = this.socket
    if (this.options.bare !== true || this.over || this.closing || !accepts(socket)) return undefined
    // Who takes the socket must know of its writes.
    if (this.outlet !== undefined && this.outlet.waiting > 0) return undefined
    this.outlet = undefined
    this.handOver()
    this.socket.pause()
    this.over = true
    this.detach()
    this.socket.removeListener("error", this.onError)
    if (this.intake !== undefined) {
      this.intake.reader = { ...nobody, borrow: (bytes, length) => this.socket.push!(ownedFrom(bytes, 0, length)) }
    }
    return { socket, adopt: this.options.adopt }
  }
}
