/** A wire on a pair of WHATWG streams. */
import { Aborted, type ConnectionReason, Undecodable } from "@wirestack/protocol/ConnectionError"
import { readAhead } from "@wirestack/protocol/wire/Wire"
import type { Options, ReaderLike, WebStreamPair, WriterLike } from "../WebStreams.ts"
import { FlowWire } from "./FlowWire.ts"
import { join } from "./join.ts"

declare const setTimeout: (f: () => void, millis: number) => unknown

const ignore = (): void => {}

/** The bytes of a chunk, or undefined if it has none. */
const bytesOf = (chunk: unknown): Uint8Array | undefined => {
  if (chunk instanceof Uint8Array) return chunk
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk)
  return ArrayBuffer.isView(chunk) ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength) : undefined
}

export class WebStreamsWire extends FlowWire<Uint8Array> {
  readonly layer: string
  readonly halfClose = true
  private readonly reader: ReaderLike
  private readonly writer: WriterLike
  private readonly reasonOf: (cause: unknown) => ConnectionReason
  /** What a reader that brings its own memory reads into. */
  private memory: ArrayBufferLike | undefined

  constructor(layer: string, { readable, writable }: WebStreamPair, options: Required<Options>) {
    super()
    this.layer = layer
    this.reasonOf = options.reasonOf
    this.memory = options.reader === "byob" ? new ArrayBuffer(readAhead) : undefined
    this.reader = this.memory === undefined ? readable.getReader() : readable.getReader({ mode: "byob" })
    this.writer = writable.getWriter()
  }

  private readonly broken = (cause: unknown): void => this.fail(this.reasonOf(cause))

  protected read(): void {
    if (this.memory === undefined) {
      this.reader.read().then(({ done, value }) => done ? this.inputEnds("announced") : this.take(value), this.broken)
    } else {
      const view = new Uint8Array(this.memory, 0, readAhead)
      this.reader.read(view).then(
        ({ done, value }) => done ? this.inputEnds("announced") : this.lend(value),
        this.broken
      )
    }
  }

  private take(chunk: unknown): void {
    const bytes = bytesOf(chunk)
    if (bytes === undefined) this.fail(new Undecodable({ detail: `a chunk that is no bytes, but ${typeof chunk}` }))
    else if (bytes.length > 0) this.arrived([bytes], bytes.length)
    // A stream that gives nothing, again and again, leaves turns to others.
    else setTimeout(() => this.arrived([], 0), 0)
  }

  /** What was read lies in our memory, which came back. */
  private lend(bytes: Uint8Array): void {
    this.memory = bytes.buffer
    this.borrowed(bytes)
  }

  protected give(chunks: ReadonlyArray<Uint8Array>, size: number): void {
    this.writer.write(join(chunks, size)).then(() => this.taken(size), this.broken)
  }

  protected get roomy(): boolean {
    return (this.writer.desiredSize ?? 0) > 0
  }

  protected endOutput(): void {
    this.writer.close().then(() => this.outputEnds(), this.broken)
  }

  protected cut(reason: ConnectionReason = new Aborted()): void {
    const { reader, writer } = this
    const free = (self: ReaderLike | WriterLike) => () => self.releaseLock()
    reader.cancel(reason).catch(ignore).then(free(reader))
    writer.abort(reason).catch(ignore).then(free(writer))
  }

  protected free(): void {
    this.reader.releaseLock()
    this.writer.releaseLock()
  }
}
