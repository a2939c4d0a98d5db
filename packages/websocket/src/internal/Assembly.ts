/**
 * A message that arrives in parts, put together in one buffer.
 *
 * The buffer grows with what has arrived, not with what a header announces: it has at most `growth` times the bytes
 * that came (or `smallest`), and never more than the message can become. A header alone costs nothing.
 */
const smallest = 512

const growth = 64

const empty = new Uint8Array(0)

export class Assembly {
  bytes: Uint8Array = empty
  size = 0

  /** Appends `source` from `start` to `end` to what will be a message of at most `most` bytes. */
  append(source: Uint8Array, start: number, end: number, most: number): void {
    const size = this.size + end - start
    if (size > this.bytes.length) {
      const grown = new Uint8Array(Math.min(most, Math.max(smallest, size * growth)))
      grown.set(this.bytes.subarray(0, this.size))
      this.bytes = grown
    }
    this.bytes.set(source.subarray(start, end), this.size)
    this.size = size
  }

  /** The message, in a buffer that is at least half full; the next one begins with another buffer. */
  take(): Uint8Array {
    const { bytes, size } = this
    this.bytes = empty
    this.size = 0
    if (size === bytes.length) return bytes
    return size * 2 < bytes.length ? bytes.slice(0, size) : bytes.subarray(0, size)
  }
}
