/** One end of a connection over IP, as TCP and UDP tell it. */

import * as Endpoint from "@wirestack/protocol/Endpoint"
import type * as NetAddress from "effect/net/NetAddress"

/** An address and a port; `host` is an IP literal. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** IPv4 as a dual-stack socket reports it: RFC 4291 section 2.5.5.2. */
const mapped = "::ffff:"

/**
 * An address as Node reports it, of a socket that may be gone; IPv4 on a socket for both families is told as IPv4.
 *
 * @category constructors
 */
export const make = (host: string | undefined, port: number | undefined): Address => {
  const text = host ?? ""
  const plain = text.startsWith(mapped) && text.includes(".") ? text.slice(mapped.length) : text
  return { host: plain, port: port ?? 0 }
}

/** The family of the address. */
export const familyOf = ({ host }: Address): NetAddress.IpFamily => host.includes(":") ? "IPv6" : "IPv4"

/** The address as people write it. */
export const format = ({ host, port }: Address): string => Endpoint.formatPlace({ _tag: "Tcp", host, port })
