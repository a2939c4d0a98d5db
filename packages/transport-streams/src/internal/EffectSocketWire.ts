/** A wire on a `Socket` of Effect: a fiber that reads as long as batches are wanted, and a fiber a piece that is written. */
import { type ConnectionReason, Reset } from "@wirestack/protocol/ConnectionError"
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import { FlowWire } from "./FlowWire.ts"
import { join } from "./join.ts"

/** A socket that is connected. */
export interface Opened {
  readonly socket: Socket.Socket
  readonly pull: Effect.Effect<Arr.NonEmptyReadonlyArray<Uint8Array>, Socket.SocketError>
  readonly writer: Socket.Writer
  /** Whether releasing the writer ends the output. */
  readonly halfClose: boolean
  /** The scope of the writer, and that of the reader, which is around it. */
  readonly writing: Scope.Closeable
  readonly reading: Scope.Closeable
  readonly context: Context.Context<never>
}

/** The code with which the peer of a socket has ended normally. */
const normal = 1000

/** The code of a close that is none of the protocol's own (RFC 6455 section 7.4.2). */
const aborted = 4000

/** What a socket was broken by; a defect of it too. */
const causeOf = (error: unknown): unknown => {
  if (!Socket.isSocketError(error)) return error
  const { reason } = error
  return reason._tag === "SocketCloseError" ? new Error(`closed with code ${reason.message}`) : reason.cause
}

const isEnd = (error: unknown): boolean =>
  Socket.isSocketError(error) && error.reason._tag === "SocketCloseError" && error.reason.code === normal

export class EffectSocketWire extends FlowWire<Uint8Array> {
  readonly layer: string
  readonly halfClose: boolean
  protected readonly roomy = false
  private readonly opened: Opened
  private readonly fibers = new Set<Fiber.Fiber<unknown, unknown>>()
  private wanted = false
  private pulling = false

  constructor(layer: string, opened: Opened) {
    super()
    this.layer = layer
    this.halfClose = opened.halfClose
    this.opened = opened
  }

  private run(effect: Effect.Effect<void>): void {
    const fiber = Effect.runForkWith(this.opened.context)(effect)
    this.fibers.add(fiber)
    fiber.addObserver(() => this.fibers.delete(fiber))
  }

  private readonly broken = (cause: Cause.Cause<unknown>): void =>
    this.fail(new Reset({ cause: causeOf(Cause.squash(cause)) }))

  private readonly next = Effect.suspend(() =>
    Effect.matchCause(this.opened.pull, {
      onSuccess: (batch) => this.came(batch),
      onFailure: (cause) => isEnd(Cause.squash(cause)) ? this.inputEnds("announced") : this.broken(cause)
    })
  )

  /** A socket that always has something is read in one fiber, which yields to others, and not one within another. */
  private readonly batches = Effect.whileLoop({
    while: () => this.pulling = this.wanted,
    body: () => {
      this.wanted = false
      return this.next
    },
    step: () => {}
  })

  protected read(): void {
    this.wanted = true
    if (!this.pulling) this.run(this.batches)
  }

  private came(batch: ReadonlyArray<Uint8Array>): void {
    const chunks = batch.filter((chunk) => chunk.length > 0)
    let size = 0
    for (const chunk of chunks) size += chunk.length
    this.arrived(chunks, size)
  }

  protected give(chunks: ReadonlyArray<Uint8Array>, size: number): void {
    this.run(Effect.matchCause(this.opened.writer.write(join(chunks, size)), {
      onSuccess: () => this.taken(size),
      onFailure: this.broken
    }))
  }

  protected endOutput(): void {
    const { halfClose, writer, writing } = this.opened
    const end = halfClose ? Scope.close(writing, Exit.void) : writer.write(new Socket.CloseEvent(normal))
    this.run(Effect.matchCause(end, { onSuccess: () => this.outputEnds(), onFailure: this.broken }))
  }

  /** A socket that has ends of its own is destroyed by a close of whatever code, in silence by a normal one. */
  protected cut(_reason: ConnectionReason | undefined): void {
    const { context, halfClose, reading, writer } = this.opened
    const { fibers } = this
    const close = writer.write(halfClose ? new Socket.CloseEvent(normal) : new Socket.CloseEvent(aborted, "aborted"))
    Effect.runForkWith(context)(Effect.andThen(Effect.ignoreCause(close), Scope.close(reading, Exit.void)))
    for (const fiber of fibers) fiber.interruptUnsafe()
  }

  protected free(): void {
    const { context, reading } = this.opened
    Effect.runForkWith(context)(Scope.close(reading, Exit.void))
  }
}
