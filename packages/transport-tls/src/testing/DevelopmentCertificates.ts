/**
 * Certificates for tests and for development, made in memory in some milliseconds.
 *
 * Needs the optional peer dependencies `@peculiar/x509` and `reflect-metadata`. Nobody trusts these authorities but who
 * is told to (`trust: { ca: authority.ca }`); the keys are EC P-256 or Ed25519, and live as long as the program.
 */
// The polyfill that @peculiar/x509 needs before it is loaded.
// oxlint-disable-next-line import/no-unassigned-import
import "reflect-metadata/lite"
import * as X509 from "@peculiar/x509"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { webcrypto } from "node:crypto"
import * as Net from "node:net"
import type { Authorities, Identity } from "../Identity.ts"

/** What is to stand in a certificate. */
export interface CertificateOptions {
  /** DNS names (`*.` for one label) and IP literals; `localhost`, `127.0.0.1` and `::1` by default. */
  readonly names?: ReadonlyArray<string>
  /** The common name; the first of `names` by default. */
  readonly commonName?: string
  /** When it begins and ends to be valid, in days from now; -1 and 30 by default. */
  readonly days?: readonly [from: number, to: number]
  /** What it may be used for (EKU); both by default. */
  readonly usages?: ReadonlyArray<"server" | "client">
}

/** An authority that issues certificates. */
export interface Authority {
  /** Its own certificate in PEM. */
  readonly ca: string
  /** Issues a certificate. */
  readonly issue: (options?: CertificateOptions) => Effect.Effect<Identity>
  /** A list, in PEM, that revokes these certificates. */
  readonly revoke: (identities: ReadonlyArray<Identity>) => Effect.Effect<string>
}

/** What an authority and those it vouches for sign with. Signatures of Ed25519 have one size, those of P-256 (DER) vary by some bytes. */
export type Signing = "P-256" | "Ed25519"

const algorithms = {
  "P-256": { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  Ed25519: { name: "Ed25519" }
} satisfies Record<Signing, object>

type Algorithm = (typeof algorithms)[Signing]

const day = 86_400_000

/** RFC 5280 section 4.2.1.12. */
const purposes = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" }

const dateAt = (millis: number): Date => DateTime.toDateUtc(DateTime.makeUnsafe(millis))

X509.cryptoProvider.set(webcrypto as any)

const keys = (algorithm: Algorithm): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]) as Promise<webcrypto.CryptoKeyPair>

const serial = (): string =>
  [...webcrypto.getRandomValues(new Uint8Array(8))]
    .map((byte, i) => (i === 0 ? byte & 0x7f | 0x40 : byte).toString(16).padStart(2, "0")).join("")

const keyOf = async (pair: webcrypto.CryptoKeyPair): Promise<Redacted.Redacted<string>> =>
  Redacted.make(X509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", pair.privateKey), "PRIVATE KEY"))

const subject = (commonName: string): string => `CN=${commonName.replace(/[,+=<>#;\\"]/g, "\\$&")}`

const alternative = (name: string): X509.JsonGeneralName =>
  Net.isIP(name) === 0 ? { type: "dns", value: name } : { type: "ip", value: name }

/** Makes an authority, which signs with P-256 by default. */
export const make = (
  options?: Pick<CertificateOptions, "commonName"> & { readonly signing?: Signing }
): Effect.Effect<Authority> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.promise(async () => {
      const algorithm = algorithms[options?.signing ?? "P-256"]
      const pair = await keys(algorithm) as any
      const authority = await X509.X509CertificateGenerator.createSelfSigned({
        serialNumber: serial(),
        name: subject(options?.commonName ?? "Development Authority"),
        notBefore: dateAt(now - 400 * day),
        notAfter: dateAt(now + 400 * day),
        signingAlgorithm: algorithm,
        keys: pair,
        extensions: [
          new X509.BasicConstraintsExtension(true, 1, true),
          new X509.KeyUsagesExtension(X509.KeyUsageFlags.keyCertSign | X509.KeyUsageFlags.cRLSign, true),
          await X509.SubjectKeyIdentifierExtension.create(pair.publicKey)
        ]
      })
      return {
        ca: authority.toString("pem"),
        issue: (options) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) =>
            Effect.promise(async () => {
              const {
                days: [from, to] = [-1, 30],
                names = ["localhost", "127.0.0.1", "::1"],
                usages = ["server", "client"]
              } = options ?? {}
              const leaf = await keys(algorithm) as any
              const certificate = await X509.X509CertificateGenerator.create({
                serialNumber: serial(),
                subject: subject(options?.commonName ?? names[0] ?? "nobody"),
                issuer: authority.subject,
                notBefore: dateAt(now + from * day),
                notAfter: dateAt(now + to * day),
                signingAlgorithm: algorithm,
                publicKey: leaf.publicKey,
                signingKey: pair.privateKey,
                extensions: [
                  new X509.BasicConstraintsExtension(false, undefined, true),
                  new X509.KeyUsagesExtension(X509.KeyUsageFlags.digitalSignature, true),
                  new X509.ExtendedKeyUsageExtension(usages.map((usage) => purposes[usage])),
                  ...(names.length === 0 ? [] : [new X509.SubjectAlternativeNameExtension(names.map(alternative))]),
                  await X509.AuthorityKeyIdentifierExtension.create(authority.publicKey)
                ]
              })
              return { certificate: certificate.toString("pem"), key: await keyOf(leaf) }
            })),
        revoke: (identities) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) =>
            Effect.promise(async () => {
              const list = await X509.X509CrlGenerator.create({
                issuer: authority.subject,
                thisUpdate: dateAt(now - day),
                nextUpdate: dateAt(now + 30 * day),
                signingAlgorithm: algorithm,
                signingKey: pair.privateKey,
                entries: identities.map(({ certificate }) => ({
                  serialNumber: new X509.X509Certificate(certificate).serialNumber,
                  revocationDate: dateAt(now - day),
                  reason: X509.X509CrlReason.keyCompromise
                }))
              })
              // The name OpenSSL knows: RFC 7468 section 6.
              return X509.PemConverter.encode(list.rawData, "X509 CRL")
            }))
      }
    }))

/** An identity for `localhost`, and whom to trust for it. */
export const localhost: Effect.Effect<{ readonly identity: Identity; readonly trust: Authorities }> = Effect.flatMap(
  Effect.suspend(() => make()),
  ({ ca, issue }) => Effect.map(issue(), (identity) => ({ identity, trust: { ca } }))
)
