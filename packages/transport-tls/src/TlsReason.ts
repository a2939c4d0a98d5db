/** The reasons TLS adds to `ConnectError` and `ConnectionError`. */
import type { Reason } from "@wirestack/protocol/Reason"
import * as Data from "effect/Data"
import { codes, type Name } from "./Alert.ts"

/** What is wrong with a certificate, or with the chain that should vouch for it. */
export type CertificateFault =
  | "expired"
  | "not-yet-valid"
  | "self-signed"
  | "unknown-authority"
  | "hostname-mismatch"
  | "revoked"
  | "revocation-unknown"
  | "bad-signature"
  | "too-weak"
  | "wrong-purpose"
  | "missing"
  | "pin-mismatch"
  | "rejected"
  | "invalid"

/** The peer's certificate was not accepted: by the client for the server's, by the server for the client's. */
export class CertificateInvalid extends Data.TaggedClass("CertificateInvalid")<{
  readonly code: CertificateFault
  /** What the TLS library says about it. */
  readonly detail: string
  readonly cause: unknown
}> implements Reason {
  get message(): string {
    return `the peer's certificate is not accepted (${this.code}): ${this.detail}`
  }
}

/** The peer ended TLS with an alert. */
export class AlertReceived extends Data.TaggedClass("AlertReceived")<{ readonly alert: Name; readonly cause: unknown }>
  implements Reason
{
  /** The number of the alert: RFC 8446 section 6. */
  get code(): number {
    return codes[this.alert]
  }
  get message(): string {
    return `the peer ended TLS with the alert ${this.alert}`
  }
  get endsHandshakes(): true {
    return true
  }
}

/** Both speak TLS, but no version that the other accepts. */
export class ProtocolVersionUnsupported
  extends Data.TaggedClass("ProtocolVersionUnsupported")<{ readonly cause: unknown }>
  implements Reason
{
  get message(): string {
    return "no TLS version is accepted by both sides"
  }
}

/** The server speaks none of the protocols that were offered to it (ALPN). */
export class AlpnRejected extends Data.TaggedClass("AlpnRejected")<{
  readonly offered: ReadonlyArray<string>
  readonly cause: unknown
}> implements Reason {
  get message(): string {
    return this.offered.length === 0
      ? "none of the offered protocols is spoken here"
      : `none of ${this.offered.join(", ")} is spoken by the server`
  }
}

/** What the peer sent is not TLS. */
export class NotTls extends Data.TaggedClass("NotTls")<{ readonly cause: unknown }> implements Reason {
  get message(): string {
    return "the peer does not speak TLS"
  }
}

declare module "@wirestack/protocol/ConnectError" {
  interface ConnectReasons {
    readonly CertificateInvalid: CertificateInvalid
    readonly AlertReceived: AlertReceived
    readonly ProtocolVersionUnsupported: ProtocolVersionUnsupported
    readonly AlpnRejected: AlpnRejected
    readonly NotTls: NotTls
  }
}

declare module "@wirestack/protocol/ConnectionError" {
  interface ConnectionReasons {
    readonly AlertReceived: AlertReceived
  }
}
