/** The server's side of handshakes. */
import type { ConnectReason } from "@wirestack/protocol/ConnectError"
import { Other } from "@wirestack/protocol/Reason"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { EventEmitter } from "node:events"
import * as NodeTls from "node:tls"
import type { CredentialsError } from "../CredentialsError.ts"
import type { ClientCertificates, ServerKeys, ServerOptions } from "../ServerOptions.ts"
import { CertificateInvalid } from "../TlsReason.ts"
import { presented } from "./chain.ts"
import { ready } from "./checks.ts"
import { handshake, type Role } from "./handshake.ts"
import { serverIdentities, type Standing, standingFor } from "./serverIdentities.ts"
import { bytesOf } from "./sharedKey.ts"
import { certificateInvalid } from "./tlsReason.ts"

/** What Node's TLS server looks at once a handshake is over, and a socket of our own must look at itself. */
interface ServerSocket {
  readonly _handle?: { readonly verifyError?: () => Error | null } | null
  readonly _releaseControl?: () => boolean
  authorized: boolean
}

/** Refuses a client whose certificate was not verified, or when a session was begun with one that has expired since. */
const objectionTo = (
  socket: NodeTls.TLSSocket,
  certificates: ClientCertificates | undefined,
  now: number
): ConnectReason | undefined => {
  const inner = socket as unknown as ServerSocket
  // From now on errors are those of the connection.
  inner._releaseControl?.()
  if (certificates === undefined) return undefined
  const { raw, valid_to } = socket.getPeerCertificate()
  if (raw === undefined) {
    return certificates.mode === "optional"
      ? undefined
      : new CertificateInvalid({ code: "missing", detail: "the client presented none", cause: undefined })
  }
  const { verifyError } = inner._handle ?? {}
  if (verifyError === undefined) {
    return new Other({ cause: new Error("this Node can't say whether a certificate is valid") })
  }
  const cause = verifyError.call(inner._handle)
  if (socket.isSessionReused() && Date.parse(valid_to) < now) {
    return new CertificateInvalid({ code: "expired", detail: `it was valid until ${valid_to}`, cause: undefined })
  }
  if (cause == null) {
    inner.authorized = true
    return undefined
  }
  return certificateInvalid(cause) ?? new CertificateInvalid({ code: "invalid", detail: cause.message, cause })
}

/** What Node's TLS asks a server when a client wants a stapled answer; a socket alone can't be told what to staple. */
const stapler = (standing: () => Standing): EventEmitter =>
  Object.assign(new EventEmitter(), { _sharedCreds: standing().context }).on(
    "OCSPRequest",
    (_certificate, _issuer, answer: (error: null, response: Buffer | null) => void) => {
      const { ocspResponse } = standing()
      answer(null, ocspResponse === undefined ? null : Buffer.from(ocspResponse))
    }
  )

/** The keys, and the name of the one that was found last. */
const keyring = ({ hint, keyOf }: ServerKeys, used: (identity: string) => void) => ({
  pskCallback: (_socket: NodeTls.TLSSocket, identity: string) => {
    const key = keyOf(identity)
    if (key === undefined) return null
    used(identity)
    return bytesOf(key)
  },
  ...(hint === undefined ? undefined : { pskIdentityHint: hint })
})

/**
 * Whether the client has proved that it knows a key. It may have named one and then shaken hands without it: in TLS 1.3 a key counts as a
 * session that is resumed, and with `psk` there are no others.
 */
const provedKey = (socket: NodeTls.TLSSocket): boolean =>
  socket.getProtocol() === "TLSv1.3" ? socket.isSessionReused() : socket.getCipher().standardName.includes("_PSK_")

/** Makes what all handshakes of a server share. */
export const serverRole = <E, R>(
  options: ServerOptions<E, R>
): Effect.Effect<Role, E | CredentialsError, R | Scope.Scope> =>
  Effect.gen(function*() {
    const { clientCertificates: certificates, psk } = options
    const identities = yield* serverIdentities(options)
    const checks = yield* ready(options)
    const clock = yield* Clock.Clock

    return (lower, ask) => {
      const offered = options.alpn ?? ask.offers
      let standing = identities.fallback()
      let keyUsed: string | undefined
      const choose = (name: string, callback: (error: null, context?: NodeTls.SecureContext) => void): void => {
        standing = standingFor(identities, name) ?? standing
        callback(null, standing.context)
      }
      return handshake(lower, {
        start: (socket) =>
          new NodeTls.TLSSocket(socket, {
            isServer: true,
            secureContext: standing.context,
            ...(identities.staples() ? { server: stapler(() => standing) as any } : undefined),
            requestCert: certificates !== undefined,
            rejectUnauthorized: certificates?.mode === "required",
            ...(identities.named.size === 0 ? undefined : { SNICallback: choose }),
            ...(offered.length === 0 ? undefined : { ALPNProtocols: [...offered] }),
            ...(psk === undefined ? undefined : keyring(psk, (identity) => keyUsed = identity))
          }),
        done: "secure",
        objection: (socket) => objectionTo(socket, certificates, clock.currentTimeMillisUnsafe()),
        found: (socket) => {
          const seen = {
            certificates: certificates === undefined ? [] : presented(socket),
            authorized: socket.authorized,
            ocspResponse: undefined
          }
          const pskIdentity = provedKey(socket) ? keyUsed : undefined
          return { seen, resumed: socket.isSessionReused() && psk === undefined, pskIdentity }
        },
        checks,
        offered,
        options
      })
    }
  })
