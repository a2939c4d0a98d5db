/** What TLS tells about a connection. */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"

/** The peer's certificate, in the parts that are of use; `raw` is the whole of it in DER. */
export interface PeerCertificate {
  readonly subject: string
  readonly issuer: string
  readonly subjectAltName: string | undefined
  readonly validFrom: string
  readonly validTo: string
  readonly serialNumber: string
  readonly fingerprint256: string
  readonly raw: Uint8Array
}

/** The TLS layer of a connection. */
export class TlsInfo extends Context.Service<TlsInfo, {
  /** `"TLSv1.3"` or `"TLSv1.2"`. */
  readonly version: string
  /** The IANA name of the cipher suite. */
  readonly cipher: string
  /** The name the client asked for (SNI), if it did. */
  readonly serverName: string | undefined
  /** The protocol name both agreed on (ALPN), if they did. */
  readonly alpn: string | undefined
  /** Whether the peer's certificate was verified: false for a client without one, and where verification is off. */
  readonly authorized: boolean
  /** The peer's certificate, if it presented one. */
  readonly peer: PeerCertificate | undefined
  /** Whether TLS works on the socket itself, or on the bytes of whatever layer is below. */
  readonly path: "direct" | "duplex"
  readonly handshakeTime: Duration.Duration
}>()("@wirestack/transport-tls/TlsInfo") {}
