/**
 * Message ports as transports of bytes (`layer`) or of messages (`layerMessages`): between threads, frames, and whatever else has
 * `postMessage`. It works with the workers of browsers and of Node.
 *
 *     MessagePort.layer({ connect: MessagePort.dial(worker) })       // here
 *     MessagePort.layer({ listen: MessagePort.answer(parentPort) })  // in the worker
 *
 * A port carries one connection. Through one that both sides know, `dial` introduces as many as are wanted, each by a channel of its
 * own; `answer` accepts those of the name it listens on.
 *
 * The contract:
 *
 * - **Flow.** A port has no flow control, so what is sent costs credit. A peer sends 256 KiB ahead at most, with 16 bytes for each
 *   message, and one message beyond; one that sends more is cut.
 * - **Ends.** Half-close and abort are said, and both ends close the port when both have ended. That the other thread is gone is
 *   noticed where the platform tells it, as Node does; in browsers that is new, so have a heartbeat there.
 * - **Ownership.** What is sent is copied once. With `transfer` it is not, where it is all of its buffer: then it is gone from here with
 *   the `send`, and to send it again is `Unencodable`.
 */
import { ConnectError, type ConnectReason, fromConnectionError, Refused } from "@wirestack/protocol/ConnectError"
import type { Connection } from "@wirestack/protocol/Connection"
import { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { type Endpoint, format } from "@wirestack/protocol/Endpoint"
import { NotListening } from "@wirestack/protocol/ListenError"
import { TimedOut } from "@wirestack/protocol/Reason"
import * as Transport from "@wirestack/protocol/Transport"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { listenTo } from "./internal/listenTo.ts"
import type { Shape } from "./internal/PortFrame.ts"
import { PortWire } from "./internal/PortWire.ts"
import { connectionOf, type Kind, transportOf } from "./internal/transportOf.ts"
import { MessagePortInfo } from "./MessagePortInfo.ts"
import type { Accept, Needs, Roles, Source } from "./Source.ts"

declare const MessageChannel: new() => { readonly port1: PortLike; readonly port2: PortLike }

/** What is needed of a port: a `MessagePort`, a `Worker`, the scope of one, or Node's own of these. */
export interface PortLike {
  postMessage(message: any, transfer?: any): void
  addEventListener?(type: any, listener: any): void
  removeEventListener?(type: any, listener: any): void
  on?(type: any, listener: any): unknown
  off?(type: any, listener: any): unknown
  start?(): void
  close?(): void
}

/** How ports are used. */
export interface Options {
  /** Whether what is sent is transferred where it is all of its buffer, so that it is gone from here; false by default. */
  readonly transfer?: boolean
  /** The largest message, in bytes or UTF-16 units; 16 MiB by default. Bytes have no boundaries, and no such limit. */
  readonly maxMessageSize?: number
}

/** How ports are used that connect. */
export interface ConnectingOptions extends Options {
  /** How long the other side may take to greet; 10 seconds by default. */
  readonly connectWithin?: Duration.Input
}

interface Opened<M extends Transport.Message> {
  readonly port: PortLike
  readonly wire: PortWire<M>
}

const layerName = "message port"

const open = <M extends Transport.Message>(port: PortLike, shape: Shape, options: Options): Opened<M> => ({
  port,
  wire: new PortWire<M>(layerName, port, shape, { transfer: false, maxMessageSize: 16_777_216, ...options })
})

const kindOf = <M extends Transport.Message>(): Kind<Opened<M>, M, MessagePortInfo> => ({
  layer: layerName,
  wire: ({ wire }) => Result.succeed(wire),
  details: ({ port }) => Context.make(MessagePortInfo, { port })
})

/** Waits until the other side has greeted. */
const greeted = <M extends Transport.Message>(
  opened: Opened<M>,
  within: Duration.Input,
  address: string
): Effect.Effect<Opened<M>, ConnectReason> =>
  Effect.callback<Opened<M>, ConnectReason>((resume) => {
    opened.wire.whenGreeted((reason) => {
      if (reason === undefined) return resume(Effect.succeed(opened))
      const error = new ConnectionError({ layer: layerName, reason })
      resume(
        Effect.fail(
          reason._tag === "Reset" ? new Refused({ address, cause: error }) : fromConnectionError(error).reason
        )
      )
    })
  }).pipe(
    Effect.timeoutOrElse({
      duration: within,
      orElse: () => Effect.fail(new TimedOut({ phase: `greeting of ${address}`, after: Duration.toMillis(within) }))
    }),
    Effect.onExit((exit) => Effect.sync(() => exit._tag === "Failure" && opened.wire.abort()))
  )

const sourceOf = <M extends Transport.Message>(
  { connect, listen }: Source<PortLike>,
  shape: Shape,
  { connectWithin = "10 seconds", ...options }: ConnectingOptions
): Source<Opened<M>> => ({
  ...(connect === undefined ? undefined : {
    connect: (endpoint: Endpoint) =>
      Effect.flatMap(
        connect(endpoint),
        (port) => greeted(open<M>(port, shape, options), connectWithin, format(endpoint))
      )
  }),
  ...(listen === undefined ? undefined : {
    listen: (endpoint: Endpoint, accept: Accept<Opened<M>>, lost) =>
      listen(endpoint, (port, peer) => accept(open<M>(port, shape, options), peer), lost)
  })
})

const connecting = <M extends Transport.Message>(shape: Shape) =>
(
  port: PortLike,
  options: Options & Pick<Transport.ConnectOptions, "closeWithin"> = {}
): Effect.Effect<Connection<M, M, MessagePortInfo>, ConnectError, Scope.Scope> =>
  Effect.mapError(
    Effect.suspend(() => connectionOf(kindOf<M>(), open<M>(port, shape, options), options)),
    (reason) => new ConnectError({ layer: layerName, reason })
  )

/**
 * A connection of bytes on a port, which the other side makes on its own. The scope owns it.
 *
 * @category constructors
 */
export const connection = connecting<Uint8Array>("bytes")

/**
 * A connection of messages on a port, which the other side makes on its own. The scope owns it.
 *
 * @category constructors
 */
export const connectionMessages = connecting<Transport.Message>("messages")

/**
 * A transport of bytes on a source of ports; it connects and listens as far as the source does.
 *
 * @category layers
 */
export const layer = <const S extends Source<PortLike>>(
  source: S,
  options: ConnectingOptions = {}
): Layer.Layer<Transport.ByteTransport<Roles<S> | MessagePortInfo>, never, Needs<S>> =>
  Transport.layer(
    Transport.Bytes,
    transportOf<Opened<Uint8Array>, Uint8Array, MessagePortInfo, Needs<S>>(kindOf(), sourceOf(source, "bytes", options))
  )

/**
 * The same, of messages: text stays text, and boundaries stay where they are.
 *
 * @category layers
 */
export const layerMessages = <const S extends Source<PortLike>>(
  source: S,
  options: ConnectingOptions = {}
): Layer.Layer<Transport.MessageTransport<Roles<S> | MessagePortInfo>, never, Needs<S>> =>
  Transport.layer(
    Transport.Messages,
    transportOf<Opened<Transport.Message>, Transport.Message, MessagePortInfo, Needs<S>>(
      kindOf(),
      sourceOf(source, "messages", options)
    )
  )

/** What introduces a connection, with the name of whom it is for, and its port. */
const introduction = "wirestack/connect"

/** Connects through a port that both sides know, by a channel that is made for it. */
export const dial = (through: PortLike) => (endpoint: Endpoint): Effect.Effect<PortLike> =>
  Effect.sync(() => {
    const { port1, port2 } = new MessageChannel()
    through.postMessage([introduction, format(endpoint), port2], [port2])
    return port1
  })

const isPort = (u: unknown): u is PortLike => typeof (u as PortLike | undefined)?.postMessage === "function"

/** Accepts those that the other side dials by the name of the endpoint. What else comes through the port is left alone. */
export const answer = (through: PortLike) =>
(
  endpoint: Endpoint,
  accept: Accept<PortLike>,
  lost: (reason: NotListening) => void
): Effect.Effect<void, never, Scope.Scope> => {
  const address = format(endpoint)
  const listen = () =>
    listenTo(through, {
      message: (data) => {
        if (!Array.isArray(data)) return
        const [kind, name, port] = data as ReadonlyArray<unknown>
        if (kind === introduction && name === address && isPort(port)) accept(port)
      },
      messageerror: () => {},
      close: () => lost(new NotListening({ address }))
    })
  return Effect.asVoid(Effect.acquireRelease(Effect.sync(listen), (stop) => Effect.sync(stop)))
}
