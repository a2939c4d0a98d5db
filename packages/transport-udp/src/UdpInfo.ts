/** What UDP tells about a connection. */
import type { Address } from "@wirestack/transport-tcp/Address"
import * as Context from "effect/Context"

/** The UDP layer of a connection; the counts are those at the moment one looks. */
export class UdpInfo extends Context.Service<UdpInfo, {
  readonly local: Address
  /** The peer, or the group of a `Multicast` connection. */
  readonly remote: Address
  readonly family: "IPv4" | "IPv6"
  /** The largest datagram that can be sent, in bytes. */
  readonly maximumDatagramSize: number
  /** How many datagrams the system has delivered, those that were dropped among them. */
  readonly datagramsReceived: number
  readonly bytesReceived: number
  /** How many were handed to the system. */
  readonly datagramsSent: number
  readonly bytesSent: number
  /** How many were dropped for want of room, because they were not pulled in time. What the system drops is not known here. */
  readonly datagramsDropped: number
}>()("@wirestack/transport-udp/UdpInfo") {}
