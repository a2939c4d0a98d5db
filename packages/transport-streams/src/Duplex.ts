/**
 * Any duplex stream of Node as a transport of bytes: an SSH channel, a serial port, a stream of HTTP/2, or two one-way streams as
 * one (`join`).
 *
 *     Duplex.layer({
 *       connect: ({ place }) => forward(place), // an Effect that opens a channel
 *       listen: (_, accept) => Effect.sync(() => server.on("channel", (channel) => void accept(channel)))
 *     })
 *
 * A stream is known by its shape only, so this loads anywhere. What holds of its reads, writes and ends is in `SocketWire` of
 * `@wirestack/protocol`; beyond that:
 *
 * - A stream in object mode, one that decodes text, and one that is over is `StreamUnusable`.
 * - A stream that would end its output with its input (`allowHalfOpen: false`) is told not to.
 * - An error of the stream is a `Reset`, or what `reasonOf` makes of it, and so is a `close` before the end of its input, or by which
 *   something is lost that was written. Any other `close` is the goodbye of the other side, and the connection is over.
 * - An abort is `destroy`. What the peer sees of it is up to the stream.
 */
import { ConnectError, type ConnectReason } from "@wirestack/protocol/ConnectError"
import type { Connection } from "@wirestack/protocol/Connection"
import type { ConnectionReason } from "@wirestack/protocol/ConnectionError"
import * as Transport from "@wirestack/protocol/Transport"
import { type SocketLike, SocketWire } from "@wirestack/protocol/wire/SocketWire"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { DuplexInfo } from "./DuplexInfo.ts"
import { type Closes, Joined, type ReadableLike, type WritableLike } from "./internal/Joined.ts"
import { connectionOf, type Kind, transportOf } from "./internal/transportOf.ts"
import type { Needs, Roles, Source } from "./Source.ts"
import { StreamUnusable } from "./StreamUnusable.ts"

export type {
  /** What says that two joined streams are over. */
  Closes,
  /** What is needed of a stream that is read. */
  ReadableLike,
  /** What is needed of a stream that is written. */
  WritableLike
}

/** What is needed of a stream, and what is asked of it if it can tell. */
export interface DuplexLike extends SocketLike {
  readonly destroyed?: boolean
  readonly readableEnded?: boolean
  readonly writableEnded?: boolean
  readonly readableObjectMode?: boolean
  readonly writableObjectMode?: boolean
  readonly readableEncoding?: unknown
  allowHalfOpen?: boolean
}

/** How streams are used. */
export interface Options<A = DuplexLike, D = never> {
  /** What an error of the stream means; a `Reset` by default. */
  readonly reasonOf?: (cause: unknown) => ConnectionReason
  /** What an abort does to the stream; `destroy` by default. */
  readonly cut?: (duplex: A) => void
  /** What the connection tells of the stream, beside `DuplexInfo`. */
  readonly details?: (duplex: A) => Context.Context<D>
  /** The name of the layer, for errors and reports; `duplex` by default. */
  readonly layer?: string
}

const nameOf = ({ layer = "duplex" }: { readonly layer?: string }): string => layer

const flaws: ReadonlyArray<readonly [flaw: keyof DuplexLike, detail: string]> = [
  ["destroyed", "it is closed"],
  ["readableEnded", "its input has ended"],
  ["writableEnded", "its output has ended"],
  ["readableObjectMode", "it gives objects, not bytes"],
  ["writableObjectMode", "it takes objects, not bytes"],
  ["readableEncoding", "it gives text, not bytes"]
]

const wireOf = <A extends DuplexLike>(
  duplex: A,
  { cut, reasonOf, ...options }: Omit<Options<A>, "details">
): Result.Result<SocketWire, ConnectReason> => {
  for (const [flaw, detail] of flaws) {
    if (duplex[flaw]) return Result.fail(new StreamUnusable({ detail }))
  }
  if (duplex.allowHalfOpen === false) duplex.allowHalfOpen = true
  return Result.succeed(
    new SocketWire(duplex, {
      layer: nameOf(options),
      closeIsGoodbye: true,
      ...(cut === undefined ? undefined : { cut: () => cut(duplex) }),
      ...(reasonOf === undefined ? undefined : { reasonOf })
    })
  )
}

const kindOf = <A extends DuplexLike, D>(options: Options<A, D>): Kind<A, Uint8Array, DuplexInfo | D> => ({
  layer: nameOf(options),
  wire: (duplex) => wireOf(duplex, options),
  details: (duplex) => {
    const own = options.details?.(duplex) ?? Context.empty() as Context.Context<D>
    return Context.add(own, DuplexInfo, { duplex })
  }
})

/**
 * A duplex of two one-way streams. It is over when both have ended, and where one of them is cut short, so is the other.
 *
 * With `closes` somebody else says when it is over, such as a process with its exit: then each half goes on when the other has failed,
 * and the first error counts at the end.
 *
 * @category constructors
 */
export const join = (readable: ReadableLike, writable: WritableLike, closes?: Closes): DuplexLike =>
  new Joined(readable, writable, closes)

/**
 * A connection on a stream. The scope owns both.
 *
 * @category constructors
 */
export const connection = <A extends DuplexLike, D = never>(
  duplex: A,
  options: Options<A, D> & Pick<Transport.ConnectOptions, "closeWithin"> = {}
): Effect.Effect<Connection<Uint8Array, Uint8Array, DuplexInfo | D>, ConnectError, Scope.Scope> =>
  Effect.mapError(
    connectionOf(kindOf(options), duplex, options),
    (reason) => new ConnectError({ layer: nameOf(options), reason })
  )

/**
 * A transport on a source of streams; it connects and listens as far as the source does.
 *
 * @category layers
 */
export const layer = <A extends DuplexLike, const S extends Source<A>, D = never>(
  source: S & Source<A>,
  options: Options<A, D> = {}
): Layer.Layer<Transport.ByteTransport<Roles<S> | DuplexInfo | D>, never, Needs<S>> =>
  Transport.layer(
    Transport.Bytes,
    transportOf<A, Uint8Array, DuplexInfo | D, Needs<S>>(kindOf(options), source)
  )
