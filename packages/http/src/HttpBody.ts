/**
 * The beginning of a response's body: what a server says when it refuses, kept for the error.
 *
 * At most `limit` bytes are kept, and the reader is done with these, with the end of the body, or when its framing is
 * broken; what it has until then is the text. A 204 and a 304 have no body, whatever their headers say.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-6.3
 */

import { Gather } from "@wirestack/protocol/bytes/Gather"
import { hasToken, values } from "./Headers.ts"
import type { Response } from "./HttpHead.ts"
import { decode } from "./internal/utf8.ts"

const lineFeed = 0x0a

/** A chunk's size is written in at most so many characters, extensions included. */
const maxChunkLine = 256

export class BodyReader {
  private readonly limit: number
  private readonly chunked: boolean
  private readonly bytes = new Gather()
  /** How much is to come of the body, or of its current chunk. */
  private left: number
  private chunkLine = ""
  private done = false

  constructor(head: Response, limit: number) {
    this.limit = limit
    this.chunked = hasToken(head.headers, "transfer-encoding", "chunked")
    const [length] = values(head.headers, "content-length")
    this.left = this.chunked ? 0 : length === undefined ? Infinity : Number.parseInt(length, 10)
    if (head.status === 204 || head.status === 304 || (!this.chunked && !(this.left > 0))) this.done = true
  }

  /** Takes the next bytes; true when no more are wanted. */
  receive(chunk: Uint8Array): boolean {
    let at = 0
    while (at < chunk.length && !this.done) {
      if (this.left > 0) {
        const end = Math.min(chunk.length, at + Math.min(this.left, this.limit - this.bytes.size))
        this.bytes.add(chunk, at, end, this.limit)
        this.left -= end - at
        at = end
        this.done = this.bytes.size === this.limit || (this.left === 0 && !this.chunked)
      } else this.chunkHead(chunk[at++])
    }
    return this.done
  }

  /** Takes a byte of a chunk's head, which comes behind the line end of the chunk before. */
  private chunkHead(byte: number): void {
    if (byte !== lineFeed) {
      this.chunkLine += String.fromCharCode(byte)
      this.done = this.chunkLine.length > maxChunkLine
    } else if (this.chunkLine !== "\r") {
      this.left = Number.parseInt(this.chunkLine, 16)
      this.chunkLine = ""
      this.done = !(this.left > 0)
    } else this.chunkLine = ""
  }

  /** What was said so far. */
  get text(): string {
    return decode(this.bytes.bytes)
  }
}
