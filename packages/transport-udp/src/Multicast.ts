/**
 * IP multicast (RFC 1112, RFC 4607): a group of senders and receivers as one connection, whose packets say who has sent them.
 *
 *     const group = yield* Transport.connect(Multicast.Packets)("239.1.2.3:5000")
 *     yield* group.send(bytes)                     // to all in the group
 *     const [{ payload, source }] = yield* group.pull
 *
 * To connect is to join: datagrams to the group and port are received until the scope closes, and the group is left then. All else is as
 * with `Udp`: what is not pulled in time is dropped and counted, and there is no goodbye.
 *
 * Anybody on the network can send to a group, and who has sent is as easily forged.
 */

import { type Ask, lacking } from "@wirestack/protocol/Ask"
import { ConnectError, type ConnectReason, InvalidEndpoint } from "@wirestack/protocol/ConnectError"
import * as Connection from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import { ListenError } from "@wirestack/protocol/ListenError"
import * as Transport from "@wirestack/protocol/Transport"
import type { Address } from "@wirestack/transport-tcp/Address"
import { connectReason } from "@wirestack/transport-tcp/SystemReason"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import { addressOf, facts, infoOf } from "./internal/infoOf.ts"
import * as Socket from "./internal/socket.ts"
import { layerName, UdpWire } from "./internal/UdpWire.ts"
import type { CommonOptions } from "./Udp.ts"
import type { UdpInfo } from "./UdpInfo.ts"

// It is part of the error types, so who imports this module is to know it.
export type * from "./UdpReason.ts"

/** How a group is joined. */
export interface Options extends Omit<CommonOptions, "hopLimit" | "broadcast" | "reusePort" | "ipv6Only"> {
  /**
   * The interface to join and to send on: by its IPv4 address, or for IPv6 as `::%eth0`. By default the system chooses. Where others on
   * this machine have joined the group on another interface, Linux gives what comes there as well.
   */
  readonly interface?: string
  /** The only sender to receive from (RFC 4607); any by default. */
  readonly source?: string
  /** How many routers a datagram may pass; 1 by default, which is this network only. */
  readonly hopLimit?: number
  /** Whether this machine receives what it sends; true by default. */
  readonly loopback?: boolean
}

/** A datagram, and who has sent it. */
export interface Packet {
  readonly payload: Uint8Array
  readonly source: Address
}

/** The shape of groups: what is sent goes to the group. */
export const Packets: Transport.Shape<"packets", Packet, Uint8Array> = Transport.shape("packets")

/** What such a stack can do. */
export type Can = Transport.Connect | UdpInfo

const invalid = (ask: Ask, detail: string) => new InvalidEndpoint({ input: Endpoint.format(ask.endpoint), detail })

/** The group that is asked for. */
const groupOf = (ask: Ask): Effect.Effect<NetAddress.InetAddress, ConnectReason> => {
  const { place } = ask.endpoint
  const missing = lacking(ask)
  if (missing !== undefined) return Effect.fail(missing)
  if (place._tag !== "Tcp") return Effect.fail(invalid(ask, "a group is ADDRESS:PORT"))
  const ip = NetAddress.ipFromString(place.host)
  return Result.isSuccess(ip) && NetAddress.isMulticast(ip.success)
    ? Effect.succeed(NetAddress.inetAddressUnsafe(ip.success, place.port))
    : Effect.fail(invalid(ask, "it is no multicast address"))
}

const join = (host: string, options: Options): Socket.Prepare => (socket, done) => {
  const { hopLimit = 1, interface: on, loopback = true, source } = options
  if (source === undefined) socket.addMembership(host, on)
  else socket.addSourceSpecificMembership(source, host, on)
  socket.setMulticastTTL(hopLimit)
  socket.setMulticastLoopback(loopback)
  if (on !== undefined) socket.setMulticastInterface(on)
  done()
}

/** Whom to hear. The system lets others through where somebody has joined the group on another interface. */
const hearing = ({ source }: Options): (sender: string) => boolean => {
  if (source === undefined) return () => true
  const only = Result.match(NetAddress.ipFromString(source), {
    onSuccess: NetAddress.formatIp,
    onFailure: () => source
  })
  return (sender) => sender.split("%")[0] === only
}

const connect = (options: Options, ask: Ask) =>
  Effect.flatMap(groupOf(ask), (group) => {
    const label = NetAddress.formatInet(group)
    const { receiveBufferSize, sendBufferSize } = options
    const system = {
      ...(receiveBufferSize === undefined ? undefined : { receiveBufferSize }),
      ...(sendBufferSize === undefined ? undefined : { sendBufferSize })
    }
    const host = NetAddress.formatHost(group)
    // Bound to the group, a socket does not receive what is sent to other groups; Windows does not know that.
    const to = { port: group.port, ...(process.platform === "win32" ? undefined : { address: host }) }
    const joining = Socket.ready(() => Socket.make(group, system, true), system, to, join(host, options))
    return Effect.uninterruptible(Effect.flatMap(
      Effect.mapError(joining, ({ cause }) => connectReason(cause, label, 0)),
      (socket) => {
        const wire = new UdpWire<Packet>({
          address: label,
          send: (bytes, sent) => socket.send(bytes, group.port, host, sent),
          release: () => Socket.close(socket)
        }, options)
        const hears = hearing(options)
        socket.on("message", (payload, from) => {
          if (hears(from.address)) wire.receive({ payload, source: addressOf(from) }, payload.length)
        })
        socket.on("error", (cause) => wire.fail(cause))
        const details = infoOf(addressOf(socket.address()), { host, port: group.port }, wire)
        return Connection.make(wire, { facts, details: () => details, ask })
      }
    ))
  })

/**
 * A transport that joins groups.
 *
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<Transport.At<"packets", Can>> =>
  Transport.layer<"packets", Packet, Uint8Array, Packet, Uint8Array, Can>(
    Packets,
    Effect.succeed({
      connect: (ask) =>
        Effect.mapError(connect(options, ask), (reason) => new ConnectError({ layer: layerName, reason })),
      listen: (ask) =>
        Effect.fail(
          new ListenError({ layer: layerName, reason: invalid(ask, "a group is joined by connecting to it") })
        )
    })
  )
