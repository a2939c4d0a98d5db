/** The two ends of a conversation: what is known of their addresses, and addresses for documentation where nothing is. */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type { Opened } from "../../tap/Event.ts"
import type { End } from "./Packet.ts"

/** Those of nobody (RFC 5737, RFC 3849), for servers and for clients. */
const examples = {
  4: [Uint8Array.of(192, 0, 2, 1), Uint8Array.of(198, 51, 100, 1)],
  16: [
    Uint8Array.of(0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
    Uint8Array.of(0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2)
  ]
} as const

/** Where the ports begin that systems choose themselves (RFC 6335 section 6). */
const dynamic = 49_152

const addressOf = (host: string | undefined): Uint8Array | undefined => {
  if (host === undefined) return undefined
  const address = Result.getOrUndefined(NetAddress.ipFromString(host))
  if (address === undefined) return undefined
  if (NetAddress.isIpv4Address(address)) return Uint8Array.from(NetAddress.ipv4ToOctets(address))
  const octets = Uint8Array.from(NetAddress.ipv6ToOctets(address))
  return NetAddress.isIpv4Mapped(address) ? octets.subarray(12) : octets
}

/** Host and port of an endpoint as it is written. */
const placeOf = (endpoint: string): { readonly host: string | undefined; readonly port: number | undefined } => {
  const match = /^(?:[a-z]+:\/\/)?(?:\[([^\]]*)\]|([^:/]*)):(\d+)(?:\/|$)/.exec(endpoint)
  return { host: match?.[1] ?? match?.[2], port: match === null ? undefined : Number(match[3]) }
}

/** What is above TLS is no TLS any more, for which a dissector would take it by this port. */
const plain = ({ layer }: Opened, port: number | undefined): number =>
  port === undefined || (port === 443 && layer === "tls") ? 80 : port

export interface Ends {
  readonly client: End
  readonly server: End
}

/** Each tap has a port of the client's to itself, by which a reader tells conversations apart. */
export const endsOf = (opened: Opened): Ends => {
  const { host, port } = placeOf(opened.endpoint)
  const [server, client] = [addressOf(host), addressOf(opened.peer)]
  const family = (server ?? client)?.length === 16 ? 16 : 4
  const [serverExample, clientExample] = examples[family]
  const fitting = (address: Uint8Array | undefined) => address?.length === family ? address : undefined
  return {
    server: { address: fitting(server) ?? serverExample, port: plain(opened, port) },
    client: { address: fitting(client) ?? clientExample, port: dynamic + opened.tap % (65_536 - dynamic) }
  }
}
