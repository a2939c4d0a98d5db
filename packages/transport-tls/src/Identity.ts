/** Who an end of TLS is, and whom it trusts. */
import type * as Redacted from "effect/Redacted"

/** A certificate with its key. */
export interface Identity {
  /** The certificate in PEM, followed by those between it and the authority. */
  readonly certificate: string
  /** The private key in PEM. */
  readonly key: Redacted.Redacted<string>
  /** The passphrase of the key, if it is encrypted. */
  readonly passphrase?: Redacted.Redacted<string>
  /** What a server staples for clients that ask: the answer of its OCSP responder in DER (RFC 6066 section 8). A Stream of identities renews it. */
  readonly ocspResponse?: Uint8Array
}

/** Authorities of one's own, instead of the public ones. */
export interface Authorities {
  /** Their certificates in PEM. */
  readonly ca: string | ReadonlyArray<string>
  /** Their lists of revoked certificates in PEM; if given, every authority needs one. */
  readonly crl?: string | ReadonlyArray<string>
}

/**
 * Whom a client trusts:
 *
 * - `"system"`: the authorities Node trusts (with those of NODE_EXTRA_CA_CERTS).
 * - Authorities of one's own, and only these.
 * - `"insecure"`: ANYONE. The certificate is neither verified nor compared with the name of the server, so whoever is on
 *   the way can read and change everything. Only for a look at a server whose certificate is broken.
 */
export type Trust = "system" | Authorities | "insecure"
