/** Pins: digests of public keys, as in RFC 7469 section 2.4. They outlive the certificates of a key. */
import { createHash, X509Certificate } from "node:crypto"

/** `sha256/` and the SHA-256 digest, in Base64, of a SubjectPublicKeyInfo in DER. */
export type Pin = `sha256/${string}`

/** The pin of a certificate in PEM or DER. */
export const of = (certificate: string | Uint8Array): Pin => {
  const key = new X509Certificate(certificate).publicKey.export({ type: "spki", format: "der" })
  return `sha256/${createHash("sha256").update(key).digest("base64")}`
}
