/**
 * A connection as a duplex stream of Node, for those who use these and not Effect.
 *
 *     const duplex = await runtime.runPromise(ProvidedDuplex.open(Transport.connect(Bytes)("tls://files.example:7000")))
 *     await pipeline(createReadStream("file"), duplex, createWriteStream("answer"))
 *
 * The contract:
 *
 * - `open` and `handler` give a stream of bytes; `openMessages` and `handlerMessages` one in object mode, where a chunk is a message.
 * - A batch is asked for when the stream has room for one, and a write is over when the connection has accepted it; the stream holds what
 *   its high-water marks say, beside what the connection does.
 * - The input ends when the peer sends no more. `end` is half-close; where there is none, it only says that nothing more is written. When
 *   both directions are over the connection closes. The stream may be half open (`allowHalfOpen`), until it is told otherwise.
 * - `destroy` closes the connection: what that has accepted is flushed, and what still waits in the stream is not sent, as in any stream of
 *   Node. With an error it is cut. `close` comes when it has closed, or both directions are over.
 * - What it fails with is a `ConnectionError`, which comes behind all that was received before. A message that is `null` is `Undecodable`,
 *   as it would be the end of the stream.
 */
import type { Batch, Connection } from "@wirestack/protocol/Connection"
import { ConnectionError, Undecodable } from "@wirestack/protocol/ConnectionError"
import { handled, opened, type Outside } from "@wirestack/transport-streams/Outside"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Duplex } from "node:stream"

type Done = (error?: Error | null) => void

/** Calls back when a promise is settled. */
const then = (promise: Promise<unknown>, done: Done): void => {
  promise.then(() => done(), done)
}

/** A stream of Node takes null for the end. */
const noStreamOfNull = new ConnectionError({
  layer: "duplex",
  reason: new Undecodable({ detail: "a message that is null, which a stream can't give" })
})

class ProvidedDuplex<In, Out> extends Duplex {
  private readonly outside: Outside<In, Out>
  private failure: Error | undefined = undefined
  private gone = false
  private wanted = false
  private pulling = false

  constructor(outside: Outside<In, Out>, objectMode: boolean) {
    super({ objectMode })
    this.outside = outside
    this.once("end", () => {
      if (this.gone) this.destroy()
    })
    void outside.closed.then(({ error }) => {
      this.gone = true
      if (error !== undefined) this.fail(error)
      else if (this.readableEnded) this.destroy()
      else this.read(0)
    })
  }

  override read(size?: number): unknown {
    const chunk: unknown = super.read(size)
    this.settle()
    return chunk
  }

  /** Whoever reads while a batch is pushed asks for more within that. */
  override _read(): void {
    this.wanted = true
    if (!this.pulling) this.pull()
  }

  private pull(): void {
    this.wanted = false
    this.pulling = true
    this.outside.pull().then((batch) => {
      this.give(batch)
      this.pulling = false
      if (this.wanted) this.pull()
    }, (error: Error) => this.fail(error))
  }

  private give(batch: Batch<In> | undefined): void {
    if (batch === undefined) return void this.push(null)
    for (const message of batch) {
      if (message === null) return this.fail(noStreamOfNull)
      this.push(message)
    }
  }

  override _write(message: Out, _encoding: BufferEncoding, done: Done): void {
    then(this.outside.send(message), done)
  }

  override _writev(writes: Array<{ readonly chunk: Out }>, done: Done): void {
    then(this.outside.sendAll(writes.map(({ chunk }) => chunk) as unknown as Batch<Out>), done)
  }

  override _final(done: Done): void {
    then(this.outside.end(), done)
  }

  override _destroy(error: Error | null, done: Done): void {
    if (error === null && this.readableEnded && this.writableFinished) return done()
    void (error === null ? this.outside.close() : this.outside.abort()).then(() => done(error))
  }

  private fail(error: Error): void {
    this.failure ??= error
    this.settle()
  }

  /** What was received before a failure is read before it. */
  private settle(): void {
    if (this.failure !== undefined && this.readableLength === 0) this.destroy(this.failure)
  }
}

type Bytes<D> = Connection<Uint8Array, Uint8Array, D>

/**
 * Connects, and gives a stream of bytes. It owns the connection, which closes with it, and not with a scope.
 *
 * @category constructors
 */
export const open = <D, E, R>(
  connect: Effect.Effect<Bytes<D>, E, R | Scope.Scope>
): Effect.Effect<Duplex, E, Exclude<R, Scope.Scope>> =>
  Effect.map(opened(connect), (outside) => new ProvidedDuplex(outside, false))

/**
 * The same in object mode: a chunk is a message.
 *
 * @category constructors
 */
export const openMessages = <In, Out, D, E, R>(
  connect: Effect.Effect<Connection<In, Out, D>, E, R | Scope.Scope>
): Effect.Effect<Duplex, E, Exclude<R, Scope.Scope>> =>
  Effect.map(opened(connect), (outside) => new ProvidedDuplex(outside, true))

/**
 * A handler of a listener that is given a stream of bytes. It fails as its promise does, and the connection closes when that is
 * settled.
 *
 * @category constructors
 */
export const handler =
  (use: (duplex: Duplex) => Promise<unknown>) => <D>(connection: Bytes<D>): Effect.Effect<void, unknown> =>
    handled(connection, (outside) => use(new ProvidedDuplex(outside, false)))

/**
 * The same in object mode, for a listener of messages or a route.
 *
 * @category constructors
 */
export const handlerMessages =
  (use: (duplex: Duplex) => Promise<unknown>) =>
  <In, Out, D>(connection: Connection<In, Out, D>): Effect.Effect<void, unknown> =>
    handled(connection, (outside) => use(new ProvidedDuplex(outside, true)))
