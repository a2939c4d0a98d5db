/**
 * What a machine says in one call, gathered: messages for the layer above, output for the layer below, and the end.
 *
 * Output of a machine without a control lane goes straight down. A machine with one (`urgent`) gets a queue: while the
 * layer below has no room its output waits here, and urgent messages go ahead of it, between two messages but never
 * inside one.
 */
import { ConnectionError, type ConnectionReason } from "../ConnectionError.ts"
import type { Goodbye, Io, Machine } from "../Machine.ts"
import type { EndOfInput } from "../Outcome.ts"
import { readAhead, readAheadMessages, type Wire } from "../Wire.ts"
import { Piece, settled } from "./Piece.ts"

const waiting = <M>(message: M): M => message instanceof Uint8Array ? settled(message) as M : message

const sizeOf = (message: unknown): number =>
  typeof message === "object" && message !== null && "byteLength" in message ? message.byteLength as number : 1

export class Exchange<In, LOut> implements Io<In, LOut> {
  batch: Array<In> = []
  batchSize = 0
  /** Whether the layer above takes messages now. */
  open = true
  /** How the input is over, once it is. */
  over: EndOfInput | ConnectionError | "closed" | undefined = undefined
  goodbye: Goodbye | undefined = undefined

  private readonly layer: string
  private readonly lower: Wire<any, LOut>
  private readonly machine: Machine<any, LOut, In, any>
  private readonly piece = new Piece()
  private readonly queue: Array<ReadonlyArray<LOut>> | undefined
  private readonly cut = (piece: Uint8Array): void => this.pass([piece as LOut])

  constructor(layer: string, lower: Wire<any, LOut>, machine: Machine<any, LOut, In, any>) {
    this.layer = layer
    this.lower = lower
    this.machine = machine
    this.queue = machine.urgent === undefined ? undefined : []
  }

  room(): boolean {
    return this.open && this.batchSize < readAhead && this.batch.length < readAheadMessages
  }

  emit(message: In, size: number): void {
    if (this.over !== undefined) return
    this.batch.push(message)
    this.batchSize += size
  }

  write(message: LOut): void {
    this.pass(this.piece.size > 0 ? [this.piece.take() as LOut, message] : [message])
  }

  get buffer(): Uint8Array {
    return this.piece.buffer
  }

  reserve(length: number): number {
    return this.piece.reserve(length, this.cut)
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
    this.broken(new ConnectionError({ layer: this.layer, reason }))
  }

  /** The end, by an error. */
  broken(error: ConnectionError): void {
    if (!(this.over instanceof ConnectionError)) this.over = error
  }

  /** Whether all that was written has been handed down. */
  get idle(): boolean {
    return this.piece.size === 0 && (this.queue === undefined || this.queue.length === 0)
  }

  get writable(): boolean {
    return this.lower.writable && (this.queue === undefined || this.queue.length === 0)
  }

  /** Hands down what was reserved, and what is urgent or queued as far as there is room. */
  flush(): void {
    if (this.piece.size > 0) this.pass([this.piece.take() as LOut])
    const queue = this.queue
    if (queue === undefined) return
    let next: LOut | undefined
    while (this.lower.writable && (next = this.machine.urgent!()) !== undefined) this.lower.write(next)
    let sent = 0
    while (sent < queue.length && this.lower.writable) {
      for (const message of queue[sent]) this.lower.write(message)
      sent++
      while (this.lower.writable && (next = this.machine.urgent!()) !== undefined) this.lower.write(next)
    }
    if (sent > 0) queue.splice(0, sent)
  }

  /** Bytes and messages that were written and not handed down. */
  get unsent(): { readonly messages: number; readonly bytes: number } {
    let bytes = this.piece.size
    if (this.queue !== undefined) {
      for (const unit of this.queue) {
        for (const message of unit) bytes += sizeOf(message)
      }
    }
    return { messages: this.queue === undefined ? 0 : this.queue.length, bytes }
  }

  private pass(unit: ReadonlyArray<LOut>): void {
    if (this.queue === undefined || (this.queue.length === 0 && this.lower.writable)) {
      for (let i = 0; i < unit.length; i++) this.lower.write(unit[i])
    } else this.queue.push(unit.map(waiting))
  }
}
