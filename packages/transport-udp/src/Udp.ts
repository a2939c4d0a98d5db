/**
 * UDP (RFC 768): a transport of datagrams to `host:port`.
 *
 *     Ip.layer.pipe(Udp.over())     or     Udp.layer()
 *
 * The contract, beyond the one of `Connection`:
 *
 * - **A datagram** arrives as it was sent, in any order, more than once, or not at all. One over `maximumDatagramSize` is refused with
 *   `TooLarge`, and the connection goes on.
 * - **Connecting** says nothing to the peer, so it succeeds where nobody listens. If the network answers a datagram with a refusal, the
 *   connection fails with `Refused` or `Unreachable`.
 * - **A listener** has one socket. A connection begins with the first datagram of a peer, and is told apart by the peer's address, which
 *   anybody can forge: send no more to a stranger than it has sent.
 * - **Closing** is not told to the peer, there is nothing to tell it with. A listener's connection ends once its peer has been silent for
 *   `idleTimeout`; what comes after that, or after we have closed, begins another one.
 * - **Bounds.** What is not pulled waits, up to what a connection reads ahead and `maxInboxSize` beyond it; then what is new is dropped, and
 *   counted in `UdpInfo.datagramsDropped` and as `undelivered` in the outcome. Connections are bounded by `maxConnections`.
 */

import { type Ask, lacking } from "@wirestack/protocol/Ask"
import { ConnectError, type ConnectReason, InvalidEndpoint, NoneReached } from "@wirestack/protocol/ConnectError"
import * as Connection from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import { firstReached } from "@wirestack/protocol/firstReached"
import * as Listener from "@wirestack/protocol/Listener"
import { ListenError } from "@wirestack/protocol/ListenError"
import * as Transport from "@wirestack/protocol/Transport"
import * as Ip from "@wirestack/transport-tcp/Ip"
import { connectReason, listenReason } from "@wirestack/transport-tcp/SystemReason"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import { FlowAcceptor } from "./internal/FlowAcceptor.ts"
import { addressOf, facts, infoOf } from "./internal/infoOf.ts"
import * as Socket from "./internal/socket.ts"
import { layerName, UdpWire } from "./internal/UdpWire.ts"
import type { UdpInfo } from "./UdpInfo.ts"

// It is part of the error types, so who imports this module is to know it.
export type * from "./UdpReason.ts"

/** What bounds a connection, and what the system is told of its socket. */
export interface CommonOptions {
  /**
   * The largest datagram to send, in bytes; 65,507 by default, what IPv4 can carry. More than the path carries in one piece (1,200 bytes
   * are safe) is cut on the way, and lost whole with any of its pieces.
   */
  readonly maximumDatagramSize?: number
  /** How many bytes of datagrams wait for who pulls, beyond the 64 KiB a connection reads ahead; 64 KiB by default. */
  readonly maxInboxSize?: number
  /** How many routers a datagram may pass (IP_TTL); the system's default by default. */
  readonly hopLimit?: number
  /** Whether datagrams may go to broadcast addresses; false by default. */
  readonly broadcast?: boolean
  /** The size of the system's own buffers, in bytes; the system's default by default. */
  readonly receiveBufferSize?: number
  readonly sendBufferSize?: number
  /** Whether several sockets, of several processes too, may share a port, between which the system distributes; false by default. */
  readonly reusePort?: boolean
  /** Whether a socket on `::` takes IPv6 only; false by default, so that it takes both. */
  readonly ipv6Only?: boolean
}

/** How UDP is used. */
export interface Options extends CommonOptions {
  /** The only family of addresses to use; both by default. */
  readonly family?: NetAddress.IpFamily
  /** The address to connect from, which also chooses the interface; by default the system does. */
  readonly localAddress?: string
  /** The port to connect from; by default the system chooses a free one. */
  readonly localPort?: number
  /**
   * After how much silence of its peer a listener's connection is over: `pull` ends, and the place is free. 30 seconds by default, and up
   * to a quarter more. What is sent to the peer does not count, so that nobody's forged address is sent to for ever.
   */
  readonly idleTimeout?: Duration.Input
}

/** What a UDP stack can do. */
export type Can = Transport.Connect | Transport.Listen | UdpInfo

const notUdp = (ask: Ask): InvalidEndpoint =>
  new InvalidEndpoint({ input: Endpoint.format(ask.endpoint), detail: "this transport connects to host:port only" })

const refused = (reason: ConnectReason): ConnectError => new ConnectError({ layer: layerName, reason })

/** The place of an ask that UDP can serve. */
const placeOf = (ask: Ask) => {
  const { place } = ask.endpoint
  const reason = lacking(ask) ?? (place._tag === "Tcp" ? undefined : notUdp(ask))
  return reason === undefined ? Effect.succeed(place as Endpoint.Tcp) : Effect.fail(reason)
}

