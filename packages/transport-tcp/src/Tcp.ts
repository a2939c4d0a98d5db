/**
 * TCP: a transport of bytes to `host:port`.
 *
 *     Ip.layer.pipe(Tcp.over({ noDelay: true }))     or     Tcp.layer({ noDelay: true })
 *
 * Connecting tries the addresses of the host as Happy Eyeballs has it (`HappyEyeballs`), all within one time. If
 * all fail alike, that is the reason (`Refused`, `Unreachable`, ...) with every address in it, else `NoneReached` lists
 * them. A listener binds to the first address of its host.
 *
 * The targets of a service (`srv:_chat._tcp.example.com`) are tried one after the other, each like a host and within a time of its
 * own, in the order `Ip` has them in.
 *
 * Closing is a FIN, and waits for the peer's. `abort` is a RST, so that the peer sees a `Reset` and not an ordinary end;
 * what either side had not read yet may be lost by it.
 */

import { type Ask, lacking } from "@wirestack/protocol/Ask"
import {
  type AddressFailed,
  ConnectError,
  type ConnectReason,
  Forbidden,
  InvalidEndpoint,
  NoneReached,
  Refused,
  Unreachable
} from "@wirestack/protocol/ConnectError"
import * as Connection from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import { firstReached } from "@wirestack/protocol/firstReached"
import * as Listener from "@wirestack/protocol/Listener"
import { ListenError } from "@wirestack/protocol/ListenError"
import { TimedOut } from "@wirestack/protocol/Reason"
import * as Transport from "@wirestack/protocol/Transport"
import * as Arr from "effect/Array"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Net from "node:net"
import * as HappyEyeballs from "./HappyEyeballs.ts"
import { dial, now } from "./internal/dial.ts"
import { facts } from "./internal/facts.ts"
import { detailsOf, infoOf, localOf, none } from "./internal/infoOf.ts"
import { nativeHost } from "./internal/nativeHost.ts"
import { bind, type Open, SocketAcceptor } from "./internal/SocketAcceptor.ts"
import { layerName, wireOf } from "./internal/tcpWire.ts"
import { tuning } from "./internal/tuning.ts"
import * as Ip from "./Ip.ts"
import type { TcpInfo } from "./TcpInfo.ts"

/** How an idle connection is probed. Times are whole seconds to the system, 1 to 32,767 of them. */
export interface KeepAlive {
  /** How long nothing comes before the first probe. */
  readonly idle: Duration.Input
  /** The time between probes; 1 second by default. Node has it since 24.19. */
  readonly interval?: Duration.Input
  /** After how many probes without an answer, 1 to 127, the connection is lost (`Reset`); 10 by default. Node has it since 24.19. */
  readonly count?: number
}

/** How TCP is used. Building the layer dies with a `RangeError` if a number is out of its range. */
export interface Options {
  /** Sends small pieces at once instead of collecting them (Nagle's algorithm off); true by default. */
  readonly noDelay?: boolean
  /** Probes an idle connection after this time, to find out that the peer is gone; false by default. */
  readonly keepAlive?: Duration.Input | KeepAlive | false
  /**
   * Type of service (IPv4) or traffic class (IPv6) of what is sent, 0 to 255; its upper 6 bits are the DSCP of RFC 2474. By default as
   * the system has it. Node has it since 24.15.
   */
  readonly typeOfService?: number
  /** The only family of addresses to use; both by default. A literal address of the other is an `InvalidEndpoint`. */
  readonly family?: NetAddress.IpFamily
  /** The family whose addresses are tried first; IPv6 by default, as RFC 6724 has it. */
  readonly prefer?: NetAddress.IpFamily
  /** When to try another address; what RFC 8305 recommends by default. */
  readonly happyEyeballs?: Partial<HappyEyeballs.Timing>
  /** The address to connect from, which also chooses the interface; by default the system does. */
  readonly localAddress?: string
  /** The port to connect from; by default the system chooses a free one. */
  readonly localPort?: number
  /** How long connecting may take over all addresses of a host, resolution included; 10 seconds by default. */
  readonly connectWithin?: Duration.Input
  /** How many targets of a service are tried at most; 8 by default. */
  readonly maxTargets?: number
  /** Whether several listeners, of several processes too, may share a port, between which the system distributes; false by default. */
  readonly reusePort?: boolean
  /** Whether a listener on `::` takes IPv6 only; false by default, so that it takes both. */
  readonly ipv6Only?: boolean
  /** How many connections the system holds for a listener that has not taken them yet; 511 by default. */
  readonly backlog?: number
}

