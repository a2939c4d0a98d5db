/**
 * A wire on something that reads and writes when it likes, and tells when it has: what promises, fibers and ports have in common.
 *
 * One read is asked for at a time, and none while paused. What is written in one turn is given in one piece, and more only once that is
 * taken, or while the stream says it has room. The output ends once all was taken.
 */
import * as Loan from "@wirestack/protocol/bytes/Loan"
import { ownedFrom } from "@wirestack/protocol/bytes/Memory"
import { type ConnectionError, type ConnectionReason, lost } from "@wirestack/protocol/ConnectionError"
import type { Draft, EndOfInput, Why } from "@wirestack/protocol/Outcome"
import type { LayerTransfer } from "@wirestack/protocol/reports/DataTransferReport"
import type { Message } from "@wirestack/protocol/Transport"
import { type Receiver, type Wire, writeAhead } from "@wirestack/protocol/wire/Wire"

declare const queueMicrotask: (f: () => void) => void

export abstract class FlowWire<M extends Message> implements Wire<M, M> {
  abstract readonly layer: string
  abstract readonly halfClose: boolean
  readonly lower = undefined
  /** What a message weighs beside its bytes; bytes have no boundaries, and so nothing beside them. */
  protected readonly overhead: number = 0

  private receiver: Receiver<M> | undefined = undefined
  private paused = true
  private reading = false
  private collected: Array<M> = []
  private collectedSize = 0
  /** What was given and is not taken yet, and how many pieces that is. */
  private pending = 0
  private writes = 0
  private starved = false
  private output: "open" | "ending" | "ended" | "over" = "open"
  protected inputOver: EndOfInput | undefined = undefined
  private closing = false
  /** Nothing is read or written any more. */
  protected over = false
  protected failure: ConnectionError | undefined = undefined
  private told = false
  /** How many messages were written and are not taken yet. */
  private unsent = 0
  private lost = { messages: 0, bytes: 0 }
  private settled: (() => void) | undefined = undefined
  private readonly received = { messages: 0, bytes: 0 }
  private readonly sent = { messages: 0, bytes: 0 }

  // What a stream does.

  /** Reads once, and then calls `arrived`, `borrowed`, `inputEnds` or `fail`, in a turn of its own. */
  protected abstract read(): void
  /** Writes, and then calls `taken` or `fail`, in a turn of its own. */
  protected abstract give(messages: ReadonlyArray<M>, size: number): void
  /** Whether there is room for more than what was given. */
  protected abstract readonly roomy: boolean
  /** Ends the output, and then calls `outputEnds` or `fail`. */
  protected abstract endOutput(): void
  /** Cuts both directions, and lets go. */
  protected abstract cut(reason: ConnectionReason | undefined): void
  /** Lets go after both directions have ended. */
  protected abstract free(): void
  // What it tells.

  protected arrived(batch: ReadonlyArray<M>, size: number): void {
    this.reading = false
    if (this.over) return
    if (batch.length > 0) {
      this.received.messages += batch.length
      this.received.bytes += size - batch.length * this.overhead
      this.receiver!.receive(batch, size)
    }
    this.goOn()
  }

  /** Bytes have arrived that are only lent. */
  protected borrowed(this: FlowWire<Uint8Array>, bytes: Uint8Array): void {
    this.reading = false
    if (this.over) return
    const { length } = bytes
    this.received.bytes += length
    const receiver = this.receiver!
    if (receiver.borrow !== undefined) receiver.borrow(bytes, length)
    else receiver.receive([ownedFrom(bytes, 0, length)], length)
    this.goOn()
  }

  private goOn(): void {
    this.flush()
    this.readOn()
  }

  protected inputEnds(endOfInput: EndOfInput): void {
    if (this.over || this.inputOver !== undefined) return
    this.inputOver = endOfInput
    this.receiver!.ended(endOfInput)
    this.flush()
    this.finish()
  }

