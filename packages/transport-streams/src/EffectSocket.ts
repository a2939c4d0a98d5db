/**
 * The `Socket` and `SocketServer` of Effect as a transport of bytes.
 *
 *     EffectSocket.layer({
 *       connect: ({ place }) => NodeSocket.makeNet(place),
 *       listen: ({ place }) => NodeSocketServer.make(place)
 *     })
 *
 * The other way round, a stack as a `Socket`, is `ProvidedSocket`.
 *
 * The contract, and what such sockets do not have:
 *
 * - A write is a fiber, and so is a batch that is read; it is no hot path. Its backpressure is that of the socket: on TCP a write waits,
 *   while a WebSocket takes all it is given, so that with one of these nothing bounds what its peer has yet to read.
 * - A close of code 1000 is the end of the input, any other one a `Reset`, as is an error.
 * - Half-close is what the release of a socket's writer does. A socket for which that does nothing, as a WebSocket, is used with
 *   `halfClose: false`: then `end` is `Unsupported`, and closing is a `CloseEvent`.
 * - There is no reset: the peer of an abort sees what the socket makes of a `CloseEvent`, which on TCP is an ordinary end.
 */
import { ConnectError, type ConnectReason, Refused } from "@wirestack/protocol/ConnectError"
import type { Connection } from "@wirestack/protocol/Connection"
import { type Endpoint, format, make, tcp, unix } from "@wirestack/protocol/Endpoint"
import { AddressInUse, type ListenReason } from "@wirestack/protocol/ListenError"
import { Other } from "@wirestack/protocol/Reason"
import * as Transport from "@wirestack/protocol/Transport"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import { EffectSocketInfo } from "./EffectSocketInfo.ts"
import { EffectSocketWire, type Opened } from "./internal/EffectSocketWire.ts"
import { connectionOf, type Kind, transportOf } from "./internal/transportOf.ts"
import type { Accept, Needs, Roles, Source } from "./Source.ts"

/** Where sockets come from: what `Source` says holds here too. */
export interface Sockets {
  /** Makes a socket; it connects when its reader is acquired. */
  readonly connect?: (endpoint: Endpoint) => Effect.Effect<Socket.Socket, ConnectReason | Socket.SocketError, any>
  /** Makes a server; it is run by the transport. */
  readonly listen?: (
    endpoint: Endpoint
  ) => Effect.Effect<SocketServer.SocketServer["Service"], ListenReason | SocketServer.SocketServerError, any>
}

/** How sockets are used. */
export interface Options {
  /** Whether the release of a socket's writer ends its output, as on TCP; true by default. */
  readonly halfClose?: boolean
}

const layerName = "effect socket"

const kind: Kind<Opened, Uint8Array, EffectSocketInfo> = {
  layer: layerName,
  wire: (opened) => Result.succeed(new EffectSocketWire(layerName, opened)),
  details: ({ socket }) => Context.make(EffectSocketInfo, { socket })
}

const codeOf = (cause: unknown): unknown => (cause as { readonly code?: unknown } | undefined)?.code

const connectReason = (reason: ConnectReason | Socket.SocketError, endpoint: Endpoint | undefined): ConnectReason => {
  if (!Socket.isSocketError(reason)) return reason
  return endpoint !== undefined && reason.reason._tag === "SocketOpenError" &&
      codeOf(reason.reason.cause) === "ECONNREFUSED"
    ? new Refused({ address: format(endpoint), cause: reason })
    : new Other({ cause: reason })
}

const listenReason = (reason: ListenReason | SocketServer.SocketServerError, endpoint: Endpoint): ListenReason => {
  if (!(reason instanceof SocketServer.SocketServerError)) return reason
  return codeOf(reason.reason.cause) === "EADDRINUSE"
    ? new AddressInUse({ address: format(endpoint), cause: reason })
    : new Other({ cause: reason })
}

/** Where a server listens, as an endpoint. */
const endpointOf = (address: NetAddress.SocketAddress): Endpoint =>
  NetAddress.isUnixPathAddress(address)
    ? unix(address.path)
    : Result.getOrElse(make(NetAddress.formatInet(address)), () => tcp(NetAddress.formatHost(address), address.port))

/** Connects a socket, in a scope of its own within the given one. */
const open = (
  socket: Socket.Socket,
  { halfClose = true }: Options
): Effect.Effect<Opened, Socket.SocketError, Scope.Scope> =>
  Effect.gen(function*() {
    const context = yield* Effect.context<Scope.Scope>()
    const reading = yield* Scope.fork(Context.get(context, Scope.Scope), "sequential")
    return yield* Effect.gen(function*() {
      const pull = yield* Scope.provide(Socket.readerBytes(socket), reading)
      const writing = yield* Scope.fork(reading, "sequential")
      const writer = yield* Scope.provide(socket.writer, writing)
      return { socket, pull, writer, halfClose, writing, reading, context: context as Context.Context<never> }
    }).pipe(Effect.onError(() => Scope.close(reading, Exit.void)))
  })

/** Hands over the sockets of a server, each until its connection is over. */
const handOver = (
  server: SocketServer.SocketServer["Service"],
  options: Options,
  accept: Accept<Opened>
): Effect.Effect<never, SocketServer.SocketServerError> =>
  server.run((socket) =>
    Effect.scoped(Effect.gen(function*() {
      const opened = yield* open(socket, options)
      const over = Deferred.makeUnsafe<void>()
      yield* Scope.addFinalizer(opened.reading, Deferred.succeed(over, undefined))
      accept(opened)
      yield* Deferred.await(over)
    }))
  )

const sourceOf = ({ connect, listen }: Sockets, options: Options): Source<Opened> => ({
  ...(connect === undefined ? undefined : {
    connect: (endpoint: Endpoint) =>
      Effect.mapError(
        Effect.flatMap(connect(endpoint), (socket) => open(socket, options)),
        (reason) => connectReason(reason, endpoint)
      )
  }),
  ...(listen === undefined ? undefined : {
    listen: (endpoint: Endpoint, accept: Accept<Opened>, lost: (reason: ListenReason) => void) =>
      Effect.gen(function*() {
        const server = yield* listen(endpoint)
        yield* Effect.forkScoped(
          Effect.catch(
            handOver(server, options, accept),
            (error) => Effect.sync(() => lost(listenReason(error, endpoint)))
          )
        )
        return endpointOf(server.address)
      }).pipe(Effect.mapError((reason) => listenReason(reason, endpoint)))
  })
})

/**
 * Connects a socket. The scope owns the connection.
 *
 * @category constructors
 */
export const connection = (
  socket: Socket.Socket,
  options: Options & Pick<Transport.ConnectOptions, "closeWithin"> = {}
): Effect.Effect<Connection<Uint8Array, Uint8Array, EffectSocketInfo>, ConnectError, Scope.Scope> =>
  Transport.atomically(
    Effect.flatMap(
      Effect.mapError(open(socket, options), (error) => connectReason(error, undefined)),
      (opened) => connectionOf(kind, opened, options)
    )
  ).pipe(Effect.mapError((reason) => new ConnectError({ layer: layerName, reason })))

/**
 * A transport on Effect's sockets; it connects and listens as far as they are given.
 *
 * @category layers
 */
export const layer = <const S extends Sockets>(
  sockets: S,
  options: Options = {}
): Layer.Layer<Transport.ByteTransport<Roles<S> | EffectSocketInfo>, never, Needs<S>> =>
  Transport.layer(
    Transport.Bytes,
    transportOf<Opened, Uint8Array, EffectSocketInfo, Needs<S>>(kind, sourceOf(sockets, options))
  )