/** What a TCP stack can do. */
export type Can = Transport.Connect | Transport.Listen | TcpInfo

const invalid = (ask: Ask, detail: string): InvalidEndpoint =>
  new InvalidEndpoint({ input: Endpoint.format(ask.endpoint), detail })

/** The family of a literal address. */
const familyOf = (host: string): NetAddress.IpFamily | undefined => {
  const version = Net.isIP(host.split("%", 1)[0])
  return version === 0 ? undefined : `IPv${version as 4 | 6}`
}

const labelled = (course: HappyEyeballs.Course<NetAddress.InetAddress>): HappyEyeballs.Course<string> => ({
  ...course,
  attempts: course.attempts.map((attempt) => ({ ...attempt, address: NetAddress.formatInet(attempt.address) }))
})

/** Why nothing was reached: the reason of all attempts if they failed alike, else all of them. */
const reasonOf = (
  host: string,
  { attempts, lookups }: HappyEyeballs.Course<string>,
  late: boolean,
  within: number
): ConnectReason => {
  if (attempts.length === 0) {
    // What a lookup has found may all be to be skipped.
    const resolved = lookups.some(({ count, reason }) => count > 0 || (!late && reason === undefined))
    if (resolved) return new NoneReached({ attempts: [] })
    const found = lookups.find(({ reason }) => reason !== undefined)?.reason
    return found === undefined || late ? new TimedOut({ phase: `resolution of ${host}`, after: within }) : found
  }
  const failures = attempts.map(({ address, after, reason }): AddressFailed => ({
    address,
    reason: reason ?? new TimedOut({ phase: `connect to ${address}`, after: Math.round(within - after) })
  }))
  const [{ reason }] = failures
  if (failures.length === 1) return reason
  if (failures.some((other) => other.reason._tag !== reason._tag)) return new NoneReached({ attempts: failures })
  const address = failures.map((other) => other.address).join(", ")
  switch (reason._tag) {
    case "Refused":
      return new Refused({ address, cause: failures })
    case "Unreachable":
      return new Unreachable({ address, cause: failures })
    case "Forbidden":
      return new Forbidden({ address, cause: failures })
    case "TimedOut":
      return new TimedOut({ phase: `connect to ${address}`, after: within })
    default:
      return new NoneReached({ attempts: failures })
  }
}