/** A connected socket and its wire, or why this address will not do. */
const dial = (address: NetAddress.InetAddress, options: Options) => {
  const { localAddress, localPort = 0 } = options
  const label = NetAddress.formatInet(address)
  const from = {
    port: localPort,
    exclusive: true,
    ...(localAddress === undefined ? undefined : { address: localAddress })
  }
  const connect: Socket.Prepare = (socket, done) => socket.connect(address.port, NetAddress.formatHost(address), done)
  return Effect.mapBoth(Socket.ready(() => Socket.make(address, options), options, from, connect), {
    onFailure: ({ cause }) => refused(connectReason(cause, label, 0)),
    onSuccess: (socket) => {
      const wire = new UdpWire<Uint8Array>({
        address: label,
        send: (bytes, sent) => socket.send(bytes, sent),
        release: () => Socket.close(socket)
      }, options)
      const remote = socket.remoteAddress()
      socket.on("message", (bytes, from) => {
        // What strangers sent before the socket was connected is still there.
        if (from.port === remote.port && from.address === remote.address) wire.receive(bytes, bytes.length)
      })
      socket.on("error", (cause) => wire.fail(cause))
      return { wire, label, info: () => infoOf(addressOf(socket.address()), addressOf(remote), wire) }
    }
  })
}

const connectTo = (address: NetAddress.InetAddress, options: Options, ask: Ask) =>
  Effect.uninterruptible(Effect.flatMap(dial(address, options), ({ info, label, wire }) => {
    ask.reached?.(label)
    // The addresses of a closed socket are not to be had.
    const details = info()
    return Connection.make(wire, { facts, details: () => details, ask })
  }))

const connect = (ip: Ip.Ip["Service"], options: Options, ask: Ask) => {
  const resolved = Effect.flatMap(placeOf(ask), ({ host, port }) => ip.resolve(host, port, options.family))
  return Effect.flatMap(Effect.mapError(resolved, refused), (addresses) => {
    const candidates = addresses
      .map((address) => ({ address: NetAddress.formatInet(address), connect: connectTo(address, options, ask) }))
      .filter(({ address }) => ask.skip?.includes(address) !== true)
    return Arr.isArrayNonEmpty(candidates)
      ? firstReached(layerName, candidates)
      : Effect.fail(refused(new NoneReached({ attempts: [] })))
  })
}

/** How often it is looked for silent peers at most, in milliseconds. */
const shortest = 10

const listen = (ip: Ip.Ip["Service"], options: Options, ask: Ask) =>
  Effect.gen(function*() {
    const place = yield* placeOf(ask)
    const [address] = yield* ip.resolve(place.host, place.port, options.family)
    const idle = Duration.toMillis(options.idleTimeout ?? "30 seconds")
    const clock = yield* Clock.Clock
    const to = { port: place.port, address: NetAddress.formatHost(address) }
    const binding = Effect.mapError(
      Socket.ready(() => Socket.make(address, options), options, to),
      ({ cause }) => listenReason(cause, NetAddress.formatInet(address))
    )
    return yield* Effect.uninterruptible(Effect.flatMap(binding, (socket) => {
      const bound = { ...ask.endpoint, place: { ...place, port: socket.address().port } }
      const acceptor = new FlowAcceptor(socket, bound, options, clock)
      const hushing = Effect.andThen(Effect.sleep(Math.max(idle / 4, shortest)), Effect.sync(() => acceptor.hush(idle)))
      return Effect.andThen(
        Effect.forkScoped(Effect.interruptible(Effect.forever(hushing))),
        Listener.make(acceptor, ask)
      )
    }))
  })

const make = (options: Options): Effect.Effect<Transport.Transport<Uint8Array, Uint8Array>, never, Ip.Ip> =>
  Effect.map(Ip.Ip, (ip) => ({
    connect: (ask) => connect(ip, options, ask),
    listen: (ask) =>
      Effect.mapError(listen(ip, options, ask), (reason) => new ListenError({ layer: layerName, reason }))
  }))

/**
 * Puts UDP on IP.
 *
 * @category layers
 */
export const over =
  (options: Options = {}) =>
  <E, R>(lower: Layer.Layer<Ip.Ip, E, R>): Layer.Layer<Transport.DatagramTransport<Can>, E, R> =>
    Layer.provide(
      Transport.layer<"datagrams", Uint8Array, Uint8Array, Uint8Array, Uint8Array, Can, never, Ip.Ip>(
        Transport.Datagrams,
        make(options)
      ),
      lower
    )

/**
 * UDP with the resolution of the operating system.
 *
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<Transport.DatagramTransport<Can>> => over(options)(Ip.layer)
