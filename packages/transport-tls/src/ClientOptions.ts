/** How a client does TLS. */
import type * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"
import type { Changing } from "./Changing.ts"
import type { Identity, Trust } from "./Identity.ts"
import type { Checks, CommonOptions } from "./Options.ts"

/** A key that a client shares with a server. */
export interface ClientKey {
  /** The name the server knows the key by; 256 bytes at most. It is sent in the clear. */
  readonly identity: string
  /** Long and random, up to 512 bytes: a password can be guessed by who has listened. */
  readonly key: Redacted.Redacted<Uint8Array>
}

/** What a client keeps in order to shorten later handshakes. */
export interface Resumption {
  /** How many servers are remembered, each with up to two sessions; 256 by default. */
  readonly maxServers?: number
  /**
   * How long one is used at most, together with those that come of it, and never beyond the server's certificate; an hour by default.
   * Then the server is verified again.
   */
  readonly lifetime?: Duration.Input
}

/** How a client does TLS. */
export interface ClientOptions<E = never, R = never> extends CommonOptions, Checks<R> {
  /** Whom to trust; the public authorities (`"system"`) by default. */
  readonly trust?: Trust
  /** Our own certificate, for servers that ask for one. */
  readonly identity?: Changing<Identity, E, R>
  /** The name the server must prove, and is told (SNI); by default the host of the endpoint, or the domain of a service. An IP is not told. */
  readonly serverName?: string
  /** A key shared with the server, instead of its certificate: RFC 4279, RFC 8446 section 4.2.11. A certificate it presents is verified. */
  readonly psk?: ClientKey
  /**
   * Whether sessions are resumed, which spares the exchange of certificates: RFC 8446 section 2.2. They are remembered per stack,
   * identity of ours and server, once the server was accepted, and for TLS 1.3 each is used once. On by default.
   */
  readonly resumption?: Resumption | false
  /**
   * Whether the server is asked to staple an answer of its OCSP responder, shown as `TlsInfo.ocspResponse`: not (the default), or
   * refused without one. Node can't verify the answer: do so in `verify`.
   */
  readonly ocsp?: "ignore" | "request" | "require"
}
