/**
 * Effect's Cluster over a stack: its runners call each other through whatever connects, such as TLS with certificates at both ends.
 *
 *     ClusterSocket.layer(Transport.Bytes)().pipe(
 *       Layer.provide(Tcp.layer().pipe(Tls.over({ client: { trust, identity }, server: { identity, clients } })))
 *     )
 *
 * It is what `NodeClusterSocket` is for plain TCP, and takes its place.
 *
 * The contract:
 *
 * - Every runner needs both roles, `Connect` and `Listen`. A client of the cluster, which runs no entities, only connects.
 * - A runner is reached at the endpoint that `endpointOf` makes of its address, and listens at that of `runnerListenAddress`, or else
 *   `runnerAddress`, of the `ShardingConfig`. By default that is `tcp://`, which takes what layers there are; with `tls://` a stack
 *   without TLS is refused.
 * - A runner that can't be connected to within `openTimeout` is not there: what is sent to it fails as `RunnerUnavailable`, and the
 *   cluster tries again.
 * - Who may join is up to the stack. Effect's Cluster asks nobody who they are, so on a network that others share it takes certificates
 *   at both ends.
 */

import { type Input, tcp } from "@wirestack/protocol/Endpoint"
import type { RunOptions } from "@wirestack/protocol/Listener"
import type { ListenError } from "@wirestack/protocol/ListenError"
import type * as Transport from "@wirestack/protocol/Transport"
import type { MessageStorage } from "effect/cluster/MessageStorage"
import type { RunnerAddress } from "effect/cluster/RunnerAddress"
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import * as Runners from "effect/cluster/Runners"
import type { RunnerStorage } from "effect/cluster/RunnerStorage"
import type { Sharding } from "effect/cluster/Sharding"
import { ShardingConfig } from "effect/cluster/ShardingConfig"
import * as SocketRunner from "effect/cluster/SocketRunner"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as RpcClient from "effect/rpc/RpcClient"
import { RpcSerialization } from "effect/rpc/RpcSerialization"
import * as Socket from "effect/socket/Socket"
import type { SocketServer } from "effect/socket/SocketServer"
import * as ProvidedSocket from "./ProvidedSocket.ts"

/** Where runners are. */
export interface Addressing {
  /** The endpoint of a runner; `tcp://host:port` by default. */
  readonly endpointOf?: (address: RunnerAddress) => Input
}

/** How a runner is connected to. */
export interface ClientOptions extends Addressing, Transport.ConnectOptions {
  /** How long connecting may take, all handshakes included; 1 second by default. */
  readonly openTimeout?: Duration.Input
}

/** How a runner listens. */
export interface ServerOptions extends Addressing, Transport.ListenOptions, RunOptions {}

/** Both. */
export interface Options extends ClientOptions, ServerOptions {}

const plain = ({ host, port }: RunnerAddress): Input => tcp(host, port)

const openTimedOut = new Socket.SocketError({
  reason: new Socket.SocketOpenError({
    kind: "Timeout",
    cause: new Error("the runner could not be connected to in time")
  })
})

const within = (socket: Socket.Socket, duration: Duration.Input): Socket.Socket =>
  Socket.make({
    ...socket,
    reader: Effect.timeoutOrElse(socket.reader, { duration, orElse: () => Effect.fail(openTimedOut) })
  })

/**
 * How runners are called.
 *
 * @category layers
 */
export const layerClientProtocol = <S extends ProvidedSocket.Carrier, M>(shape: Transport.Shape<S, M, M>) =>
(
  { endpointOf = plain, openTimeout = "1 second", ...options }: ClientOptions = {}
): Layer.Layer<Runners.RpcClientProtocol, never, RpcSerialization | Transport.At<S, Transport.Connect>> =>
  Layer.effect(
    Runners.RpcClientProtocol,
    Effect.gen(function*() {
      const serialization = yield* RpcSerialization
      const stack = yield* Effect.context<Transport.At<S, Transport.Connect>>()
      return {
        codecFor: serialization.codecFor,
        make: (address) =>
          Effect.gen(function*() {
            const socket = yield* ProvidedSocket.client(shape)(endpointOf(address), options)
            return yield* RpcClient.makeProtocolSocket().pipe(
              Effect.provideService(Socket.Socket, within(socket, openTimeout)),
              Effect.provideService(RpcSerialization, serialization)
            )
          }).pipe(Effect.provideContext(stack))
      }
    })
  )

/**
 * Where a runner is called.
 *
 * @category layers
 */
export const layerSocketServer = <S extends ProvidedSocket.Carrier, M>(shape: Transport.Shape<S, M, M>) =>
(
  { endpointOf = plain, ...options }: ServerOptions = {}
): Layer.Layer<SocketServer, ListenError, ShardingConfig | Transport.At<S, Transport.Listen>> =>
  Layer.unwrap(Effect.map(ShardingConfig, ({ runnerAddress, runnerListenAddress }) => {
    const address = Option.getOrUndefined(Option.orElse(runnerListenAddress, () => runnerAddress))
    return address === undefined
      ? Layer.effectDiscard(Effect.die(new Error("ShardingConfig: a runner needs an address"))) as Layer.Layer<any>
      : ProvidedSocket.layerServer(shape)(endpointOf(address), options)
  }))

type Stores = ShardingConfig | RpcSerialization | MessageStorage | RunnerStorage

/**
 * A runner of the cluster, which finds out by a ping whether the others are alive.
 *
 * @category layers
 */
export const layer = <S extends ProvidedSocket.Carrier, M>(shape: Transport.Shape<S, M, M>) =>
(
  options?: Options
): Layer.Layer<
  Sharding | Runners.Runners,
  ListenError,
  Stores | Transport.At<S, Transport.Connect | Transport.Listen>
> =>
  SocketRunner.layer.pipe(
    Layer.provide(RunnerHealth.layerPing.pipe(Layer.provide(Runners.layerRpc))),
    Layer.provide([layerClientProtocol(shape)(options), layerSocketServer(shape)(options)])
  )

/**
 * A client of the cluster, which calls entities and runs none.
 *
 * @category layers
 */
export const layerClientOnly = <S extends ProvidedSocket.Carrier, M>(shape: Transport.Shape<S, M, M>) =>
(
  options?: ClientOptions
): Layer.Layer<Sharding | Runners.Runners, never, Stores | Transport.At<S, Transport.Connect>> =>
  SocketRunner.layerClientOnly.pipe(Layer.provide(layerClientProtocol(shape)(options)))
