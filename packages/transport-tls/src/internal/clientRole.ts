/** The client's side of handshakes. */
import type { Ask } from "@wirestack/protocol/Ask"
import { ConnectError, InvalidEndpoint } from "@wirestack/protocol/ConnectError"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as NodeTls from "node:tls"
import type { ClientKey, ClientOptions } from "../ClientOptions.ts"
import type { CredentialsError } from "../CredentialsError.ts"
import type { Identity } from "../Identity.ts"
import type { TlsInfo } from "../TlsInfo.ts"
import { CertificateInvalid } from "../TlsReason.ts"
import { linked, presented } from "./chain.ts"
import { ready } from "./checks.ts"
import { handshake, type Role } from "./handshake.ts"
import type { Seen } from "./info.ts"
import { latest } from "./latest.ts"
import { secureContext } from "./secureContext.ts"
import { named, nameOf, unproved } from "./serverName.ts"
import { Arrivals, type Remembered, Sessions } from "./Sessions.ts"
import { bytesOf } from "./sharedKey.ts"
import { soundClient } from "./sound.ts"

const nameless = (ask: Ask): ConnectError => {
  const input = Endpoint.format(ask.endpoint)
  const reason = new InvalidEndpoint({ input, detail: "it has no host name, so TLS must be given a serverName" })
  return new ConnectError({ layer: "tls", reason })
}

/** What is wrong if nothing was stapled: only a server that presents a certificate is to staple. */
const unstapled = (socket: NodeTls.TLSSocket): CertificateInvalid | undefined =>
  presented(socket).length === 0
    ? undefined
    : new CertificateInvalid({
      code: "revocation-unknown",
      detail: "no OCSP response was stapled",
      cause: undefined
    })

const keyed = ({ identity, key }: ClientKey): NodeTls.ConnectionOptions => ({
  pskCallback: () => ({ identity, psk: bytesOf(key) })
})

/** When a server that was verified now is to be verified again, at the latest. */
const verifiedUntil = ({ peer }: TlsInfo["Service"], lifetime: number, now: number): number =>
  Math.min(now + lifetime, peer === undefined ? Infinity : Date.parse(peer.validTo))

/** What has to be made anew for another identity. */
interface Standing {
  readonly context: NodeTls.SecureContext
  readonly sessions: Sessions | undefined
}

/** Makes what all handshakes of a client share. */
export const clientRole = <E, R>(
  options: ClientOptions<E, R>
): Effect.Effect<Role, E | CredentialsError, R | Scope.Scope> =>
  Effect.gen(function*() {
    const { ocsp = "ignore", psk, resumption = {}, trust = "system" } = options
    const authorities = typeof trust === "object" ? trust : undefined
    yield* soundClient(authorities, options)
    const stand = (identity: Identity | undefined): Effect.Effect<Standing, CredentialsError> =>
      Effect.map(secureContext("client", identity, { options, authorities }), (context) => ({
        context,
        sessions: resumption === false || psk !== undefined ? undefined : new Sessions(resumption)
      }))
    const standing = yield* latest<Identity | undefined, Standing, E, R>(options.identity, stand, {
      role: "client",
      onUnusable: options.onUnusable
    })
    const checks = yield* ready(options)
    const clock = yield* Clock.Clock

    return (lower, ask) => {
      const name = nameOf(ask, options.serverName)
      if (name === undefined && trust !== "insecure") return Effect.fail(nameless(ask))
      const offered = options.alpn ?? ask.offers
      const server = `${name} ${Endpoint.format(ask.endpoint)}`
      const { context, sessions } = standing()
      const arrivals = new Arrivals()
      let before: Remembered | undefined
      let shown: ReadonlyArray<Uint8Array> | undefined
      let ocspResponse: Buffer | undefined
      let seen: Seen

      return handshake(lower, {
        start: (socket) => {
          before = sessions?.take(server, clock.currentTimeMillisUnsafe())
          const tls = NodeTls.connect({
            socket,
            secureContext: context,
            rejectUnauthorized: trust !== "insecure",
            checkServerIdentity: (name, certificate) => {
              shown = linked(certificate as NodeTls.DetailedPeerCertificate)
              return unproved(name, certificate)
            },
            requestOCSP: ocsp !== "ignore",
            ...named(name),
            ...(offered.length === 0 ? undefined : { ALPNProtocols: [...offered] }),
            ...(before === undefined ? undefined : { session: before.session }),
            ...(psk === undefined ? undefined : keyed(psk))
          })
          if (sessions !== undefined) tls.on("session", arrivals.add)
          tls.on("OCSPResponse", (response: Buffer | null) => ocspResponse = response ?? undefined)
          return tls
        },
        done: "secureConnect",
        objection: (socket) => ocsp === "require" && ocspResponse === undefined ? unstapled(socket) : undefined,
        found: (socket) => {
          const resumed = before !== undefined && socket.isSessionReused()
          const certificates = shown ?? presented(socket)
          const authorized = trust !== "insecure" && socket.authorized && certificates.length > 0
          seen = resumed ? before!.seen : { certificates, authorized, ocspResponse }
          const keyed = psk !== undefined && certificates.length === 0
          return { seen, resumed, pskIdentity: keyed ? psk.identity : undefined }
        },
        checks,
        accepted: (info) => {
          if (sessions === undefined) return
          const until = info.resumed
            ? before!.until
            : verifiedUntil(info, sessions.lifetime, clock.currentTimeMillisUnsafe())
          const reusable = info.version !== "TLSv1.3"
          arrivals.accept((session) => sessions.add(server, { session, seen, until, reusable }))
        },
        offered,
        options
      })
    }
  })