  /** The stream has taken a piece, or some messages of it. */
  protected taken(size: number, whole = true, messages = 0): void {
    if (whole) this.writes--
    this.pending -= size
    this.unsent -= messages
    if (this.over) return
    this.flush()
    if (this.starved && this.hasRoom) {
      this.starved = false
      this.receiver?.drained()
    }
  }

  protected outputEnds(): void {
    this.output = "over"
    this.finish()
  }

  /** The stream is broken. */
  protected fail(reason: ConnectionReason): void {
    if (this.over) return
    this.drop()
    this.failure = lost(this.layer, reason)
    this.cut(reason)
    this.tell()
    this.settle()
  }

  private tell(): void {
    if (this.failure === undefined || this.told || this.receiver === undefined) return
    this.told = true
    this.receiver.failed(this.failure)
  }

  // What the layer above does.

  attach(receiver: Receiver<M>): void {
    this.receiver = receiver
  }

  protected get attached(): boolean {
    return this.receiver !== undefined
  }

  private get hasRoom(): boolean {
    return this.collectedSize + this.pending < writeAhead
  }

  get writable(): boolean {
    if (this.hasRoom) return true
    this.starved = true
    return false
  }

  write(message: M): void {
    if (this.over || this.output !== "open") return
    this.collected.push(message instanceof Uint8Array ? Loan.own(message) as M : message)
    this.collectedSize += message.length + this.overhead
    this.unsent++
    this.sent.messages++
    this.sent.bytes += message.length
  }

  flush(): void {
    if (this.over) return
    if (this.collected.length > 0 && (this.writes === 0 || this.roomy)) {
      const { collected, collectedSize } = this
      this.collected = []
      this.collectedSize = 0
      this.pending += collectedSize
      this.writes++
      this.give(collected, collectedSize)
    }
    if (this.output === "ending" && this.collected.length === 0 && this.writes === 0) {
      this.output = "ended"
      this.endOutput()
    }
  }

  pause(): void {
    this.paused = !this.closing
  }

  resume(): void {
    this.paused = false
    this.readOn()
    if (this.failure !== undefined && !this.told) queueMicrotask(() => this.tell())
  }

  private readOn(): void {
    if (this.reading || this.paused || this.over || this.inputOver !== undefined) return
    this.reading = true
    this.read()
  }

  end(): void {
    if (this.over || this.output !== "open") return
    this.output = "ending"
    this.flush()
  }

  close(_why: Why, settled: () => void): void {
    if (this.over) return settled()
    this.settled = settled
    this.closing = true
    this.resume()
    this.end()
  }

  abort(): void {
    if (this.over) return
    this.drop()
    this.cut(undefined)
    this.settle()
  }

  report(outcome: Draft): void {
    if (this.inputOver !== undefined) outcome.endOfInput = this.inputOver
    else if (this.over) outcome.endOfInput = "unannounced"
    outcome.unsent.messages += this.lost.messages
    outcome.unsent.bytes += this.lost.bytes
    if (this.failure !== undefined) outcome.clean = false
  }

  tally(layers: Array<LayerTransfer>): void {
    const { layer, received, sent } = this
    const messages = this.bounded ? undefined : { messages: undefined }
    layers.push({ layer, received: { ...received, ...messages }, sent: { ...sent, ...messages } })
  }

  private finish(): void {
    if (this.over || this.output !== "over" || this.inputOver === undefined) return
    this.over = true
    this.free()
    this.settle()
  }

  /** Whether messages have boundaries. */
  private get bounded(): boolean {
    return this.overhead > 0
  }

  private drop(): void {
    this.over = true
    const messages = this.bounded ? this.unsent : 0
    this.lost = { messages, bytes: this.collectedSize + this.pending - messages * this.overhead }
    this.collected = []
    this.collectedSize = 0
  }

  private settle(): void {
    const { settled } = this
    this.settled = undefined
    settled?.()
  }
}
