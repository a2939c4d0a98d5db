/**
 * Datagrams to one destination as a wire, whoever owns the socket.
 *
 * What is received while nobody takes it waits up to a bound, and beyond it what is new is dropped and counted. What is sent goes to the
 * system at once; what the system has no room for yet counts against `writable`. There is no goodbye: closing waits for what
 * was sent to leave.
 */
import * as Loan from "@wirestack/protocol/bytes/Loan"
import { ConnectionError } from "@wirestack/protocol/ConnectionError"
import type { Draft, Why } from "@wirestack/protocol/Outcome"
import { TooLarge } from "@wirestack/protocol/Reason"
import type { LayerTransfer } from "@wirestack/protocol/reports/DataTransferReport"
import { readAheadMessages, type Receiver, type Wire, writeAhead } from "@wirestack/protocol/wire/Wire"
import { connectReason } from "@wirestack/transport-tcp/SystemReason"

/** The name of the layer, for errors. */
export const layerName = "udp"

/** The largest payload that fits IPv4: RFC 791 section 3.1, less both headers. */
const maxPayload = 65_507

/** What a wire is bounded by. */
export interface Limits {
  readonly maximumDatagramSize?: number
  readonly maxInboxSize?: number
}

/** How a wire sends, and leaves. */
export interface Port {
  /** Where it sends to, for errors. */
  readonly address: string
  /** Hands a datagram to the system, and says later how that went; may throw. */
  readonly send: (bytes: Uint8Array, sent: (error: Error | null) => void) => void
  /** Gives up the socket, or the place at one. */
  readonly release: () => void
}

export class UdpWire<In> implements Wire<In, Uint8Array> {
  readonly layer = layerName
  readonly lower = undefined
  readonly halfClose = false
  readonly maximumDatagramSize: number
  datagramsReceived = 0
  bytesReceived = 0
  datagramsSent = 0
  bytesSent = 0
  datagramsDropped = 0
  private readonly port: Port
  private readonly maxInboxSize: number
  private receiver: Receiver<In> | undefined = undefined
  private paused = true
  private scheduled = false
  private arrived: Array<In> = []
  private arrivedSize = 0
  /** The sizes of what the system has not confirmed yet, oldest first. */
  private leaving: Array<number> = []
  private leavingSize = 0
  private lost = { messages: 0, bytes: 0 }
  private error: ConnectionError | undefined = undefined
  private settled: (() => void) | undefined = undefined
  private closing = false
  private over = false

  constructor(port: Port, { maxInboxSize = 65_536, maximumDatagramSize = maxPayload }: Limits) {
    this.port = port
    this.maxInboxSize = maxInboxSize
    this.maximumDatagramSize = Math.min(maximumDatagramSize, maxPayload)
  }

  // From the socket.

  receive(item: In, size: number): void {
    if (this.over) return
    this.datagramsReceived++
    this.bytesReceived += size
    if (!this.paused && this.arrived.length === 0) this.receiver!.receive([item], size)
    else if (this.arrivedSize + size > this.maxInboxSize || this.arrived.length >= readAheadMessages) {
      this.datagramsDropped++
    } else {
      this.arrived.push(item)
      this.arrivedSize += size
    }
  }

  /** What became of a datagram: the connection fails if there is no way to the peer. What came before is delivered first. */
  fail(cause: unknown): void {
    if (this.over || this.error !== undefined) return
    const reason = connectReason(cause, this.port.address, 0)
    // That one datagram could not be sent, for its size or for want of memory, is no reason to give up the others.
    if (reason._tag !== "Refused" && reason._tag !== "Unreachable" && reason._tag !== "Forbidden") return
    this.error = new ConnectionError({ layer: layerName, reason })
    this.hand()
    this.receiver?.failed(this.error)
  }

  /** The peer has been silent for too long: whatever comes from it now is of another connection. */
  silence(): void {
    this.receiver?.goodbye()
  }

  /** Whether all that was received has been taken. */
  get caughtUp(): boolean {
    return this.arrived.length === 0
  }

  private readonly sent = (cause: Error | null): void => {
    if (this.over) return
    const { writable } = this
    const size = this.leaving.shift() ?? 0
    this.leavingSize -= size
    if (cause === null) {
      this.datagramsSent++
      this.bytesSent += size
    } else {
      this.lose(1, size)
      this.fail(cause)
    }
    if (this.closing && this.leaving.length === 0) this.finish()
    else if (!writable && this.writable) this.receiver?.drained()
  }

  private lose(messages: number, bytes: number): void {
    this.lost.messages += messages
    this.lost.bytes += bytes
  }

  // From the layer above.

  get writable(): boolean {
    return this.leavingSize < writeAhead && this.leaving.length < readAheadMessages
  }

  attach(receiver: Receiver<In>): void {
    this.receiver = receiver
  }

  write(message: Uint8Array): void {
    const { length } = message
    if (length > this.maximumDatagramSize) {
      throw new TooLarge({ what: "a datagram", size: length, limit: this.maximumDatagramSize })
    }
    if (this.over || this.error !== undefined) return
    this.leaving.push(length)
    this.leavingSize += length
    try {
      this.port.send(Loan.own(message), this.sent)
    } catch (cause) {
      queueMicrotask(() => this.sent(cause as Error))
    }
  }

  flush(): void {}

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    if (this.scheduled || this.arrived.length === 0) return
    this.scheduled = true
    queueMicrotask(this.deliver)
  }

  private readonly deliver = (): void => {
    this.scheduled = false
    if (!this.paused && !this.over) this.hand()
  }

  private hand(): void {
    const { arrived, arrivedSize } = this
    if (arrived.length === 0) return
    this.arrived = []
    this.arrivedSize = 0
    this.receiver!.receive(arrived, arrivedSize)
  }

  /** There is no half-close, so nobody asks for it. */
  end(): void {}

  close(_why: Why, settled: () => void): void {
    if (this.over) return settled()
    this.settled = settled
    this.closing = true
    if (this.leaving.length === 0) this.finish()
  }

  abort(): void {
    if (this.over) return
    this.lose(this.leaving.length, this.leavingSize)
    this.leaving = []
    this.leavingSize = 0
    this.finish()
  }

  private finish(): void {
    const { settled } = this
    this.over = true
    this.settled = undefined
    this.port.release()
    settled?.()
  }

  report(outcome: Draft): void {
    outcome.endOfInput = "unknown"
    outcome.undelivered += this.datagramsDropped + this.arrived.length
    outcome.unsent.messages += this.lost.messages + this.leaving.length
    outcome.unsent.bytes += this.lost.bytes + this.leavingSize
    if (this.error !== undefined) outcome.error ??= this.error
  }

  tally(layers: Array<LayerTransfer>): void {
    layers.push({
      layer: layerName,
      received: { messages: this.datagramsReceived, bytes: this.bytesReceived },
      sent: { messages: this.datagramsSent, bytes: this.bytesSent },
      dropped: this.datagramsDropped
    })
  }
}
