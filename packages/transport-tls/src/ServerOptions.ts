/** How a server does TLS. */
import type * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"
import type { Changing } from "./Changing.ts"
import type { Authorities, Identity } from "./Identity.ts"
import type { Checks, CommonOptions } from "./Options.ts"

/** What a server asks of its clients. */
export interface ClientCertificates extends Authorities {
  /** Without a certificate a client is refused, or let in with `TlsInfo.authorized` false. A wrong one is refused. */
  readonly mode: "required" | "optional"
}

/** Keys that a server shares with clients. */
export interface ServerKeys {
  /** The key by the name a client gives, if there is one. It is sent by anybody: look it up, and don't make it up. */
  readonly keyOf: (identity: string) => Redacted.Redacted<Uint8Array> | undefined
  /** What TLS 1.2 tells clients that have several. */
  readonly hint?: string
}

/** How a server lets clients resume sessions. */
export interface Tickets<E = never, R = never> {
  /**
   * The 48 bytes that protect tickets, the same in all processes that are to accept them (as far as their `clientCertificates` are the same too); a Stream changes them, and the tickets
   * before are of no use then. By default each has its own, made anew with each identity, so that a new identity is always seen.
   */
  readonly keys?: Changing<Redacted.Redacted<Uint8Array>, E, R>
  /** How long a ticket is accepted, in whole seconds; an hour by default. */
  readonly lifetime?: Duration.Input
}

/** How a server does TLS. */
export interface ServerOptions<E = never, R = never> extends CommonOptions, Checks<R> {
  /** Who it is; `"none"` for a server that only has keys shared with clients (`psk`). */
  readonly identity: Changing<Identity, E, R> | "none"
  /** Keys that it shares with clients, instead of a certificate or beside one: RFC 4279, RFC 8446 section 4.2.11. */
  readonly psk?: ServerKeys
  /** Identities for other names the client may ask for (SNI); `*.example.com` stands for one label. */
  readonly identities?: Readonly<Record<string, Changing<Identity, E, R>>>
  /** The authorities whose certificates clients present; by default none is asked for. */
  readonly clientCertificates?: ClientCertificates
  /**
   * Whether clients may resume: RFC 8446 section 4.6.1. A certificate is not verified again then, but for its time, so it is on by default only
   * where clients present none. It can't be with `psk`: who resumed would not say again which key is shared.
   */
  readonly tickets?: Tickets<E, R> | boolean
  /** How many handshakes run at once; those beyond are refused. No limit of its own by default. */
  readonly maxHandshakes?: number
}
