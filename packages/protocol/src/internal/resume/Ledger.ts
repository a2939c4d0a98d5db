/**
 * What one side of a session knows of its messages: which it has sent and is to keep, as they were not acknowledged, and which it has
 * received and done with. Sans-IO; numbers begin with 1.
 */
import type { Range } from "../../ConnectionError.ts"
import { Violation } from "../../Reason.ts"

/** Messages from `first` to `last`, if there are any. */
export const rangeOf = (first: number, last: number): Range | undefined => first > last ? undefined : { first, last }

export class Ledger {
  /** The last message that the peer has acknowledged. */
  acknowledged: number
  /** The last message that has arrived. */
  received: number
  /** The last message that is done with, here. */
  done: number
  /** The last message of which the peer was told so. */
  told: number
  /** The frames of what was sent and not acknowledged. */
  private readonly kept: Array<Uint8Array>
  private keptSize: number

  /** Throws a `RangeError` if the numbers are none, or fewer were sent than are kept of them. */
  constructor(received = 0, sent = 0, kept: ReadonlyArray<Uint8Array> = []) {
    for (const number of [received, sent]) {
      if (!(Number.isSafeInteger(number) && number >= 0)) throw new RangeError(`${number} is no number of a message`)
    }
    if (kept.length > sent) throw new RangeError(`${kept.length} messages are kept, where ${sent} were sent`)
    this.received = this.done = this.told = received
    this.kept = [...kept]
    this.keptSize = kept.reduce((size, frame) => size + frame.length, 0)
    this.acknowledged = sent - kept.length
  }

  /** The last message that was sent. */
  get sent(): number {
    return this.acknowledged + this.kept.length
  }

  get unacknowledged(): { readonly messages: number; readonly bytes: number } {
    const { kept, keptSize } = this
    return { messages: kept.length, bytes: keptSize - kept.length }
  }

  keep(frame: Uint8Array): void {
    this.kept.push(frame)
    this.keptSize += frame.length
  }

  /** A frame that was sent and not acknowledged. */
  frame(number: number): Uint8Array {
    return this.kept[number - this.acknowledged - 1]
  }

  /** The peer has acknowledged messages. Throws a `Violation` if there are none with such numbers. */
  acknowledge(upTo: number): void {
    const { acknowledged, sent } = this
    if (upTo > sent) throw new Violation({ rule: `${upTo} is acknowledged, where ${sent} was sent last` })
    if (upTo < acknowledged) throw new Violation({ rule: `${upTo} is acknowledged, after ${acknowledged}` })
    for (const frame of this.kept.splice(0, upTo - acknowledged)) this.keptSize -= frame.length
    this.acknowledged = upTo
  }

  /** Those that a peer lacks which has `received` so many, and that can't be sent any more. */
  lacking(received: number): Range | undefined {
    return rangeOf(received + 1, this.acknowledged)
  }
}
