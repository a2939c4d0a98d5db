/** Two one-way streams as one duplex: reads of the one, writes to the other, and one end when both have theirs. */
import type { SocketLike } from "@wirestack/protocol/wire/SocketWire"
import type { DuplexLike } from "../Duplex.ts"

declare const queueMicrotask: (f: () => void) => void

type Listener = (arg: any) => void

interface Emitter<Event extends string> {
  on(event: Event, listener: Listener): unknown
  removeListener(event: Event, listener: Listener): unknown
}

/** What is needed of a stream that is read. */
export interface ReadableLike
  extends Pick<SocketLike, "read" | "pause" | "resume" | "destroy">, Emitter<"data" | "end" | "error" | "close">
{
  readonly destroyed?: boolean
  readonly readableEnded?: boolean
  readonly readableObjectMode?: boolean
  readonly readableEncoding?: unknown
}

/** What is needed of a stream that is written. */
export interface WritableLike
  extends
    Pick<SocketLike, "writable" | "writableLength" | "write" | "cork" | "uncork" | "end" | "destroy">,
    Emitter<"finish" | "error" | "close">
{
  readonly destroyed?: boolean
  readonly writableEnded?: boolean
  readonly writableObjectMode?: boolean
}

/** Tells when the whole is over, and why if that is no ordinary end. */
export type Closes = (closed: (error?: unknown) => void) => void

export class Joined implements DuplexLike {
  private readonly input: ReadableLike
  private readonly output: WritableLike
  /** Whether each half goes on when the other has failed. */
  private readonly apart: boolean
  private inputOver = false
  private outputOver = false
  private failure: unknown = undefined
  private readonly onError = new Set<Listener>()
  private readonly onClose = new Set<Listener>()

  constructor(input: ReadableLike, output: WritableLike, closes: Closes | undefined) {
    this.input = input
    this.output = output
    this.apart = closes !== undefined
    for (const half of [input, output]) half.on("error", (error) => this.failed(error))
    if (closes === undefined) this.closeWithHalves()
    else closes((error) => this.close(error ?? this.failure))
  }

  private closeWithHalves(): void {
    const { input, output } = this
    input.on("end", () => this.over({ input: true }))
    output.on("finish", () => this.over({ output: true }))
    input.on("close", () => this.closed(this.inputOver, { input: true }))
    output.on("close", () => this.closed(this.outputOver, { output: true }))
  }

  get destroyed(): boolean {
    return this.input.destroyed === true || this.output.destroyed === true
  }

  get readableEnded(): boolean {
    return this.input.readableEnded === true
  }

  get writableEnded(): boolean {
    return this.output.writableEnded === true
  }

  get readableObjectMode(): boolean {
    return this.input.readableObjectMode === true
  }

  get writableObjectMode(): boolean {
    return this.output.writableObjectMode === true
  }

  get readableEncoding(): unknown {
    return this.input.readableEncoding
  }

  get writable(): boolean {
    return this.output.writable
  }

  get writableLength(): number {
    return this.output.writableLength
  }

  on(event: "data" | "end" | "error" | "close", listener: Listener): void {
    if (event === "error") this.onError.add(listener)
    else if (event === "close") this.onClose.add(listener)
    else this.input.on(event, listener)
  }

  removeListener(event: "data" | "end" | "error" | "close", listener: Listener): void {
    if (event === "error") this.onError.delete(listener)
    else if (event === "close") this.onClose.delete(listener)
    else this.input.removeListener(event, listener)
  }

  read(): unknown {
    return this.input.read()
  }

  write(chunk: Uint8Array, callback?: (error?: Error | null) => void): boolean {
    return this.output.write(chunk, callback)
  }

  cork(): void {
    this.output.cork()
  }

  uncork(): void {
    this.output.uncork()
  }

  end(): void {
    this.output.end()
  }

  pause(): void {
    this.input.pause()
  }

  resume(): void {
    this.input.resume()
  }

  destroy(): void {
    this.input.destroy()
    this.output.destroy()
  }

  private failed(error: unknown): void {
    this.failure ??= error
    if (!this.apart) { for (const listener of this.onError) listener(error) }
  }

  /** One of the two has closed; before its end, that cuts the other too. */
  private closed(ended: boolean, half: { readonly input?: true; readonly output?: true }): void {
    if (!ended) this.destroy()
    this.over(half)
  }

  /** Whoever listens for the end of a half hears of it before the close of the whole. */
  private over({ input = this.inputOver, output = this.outputOver }): void {
    if (this.inputOver && this.outputOver) return
    this.inputOver = input
    this.outputOver = output
    if (input && output) queueMicrotask(() => this.close(undefined))
  }

  private close(error: unknown): void {
    if (error !== undefined) { for (const listener of this.onError) listener(error) }
    for (const listener of this.onClose) listener(undefined)
  }
}
