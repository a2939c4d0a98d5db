/**
 * TCP: a transport of bytes to `host:port`.
 *
 *     Ip.layer.pipe(Tcp.over({ noDelay: true }))     or     Tcp.layer({ noDelay: true })
 *
 * Connecting tries the addresses of the host one after the other, each with an equal share of the time that is left. If
 * all fail alike, that is the reason (`Refused`, `Unreachable`, ...) with every address in it, else `NoneReached` lists
 * them. A listener binds to the first address of its host.
 *
 * Closing is a FIN, and waits for the peer's. `abort` is a RST, so that the peer sees a `Reset` and not an ordinary end;
 * what either side had not read yet may be lost by it.
 */
import { type Ask, lacking } from "@wirestack/protocol/Ask"
import {
  ConnectError,
  type ConnectReason,
  Forbidden,
  InvalidEndpoint,
  Refused,
  Unreachable
} from "@wirestack/protocol/ConnectError"
import * as Connection from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import * as Listener from "@wirestack/protocol/Listener"
import { ListenError } from "@wirestack/protocol/ListenError"
import { TimedOut } from "@wirestack/protocol/Reason"
import { type Intake, SocketWire } from "@wirestack/protocol/SocketWire"
import * as Transport from "@wirestack/protocol/Transport"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import type * as Net from "node:net"
import { adopt } from "./internal/adopt.ts"
import { dial, now } from "./internal/dial.ts"
import { infoOf, localOf } from "./internal/infoOf.ts"
import { outletOf } from "./internal/outlet.ts"
import { bind, type Open, SocketAcceptor } from "./internal/SocketAcceptor.ts"
import * as Ip from "./Ip.ts"
import { type Attempt, NoneReached } from "./NoneReached.ts"
import { TcpInfo } from "./TcpInfo.ts"

/** How TCP is used. */
export interface Options {
  /** Sends small pieces at once instead of collecting them (Nagle's algorithm off); true by default. */
  readonly noDelay?: boolean
  /** Probes an idle connection after this time, to find out that the peer is gone; false by default. */
  readonly keepAlive?: Duration.Input | false
  /** How long connecting may take over all addresses, resolution included; 10 seconds by default. */
  readonly connectWithin?: Duration.Input
  /** How many connections the system holds for a listener that has not taken them yet; 511 by default. */
  readonly backlog?: number
}

/** What a TCP stack can do. */
export type Can = Transport.Connect | Transport.Listen | TcpInfo

const layerName = "tcp"

/** RST instead of FIN, also where Node's own `resetAndDestroy` first waits for what is still to be written. */
const reset = (socket: Net.Socket): void => {
  ;(socket as { resetAndClosing?: boolean }).resetAndClosing = !socket.destroyed
  socket.destroy()
}

const wireOptions = { layer: layerName, bare: true, adopt, copies: true, cut: reset }

const wireOf = (socket: Net.Socket, intake: Intake | undefined): SocketWire =>
  new SocketWire(socket, wireOptions, intake, outletOf(socket))

const detailsOf = (info: TcpInfo["Service"]) => (): Context.Context<TcpInfo> => Context.make(TcpInfo, info)

const notTcp = (ask: Ask): InvalidEndpoint =>
  new InvalidEndpoint({ input: Endpoint.format(ask.endpoint), detail: "this transport connects to host:port only" })

/** One reason for several attempts: the same if they failed alike, else all of them. */
const reasonOf = (attempts: ReadonlyArray<Attempt>): ConnectReason => {
  const [{ reason }] = attempts
  if (attempts.length === 1) return reason
  if (attempts.some((attempt) => attempt.reason._tag !== reason._tag)) return new NoneReached({ attempts })
  const address = attempts.map((attempt) => attempt.address).join(", ")
  switch (reason._tag) {
    case "Refused":
      return new Refused({ address, cause: attempts })
    case "Unreachable":
      return new Unreachable({ address, cause: attempts })
    case "Forbidden":
      return new Forbidden({ address, cause: attempts })
    case "TimedOut": {
      const after = attempts.reduce((sum, attempt) => sum + (attempt.reason as TimedOut).after, 0)
      return new TimedOut({ phase: `connect to ${address}`, after })
    }
    default:
      return new NoneReached({ attempts })
  }
}

