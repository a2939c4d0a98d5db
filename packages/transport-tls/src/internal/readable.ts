/** Certificates and keys that can be read. Node takes a text without any for a list of none, and names nothing in its errors. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { createPrivateKey, X509Certificate } from "node:crypto"
import { CredentialsError } from "../CredentialsError.ts"
import type { Authorities, Identity } from "../Identity.ts"

type Role = CredentialsError["role"]

/** Reads an option, or says that it can't be. */
const reading = <A>(role: Role, option: string, read: () => A): Effect.Effect<A, CredentialsError> =>
  Effect.try({ try: read, catch: (cause) => new CredentialsError({ role, option, cause }) })

const list = (pem: string | ReadonlyArray<string>): Array<string> => typeof pem === "string" ? [pem] : [...pem]

const lists = /-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----/g

const blocks = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g

/** The blocks of texts in PEM; each text has some. */
const blocksOf = (pem: string | ReadonlyArray<string>, block: RegExp): Array<string> =>
  list(pem).flatMap((text) => {
    const found = text.match(block)
    if (found === null) throw new Error("there is none in PEM, and the name of a file is no certificate")
    return found
  })

/** Authorities as Node has them; one list of revoked certificates a text, since of several it takes the first. */
export const readAuthorities = (
  role: Role,
  { ca, crl }: Authorities
): Effect.Effect<{ readonly ca: Array<string>; readonly crl?: Array<string> }, CredentialsError> =>
  Effect.gen(function*() {
    const certificates = yield* reading(
      role,
      "ca",
      () => blocksOf(ca, blocks).map((block) => new X509Certificate(block).toString())
    )
    if (crl === undefined) return { ca: certificates }
    return { ca: certificates, crl: yield* reading(role, "crl", () => blocksOf(crl, lists)) }
  })

/** An identity as Node has it. */
export const readIdentity = (
  role: Role,
  { certificate, key, passphrase }: Identity
): Effect.Effect<
  { readonly cert: string; readonly key: string; readonly passphrase?: string },
  CredentialsError
> =>
  Effect.gen(function*() {
    const secret = { key: Redacted.value(key), ...(passphrase && { passphrase: Redacted.value(passphrase) }) }
    const first = yield* reading(role, "certificate", () => new X509Certificate(certificate))
    const own = yield* reading(role, "key", () => createPrivateKey(secret))
    if (!first.checkPrivateKey(own)) {
      return yield* new CredentialsError({ role, option: "key", cause: new Error("it is not that of the certificate") })
    }
    return { cert: certificate, ...secret }
  })
