import type * as Endpoint from "@wirestack/protocol/Endpoint"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"

/** What a proxy can be asked for: a host in its canonical form, and a port. */
export interface Target {
  readonly place: Endpoint.Tcp
  /** The host as an address, if it is one. */
  readonly ip: NetAddress.IpAddress | undefined
}

/** The target that a place is; undefined if it is none. An address of a zone means nothing to others. */
export const targetOf = (place: Endpoint.Place): Target | undefined => {
  if (place._tag !== "Tcp" || !Number.isInteger(place.port) || place.port < 1 || place.port > 65_535) return undefined
  const ip = NetAddress.ipFromString(place.host)
  if (Result.isSuccess(ip)) return { place: { ...place, host: NetAddress.formatIp(ip.success) }, ip: ip.success }
  const name = Host.domainNameFromString(place.host)
  return Result.isFailure(name) ? undefined : { place: { ...place, host: name.success }, ip: undefined }
}
