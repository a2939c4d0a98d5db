/** The name a client asks a server to prove. */
import type { Ask } from "@wirestack/protocol/Ask"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import { X509Certificate } from "node:crypto"
import * as Net from "node:net"
import type * as NodeTls from "node:tls"

/** The name to prove, if there is one: without the root's dot or the zone of an IPv6 address. */
export const nameOf = (ask: Ask, serverName: string | undefined): string | undefined => {
  const name = serverName ?? Endpoint.hostOf(ask.endpoint.place)
  // Of no name Node makes "localhost".
  return name?.replace(/\.$|%.*$/, "") || undefined
}

/** How it is told. An IP is verified as such, and never sent as a name: RFC 6066 section 3. */
export const named = (name: string | undefined): NodeTls.ConnectionOptions =>
  name === undefined ? {} : Net.isIP(name) === 0 ? { servername: name } : { host: name }

/** A wildcard is a whole label and stands for one, and a common name is none: RFC 9525 section 6.3. Node by itself is not so strict. */
const strictly = { subject: "never", partialWildcards: false } as const

/** What is wrong with the names of a certificate. Who has proved a shared key presents none, and has proved enough. */
export const unproved = (name: string, { raw }: Partial<NodeTls.PeerCertificate>): Error | undefined => {
  if (raw === undefined) return undefined
  const certificate = new X509Certificate(raw)
  const proved = Net.isIP(name) === 0 ? certificate.checkHost(name, strictly) : certificate.checkIP(name)
  if (proved !== undefined) return undefined
  const error = new Error(`${name} is none of its names: ${certificate.subjectAltName ?? "it has none"}`)
  return Object.assign(error, { code: "ERR_TLS_CERT_ALTNAME_INVALID" })
}
