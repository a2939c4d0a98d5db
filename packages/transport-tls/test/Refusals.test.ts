/** What each side says of a certificate that is not accepted. */
// The polyfill that @peculiar/x509 needs before it is loaded.
// oxlint-disable-next-line import/no-unassigned-import
import "reflect-metadata/lite"
import { assert, it } from "@effect/vitest"
import * as X509 from "@peculiar/x509"
import { type ConnectError, type ConnectReason, fromConnectionError } from "@wirestack/protocol/ConnectError"
import { ConnectionError, type ConnectionReason } from "@wirestack/protocol/ConnectionError"
import { AlertReceived, type CertificateFault, type Identity, type Tls } from "@wirestack/transport-tls"
import { Deferred, Effect, Redacted } from "effect"
import * as Cause from "effect/Cause"
import { webcrypto, X509Certificate } from "node:crypto"
import { certificates, connect, grounds, listen, meeting, refusalOf, soon, stackOn, tight } from "./support.ts"

/** The same certificate with another signature. */
const forged = (certificate: string): string => {
  const der = Buffer.from(new X509Certificate(certificate).raw)
  der[der.length - 1] ^= 1
  return X509.PemConverter.encode(der, "CERTIFICATE")
}

/** An identity that vouches for itself. */
const alone = Effect.promise(async () => {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]) as any
  const certificate = await X509.X509CertificateGenerator.createSelfSigned({
    name: "CN=alone",
    signingAlgorithm: algorithm,
    keys,
    extensions: [new X509.SubjectAlternativeNameExtension([{ type: "dns", value: "localhost" }])]
  })
  const key = X509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY")
  return { certificate: certificate.toString("pem"), key: Redacted.make(key) }
})

const made = Effect.runSync(Effect.cached(Effect.gen(function*() {
  const made = yield* certificates
  const { authority, other } = made
  const revoked = yield* authority.issue({ names: [], commonName: "a former client" })
  return {
    ...made,
    alone: yield* alone,
    forClients: yield* authority.issue({ usages: ["client"] }),
    forServers: yield* authority.issue({ usages: ["server"] }),
    forged: { ...made.identity, certificate: forged(made.identity.certificate) },
    partial: yield* authority.issue({ names: ["a*.example.test"] }),
    address: yield* authority.issue({ names: ["*.0.0.1"] }),
    onlyCommon: yield* authority.issue({ names: [], commonName: "localhost" }),
    revoked,
    crl: yield* authority.revoke([made.identity, revoked]),
    crlOfOther: yield* other.revoke([])
  }
})))

type Made = Effect.Success<typeof made>

/** A pair that must not come about: what is wrong with a certificate, and the options of both. */
type Row = readonly [
  what: string,
  code: CertificateFault,
  client: (made: Made) => Tls.ClientOptions,
  server: (made: Made) => Partial<Tls.ServerOptions>
]

const none = () => ({})
const named = (serverName: string) => () => ({ serverName })
const shown =
  (which: "expired" | "early" | "alone" | "foreign" | "forClients" | "forServers" | "forged" | "revoked") =>
  (made: Made) => ({
    identity: made[which]
  })
const asked = ({ ca }: Made) => ({ clientCertificates: { mode: "required", ca } as const })

const ofServers: ReadonlyArray<Row> = [
  ["expired", "expired", none, shown("expired")],
  ["not yet valid", "not-yet-valid", none, shown("early")],
  ["vouching for itself", "self-signed", none, shown("alone")],
  ["of an unknown authority", "unknown-authority", none, shown("foreign")],
  ["of no public authority", "unknown-authority", () => ({ trust: "system" }), none],
  ["for clients only", "wrong-purpose", none, shown("forClients")],
  ["not signed by who it says", "bad-signature", none, shown("forged")],
  ["revoked", "revoked", ({ ca, crl }) => ({ trust: { ca, crl } }), none],
  [
    "of an authority without a list",
    "revocation-unknown",
    ({ ca, crlOfOther }) => ({ trust: { ca, crl: crlOfOther } }),
    none
  ],
  ["of another host", "hostname-mismatch", named("other.test"), none],
  ["of another IP", "hostname-mismatch", named("127.0.0.9"), none],
  [
    "of a wildcard, for two labels",
    "hostname-mismatch",
    named("a.b.example.test"),
    (made) => ({ identity: made.alternative })
  ],
  [
    "of a wildcard, for no label",
    "hostname-mismatch",
    named("example.test"),
    (made) => ({ identity: made.alternative })
  ],
  [
    "of a wildcard in part of a label",
    "hostname-mismatch",
    named("ab.example.test"),
    (made) => ({ identity: made.partial })
  ],
  ["of a wildcard in an IP", "hostname-mismatch", named("127.0.0.1"), (made) => ({ identity: made.address })],
  ["of a common name only", "hostname-mismatch", none, (made) => ({ identity: made.onlyCommon })]
]

