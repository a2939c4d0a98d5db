/** What an error of Node's TLS means, as the reasons of our errors. */
import { type ConnectReason, fromConnectionError } from "@wirestack/protocol/ConnectError"
import { type ConnectionError, type ConnectionReason, Reset } from "@wirestack/protocol/ConnectionError"
import { Other, Truncated, Violation } from "@wirestack/protocol/Reason"
import { fromMessage } from "../Alert.ts"
import {
  AlertReceived,
  AlpnRejected,
  type CertificateFault,
  CertificateInvalid,
  NotTls,
  ProtocolVersionUnsupported
} from "../TlsReason.ts"

const field = (cause: unknown, name: "code" | "message"): string =>
  typeof cause === "object" && cause !== null && name in cause ? String((cause as Record<string, unknown>)[name]) : ""

/** OpenSSL's verification results (X509_V_ERR_*) as Node names them. */
const faults: Record<string, CertificateFault> = {
  CERT_HAS_EXPIRED: "expired",
  CERT_NOT_YET_VALID: "not-yet-valid",
  DEPTH_ZERO_SELF_SIGNED_CERT: "self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "unknown-authority",
  UNABLE_TO_GET_ISSUER_CERT: "unknown-authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "unknown-authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "unknown-authority",
  CERT_UNTRUSTED: "unknown-authority",
  ERR_TLS_CERT_ALTNAME_INVALID: "hostname-mismatch",
  HOSTNAME_MISMATCH: "hostname-mismatch",
  CERT_REVOKED: "revoked",
  UNABLE_TO_GET_CRL: "revocation-unknown",
  CRL_NOT_YET_VALID: "revocation-unknown",
  CRL_HAS_EXPIRED: "revocation-unknown",
  CERT_SIGNATURE_FAILURE: "bad-signature",
  CRL_SIGNATURE_FAILURE: "bad-signature",
  UNABLE_TO_DECRYPT_CERT_SIGNATURE: "bad-signature",
  INVALID_PURPOSE: "wrong-purpose",
  INVALID_CA: "invalid",
  PATH_LENGTH_EXCEEDED: "invalid",
  CERT_CHAIN_TOO_LONG: "invalid",
  CERT_REJECTED: "invalid",
  // Left behind by a verification that failed, and found by what OpenSSL does next.
  ERR_SSL_PROVIDER_SIGNATURE_FAILURE: "bad-signature",
  ERROR_IN_CERT_NOT_BEFORE_FIELD: "invalid",
  ERROR_IN_CERT_NOT_AFTER_FIELD: "invalid"
}

/** What Node advises to who starts the program, who may have other authorities in mind. */
const hint = /; if the root CA is installed locally.*$/

/** Keys and digests below OpenSSL's security level have no name in Node. */
const faultOf = (cause: unknown): CertificateFault | undefined => {
  const code = field(cause, "code")
  if (code !== "UNSPECIFIED") return faults[code]
  return field(cause, "message").endsWith("too weak") ? "too-weak" : "invalid"
}

/** The certificate's fault by a verification error, if it is one. */
export const certificateInvalid = (cause: unknown): CertificateInvalid | undefined => {
  const code = faultOf(cause)
  return code === undefined
    ? undefined
    : new CertificateInvalid({ code, detail: field(cause, "message").replace(hint, ""), cause })
}

const versions = ["ERR_SSL_UNSUPPORTED_PROTOCOL", "ERR_SSL_NO_PROTOCOLS_AVAILABLE", "ERR_SSL_VERSION_TOO_LOW"]

/** What OpenSSL says of bytes that are no TLS record; the wrong version is that of a record, not of the protocol. */
const strangers = [
  "ERR_SSL_WRONG_VERSION_NUMBER",
  "ERR_SSL_PACKET_LENGTH_TOO_LONG",
  "ERR_SSL_HTTP_REQUEST",
  "ERR_SSL_HTTPS_PROXY_REQUEST",
  "ERR_SSL_BAD_RECORD_TYPE",
  "ERR_SSL_RECORD_LAYER_FAILURE"
]

/** The peer was gone before the handshake was over. */
export const truncated = new Truncated({ inside: "the TLS handshake" })

/** The layer below broke before the handshake was over. */
export const lost = (error: ConnectionError): ConnectReason => fromConnectionError(error).reason

/** Why a handshake failed. */
export const connectReason = (cause: unknown, offered: ReadonlyArray<string>): ConnectReason => {
  const code = field(cause, "code")
  const invalid = certificateInvalid(cause)
  if (invalid !== undefined) return invalid
  if (code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE") {
    return new CertificateInvalid({ code: "missing", detail: "the client presented none", cause })
  }
  if (code === "ERR_SSL_NO_APPLICATION_PROTOCOL") return new AlpnRejected({ offered: [], cause })
  if (versions.includes(code)) return new ProtocolVersionUnsupported({ cause })
  if (strangers.includes(code)) return new NotTls({ cause })
  const alert = fromMessage(field(cause, "message"))
  if (alert === "protocol_version") return new ProtocolVersionUnsupported({ cause })
  if (alert === "no_application_protocol") return new AlpnRejected({ offered, cause })
  if (alert !== undefined) return new AlertReceived({ alert, cause })
  if (code === "ECONNRESET" || code === "EPIPE" || code === "ECONNABORTED") return new Reset({ cause })
  return code.startsWith("ERR_SSL_") ? new Violation({ rule: field(cause, "message") }) : new Other({ cause })
}

/** Why a live connection broke. */
export const connectionReason = (cause: unknown): ConnectionReason => {
  const code = field(cause, "code")
  const alert = fromMessage(field(cause, "message"))
  if (alert !== undefined) return new AlertReceived({ alert, cause })
  return code.startsWith("ERR_SSL_") ? new Violation({ rule: field(cause, "message") }) : new Reset({ cause })
}
