/**
 * A wire on a socket of a browser, which frames, masks and answers pings itself: what its two kinds have in common.
 *
 * What arrives while the wire is paused waits here, up to a bound. A close is one call, and the browser does the rest; an abort is the same
 * without a status and without waiting for it, as a page can't cut.
 */
import { type ConnectionError, type ConnectionReason, lost, Reset } from "@wirestack/protocol/ConnectionError"
import type { Draft, Outcome, Status, Why } from "@wirestack/protocol/Outcome"
import { TooLarge } from "@wirestack/protocol/Reason"
import type { LayerTransfer } from "@wirestack/protocol/reports/DataTransferReport"
import type { Message } from "@wirestack/protocol/Transport"
import type { Receiver, Wire } from "@wirestack/protocol/wire/Wire"
import { words } from "../../browser/BrowserCloseCode.ts"
import type { Bounds } from "../../browser/BrowserWebSocket.ts"
import { maxReasonSize } from "../../frames/CloseBody.ts"
import { Absent } from "../../frames/CloseCode.ts"
import { isPeersFault } from "../peersFault.ts"
import { TextEncoder } from "../platform.ts"

declare const queueMicrotask: (f: () => void) => void

/** The name of the layer, in errors and reports. */
export const layer = "browser websocket"

/** What a message weighs beside its length while it waits, so that small ones are bounded too. */
const overhead = 64

/** As much of a reason as fits into a Close frame, without half a character. */
export const fitting = (reason: string): string =>
  reason.slice(0, new TextEncoder().encodeInto(reason, new Uint8Array(maxReasonSize)).read)

const messageOf = (data: unknown): Message => {
  if (typeof data === "string" || data instanceof Uint8Array) return data
  return new Uint8Array(data as ArrayBuffer)
}

/** What a socket tells about itself once it is open. */
export interface Opened {
  readonly url: string
  readonly protocol: string
  readonly extensions: string
}

export abstract class BrowserWire implements Wire<Message, Message> {
  readonly layer = layer
  readonly lower = undefined
  readonly halfClose = false
  protected receiver: Receiver<Message> | undefined = undefined
  protected readonly bounds: Bounds
  protected paused = true
  /** What arrived while nobody took it. */
  private arrivals: Array<Message> = []
  private arrivedSize = 0
  /** Somebody waits for room. */
  protected starved = false
  /** What to close with, if the user has said that. */
  private farewell: Status | undefined = undefined
  private sent: Status | undefined = undefined
  private received: Status | undefined = undefined
  /** Who said Close first. */
  private first: Outcome["first"] | undefined = undefined
  protected closing = false
  private clean = true
  /** The socket is closed, or let go. */
  protected gone = false
  /** How it ended, unless it was by a goodbye. */
  private failure: ConnectionError | undefined = undefined
  /** The layer above knows that nothing more arrives. */
  private told = false
  private discarded = 0
  private unsent = 0
  private settled: (() => void) | undefined = undefined
  /** What became of the opening, once that is known, and who waits for it. */
  private opening: Opened | "failed" | undefined = undefined
  private awaiting: ((opened: Opened | "failed") => void) | undefined = undefined
  private readonly taken = { messages: 0, bytes: 0 }
  private readonly given = { messages: 0, bytes: 0 }

  constructor(bounds: Bounds) {
    this.bounds = bounds
  }

  // What a socket does.

  /** How many bytes it was given and has not passed on. */
  protected abstract readonly waiting: number
  protected abstract give(message: Message): void
  /** Reads on, if it has to be asked. */
  protected abstract readOn(): void
  /** Says that somebody waits for room. */
  protected abstract awaitRoom(): void
  /** Closes with a status, behind all that was given; without one at once. */
  protected abstract shut(status: Status | undefined): void
  /** Nothing of the socket is of interest any more. */
  protected abstract letGo(): void

  // What it tells.

  protected opens(opened: Opened | "failed"): void {
    this.opening ??= opened
    this.awaiting?.(this.opening)
    this.awaiting = undefined
  }

  protected arrived(data: unknown): void {
    const message = messageOf(data)
    const size = message.length
    this.taken.messages++
    this.taken.bytes += size
    if (this.told || this.closing) this.discarded++
    else if (size > this.bounds.maxMessageSize) {
      this.discarded++
      this.fail(new TooLarge({ what: "a message", size, limit: this.bounds.maxMessageSize }))
    } else if (this.paused || this.arrivals.length > 0) this.keep(message, size)
    else this.receiver!.receive([message], size)
  }

