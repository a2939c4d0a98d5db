/** Finds the messages in what a program reads: bytes up to a separator, whose end is also the end of the input. */
import { TooLarge } from "@wirestack/protocol/Reason"

const nothing = new Uint8Array(0)

const join = (one: Uint8Array, other: Uint8Array): Uint8Array => {
  if (one.length === 0) return other
  const joined = new Uint8Array(one.length + other.length)
  joined.set(one)
  joined.set(other, one.length)
  return joined
}

export class Splitter {
  private rest: Uint8Array = nothing
  /** How much of the rest has been looked at. */
  private seen = 0
  private readonly separator: Buffer
  private readonly limit: number

  /** Without a separator, all of the input is one message. */
  constructor(separator: string, limit: number) {
    this.separator = Buffer.from(separator)
    this.limit = limit
  }

  /** The messages that end in this chunk; throws a `TooLarge` if one has no end within the limit. */
  push(chunk: Uint8Array): ReadonlyArray<Uint8Array> {
    const { limit, separator } = this
    const bytes = join(this.rest, chunk)
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    const messages: Array<Uint8Array> = []
    let from = 0
    for (let at = this.seen; separator.length > 0;) {
      const end = view.indexOf(separator, at)
      if (end < 0) break
      messages.push(this.whole(bytes.subarray(from, end)))
      at = from = end + separator.length
    }
    this.rest = bytes.subarray(from)
    this.seen = Math.max(0, this.rest.length - separator.length + 1)
    if (this.rest.length > limit + separator.length) throw this.tooLarge(this.rest.length)
    return messages
  }

  /** What came behind the last separator. */
  end(): ReadonlyArray<Uint8Array> {
    const { rest } = this
    this.rest = nothing
    return rest.length === 0 ? [] : [this.whole(rest)]
  }

  private whole(message: Uint8Array): Uint8Array {
    if (message.length > this.limit) throw this.tooLarge(message.length)
    return message
  }

  private tooLarge(size: number): TooLarge {
    return new TooLarge({ what: "a message of the input", size, limit: this.limit })
  }
}
