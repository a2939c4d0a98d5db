/**
 * A wire on a message port, which has no flow control: what is sent costs credit, which the other end grants as it takes what it has
 * received.
 */
import * as Loan from "@wirestack/protocol/bytes/Loan"
import { type ConnectionReason, Reset, Undecodable, Unencodable } from "@wirestack/protocol/ConnectionError"
import type { Draft } from "@wirestack/protocol/Outcome"
import { TooLarge, Violation } from "@wirestack/protocol/Reason"
import type { Message } from "@wirestack/protocol/Transport"
import { readAhead } from "@wirestack/protocol/wire/Wire"
import type { Options, PortLike } from "../MessagePort.ts"
import { FlowWire } from "./FlowWire.ts"
import { join } from "./join.ts"
import { listenTo } from "./listenTo.ts"
import { type Frame, isWhole, overhead, read, type Shape } from "./PortFrame.ts"

declare const queueMicrotask: (f: () => void) => void

/** What the other end may send ahead of what we have taken. */
const window = 4 * readAhead

/** A buffer of a runtime that can give its memory away. */
interface Transferable extends ArrayBuffer {
  readonly detached?: boolean
  readonly transfer?: () => ArrayBuffer
}

/** Bytes that are all of their memory, which is ours to give away. */
const alone = (bytes: Uint8Array, ours: boolean): Uint8Array =>
  ours && isWhole(bytes) ? bytes : join([bytes], bytes.length)

/** Takes the memory of bytes at once, so that nobody else can give it away; a copy, where it can't be taken. */
const take = (bytes: Uint8Array): Uint8Array => {
  if (!isWhole(bytes) || Loan.of(bytes) !== undefined) return bytes
  const { buffer }: { readonly buffer: Transferable } = bytes
  try {
    if (buffer.transfer !== undefined) return new Uint8Array(buffer.transfer())
  } catch {
    // It is that of a WebAssembly instance, which keeps it.
  }
  return join([bytes], bytes.length)
}

const isGone = ({ buffer }: Uint8Array): boolean => (buffer as Transferable).detached === true

const isEmpty = (message: Message): boolean => message.length === 0

export class PortWire<M extends Message> extends FlowWire<M> {
  readonly layer: string
  readonly halfClose = true
  protected readonly roomy = false
  protected override readonly overhead: number
  /** Who waits for the greeting of the other end. */
  private awaiting: ((reason: ConnectionReason | undefined) => void) | undefined = undefined
  private readonly port: PortLike
  private readonly shape: Shape
  private readonly options: Required<Options>
  private readonly stop: () => void

  /** What we may still send; unknown before the greeting. */
  private credit: number | undefined = undefined
  private outgoing: Array<M> = []

  /** What the other end may still send, and what it has sent and was not yet granted anew. */
  private granted = window
  private consumed = 0
  private arrivals: Array<M> = []
  private arrivedSize = 0
  private wanted = false
  private peerEnded = false
  /** What the port was broken by while nobody was there to receive what had come before. */
  private loss: ConnectionReason | undefined = undefined

  constructor(layer: string, port: PortLike, shape: Shape, options: Required<Options>) {
    super()
    this.layer = layer
    this.port = port
    this.shape = shape
    this.overhead = overhead[shape]
    this.options = options
    this.stop = listenTo(port, {
      message: (data) => this.heard(data),
      messageerror: (cause) => this.broken(new Undecodable({ detail: "a message that can't be cloned here", cause })),
      close: () => this.broken(new Reset({ cause: new Error("the port was closed") }))
    })
    this.post(["wirestack/1", shape, window])
  }

  private post(frame: Frame, transfer?: ReadonlyArray<ArrayBufferLike>): void {
    this.port.postMessage(frame, transfer)
  }

  // Receiving.

  private heard(data: unknown): void {
    if (this.over || this.loss !== undefined) return
    const frame = read(data, this.shape)
    if (frame === undefined || (this.credit === undefined) !== (frame[0] === "wirestack/1")) {
      return this.broken(
        new Violation({ rule: `a port carries the frames of a connection of ${this.shape}, greeting first` })
      )
    }
    switch (frame[0]) {
      case "wirestack/1":
        this.credit = frame[2]
        this.awaiting?.(undefined)
        return this.pump()
      case "credit":
        this.credit! += frame[1]
        return this.pump()
      case "data":
        return this.came(frame[1] as ReadonlyArray<M>)
      case "end":
        this.peerEnded = true
        return this.deliver()
      case "abort":
        return this.broken(new Reset({ cause: new Error("the peer aborted") }))
    }
  }

