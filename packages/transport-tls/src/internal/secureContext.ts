/** Contexts of Node's TLS from our options, made once per stack and identity. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { constants, createHash } from "node:crypto"
import * as NodeTls from "node:tls"
import * as CipherSuite from "../CipherSuite.ts"
import { CredentialsError } from "../CredentialsError.ts"
import * as Group from "../Group.ts"
import type { Authorities, Identity } from "../Identity.ts"
import type { CommonOptions } from "../Options.ts"
import { readAuthorities, readIdentity } from "./readable.ts"

/** What a context is made of, beside the identity. */
export interface Terms {
  readonly options: CommonOptions
  readonly authorities: Authorities | undefined
  /** Of a server: how long its tickets are accepted and what protects them, or none. */
  readonly tickets?: {
    readonly keys?: Redacted.Redacted<Uint8Array> | undefined
    readonly lifetime: Duration.Input
  } | undefined
}

/** Where a session counts: with whoever asks for certificates of the same authorities, as they are not verified again. */
const realm = (authorities: Authorities | undefined): string =>
  createHash("sha256").update(JSON.stringify(authorities ?? null)).digest("hex").slice(0, 32)

const serverOptions = ({ authorities, tickets }: Terms): NodeTls.SecureContextOptions => ({
  sessionIdContext: realm(authorities),
  honorCipherOrder: true,
  ...(tickets === undefined
    ? { secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_TICKET }
    : { sessionTimeout: Math.ceil(Duration.toSeconds(Duration.fromInputUnsafe(tickets.lifetime))) }),
  ...(tickets?.keys === undefined ? undefined : { ticketKeys: Buffer.from(Redacted.value(tickets.keys)) })
})

/** Makes a context, or says that the certificates, keys or names of algorithms can't be used. */
export const secureContext = (
  role: "client" | "server",
  identity: Identity | undefined,
  terms: Terms
): Effect.Effect<NodeTls.SecureContext, CredentialsError> => {
  const { authorities, options } = terms
  const { cipherSuites = CipherSuite.modern, groups = Group.modern, maxVersion, minVersion, signatureAlgorithms } =
    options
  const make = (credentials: NodeTls.SecureContextOptions) =>
    Effect.try({
      try: () =>
        NodeTls.createSecureContext({
          minVersion: minVersion ?? "TLSv1.2",
          ...(maxVersion === undefined ? undefined : { maxVersion }),
          ciphers: CipherSuite.format(cipherSuites),
          ecdhCurve: Group.format(groups),
          ...(signatureAlgorithms === undefined ? undefined : { sigalgs: signatureAlgorithms.join(":") }),
          secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
          ...credentials,
          ...(role === "server" ? serverOptions(terms) : undefined)
        }),
      catch: (cause) => new CredentialsError({ role, cause })
    })
  return Effect.gen(function*() {
    const own = identity && (yield* readIdentity(role, identity))
    const others = authorities && (yield* readAuthorities(role, authorities))
    return yield* make({ ...own, ...others })
  })
}
