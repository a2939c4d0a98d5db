/**
 * What a machine says in one call, gathered: messages for the layer above, output for the layer below, and the end.
 *
 * Output goes straight down, what was reserved in one piece. A machine with a queue of its own (`proceed`) is asked for the
 * next piece of it whenever the layer below has room.
 */
import { ConnectionError, type ConnectionReason, lost } from "../ConnectionError.ts"
import * as Prepared from "../fanout/Prepared.ts"
import type { Goodbye, Io, Machine } from "../Machine.ts"
import type { EndOfInput, Unsent } from "../Outcome.ts"
import { readAhead, readAheadMessages, type Wire } from "../wire/Wire.ts"
import { Piece } from "./Piece.ts"

/** How many pieces of the data that waits are handed down in one turn. */
const maxPieces = 16

/** No batch. It is replaced before anything is added. */
const none: Array<never> = []

export class Exchange<In, LOut> implements Io<In, LOut> {
  batch: Array<In> = none
  batchSize = 0
  /** Whether the layer above takes messages now. */
  open = true
  /** How the input is over, once it is. */
  over: EndOfInput | ConnectionError | "closed" | undefined = undefined
  goodbye: Goodbye | undefined = undefined

  private readonly layer: string
  private readonly lower: Wire<any, LOut>
  private readonly machine: Machine<any, LOut, In, any>
  private readonly piece: Piece

  constructor(layer: string, lower: Wire<any, LOut>, machine: Machine<any, LOut, In, any>) {
    this.layer = layer
    this.lower = lower
    this.machine = machine
    this.piece = new Piece(lower.copies === true)
  }

  room(): boolean {
    return this.open && this.batchSize < readAhead && this.batch.length < readAheadMessages
  }

  /** Takes what was emitted. */
  take(): ReadonlyArray<In> {
    const { batch } = this
    this.batch = none
    this.batchSize = 0
    return batch
  }

  emit(message: In, size: number): void {
    if (this.over !== undefined) return
    if (this.batch === none) this.batch = [message]
    else this.batch.push(message)
    this.batchSize += size
  }

  write(message: LOut): void {
    this.pass()
    this.lower.write(message)
  }

  /** Writes what the machine has prepared. */
  writePrepared(message: Prepared.Prepared<LOut>): void {
    this.pass()
    Prepared.write(this.lower, message)
  }

  get buffer(): Uint8Array {
    return this.piece.buffer
  }

  reserve(length: number): number {
    if (!this.piece.fits(length)) this.pass()
    return this.piece.reserve(length)
  }

  giveBack(length: number): void {
    this.piece.giveBack(length)
  }

  end(endOfInput: EndOfInput): void {
    this.over ??= endOfInput
  }

  closed(goodbye: Goodbye): void {
    this.goodbye ??= goodbye
    this.over ??= "closed"
  }

  fail(reason: ConnectionReason, goodbye?: Goodbye): void {
    if (goodbye !== undefined) this.goodbye ??= goodbye
    this.broken(lost(this.layer, reason))
  }

  /** The end, by an error. */
  broken(error: ConnectionError): void {
    if (!(this.over instanceof ConnectionError)) this.over = error
  }

  /** Whether the machine may have something of its own to say. */
  get talks(): boolean {
    return this.machine.proceed !== undefined
  }

  /** Whether the machine holds back data. */
  get busy(): boolean {
    return this.machine.busy === true
  }

  /** Whether all that was written has been handed down. */
  get idle(): boolean {
    return this.piece.size === 0 && !this.busy
  }

  get writable(): boolean {
    return this.lower.writable && !this.busy
  }

  /**
   * Hands down what was reserved, and what waits in the machine as far as there is room. False if there is more of it, which a machine that
   * takes long for its pieces must not do in one turn.
   */
  flush(): boolean {
    this.pass()
    const { lower, machine } = this
    if (machine.proceed === undefined) return true
    let pieces = 0
    while (lower.writable) {
      if (machine.busy === true && ++pieces > maxPieces) return false
      if (!machine.proceed(this)) return true
      this.pass()
    }
    return true
  }

  /** What was written and not handed down. */
  get unsent(): Unsent {
    const { bytes, messages } = this.machine.unsent?.() ?? { bytes: 0, messages: 0 }
    return { messages, bytes: bytes + this.piece.size }
  }

  private pass(): void {
    if (this.piece.size > 0) this.lower.write(this.piece.take() as LOut)
  }
}
