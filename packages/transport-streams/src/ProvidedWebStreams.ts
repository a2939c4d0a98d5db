/**
 * A connection as a pair of WHATWG streams, for those who use these and not Effect.
 *
 *     const { readable, writable } = await runtime.runPromise(ProvidedWebStreams.open(Transport.connect(Bytes)("tls://files.example:7000")))
 *     await new Response(file).body.pipeTo(writable)
 *     const answer = await new Response(readable).bytes()
 *
 * The contract:
 *
 * - A chunk is a message, or the bytes of a batch. `readable` asks for a batch only when somebody reads and it has none left, so what
 *   waits is bounded by the connection; a write is done when the connection has accepted it.
 * - `readable` closes when the peer sends no more, `close` of `writable` is half-close. When both are over the connection closes. Where
 *   there is no half-close it stays open until the peer has said goodbye, or somebody has closed it.
 * - `cancel` closes the connection, as done, or as failed if it is given a reason. `abort` cuts it.
 * - What it fails with is a `ConnectionError`, on both streams.
 * - Small chunks may lie in a larger buffer together: `slice` one before it is transferred.
 *
 * @see https://streams.spec.whatwg.org/
 */
import type { Connection } from "@wirestack/protocol/Connection"
import { Closed, ConnectionError } from "@wirestack/protocol/ConnectionError"
import type { Outcome } from "@wirestack/protocol/Outcome"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { handled, opened, type Outside } from "./Outside.ts"

declare global {
  // What they have is said by the platform's own types, with which these merge.
  interface ReadableStream<R = any> {}
  interface WritableStream<W = any> {}
}

/** A connection, as streams. */
export interface ProvidedWebStreams<In, Out> {
  readonly readable: ReadableStream<In>
  readonly writable: WritableStream<Out>
  /** Closes every layer; what was accepted is flushed, and nothing more is received. */
  readonly close: () => Promise<Outcome>
  /** How it ended. Never rejects. */
  readonly closed: Promise<Outcome>
}

interface ReadableController<In> {
  enqueue(chunk: In): void
  close(): void
}

interface WritableController {
  readonly signal: { addEventListener(type: "abort", listener: () => void): void }
  error(reason: unknown): void
}

declare const ReadableStream: new<In>(
  source: {
    pull(controller: ReadableController<In>): Promise<void>
    cancel(reason: unknown): Promise<void>
  },
  strategy: { readonly highWaterMark: number }
) => ReadableStream<In>

declare const WritableStream: new<Out>(sink: {
  start(controller: WritableController): void
  write(chunk: Out): Promise<void>
  close(): Promise<void>
}) => WritableStream<Out>

const over = new ConnectionError({ layer: "web streams", reason: new Closed() })

const streamsOf = <In, Out>(outside: Outside<In, Out>): ProvidedWebStreams<In, Out> => ({
  readable: new ReadableStream<In>({
    pull: async (controller) => {
      const batch = await outside.pull()
      if (batch === undefined) controller.close()
      else for (const message of batch) controller.enqueue(message)
    },
    cancel: async (reason) => {
      // Whoever gives up both streams aborts the other one in this very turn, and that counts.
      await Promise.resolve()
      await outside.close(reason === undefined ? Exit.void : Exit.fail(reason))
    }
  }, { highWaterMark: 0 }),
  writable: new WritableStream<Out>({
    start: (controller) => {
      // At once, and not behind a write that waits for room.
      controller.signal.addEventListener("abort", outside.abort)
      void outside.closed.then(({ error = over }) => controller.error(error))
    },
    write: outside.send,
    close: outside.end
  }),
  close: () => outside.close(),
  closed: outside.closed
})

/**
 * Connects, and gives the streams. They own the connection: it closes with them, and not with a scope.
 *
 * @category constructors
 */
export const open = <In, Out, D, E, R>(
  connect: Effect.Effect<Connection<In, Out, D>, E, R | Scope.Scope>
): Effect.Effect<ProvidedWebStreams<In, Out>, E, Exclude<R, Scope.Scope>> => Effect.map(opened(connect), streamsOf)

/**
 * A handler of a listener, or of a route, that is given streams. It fails as its promise does, and the connection closes when that is
 * settled.
 *
 * @category constructors
 */
export const handler =
  <In, Out>(use: (streams: ProvidedWebStreams<In, Out>) => Promise<unknown>) =>
  <D>(connection: Connection<In, Out, D>): Effect.Effect<void, unknown> =>
    handled(connection, (outside) => use(streamsOf(outside)))