const make = (options: Options): Effect.Effect<Transport.Transport<Uint8Array, Uint8Array>, never, Ip.Ip> =>
  Effect.map(Ip.Ip, (ip) => {
    const {
      backlog = 511,
      family,
      ipv6Only = false,
      localAddress,
      localPort,
      maxTargets = 8,
      prefer = "IPv6",
      reusePort = false
    } = options
    const within = Duration.toMillis(options.connectWithin ?? "10 seconds")
    const local = {
      ...(localAddress === undefined ? undefined : { localAddress }),
      ...(localPort === undefined ? undefined : { localPort })
    }
    const { connected, made } = tuning(options)

    /** The host to connect to or to listen at, if this can be. */
    const hostOf = (ask: Ask): Effect.Effect<Endpoint.Tcp, InvalidEndpoint> => {
      const { place } = ask.endpoint
      if (place._tag !== "Tcp") return Effect.fail(invalid(ask, "this transport knows host:port only"))
      const literal = familyOf(place.host)
      return family === undefined || literal === undefined || literal === family
        ? Effect.succeed(place)
        : Effect.fail(invalid(ask, `it is no ${family} address, and no other is to be used`))
    }

    /** The families of a host, the most wanted one first. */
    const lookupsOf = ({ host, port }: Endpoint.Tcp, skip: ReadonlyArray<string>) => {
      const wanted = familyOf(host) !== undefined
        ? [undefined]
        : family === undefined
        ? prefer === "IPv6" ? ["IPv6", "IPv4"] as const : ["IPv4", "IPv6"] as const
        : [family]
      return wanted.map((family) =>
        Effect.map(
          ip.resolve(host, port, family),
          (addresses) => addresses.filter((address) => !skip.includes(NetAddress.formatInet(address)))
        )
      )
    }

    const dialing = (address: NetAddress.InetAddress) =>
      dial(
        { host: nativeHost(address), port: address.port, ...local, ...made },
        NetAddress.formatInet(address),
        (socket, intake) => {
          connected(socket)
          return { socket, wire: wireOf(socket, intake) }
        }
      )

    const connect = (ask: Ask, place: Endpoint.Tcp) => {
      const race = {
        lookups: lookupsOf(place, ask.skip ?? []),
        connect: dialing,
        close: ({ socket }: { readonly socket: Net.Socket }) => void socket.destroy(),
        timing: options.happyEyeballs ?? {},
        within
      }
      return Effect.flatMap(now, (start) =>
        Effect.mapError(
          HappyEyeballs.run(race, ({ address, connected: { socket, wire }, course }) =>
            Effect.flatMap(now, (end) => {
              ask.reached?.(NetAddress.formatInet(address))
              return Connection.make(wire, {
                facts,
                details: detailsOf(infoOf(socket, labelled(course), Duration.millis(end - start))),
                ask
              })
            })),
          ({ course, late }) => reasonOf(place.host, labelled(course), late, within)
        ))
    }

    const refused = (reason: ConnectReason) => new ConnectError({ layer: layerName, reason })

    /** Connects to one target of a service after the other. */
    const connectService = (ask: Ask, place: Endpoint.Service) => {
      const located = Effect.timeoutOrElse(ip.locate(place), {
        duration: within,
        orElse: () =>
          Effect.fail(new TimedOut({ phase: `resolution of ${Endpoint.formatPlace(place)}`, after: within }))
      })
      return Effect.flatMap(Effect.mapError(located, refused), ([first, ...others]) => {
        const targets: NonEmptyReadonlyArray<Endpoint.Tcp> = [first, ...others.slice(0, maxTargets - 1)]
        const candidates = Arr.map(targets, (target) => ({
          address: Endpoint.formatPlace(target),
          connect: Effect.suspend(() => {
            ask.journal?.begin()
            return Effect.mapError(connect(ask, target), (reason) => {
              const error = refused(reason)
              ask.journal?.failed(error)
              return error
            })
          })
        }))
        return firstReached(layerName, candidates)
      })
    }

    return {
      connect: (ask) =>
        Effect.suspend(() => {
          const missing = lacking(ask)
          if (missing !== undefined) return Effect.fail(refused(missing))
          const { place } = ask.endpoint
          return place._tag === "Service" && place.protocol === "tcp"
            ? connectService(ask, place)
            : Effect.mapError(Effect.flatMap(hostOf(ask), (host) => connect(ask, host)), refused)
        }),
      listen: (ask) =>
        Effect.suspend(() => {
          const { endpoint } = ask
          const missing = lacking(ask)
          if (missing !== undefined) return Effect.fail(missing)
          return Effect.gen(function*() {
            const place = yield* hostOf(ask)
            const [address] = yield* ip.resolve(place.host, place.port, family)
            const where = { host: nativeHost(address), port: place.port, backlog, ipv6Only, reusePort }
            return yield* Effect.uninterruptible(Effect.flatMap(
              bind(made, where, NetAddress.formatInet(address)),
              (server) => {
                const { port } = server.address() as Net.AddressInfo
                const bound = { ...endpoint, place: { ...place, port } }
                const ours = localOf(server)
                const open: Open<TcpInfo> = (socket, intake) => {
                  connected(socket)
                  const info = infoOf(socket, none, Duration.zero, ours)
                  return { wire: wireOf(socket, intake), details: detailsOf(info), peer: info.remote.host }
                }
                return Listener.make(new SocketAcceptor(layerName, server, bound, open, facts), ask)
              }
            ))
          })
        }).pipe(Effect.mapError((reason) => new ListenError({ layer: layerName, reason })))
    }
  })

/**
 * Puts TCP on IP.
 *
 * @category layers
 */
export const over =
  (options: Options = {}) => <E, R>(lower: Layer.Layer<Ip.Ip, E, R>): Layer.Layer<Transport.ByteTransport<Can>, E, R> =>
    Layer.provide(
      Transport.layer<"bytes", Uint8Array, Uint8Array, Uint8Array, Uint8Array, Can, never, Ip.Ip>(
        Transport.Bytes,
        make(options)
      ),
      lower
    )

/**
 * TCP with the resolution of the operating system.
 *
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<Transport.ByteTransport<Can>> => over(options)(Ip.layer)
