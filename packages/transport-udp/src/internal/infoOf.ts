/** What a wire and its addresses tell as `UdpInfo`. */
import * as Endpoint from "@wirestack/protocol/Endpoint"
import type { Facts } from "@wirestack/protocol/EstablishmentReport"
import type { Address } from "@wirestack/transport-tcp/TcpInfo"
import * as Context from "effect/Context"
import { UdpInfo } from "../UdpInfo.ts"
import type { UdpWire } from "./UdpWire.ts"

/** An address as Node gives it; IPv4 on a socket for both (RFC 4291 section 2.5.5.2) as IPv4. */
export const addressOf = ({ address, port }: { readonly address: string; readonly port: number }): Address => ({
  host: address.replace(/^::ffff:(?=\d+\.)/, ""),
  port
})

/** What UDP tells about its part in a connection. */
export const facts = (details: Context.Context<UdpInfo>): Facts => {
  const { remote } = Context.get(details, UdpInfo)
  return { address: Endpoint.formatPlace({ _tag: "Tcp", ...remote }) }
}

export const infoOf = (local: Address, remote: Address, wire: UdpWire<any>): Context.Context<UdpInfo> =>
  Context.make(UdpInfo, {
    local,
    remote,
    family: remote.host.includes(":") ? "IPv6" : "IPv4",
    maximumDatagramSize: wire.maximumDatagramSize,
    get datagramsReceived() {
      return wire.datagramsReceived
    },
    get bytesReceived() {
      return wire.bytesReceived
    },
    get datagramsSent() {
      return wire.datagramsSent
    },
    get bytesSent() {
      return wire.bytesSent
    },
    get datagramsDropped() {
      return wire.datagramsDropped
    }
  })
