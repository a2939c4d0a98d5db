/** Contexts of Node's TLS from our options, made once per stack. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as NodeTls from "node:tls"
import { CredentialsError } from "../CredentialsError.ts"
import type { Authorities, Identity } from "../Identity.ts"

/** What client and server have in common. */
export interface Common {
  readonly identity?: Identity | undefined
  readonly authorities?: Authorities | undefined
  readonly minVersion?: NodeTls.SecureVersion | undefined
  readonly maxVersion?: NodeTls.SecureVersion | undefined
}

const list = (pem: string | ReadonlyArray<string>): Array<string> => typeof pem === "string" ? [pem] : [...pem]

/** Makes a context, or says that the certificates or keys can't be used. */
export const secureContext = (
  role: "client" | "server",
  options: Common
): Effect.Effect<NodeTls.SecureContext, CredentialsError> => {
  const { authorities, identity, maxVersion, minVersion } = options
  return Effect.try({
    try: () =>
      NodeTls.createSecureContext({
        minVersion: minVersion ?? "TLSv1.2",
        ...(maxVersion === undefined ? undefined : { maxVersion }),
        ...(identity === undefined ? undefined : { cert: identity.certificate, key: Redacted.value(identity.key) }),
        ...(identity?.passphrase === undefined ? undefined : { passphrase: Redacted.value(identity.passphrase) }),
        ...(authorities === undefined ? undefined : { ca: list(authorities.ca) }),
        ...(authorities?.crl === undefined ? undefined : { crl: list(authorities.crl) }),
        ...(role === "server" ? { sessionIdContext: "wirestack", honorCipherOrder: true } : undefined)
      }),
    catch: (cause) => new CredentialsError({ role, cause })
  })
}
