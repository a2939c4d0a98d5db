/** Stacks as sockets of Effect, each under a name: what a test exchanges is one Layer. */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { NodeZlib } from "@wirestack/node"
import { type Endpoint, MemoryTransport, Transport } from "@wirestack/protocol"
import { ProvidedSocket } from "@wirestack/transport-streams"
import { Tcp, Unix } from "@wirestack/transport-tcp"
import { Tls } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { PerMessageDeflate, WebSocket } from "@wirestack/websocket"
import { Effect, Layer, Redacted, type Scope } from "effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Socket from "effect/socket/Socket"
import type { SocketServer } from "effect/socket/SocketServer"
import { unixEndpoint } from "../support/stacks.ts"

/** Both ends of a stack. */
export interface Ends {
  readonly server: Layer.Layer<SocketServer>
  readonly client: (address: NetAddress.SocketAddress) => Layer.Layer<Socket.Socket>
}

export interface Stack {
  readonly name: string
  readonly ends: Effect.Effect<Ends, never, Scope.Scope>
}

/** The addresses of what is neither IP nor Unix are no URL. */
const format = (address: NetAddress.SocketAddress, scheme: string): string =>
  NetAddress.isInetAddress(address)
    ? `${scheme}${NetAddress.formatInet(address)}`
    : address.path.startsWith("/")
    ? `unix:${address.path}`
    : address.path

const stack = <S extends ProvidedSocket.Carrier, M>(
  name: string,
  shape: Transport.Shape<S, M, M>,
  layer: () => Layer.Layer<Transport.At<S, Transport.Connect | Transport.Listen>, unknown>,
  scheme = "",
  endpoint: () => Endpoint.Input = () => `${scheme}127.0.0.1:0`
): Stack => ({
  name,
  ends: Effect.map(Layer.build(Layer.orDie(layer())), (context) => {
    const here = Layer.succeedContext(context)
    const drain = { within: "200 millis" } as const
    return {
      server: Layer.orDie(ProvidedSocket.layerServer(shape)(endpoint(), { drain })).pipe(Layer.provide(here)),
      client: (address) => ProvidedSocket.layer(shape)(format(address, scheme)).pipe(Layer.provide(here))
    }
  })
})

const { ca, issue } = await Effect.runPromise(DevelopmentCertificates.make())
const identity = await Effect.runPromise(issue())

/** TLS with certificates at both ends. */
const mutual = () =>
  Tls.over({
    client: { trust: { ca }, identity },
    server: { identity, clientCertificates: { mode: "required", ca } }
  })(Tcp.layer())

const extensions = [PerMessageDeflate.make({ threshold: 64 })]

const deflated = () =>
  WebSocket.over({ client: { extensions }, server: { extensions } })(Tcp.layer()).pipe(Layer.provide(NodeZlib.layer))

const inMemory = () => "memory:here"

const tcp = stack("TCP", Transport.Bytes, () => Tcp.layer(), "tcp://")
const tls = stack("TLS", Transport.Bytes, mutual, "tls://")
const webSocket = stack("WebSocket", Transport.Messages, () => WebSocket.over()(Tcp.layer()), "ws://")

export const stacks: ReadonlyArray<Stack> = [
  stack("memory", Transport.Bytes, () => MemoryTransport.layer(), "", inMemory),
  tcp,
  stack("Unix", Transport.Bytes, () => Unix.layer(), "", unixEndpoint),
  tls,
  stack("WebSocket over memory", Transport.Messages, () => WebSocket.over()(MemoryTransport.layer()), "", inMemory),
  webSocket,
  stack("WebSocket with deflate", Transport.Messages, deflated, "ws://"),
  stack("WebSocket over TLS", Transport.Messages, () => WebSocket.over()(mutual()), "wss://")
]

/** The sockets of Effect itself. */
interface Theirs {
  readonly ends: Effect.Effect<Ends>
}

const portOf = (address: NetAddress.SocketAddress): number => NetAddress.isInetAddress(address) ? address.port : 0

const here = { host: "127.0.0.1", port: 0 }

const credentials = { key: Redacted.value(identity.key), cert: identity.certificate, ca }

const theirs = (
  server: Layer.Layer<SocketServer, unknown>,
  client: (port: number) => Layer.Layer<Socket.Socket, unknown>
): Theirs => ({
  ends: Effect.succeed({ server: Layer.orDie(server), client: (address) => Layer.orDie(client(portOf(address))) })
})

/** Ours, and Effect's own of the same protocol. */
export const pairs: ReadonlyArray<{ readonly ours: Stack; readonly theirs: Theirs }> = [
  {
    ours: tcp,
    theirs: theirs(NodeSocketServer.layer(here), (port) => NodeSocket.layerNet({ ...here, port }))
  },
  {
    ours: tls,
    theirs: theirs(
      NodeSocketServer.layerTls({ ...here, ...credentials, requestCert: true }),
      (port) => NodeSocket.layerTls({ ...here, ...credentials, port })
    )
  },
  {
    ours: webSocket,
    theirs: theirs(
      NodeSocketServer.layerWebSocket(here),
      (port) =>
        Socket.layerWebSocket(`ws://127.0.0.1:${port}/`).pipe(Layer.provide(NodeSocket.layerWebSocketConstructor))
    )
  }
]

/** The server of the one, and the client of the other. */
export const mixed = (server: Stack | Theirs, client: Stack | Theirs): Stack["ends"] =>
  Effect.map(
    Effect.all([server.ends, client.ends]),
    ([{ server }, { client }]) => ({ server, client })
  )
