/**
 * Puts a message together that extensions have transformed: the parts go through them, and what they make of it is checked and bounded
 * as it comes.
 */
import * as Utf8 from "@wirestack/protocol/bytes/Utf8"
import { TooLarge, Violation } from "@wirestack/protocol/Reason"
import type { ExtensionChain } from "../extensions/ExtensionChain.ts"
import { pieceSize } from "../extensions/Zlib.ts"
import { textSection } from "../frames/CloseCode.ts"
import type { FrameDecoder } from "../frames/FrameDecoder.ts"
import { Opcode } from "../frames/Opcode.ts"
import { Assembly } from "./Assembly.ts"

export const notText = (): Violation => new Violation({ rule: "a text is UTF-8", section: textSection })

/** The next piece of a message, or what is wrong with its part; undefined if that is used up. */
export const next = (extensions: ExtensionChain): Uint8Array | Violation | TooLarge | undefined => {
  try {
    return extensions.next()
  } catch (thrown) {
    if (thrown instanceof Violation || thrown instanceof TooLarge) return thrown
    throw thrown
  }
}

export class Transformed {
  /** The size in bytes of the message whose last part was added. */
  size = 0

  private message: string | Uint8Array = ""

  private readonly extensions: ExtensionChain
  private readonly limit: number
  private readonly lends: boolean
  private begun = false
  private readonly bytes = new Assembly()
  /** How far a text is complete and valid. */
  private checked = 0

  constructor(extensions: ExtensionChain, limit: number, lends: boolean) {
    this.extensions = extensions
    this.lends = lends
    this.limit = limit
  }

  /** The message, once its last part was added; only once. */
  take(): string | Uint8Array {
    const { message } = this
    this.message = ""
    return message
  }

  /** Adds the part that the decoder has found; tells what is wrong with it. */
  add({ last, message, rsv, type }: FrameDecoder): Violation | TooLarge | undefined {
    const { bytes, extensions, lends, limit } = this
    const isText = type === Opcode.Text
    if (!this.begun) extensions.expect(rsv)
    this.begun = !last
    extensions.feed(message as Uint8Array, last)
    for (let piece = next(extensions); piece !== undefined; piece = next(extensions)) {
      if (!(piece instanceof Uint8Array)) return piece
      const size = bytes.size + piece.length
      if (size > limit) return new TooLarge({ what: "a message", size, limit })
      bytes.append(piece, 0, piece.length, last && piece.length < pieceSize ? size : limit, isText || lends)
    }
    if (!last) {
      if (isText) this.checked = Utf8.check(bytes.bytes, this.checked, bytes.size)
      return this.checked < 0 ? notText() : undefined
    }
    this.checked = 0
    this.size = bytes.size
    if (isText) {
      const text = Utf8.decode(bytes.bytes, 0, bytes.size)
      bytes.drop()
      if (text === undefined) return notText()
      this.message = text
    } else this.message = lends ? bytes.lend() : bytes.take()
    return undefined
  }
}