const ofClients: ReadonlyArray<Row> = [
  ["expired", "expired", shown("expired"), asked],
  ["not yet valid", "not-yet-valid", shown("early"), asked],
  ["vouching for itself", "self-signed", shown("alone"), asked],
  ["of an unknown authority", "unknown-authority", shown("foreign"), asked],
  ["for servers only", "wrong-purpose", shown("forServers"), asked],
  ["not signed by who it says", "bad-signature", shown("forged"), asked],
  ["revoked", "revoked", shown("revoked"), ({ ca, crl }) => ({ clientCertificates: { mode: "required", ca, crl } })],
  ["missing", "missing", none, asked]
]

/** What an end sees: when, and the reason. */
interface Sight {
  readonly when: "connecting" | "connected"
  readonly reason: ConnectReason | ConnectionReason | undefined
}

const sight = (error: ConnectError | ConnectionError | Cause.Done<unknown>): Sight => ({
  when: error._tag === "ConnectError" ? "connecting" : "connected",
  reason: Cause.isDone(error) ? undefined : error.reason
})

/** What both ends see. The handlers are given nothing. */
const sights = (endpoint: string) =>
  Effect.gen(function*() {
    const listener = yield* listen(endpoint, soon)
    const server = yield* Deferred.make<Sight>()
    const see = (error: Parameters<typeof sight>[0]) => Effect.asVoid(Deferred.succeed(server, sight(error)))
    yield* Effect.forkScoped(
      listener.run((connection) =>
        Effect.matchEffect(connection.pull, {
          onSuccess: () => Deferred.die(server, "something was delivered"),
          onFailure: see
        }), { onIncident: (incident) => incident._tag === "HandshakeFailed" ? see(incident.error) : Effect.void })
    )
    const client = Effect.flatMap(connect(listener.address, soon), ({ pull }) => pull)
    return { client: sight(yield* Effect.flip(Effect.scoped(client))), server: yield* Deferred.await(server) }
  })

const refuses = ({ when, reason }: Sight, code: CertificateFault): void => {
  assert.strictEqual(when, "connecting")
  assert(reason?._tag === "CertificateInvalid", reason?.message)
  assert.strictEqual(reason.code, code)
}

for (const [title, ground] of Object.entries(grounds)) {
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    const row = (
      [what, code, client, server]: Row,
      who: string,
      look: (both: Effect.Success<ReturnType<typeof sights>>) => void
    ) =>
      it.live(`the ${who}'s certificate is ${what}: ${code} (${title}, ${maxVersion})`, () =>
        tight(Effect.gen(function*() {
          const all = yield* made
          const stack = stackOn(ground, all, { maxVersion, ...client(all) }, server(all))
          look(yield* Effect.provide(Effect.scoped(sights(ground.endpoint)), stack))
        })))

    for (const refused of ofServers) {
      row(refused, "server", ({ client, server }) => {
        refuses(client, refused[1])
        // Node cuts the connection and says no alert; a socket that is cut in time may look as if it had ended.
        assert.include(["Reset", "Truncated", undefined], server.reason?._tag)
      })
    }

    for (const refused of ofClients) {
      row(refused, "client", ({ client, server }) => {
        refuses(server, refused[1])
        if (refused[1] !== "missing") {
          // The client was done with its handshake: over TLS 1.3 always, over TLS 1.2 because Node looks only after it.
          assert.strictEqual(client.when, "connected")
          // Node 22 may cut a socket with a FIN, which looks like an end.
          assert.include(["Reset", "Truncated", undefined], client.reason?._tag)
        } else {
          assert.strictEqual(client.when, maxVersion === "TLSv1.3" ? "connected" : "connecting")
          assert(client.reason?._tag === "AlertReceived")
          assert.strictEqual(
            client.reason.alert,
            maxVersion === "TLSv1.3" ? "certificate_required" : "handshake_failure"
          )
        }
      })
    }
  }
}

it.live("a list of revoked certificates lets the others pass", () =>
  tight(Effect.gen(function*() {
    const all = yield* made
    const { ca, crl } = all
    const client = { trust: { ca, crl }, identity: all.client }
    const server = { identity: all.forServers, clientCertificates: { mode: "required", ca, crl } } as const
    const met = yield* Effect.provide(meeting("127.0.0.1:0"), stackOn(grounds.TCP, all, client, server))
    assert.isTrue(met.client.authorized && met.server.authorized)
  })))

it.live("lists of revoked certificates count although they are in one text", () =>
  tight(Effect.gen(function*() {
    const all = yield* made
    const trust = { ca: [all.ca, all.other.ca], crl: `${all.crlOfOther}\n${all.crl}` }
    const met = (identity: Identity) =>
      Effect.provide(meeting("127.0.0.1:0"), stackOn(grounds.TCP, all, { trust }, { identity }))
    assert.isTrue((yield* met(all.forServers)).client.authorized)
    const reason = yield* refusalOf(met(all.identity))
    assert(reason._tag === "CertificateInvalid")
    assert.strictEqual(reason.code, "revoked")
  })))

it("an alert is the reason of a failed handshake above TLS, too", () => {
  const reason = new AlertReceived({ alert: "certificate_required", cause: undefined })
  assert.strictEqual(fromConnectionError(new ConnectionError({ layer: "tls", reason })).reason, reason)
})
