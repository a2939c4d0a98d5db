/**
 * A stack as Effect's `Socket` and `SocketServer`, so that whatever runs over these (Effect's RPC, Cluster, DevTools) runs over TLS,
 * a proxy, or a WebSocket of ours unchanged.
 *
 *     RpcClient.layerProtocolSocket().pipe(
 *       Layer.provide(ProvidedSocket.layer(Bytes)("tls://rpc.example:7000")),
 *       Layer.provide(Tcp.layer().pipe(Tls.client()))
 *     )
 *
 * The contract:
 *
 * - Each acquisition of the reader connects, and its scope owns the connection: closing it says every layer's goodbye.
 * - A write waits while there is no connection, and while that has no room. On a stack of bytes text is written as UTF-8. An accepted
 *   connection is there from the start, and comes back no more: a write after it has closed fails.
 * - The release of the writer is half-close, where the stack has it, behind the writes that wait by then; it waits for none of them. A `CloseEvent` closes the connection as done if its code is 1000,
 *   else as failed; which code the peer then sees is up to the layers.
 * - The end of the input is a `SocketCloseError` with the code that the peer has sent, else 1000; 1006 if it was not announced, or we
 *   have closed. What the connection fails with is the cause of a `SocketReadError` or `SocketWriteError`.
 * - TLS is a layer: `upgrade` fails.
 */

import { encode } from "@wirestack/protocol/bytes/Utf8"
import type { ConnectError } from "@wirestack/protocol/ConnectError"
import type { Connection } from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import { type Endpoint, formatPlace, type Input } from "@wirestack/protocol/Endpoint"
import type { RunOptions } from "@wirestack/protocol/Listener"
import type { ListenError } from "@wirestack/protocol/ListenError"
import type { Outcome } from "@wirestack/protocol/Outcome"
import * as Transport from "@wirestack/protocol/Transport"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"

/** The shapes that can carry a socket. */
export type Carrier = "bytes" | "messages"

/** A connection of either shape. */
type Live = Connection<Transport.Message, any>

/** A connection that is open, and how to close it. */
interface Session {
  readonly connection: Live
  readonly close: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
}

const encoderOf = (shape: { readonly key: unknown }): (chunk: Transport.Message) => Transport.Message =>
  shape.key === Transport.Bytes.key
    ? (chunk) => typeof chunk === "string" ? encode(chunk) : chunk
    : (chunk) => chunk

const closed = (code: number, closeReason?: string): Socket.SocketError =>
  new Socket.SocketError({ reason: new Socket.SocketCloseError({ code, closeReason }) })

const openError = (cause: ConnectError): Socket.SocketError =>
  new Socket.SocketError({
    reason: new Socket.SocketOpenError({ kind: cause.reason._tag === "TimedOut" ? "Timeout" : "Unknown", cause })
  })

const writeError = (cause: ConnectionError): Socket.SocketError =>
  new Socket.SocketError({ reason: new Socket.SocketWriteError({ cause }) })

/** No status was received (RFC 6455 section 7.1.5). */
const abnormal = 1006

const readError = (error: ConnectionError | Cause.Done<Outcome>): Socket.SocketError => {
  if (Cause.isDone(error)) {
    const { endOfInput, received } = error.value
    return received === undefined
      ? closed(endOfInput === "unannounced" ? abnormal : 1000)
      : closed(received.code, received.reason)
  }
  const { _tag } = error.reason
  return _tag === "Closing" || _tag === "Closed" || _tag === "Aborted"
    ? closed(abnormal)
    : new Socket.SocketError({ reason: new Socket.SocketReadError({ cause: error }) })
}

/** A socket that is connected by `open`, as often as its reader is acquired, or that of the one connection it has. */
const make = (
  open: Effect.Effect<Session, Socket.SocketError, Scope.Scope>,
  encode: (chunk: Transport.Message) => Transport.Message,
  only?: Session
): Socket.Socket => {
  let current = only
  const connected = Latch.makeUnsafe(only !== undefined)

  const reader: Socket.Socket["reader"] = Effect.gen(function*() {
    const session = yield* open
    yield* Effect.addFinalizer((exit) =>
      Effect.suspend(() => {
        if (current === session && session !== only) {
          current = undefined
          connected.closeUnsafe()
        }
        return session.close(exit)
      })
    )
    current = session
    connected.openUnsafe()
    return {
      pull: Effect.mapError(session.connection.pull, readError),
      upgrade: Socket.SocketUpgradeError.unsupported
    }
  })

  const whenConnected = (
    use: (session: Session) => Effect.Effect<void, ConnectionError>
  ): Effect.Effect<void, Socket.SocketError> =>
    Effect.suspend(() =>
      current === undefined
        ? connected.whenOpen(whenConnected(use))
        : Effect.mapError(use(current), writeError)
    )

  const writer: Socket.Writer = {
    write: (chunk) =>
      whenConnected(({ close, connection }) => {
        if (!Socket.isCloseEvent(chunk)) return connection.send(encode(chunk))
        return close(chunk.code === 1000 ? Exit.void : Exit.fail(chunk))
      }),
    writeAll: (chunks) => whenConnected(({ connection }) => connection.sendAll(Arr.map(chunks, encode)))
  }

  return Socket.make({
    reader,
    writer: Effect.acquireRelease(
      Effect.succeed(writer),
      () =>
        Effect.suspend(() =>
          current === undefined
            ? Effect.void
            : Effect.forkDetach(Effect.ignore(current.connection.end), { startImmediately: true })
        )
    )
  })
}

