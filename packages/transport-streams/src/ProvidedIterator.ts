/**
 * A connection as an async iterable of what it receives, with promises for all else, for those who don't use Effect.
 *
 *     const chat = await runtime.runPromise(ProvidedIterator.open(Chat.connect("wss://chat.example/rooms/sea")))
 *     await chat.send("hello")
 *     for await (const message of chat) if (message === "bye") break
 *
 * The contract:
 *
 * - There is one line of messages: calls of `next` are answered in their order, and each message is given once. A batch is asked for when
 *   somebody waits and nothing is left, so what waits is bounded by the connection.
 * - It is done when the peer sends no more. Leaving a loop (`return`) closes the connection; `throw` closes it as failed.
 * - `send` is done when the connection has accepted the message. `end` is half-close; where there is none, it only says that nothing
 *   more is sent. When both directions are over the connection closes.
 * - What it fails with is a `ConnectionError`.
 */
import type { Batch, Connection } from "@wirestack/protocol/Connection"
import type { Outcome } from "@wirestack/protocol/Outcome"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { handled, opened, type Outside } from "./Outside.ts"

/** A connection outside of Effect. */
export class ProvidedIterator<In, Out> implements AsyncIterableIterator<In, undefined> {
  private readonly outside: Outside<In, Out>
  private left: Iterator<In> = [][Symbol.iterator]()
  /** Whoever has called `next` last. */
  private line: Promise<unknown> = Promise.resolve()

  /** @internal */
  constructor(outside: Outside<In, Out>) {
    this.outside = outside
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** The next message. */
  next(): Promise<IteratorResult<In, undefined>> {
    const next = this.line.then(() => this.take())
    this.line = next.catch(() => {})
    return next
  }

  private async take(): Promise<IteratorResult<In, undefined>> {
    const next = this.left.next()
    if (next.done !== true) return next
    const batch = await this.outside.pull()
    if (batch === undefined) return { done: true, value: undefined }
    this.left = batch[Symbol.iterator]()
    return this.take()
  }

  async return(): Promise<IteratorResult<In, undefined>> {
    await this.close()
    return { done: true, value: undefined }
  }

  async throw(error: unknown): Promise<IteratorResult<In, undefined>> {
    await this.outside.close(Exit.fail(error))
    throw error
  }

  /** Sends one message. */
  send(message: Out): Promise<void> {
    return this.outside.send(message)
  }

  /** Sends messages in order with nothing in between. */
  sendAll(messages: Batch<Out>): Promise<void> {
    return this.outside.sendAll(messages)
  }

  /** Ends our direction. */
  end(): Promise<void> {
    return this.outside.end()
  }

  /** Closes every layer; what was accepted is flushed, and nothing more is received. */
  close(): Promise<Outcome> {
    return this.outside.close()
  }

  /** Cuts the connection now. */
  abort(): Promise<Outcome> {
    return this.outside.abort()
  }

  /** How it ended. Never rejects. */
  get closed(): Promise<Outcome> {
    return this.outside.closed
  }
}

/**
 * Connects, and gives the iterator. It owns the connection, which closes with it, and not with a scope.
 *
 * @category constructors
 */
export const open = <In, Out, D, E, R>(
  connect: Effect.Effect<Connection<In, Out, D>, E, R | Scope.Scope>
): Effect.Effect<ProvidedIterator<In, Out>, E, Exclude<R, Scope.Scope>> =>
  Effect.map(opened(connect), (outside) => new ProvidedIterator(outside))

/**
 * A handler of a listener, or of a route, that is given an iterator. It fails as its promise does, and the connection closes when that
 * is settled.
 *
 * @category constructors
 */
export const handler =
  <In, Out>(use: (connection: ProvidedIterator<In, Out>) => Promise<unknown>) =>
  <D>(connection: Connection<In, Out, D>): Effect.Effect<void, unknown> =>
    handled(connection, (outside) => use(new ProvidedIterator(outside)))