const make = (options: Options): Effect.Effect<Transport.Transport<Uint8Array, Uint8Array>, never, Ip.Ip> =>
  Effect.map(Ip.Ip, (ip) => {
    const { backlog = 511, keepAlive = false, noDelay = true } = options
    const within = Duration.toMillis(options.connectWithin ?? "10 seconds")
    const socketOptions = {
      noDelay,
      keepAlive: keepAlive !== false,
      ...(keepAlive === false ? undefined : { keepAliveInitialDelay: Duration.toMillis(keepAlive) })
    }

    /** Tries one address after the other; what connected and is not taken is destroyed. */
    const connect = (ask: Ask, place: Endpoint.Tcp) => {
      let connected: Net.Socket | undefined
      const destroy = Effect.sync(() => {
        connected?.destroy()
        connected = undefined
      })

      const attempt = (address: NetAddress.InetAddress, share: number) => {
        const label = NetAddress.formatInet(address)
        const target = { host: NetAddress.formatHost(address), port: address.port, ...socketOptions }
        const dialing = dial(target, label, (socket, intake) => {
          connected = socket
          return { wire: wireOf(socket, intake), socket }
        })
        return Effect.onError(
          Effect.timeoutOrElse(dialing, {
            duration: share,
            orElse: () => Effect.fail(new TimedOut({ phase: `connect to ${label}`, after: share }))
          }),
          () => destroy
        )
      }

      const reach = (
        addresses: NonEmptyReadonlyArray<NetAddress.InetAddress>,
        deadline: number,
        failed: ReadonlyArray<Attempt>
      ): Effect.Effect<{ wire: SocketWire; socket: Net.Socket; tried: ReadonlyArray<string> }, ConnectReason> =>
        Effect.flatMap(now, (time) => {
          const address = addresses[failed.length]
          const label = NetAddress.formatInet(address)
          const share = Math.max(1, (deadline - time) / (addresses.length - failed.length))
          return Effect.matchEffect(attempt(address, share), {
            onSuccess: (reached) =>
              Effect.succeed({ ...reached, tried: [...failed.map((other) => other.address), label] }),
            onFailure: (reason) => {
              const attempts = [...failed, { address: label, reason }]
              return attempts.length < addresses.length
                ? reach(addresses, deadline, attempts)
                : Effect.fail(reasonOf(attempts))
            }
          })
        })

      return Effect.onError(
        Effect.uninterruptibleMask((restore) =>
          Effect.gen(function*() {
            const start = yield* now
            const resolving = Effect.timeoutOrElse(ip.resolve(place.host, place.port), {
              duration: within,
              orElse: () => Effect.fail(new TimedOut({ phase: `resolution of ${place.host}`, after: within }))
            })
            const addresses = yield* restore(resolving)
            const { socket, tried, wire } = yield* restore(reach(addresses, start + within, []))
            const time = Duration.millis((yield* now) - start)
            return yield* Connection.make(wire, {
              details: detailsOf(infoOf(socket, tried, time)),
              closeWithin: ask.closeWithin
            })
          })
        ),
        () => destroy
      )
    }

    return {
      connect: (ask) =>
        Effect.suspend(() => {
          const missing = lacking(ask)
          if (missing !== undefined) return Effect.fail(missing)
          const { place } = ask.endpoint
          return place._tag === "Tcp" ? connect(ask, place) : Effect.fail(notTcp(ask))
        }).pipe(Effect.mapError((reason) => new ConnectError({ layer: layerName, reason }))),
      listen: (ask) =>
        Effect.suspend(() => {
          const { endpoint } = ask
          const { place } = endpoint
          const missing = lacking(ask)
          if (missing !== undefined) return Effect.fail(missing)
          if (place._tag !== "Tcp") return Effect.fail(notTcp(ask))
          return Effect.gen(function*() {
            const [address] = yield* ip.resolve(place.host, place.port)
            const where = { host: NetAddress.formatHost(address), port: place.port, backlog }
            return yield* Effect.uninterruptible(Effect.flatMap(
              bind(socketOptions, where, NetAddress.formatInet(address)),
              (server) => {
                const { port } = server.address() as Net.AddressInfo
                const bound = { ...endpoint, place: { ...place, port } }
                const local = localOf(server)
                const open: Open<TcpInfo> = (socket, intake) => {
                  const info = infoOf(socket, [], Duration.zero, local)
                  return { wire: wireOf(socket, intake), details: detailsOf(info), peer: info.remote.host }
                }
                return Listener.make(new SocketAcceptor(layerName, server, bound, open), ask)
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
