/** What TLS tells about a connection. */
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { Pin } from "./Pin.ts"

/** A certificate of the peer, in the parts that are of use; `raw` is the whole of it in DER. */
export interface PeerCertificate {
  readonly subject: string
  readonly issuer: string
  readonly subjectAltName: string | undefined
  readonly validFrom: string
  readonly validTo: string
  readonly serialNumber: string
  readonly fingerprint256: string
  /** The digest of its public key. */
  readonly pin: Pin
  readonly raw: Uint8Array
}

/** The TLS layer of a connection. */
export class TlsInfo extends Context.Service<TlsInfo, {
  /** `"TLSv1.3"` or `"TLSv1.2"`. */
  readonly version: string
  /** The IANA name of the cipher suite. */
  readonly cipher: string
  /** The group of the key exchange, where Node tells it: on the client. */
  readonly group: string | undefined
  /** The name the client asked for (SNI), if it did. */
  readonly serverName: string | undefined
  /** The protocol name both agreed on (ALPN), if they did. */
  readonly alpn: string | undefined
  /** Whether the peer's certificate was verified: false for a peer without one, and where verification is off. */
  readonly authorized: boolean
  /** The peer's certificate, if it presented one. */
  readonly peer: PeerCertificate | undefined
  /**
   * The peer's certificate and those above it, each of which has signed the one before: up to the authority if `authorized`. A resumed
   * session has that of its first handshake.
   */
  readonly chain: ReadonlyArray<PeerCertificate>
  /** Whether an earlier session was resumed, in which certificates were exchanged. */
  readonly resumed: boolean
  /** The name of the key that both share, if that is what was used. */
  readonly pskIdentity: string | undefined
  /** The answer of an OCSP responder, in DER, that the server has stapled. It is not verified. */
  readonly ocspResponse: Uint8Array | undefined
  /** Whether TLS works on the socket itself, or on the bytes of whatever layer is below. */
  readonly path: "direct" | "duplex"
  readonly handshakeTime: Duration.Duration
  /**
   * Secret bytes that both ends can derive, each by itself, under a label that is registered or begins with `EXPERIMENTAL`: RFC 5705,
   * RFC 8446 section 7.5. Fails with `Closed` once the connection is over.
   */
  readonly exportKeyingMaterial: (
    length: number,
    label: string,
    context?: Uint8Array
  ) => Effect.Effect<Uint8Array, ConnectionError>
}>()("@wirestack/transport-tls/TlsInfo") {}
