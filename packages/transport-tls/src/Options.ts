/** What both roles can be told. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { CipherSuite } from "./CipherSuite.ts"
import type { Group } from "./Group.ts"
import type { Pin } from "./Pin.ts"
import type { TlsInfo } from "./TlsInfo.ts"

/** The versions of TLS that can be asked for. */
export type Version = "TLSv1.2" | "TLSv1.3"

/** The signature algorithms that can be asked for: RFC 8446 section 4.2.3. */
export type SignatureAlgorithm =
  | "ecdsa_secp256r1_sha256"
  | "ecdsa_secp384r1_sha384"
  | "ecdsa_secp521r1_sha512"
  | "ed25519"
  | "ed448"
  | "rsa_pss_rsae_sha256"
  | "rsa_pss_rsae_sha384"
  | "rsa_pss_rsae_sha512"
  | "rsa_pss_pss_sha256"
  | "rsa_pss_pss_sha384"
  | "rsa_pss_pss_sha512"
  | "rsa_pkcs1_sha256"
  | "rsa_pkcs1_sha384"
  | "rsa_pkcs1_sha512"

/** What both roles can be told. */
export interface CommonOptions {
  /** The protocol names for ALPN, most wanted first; by default what the layers above offer. */
  readonly alpn?: ReadonlyArray<string>
  /** The oldest version that is accepted; `"TLSv1.2"` by default. */
  readonly minVersion?: Version
  /** The newest version that is accepted. */
  readonly maxVersion?: Version
  /** The cipher suites, most wanted first; `CipherSuite.modern` by default. A server goes by its own order. */
  readonly cipherSuites?: ReadonlyArray<CipherSuite>
  /** The groups for the exchange of keys, most wanted first; `Group.modern` by default. */
  readonly groups?: ReadonlyArray<Group>
  /** The algorithms with which the peer may sign; by default those of OpenSSL's security level. */
  readonly signatureAlgorithms?: ReadonlyArray<SignatureAlgorithm>
  /**
   * What an input means that ends without close_notify, where that can be told: cut off, or just ended. `"detect"` by
   * default. Ignore it only if the protocol above says itself where it ends.
   */
  readonly truncation?: "detect" | "ignore"
  /**
   * Is given the secrets of each connection, a line of the NSS key log format each, for tools such as Wireshark. None by default:
   * WHOEVER HAS THEM READS EVERYTHING.
   */
  readonly keyLog?: (line: string) => void
  /** Is told what later comes of a Stream in the options and can't be used; by default it is logged as a warning. */
  readonly onUnusable?: (error: unknown) => Effect.Effect<void>
}

/** How the peer is looked at beyond the built-in verification. */
export interface Checks<R = never> {
  /**
   * Public keys, one of which must have signed: that of the peer's certificate, or of one above it in its chain. By default any will do, and a peer
   * that presents none has none to compare; a server must ask for certificates (`clientCertificates`). Name a second one that is kept in reserve.
   */
  readonly pins?: ReadonlyArray<Pin>
  /**
   * A verification of one's own: runs after the built-in one, within `handshakeWithin`, and before anything of the layers above is sent
   * or delivered. Its failure refuses the peer as `rejected`. With `trust: "insecure"` it is the only one.
   */
  readonly verify?: (info: TlsInfo["Service"]) => Effect.Effect<void, unknown, R>
}

/** How long a handshake may take. */
export interface Deadline {
  /** From the moment the layer below is ready; 10 seconds by default. */
  readonly handshakeWithin?: Duration.Input
}
