/** The chain of a peer's certificate. */
import { X509Certificate } from "node:crypto"
import type * as NodeTls from "node:tls"
import * as Pin from "../Pin.ts"
import type { PeerCertificate } from "../TlsInfo.ts"

/** The certificates in DER, leaf first: those the peer has presented in order, and those of our own authorities above. */
export const linked = (leaf: Partial<NodeTls.DetailedPeerCertificate>): ReadonlyArray<Uint8Array> => {
  const all: Array<Uint8Array> = []
  let certificate: Partial<NodeTls.DetailedPeerCertificate> | undefined = leaf
  while (certificate?.raw !== undefined) {
    all.push(certificate.raw)
    // That of a root is itself.
    certificate = certificate.issuerCertificate === certificate ? undefined : certificate.issuerCertificate
  }
  return all
}

/** Those of a socket. Not as X.509 objects: making one takes the certificate out of a client's socket. */
export const presented = (socket: NodeTls.TLSSocket): ReadonlyArray<Uint8Array> =>
  linked(socket.getPeerCertificate(true))

/** Whether a certificate was signed with the key of another, and not just names it. */
const isIssuedBy = (certificate: X509Certificate, issuer: X509Certificate): boolean =>
  issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)

/** Read on demand: most programs never look. */
const summaryOf = (certificate: X509Certificate): PeerCertificate => ({
  get subject() {
    return certificate.subject
  },
  get issuer() {
    return certificate.issuer
  },
  get subjectAltName() {
    return certificate.subjectAltName
  },
  get validFrom() {
    return certificate.validFrom
  },
  get validTo() {
    return certificate.validTo
  },
  get serialNumber() {
    return certificate.serialNumber
  },
  get fingerprint256() {
    return certificate.fingerprint256
  },
  get pin() {
    return Pin.of(certificate.raw)
  },
  get raw() {
    return certificate.raw
  }
})

/** The peer's certificate. */
export const leafOf = ([leaf]: ReadonlyArray<Uint8Array>): PeerCertificate | undefined =>
  leaf === undefined ? undefined : summaryOf(new X509Certificate(leaf))

/** The certificates as far up as each has signed the one before. What else a peer presents vouches for nothing. */
export const chainOf = (certificates: ReadonlyArray<Uint8Array>): ReadonlyArray<PeerCertificate> => {
  const all = certificates.map((raw) => new X509Certificate(raw))
  const end = all.findIndex((certificate, i) => i > 0 && !isIssuedBy(all[i - 1], certificate))
  return all.slice(0, end === -1 ? undefined : end).map(summaryOf)
}
