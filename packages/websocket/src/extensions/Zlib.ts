/**
 * Raw DEFLATE (RFC 1951) in synchronous calls: the seam between what compresses and the runtime that can.
 *
 * An engine belongs to whom it was made for, until `close`. An implementation may keep closed engines for the next who asks,
 * so making one is cheap and nobody needs to hold one that is not in use. After `close` an engine is not touched again.
 *
 * What engines return is a view on memory they share: read it before the next `deflate`, `next` or `flushed` of any of them.
 * What they are given is only read, by a deflater during the call, by an inflater until `next` has used it up.
 *
 * @see https://www.rfc-editor.org/rfc/rfc1951
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"

/** The base-2 logarithm of the size of a window: how far back a repetition may refer. */
export type WindowBits = 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15

/** How much work to put into compression: 0 only stores, 1 is the fastest, 9 the smallest. */
export type Level = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9

/** How much memory to spend on the state of compression. */
export type MemLevel = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9

export interface DeflateSettings {
  /** No repetition refers further back than this allows, 8 bits included. */
  readonly windowBits: WindowBits
  readonly level: Level
  readonly memLevel: MemLevel
}

export interface InflateSettings {
  readonly windowBits: WindowBits
}

/** Compresses. */
export interface Deflater {
  /**
   * The compressed bytes there are after this input; with `flush` all of them, ending on a byte boundary with an empty stored
   * block (`00 00 ff ff`). A flush wants some input since the last one.
   */
  readonly deflate: (input: Uint8Array, flush: boolean) => Uint8Array
  /** Forgets everything. */
  readonly reset: () => void
  readonly close: () => void
}

/** Decompresses. */
export interface Inflater {
  /** Takes input; the last one is used up. */
  readonly feed: (input: Uint8Array) => void
  /**
   * The next output, in pieces of at most `pieceSize`; undefined if the input is used up. Behind a final block the input goes
   * on as a new stream, without the window of the one before. Throws `Corrupt` if the input is not DEFLATE; then the
   * engine is to be reset or closed.
   */
  readonly next: () => Uint8Array | undefined
  /**
   * Adds the `00 00 ff ff` that a flush ends with, when the input is used up. Returns false if the input wasn't flushed: it ends
   * within a block, or without the beginning of the empty one.
   */
  readonly flushed: () => boolean
  /** Forgets everything. */
  readonly reset: () => void
  readonly close: () => void
}

/** What an inflater gives at once, in bytes: so much of a bomb there is at a time. */
export const pieceSize = 65_536

/** The input of an inflater is not DEFLATE. */
export class Corrupt extends Data.TaggedClass("Corrupt")<{ readonly detail: string }> {
  get message(): string {
    return `the data is not DEFLATE: ${this.detail}`
  }
}

/** Engines for raw DEFLATE. */
export class Zlib extends Context.Service<Zlib, {
  readonly deflater: (settings: DeflateSettings) => Deflater
  readonly inflater: (settings: InflateSettings) => Inflater
}>()("@wirestack/websocket/extensions/Zlib") {}
