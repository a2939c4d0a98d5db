/**
 * A pair of WHATWG streams as a transport of bytes: the sockets of Deno and Cloudflare, streams of WebTransport, two
 * `TransformStream`s.
 *
 *     WebStreams.layer({ connect: (endpoint) => Effect.promise(() => open(endpoint)) }) // { readable, writable }
 *
 * The contract:
 *
 * - Both streams are locked as long as the connection lives, and free again after it. Streams that are locked already are
 *   `StreamUnusable`.
 * - One chunk is read at a time, and none while the connection is not read; what the streams read ahead is up to them.
 * - What is written is copied into memory of its own, as a stream may transfer it. While a write is under way more is written only as
 *   long as `desiredSize` is positive; 64 KiB wait at most.
 * - An end is the end of `readable`, half-close is `close` of `writable`. An abort cancels the one and aborts the other, with the
 *   reason. What either is broken for is a `Reset`, or what `reasonOf` makes of it.
 * - A chunk that is no bytes is `Undecodable`.
 *
 * @see https://streams.spec.whatwg.org/
 */
import { ConnectError, type ConnectReason } from "@wirestack/protocol/ConnectError"
import type { Connection } from "@wirestack/protocol/Connection"
import { type ConnectionReason, Reset } from "@wirestack/protocol/ConnectionError"
import * as Transport from "@wirestack/protocol/Transport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { connectionOf, type Kind, transportOf } from "./internal/transportOf.ts"
import { WebStreamsWire } from "./internal/WebStreamsWire.ts"
import type { Needs, Roles, Source } from "./Source.ts"
import { StreamUnusable } from "./StreamUnusable.ts"
import { WebStreamsInfo } from "./WebStreamsInfo.ts"

/** What is needed of a reader of either kind. */
export interface ReaderLike {
  read(view?: any): Promise<{ readonly done: boolean; readonly value?: any }>
  cancel(reason?: unknown): Promise<void>
  releaseLock(): void
}

/** What is needed of a `ReadableStream`. */
export interface ReadableLike {
  readonly locked: boolean
  getReader(options?: any): ReaderLike
}

/** What is needed of a writer. */
export interface WriterLike {
  readonly desiredSize: number | null
  write(chunk: any): Promise<void>
  close(): Promise<void>
  abort(reason?: unknown): Promise<void>
  releaseLock(): void
}

/** What is needed of a `WritableStream`. */
export interface WritableLike {
  readonly locked: boolean
  getWriter(): WriterLike
}

/** What is read, and what is written. */
export interface WebStreamPair {
  readonly readable: ReadableLike
  readonly writable: WritableLike
}

/** How streams are used. */
export interface Options {
  /**
   * How `readable` is read: chunks as it gives them, by default, or `"byob"` into 64 KiB of ours, used again and again. That needs a
   * stream of bytes that answers a pending read when it closes, as those of a platform do, and many made by hand don't.
   */
  readonly reader?: "default" | "byob"
  /** What an error of the streams means; a `Reset` by default. */
  readonly reasonOf?: (cause: unknown) => ConnectionReason
}

const layerName = "web streams"

const wireOf = (streams: WebStreamPair, options: Options): Result.Result<WebStreamsWire, ConnectReason> => {
  const unusable = (detail: string) => Result.fail(new StreamUnusable({ detail }))
  if (streams.readable.locked) return unusable("its readable side is locked")
  if (streams.writable.locked) return unusable("its writable side is locked")
  try {
    const all = { reader: "default", reasonOf: (cause: unknown) => new Reset({ cause }), ...options } as const
    return Result.succeed(new WebStreamsWire(layerName, streams, all))
  } catch (cause) {
    return unusable(String(cause))
  }
}

const kindOf = (options: Options): Kind<WebStreamPair, Uint8Array, WebStreamsInfo> => ({
  layer: layerName,
  wire: (streams) => wireOf(streams, options),
  details: (streams) => Context.make(WebStreamsInfo, { streams })
})

/**
 * A connection on a pair of streams. The scope owns both.
 *
 * @category constructors
 */
export const connection = (
  streams: WebStreamPair,
  options: Options & Pick<Transport.ConnectOptions, "closeWithin"> = {}
): Effect.Effect<Connection<Uint8Array, Uint8Array, WebStreamsInfo>, ConnectError, Scope.Scope> =>
  Effect.mapError(
    connectionOf(kindOf(options), streams, options),
    (reason) => new ConnectError({ layer: layerName, reason })
  )

/**
 * A transport on a source of pairs of streams; it connects and listens as far as the source does.
 *
 * @category layers
 */
export const layer = <const S extends Source<WebStreamPair>>(
  source: S,
  options: Options = {}
): Layer.Layer<Transport.ByteTransport<Roles<S> | WebStreamsInfo>, never, Needs<S>> =>
  Transport.layer(
    Transport.Bytes,
    transportOf<WebStreamPair, Uint8Array, WebStreamsInfo, Needs<S>>(kindOf(options), source)
  )
