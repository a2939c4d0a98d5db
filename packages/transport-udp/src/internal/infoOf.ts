/** What a wire and its addresses tell as `UdpInfo`. */
import type { Facts } from "@wirestack/protocol/reports/EstablishmentReport"
import * as Address from "@wirestack/transport-tcp/Address"
import * as Context from "effect/Context"
import { UdpInfo } from "../UdpInfo.ts"
import type { UdpWire } from "./UdpWire.ts"

/** An address as Node gives it. */
export const addressOf = ({ address, port }: { readonly address: string; readonly port: number }): Address.Address =>
  Address.make(address, port)

/** What UDP tells about its part in a connection. */
export const facts = (details: Context.Context<UdpInfo>): Facts => {
  const { remote } = Context.get(details, UdpInfo)
  return { address: Address.format(remote) }
}

export const infoOf = (local: Address.Address, remote: Address.Address, wire: UdpWire<any>): Context.Context<UdpInfo> =>
  Context.make(UdpInfo, {
    local,
    remote,
    family: Address.familyOf(remote),
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
