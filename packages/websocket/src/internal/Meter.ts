/** How much may be received in a time: two token buckets, each of which holds what is allowed in one second. */
import { RateExceeded } from "../WebSocketReason.ts"

/** What is allowed a second, for long; a burst may have as much at once. */
export interface Rates {
  readonly maxMessagesPerSecond: number
  readonly maxBytesPerSecond: number
}

export class Meter {
  private readonly rates: Rates
  private readonly now: () => number
  private readonly what: "messages" | "control frames"
  private messages: number
  private bytes: number
  private filled: number

  /** `now` is the time in milliseconds, `what` is counted as messages. */
  constructor(rates: Rates, now: () => number, what: "messages" | "control frames" = "messages") {
    this.rates = rates
    this.now = now
    this.what = what
    this.messages = Math.max(1, rates.maxMessagesPerSecond)
    this.bytes = rates.maxBytesPerSecond
    this.filled = now()
  }

  /** Takes from the buckets, which a single large message may overdraw; tells if one of them is empty. */
  take(messages: number, bytes: number): RateExceeded | undefined {
    this.fill()
    if (this.messages < messages) return new RateExceeded({ what: this.what, limit: this.rates.maxMessagesPerSecond })
    if (bytes > 0 && this.bytes <= 0) return new RateExceeded({ what: "bytes", limit: this.rates.maxBytesPerSecond })
    this.messages -= messages
    this.bytes -= bytes
    return undefined
  }

  private fill(): void {
    const { maxBytesPerSecond, maxMessagesPerSecond } = this.rates
    const now = this.now()
    const seconds = Math.max(0, now - this.filled) / 1_000
    this.filled = now
    this.messages = Math.min(Math.max(1, maxMessagesPerSecond), this.messages + maxMessagesPerSecond * seconds)
    this.bytes = Math.min(maxBytesPerSecond, this.bytes + maxBytesPerSecond * seconds)
  }
}