/** A connect in a scope that can be closed before the one around it. */
const connecting = <R>(
  connect: Effect.Effect<Live, ConnectError, R | Scope.Scope>
): Effect.Effect<Session, Socket.SocketError, R | Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Scope.fork(yield* Effect.scope, "sequential")
    const connection = yield* Effect.onError(
      Effect.mapError(Scope.provide(connect, scope), openError),
      (cause) => Scope.close(scope, Exit.failCause(cause))
    )
    return { connection, close: (exit) => Scope.close(scope, exit) }
  })

/**
 * A socket that connects to the endpoint, over the transport of a shape that the context provides.
 *
 * @category constructors
 */
export const client = <S extends Carrier, M>(shape: Transport.Shape<S, M, M>) =>
(
  endpoint: Input,
  options?: Transport.ConnectOptions
): Effect.Effect<Socket.Socket, never, Transport.At<S, Transport.Connect>> =>
  Effect.map(shape.key as Context.Key<any, any>, (transport) => {
    const connect = Transport.connect(Transport.Messages)(endpoint, options)
    const over = Effect.provideService(connect, Transport.Messages.key, transport)
    return make(connecting(over), encoderOf(shape))
  }) as Effect.Effect<Socket.Socket, never, any>

/** The socket of an accepted connection. */
const accepted = (
  connection: Live,
  shape: { readonly key: unknown }
): Effect.Effect<Socket.Socket, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    const close = (exit: Exit.Exit<unknown, unknown>) => Scope.close(scope as Scope.Closeable, exit)
    const session = { connection, close }
    return make(Effect.succeed(session), encoderOf(shape), session)
  })

/** Where a server listens, as Effect has it; what is neither IP nor a path stands there as a path. */
const addressOf = ({ place }: Endpoint): NetAddress.SocketAddress => {
  if (place._tag === "Unix") return NetAddress.unixPathAddress(place.path)
  const address = place._tag === "Tcp" ? NetAddress.inetAddressFromIpString(place.host, place.port) : undefined
  return address !== undefined && Result.isSuccess(address)
    ? address.success
    : NetAddress.unixPathAddress(formatPlace(place))
}

const lostServer = (cause: ListenError): SocketServer.SocketServerError =>
  new SocketServer.SocketServerError({ reason: new SocketServer.SocketServerUnknownError({ cause }) })

/**
 * A server that listens at the endpoint, over the transport of a shape that the context provides. The scope owns it. A handler that
 * fails ends its own connection, and is reported as of any listener.
 *
 * @category constructors
 */
export const server = <S extends Carrier, M>(shape: Transport.Shape<S, M, M>) =>
(
  endpoint: Input,
  options?: Transport.ListenOptions & RunOptions
): Effect.Effect<
  SocketServer.SocketServer["Service"],
  ListenError,
  Scope.Scope | Transport.At<S, Transport.Listen>
> =>
  Effect.map(
    Transport.listen(shape as any as typeof Transport.Messages)(endpoint, options),
    (listener) =>
      SocketServer.SocketServer.of({
        address: addressOf(listener.address),
        run: (handler) => {
          const running = listener.run(
            (connection) => Effect.asVoid(Effect.flatMap(accepted(connection, shape), handler)),
            options
          )
          return Effect.mapError(running, lostServer) as Effect.Effect<never, SocketServer.SocketServerError, any>
        }
      })
  ) as Effect.Effect<any, ListenError, any>

/**
 * `client` as the `Socket` of the context.
 *
 * @category layers
 */
export const layer = <S extends Carrier, M>(shape: Transport.Shape<S, M, M>) =>
(
  endpoint: Input,
  options?: Transport.ConnectOptions
): Layer.Layer<Socket.Socket, never, Transport.At<S, Transport.Connect>> =>
  Layer.effect(Socket.Socket, client(shape)(endpoint, options))

/**
 * `server` as the `SocketServer` of the context.
 *
 * @category layers
 */
export const layerServer = <S extends Carrier, M>(shape: Transport.Shape<S, M, M>) =>
(
  endpoint: Input,
  options?: Transport.ListenOptions & RunOptions
): Layer.Layer<SocketServer.SocketServer, ListenError, Transport.At<S, Transport.Listen>> =>
  Layer.effect(SocketServer.SocketServer, server(shape)(endpoint, options)) as Layer.Layer<any, ListenError, any>