  private came(messages: ReadonlyArray<M>): void {
    const limit = this.options.maxMessageSize
    for (const message of messages) {
      if (this.granted <= 0 || this.peerEnded) {
        return this.broken(new Violation({ rule: "nothing is sent without credit, nor after the end" }))
      }
      if (message.length > limit) return this.broken(new TooLarge({ what: "a message", size: message.length, limit }))
      const size = message.length + this.overhead
      this.granted -= size
      this.arrivedSize += size
      this.arrivals.push(message)
    }
    this.deliver()
  }

  /** Tells once the other end has greeted, or what the port was broken by before. */
  whenGreeted(tell: (reason: ConnectionReason | undefined) => void): void {
    if (this.credit !== undefined || this.failure !== undefined) tell(this.failure?.reason)
    else this.awaiting = tell
  }

  protected read(): void {
    this.wanted = true
    if (this.arrivals.length > 0 || this.peerEnded || this.loss !== undefined) queueMicrotask(() => this.deliver())
  }

  private deliver(): void {
    if (!this.wanted || this.over) return
    this.wanted = false
    if (this.loss !== undefined) this.broken(this.loss)
    else if (this.arrivals.length > 0) this.hand()
    else if (this.peerEnded) this.inputEnds("announced")
    else this.wanted = true
  }

  private hand(): void {
    const { arrivals, arrivedSize } = this
    this.arrivals = []
    this.arrivedSize = 0
    this.consumed += arrivedSize
    this.arrived(arrivals, arrivedSize)
    if (this.over || this.consumed < window / 2) return
    this.post(["credit", this.consumed])
    this.granted += this.consumed
    this.consumed = 0
  }

  /** What has arrived before is delivered first, so that is waited for. */
  private broken(reason: ConnectionReason): void {
    if (this.arrivals.length > 0 && !this.over) {
      if (!this.attached) return void (this.loss = reason)
      this.hand()
    }
    this.fail(reason)
    this.awaiting?.(reason)
  }

  override report(outcome: Draft): void {
    super.report(outcome)
    if (this.over) outcome.undelivered += this.arrivals.length
  }

  // Sending.

  override write(message: M): void {
    const { maxMessageSize } = this.options
    if (this.shape === "messages" && message.length > maxMessageSize) {
      throw new TooLarge({ what: "a message", size: message.length, limit: maxMessageSize })
    }
    if (message instanceof Uint8Array && isGone(message)) {
      throw new Unencodable({ detail: "its memory was given away" })
    }
    if (this.shape === "bytes" && isEmpty(message)) return
    super.write(this.options.transfer && message instanceof Uint8Array ? take(message) as Message as M : message)
  }

  protected give(messages: ReadonlyArray<M>): void {
    this.outgoing = [...messages]
    queueMicrotask(() => this.pump())
  }

  /** Sends as much as there is credit for: the last message whole, where there are boundaries. */
  private pump(): void {
    if (this.over || this.outgoing.length === 0 || this.credit === undefined) return
    const now: Array<M> = []
    let size = 0
    while (this.outgoing.length > 0 && this.credit > 0) {
      const message = this.next(this.credit)
      const weight = message.length + this.overhead
      this.credit -= weight
      size += weight
      now.push(message)
    }
    if (now.length > 0) this.send(now, size)
    if (size > 0) this.taken(size, this.outgoing.length === 0, now.length)
  }

  private next(credit: number): M {
    const first = this.outgoing[0]
    if (this.shape === "bytes" && first instanceof Uint8Array && first.length > credit) {
      this.outgoing[0] = first.subarray(credit) as Message as M
      return first.subarray(0, credit) as Message as M
    }
    return this.outgoing.shift()!
  }

  private send(messages: ReadonlyArray<M>, size: number): void {
    const whole: ReadonlyArray<Message> = this.shape === "bytes" && messages.length > 1
      ? [join(messages as ReadonlyArray<Message> as ReadonlyArray<Uint8Array>, size)]
      : messages.map((message) => message instanceof Uint8Array ? alone(message, this.options.transfer) : message)
    const buffers = new Set<ArrayBufferLike>()
    for (const message of whole) if (message instanceof Uint8Array) buffers.add(message.buffer)
    this.post(["data", whole], [...buffers])
  }

  protected endOutput(): void {
    this.post(["end"])
    queueMicrotask(() => this.outputEnds())
  }

  protected cut(): void {
    this.post(["abort"])
    this.free()
  }

  protected free(): void {
    this.stop()
    this.port.close?.()
  }
}