  private keep(message: Message, size: number): void {
    this.arrivals.push(message)
    this.arrivedSize += size
    const all = this.arrivedSize + overhead * this.arrivals.length
    if (all > this.bounds.maxInboxSize) {
      this.fail(new TooLarge({ what: "what waits to be pulled", size: all, limit: this.bounds.maxInboxSize }))
    }
  }

  /** There may be room again. */
  protected roomChanged(): void {
    if (!this.starved || this.gone || !this.hasRoom) return
    this.starved = false
    this.receiver?.drained()
  }

  /** The socket is closed. It is not clean either if the peer has said goodbye before all that was given was passed on. */
  protected closed(status: Status, clean: boolean): void {
    if (this.gone) return
    this.unsent = this.waiting
    this.gone = true
    this.clean = clean
    this.letGo()
    if (status.code !== Absent.AbnormalClosure) {
      this.first ??= "remote"
      this.received = status
    } else this.failure ??= lost(this.layer, new Reset({ cause: new Error("the browser tells no more than that") }))
    this.tell()
    this.settle()
  }

  /** It can't go on with what the peer sends. */
  private fail(reason: ConnectionReason): void {
    this.failure ??= lost(this.layer, reason)
    this.tell()
  }

  /** What has arrived comes before the end. */
  private tell(): void {
    const { receiver } = this
    if (receiver === undefined || this.told) return
    if (!this.closing) this.hand(receiver)
    this.told = true
    if (this.failure !== undefined) receiver.failed(this.failure)
    else if (!this.closing) receiver.goodbye()
  }

  private hand(receiver: Receiver<Message>): void {
    const { arrivals, arrivedSize } = this
    if (arrivals.length === 0) return
    this.arrivals = []
    this.arrivedSize = 0
    receiver.receive(arrivals, arrivedSize)
  }

  /** Tells once, what became of the opening. */
  whenOpened(tell: (opened: Opened | "failed") => void): void {
    if (this.opening === undefined) this.awaiting = tell
    else tell(this.opening)
  }

  // What the layer above does.

  attach(receiver: Receiver<Message>): void {
    this.receiver = receiver
  }

  private get hasRoom(): boolean {
    return this.waiting < this.bounds.maxBufferedAmount
  }

  get writable(): boolean {
    if (this.hasRoom) return true
    this.starved = true
    this.awaitRoom()
    return false
  }

  write(message: Message): void {
    if (this.told || this.closing) return
    this.give(message)
    this.given.messages++
    this.given.bytes += message.length
  }

  /** A message is a frame, and leaves when it was given. */
  flush(): void {}

  pause(): void {
    this.paused = !this.closing
  }

  resume(): void {
    this.paused = false
    queueMicrotask(() => {
      if (this.paused || this.told) return
      if (this.gone || this.failure !== undefined) return this.tell()
      this.hand(this.receiver!)
      if (!this.paused) this.readOn()
    })
  }

  /** There is no half-close, so nobody asks for it. */
  end(): void {}

  /** Says with what to close; to be followed by `close`. */
  closeWith(status: Status): void {
    this.farewell = status
  }

  close(why: Why, settled: () => void, reason?: ConnectionReason): void {
    if (this.gone) return settled()
    this.settled = settled
    if (this.closing) return
    this.closing = true
    this.first ??= "local"
    this.discarded += this.arrivals.length
    this.arrivals = []
    this.sent = this.farewell ?? {
      code: this.bounds.codes[why] ?? 1000,
      reason: isPeersFault(reason) ? fitting(reason.message) : words[why]
    }
    this.shut(this.sent)
    this.paused = false
    this.readOn()
  }

  abort(): void {
    if (this.gone) return
    this.unsent = this.waiting
    this.told = this.gone = true
    this.discarded += this.arrivals.length
    this.arrivals = []
    this.shut(undefined)
    this.letGo()
    this.settle()
  }

  private settle(): void {
    const { settled } = this
    this.settled = undefined
    settled?.()
  }

  report(outcome: Draft): void {
    if (this.received !== undefined) outcome.endOfInput = "announced"
    else if (this.gone) outcome.endOfInput = "unannounced"
    if (this.first !== undefined) outcome.first = this.first
    if (this.sent !== undefined) outcome.sent = this.sent
    if (this.received !== undefined) outcome.received = this.received
    outcome.unsent.bytes += this.unsent
    outcome.undelivered += this.discarded
    if (!this.clean || this.failure !== undefined) outcome.clean = false
  }

  tally(layers: Array<LayerTransfer>): void {
    layers.push({ layer: this.layer, received: { ...this.taken }, sent: { ...this.given } })
  }
}
