import { assert, describe, it } from "@effect/vitest"
import { detail } from "@wirestack/protocol/Connection"
import type { Incident } from "@wirestack/protocol/Listener"
import * as MemoryTransport from "@wirestack/protocol/MemoryTransport"
import { until } from "@wirestack/test-support"
import { CipherSuite, Group, Pin, Tls, TlsInfo } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { Effect, Layer, Redacted } from "effect"
import { inspect } from "node:util"
import {
  certificates,
  connect,
  connected,
  grounds,
  listen,
  meeting,
  meetings,
  refusalOf,
  soon,
  stackOn,
  tight
} from "./support.ts"

const key = (fill: number) => Redacted.make(new Uint8Array(32).fill(fill))

for (const [title, ground] of Object.entries(grounds)) {
  /** What both ends know of a connection of a stack. */
  const met = (client: Tls.ClientOptions, server: Partial<Tls.ServerOptions> = {}) =>
    Effect.flatMap(
      certificates,
      (made) => Effect.provide(meeting(ground.endpoint), stackOn(ground, made, client, server))
    )

  describe(`algorithms (${title})`, () => {
    it.live("are modern by default", () =>
      tight(Effect.gen(function*() {
        for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
          const { client } = yield* met({ maxVersion })
          assert.include(CipherSuite.modern, client.cipher)
          // Node 22 has no name for a hybrid group.
          assert.include(maxVersion === "TLSv1.3" ? [Group.modern[0], undefined] : ["X25519"], client.group)
        }
      })))

    it.live("can be chosen: cipher suites and groups", () =>
      tight(Effect.gen(function*() {
        for (
          const [maxVersion, suite] of [
            ["TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256"],
            ["TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"]
          ] as const
        ) {
          const { client, server } = yield* met({ maxVersion }, { cipherSuites: [suite], groups: ["P-384"] })
          assert.strictEqual(client.cipher, suite)
          assert.strictEqual(client.group, "P-384")
          assert.strictEqual(server.cipher, suite)
        }
      })))

    it.live("can be chosen: how the peer signs", () =>
      tight(Effect.gen(function*() {
        assert.isTrue((yield* met({ signatureAlgorithms: ["ecdsa_secp256r1_sha256"] })).client.authorized)
        const reason = yield* refusalOf(met({ signatureAlgorithms: ["ed25519"] }))
        assert(reason._tag === "AlertReceived")
        assert.strictEqual(reason.alert, "handshake_failure")
        const { ca, issue } = yield* DevelopmentCertificates.make({ signing: "Ed25519" })
        const identity = yield* issue()
        const { client } = yield* met({ signatureAlgorithms: ["ed25519"], trust: { ca } }, { identity })
        assert.isTrue(client.authorized)
      })))
  })

  describe(`a pre-shared key (${title})`, () => {
    const psk = { keyOf: (identity: string) => identity === "a device" ? key(1) : undefined, hint: "devices" }

    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      it.live(`stands for both identities, ${maxVersion}`, () =>
        tight(Effect.gen(function*() {
          const { client, server } = yield* met(
            { maxVersion, trust: "system", psk: { identity: "a device", key: key(1) } },
            { identity: "none", psk }
          )
          for (const info of [client, server]) {
            assert.strictEqual(info.pskIdentity, "a device")
            assert.strictEqual(info.peer, undefined)
            assert.isFalse(info.authorized)
            assert.isFalse(info.resumed)
          }
          assert.strictEqual(
            client.cipher,
            maxVersion === "TLSv1.3"
              ? "TLS_AES_128_GCM_SHA256"
              : "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256"
          )
        })))

      it.live(`that the server does not have is refused, ${maxVersion}`, () =>
        tight(Effect.gen(function*() {
          for (const [identity, fill] of [["a device", 2], ["another", 1]] as const) {
            const reason = yield* refusalOf(
              met({ maxVersion, psk: { identity, key: key(fill) } }, { identity: "none", psk })
            )
            assert(reason._tag === "AlertReceived", String(reason))
            assert.include(
              ["decrypt_error", "bad_record_mac", "handshake_failure", "unknown_psk_identity"],
              reason.alert
            )
          }
        })))

      it.live(`falls back to a certificate, which is verified, ${maxVersion}`, () =>
        tight(Effect.gen(function*() {
          const { client } = yield* met({ maxVersion, psk: { identity: "another", key: key(1) } })
          assert.isTrue(client.authorized)
          assert.strictEqual(client.pskIdentity, undefined)
          const reason = yield* refusalOf(
            met({ maxVersion, serverName: "other.test", psk: { identity: "another", key: key(1) } })
          )
          assert(reason._tag === "CertificateInvalid")
          assert.strictEqual(reason.code, "hostname-mismatch")
        })))
    }

    it.live("that is only named is none that is shared", () =>
      tight(Effect.gen(function*() {
        // Keys go with SHA-256: the server sees the name, and shakes hands without the key.
        const { client, server } = yield* met(
          { cipherSuites: ["TLS_AES_256_GCM_SHA384"], psk: { identity: "a device", key: key(2) } },
          { psk }
        )
        assert.isTrue(client.authorized)
        assert.strictEqual(server.pskIdentity, undefined)
      })))
  })

  describe(`a stapled OCSP response (${title})`, () => {
    const ocspResponse = new Uint8Array([0x30, 0x03, 0x0a, 0x01, 0x06])

    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      it.live(`is sent to who asks, ${maxVersion}`, () =>
        tight(Effect.gen(function*() {
          const { alternative, identity } = yield* certificates
          const server: Partial<Tls.ServerOptions> = {
            identity: { ...identity, ocspResponse },
            identities: { "*.example.test": { ...alternative, ocspResponse: ocspResponse.slice(0, 2) } }
          }
          const stapled = (client: Tls.ClientOptions) =>
            Effect.map(met({ maxVersion, ...client }, server), ({ client }) => client.ocspResponse?.length)
          assert.strictEqual(yield* stapled({}), undefined)
          assert.strictEqual(yield* stapled({ ocsp: "request" }), 5)
          assert.strictEqual(yield* stapled({ ocsp: "require" }), 5)
          assert.strictEqual(yield* stapled({ ocsp: "request", serverName: "a.example.test" }), 2)
        })))

      it.live(`can be demanded, and a resumed session has that of its first handshake, ${maxVersion}`, () =>
        tight(Effect.gen(function*() {
          const made = yield* certificates
          const without = yield* refusalOf(met({ maxVersion, ocsp: "require" }))
          assert(without._tag === "CertificateInvalid")
          assert.strictEqual(without.code, "revocation-unknown")
          yield* Effect.gen(function*() {
            const { meet } = yield* meetings(ground.endpoint)
            yield* meet
            const { client } = yield* meet
            assert.isTrue(client.resumed)
            assert.strictEqual(client.ocspResponse?.length, 5)
          }).pipe(
            Effect.provide(
              stackOn(ground, made, { maxVersion, ocsp: "require" }, { identity: { ...made.identity, ocspResponse } })
            )
          )
        })))
    }
  })

  it.live(`both ends export the same secret (${title})`, () =>
    tight(Effect.gen(function*() {
      const made = yield* certificates
      yield* Effect.gen(function*() {
        const ends = yield* connected<TlsInfo>(ground.endpoint)
        const [one, other] = ends.map((end) => detail(end, TlsInfo).exportKeyingMaterial)
        const context = Buffer.from("a context")
        const secret = yield* one(32, "EXPERIMENTAL wirestack", context)
        assert.lengthOf(secret, 32)
        assert.deepStrictEqual(secret, yield* other(32, "EXPERIMENTAL wirestack", context))
        assert.notDeepEqual(secret, yield* other(32, "EXPERIMENTAL wirestack"))
        yield* ends[0].abort
        yield* ends[0].closed
        const error = yield* Effect.flip(one(32, "EXPERIMENTAL wirestack"))
        assert.strictEqual(error.reason._tag, "Closed")
      }).pipe(Effect.provide(stackOn(ground, made)))
    })))

  it.live(`both ends can log the same keys (${title})`, () =>
    tight(Effect.gen(function*() {
      const lines: Record<"client" | "server", Array<string>> = { client: [], server: [] }
      yield* met({ keyLog: (line) => lines.client.push(line) }, { keyLog: (line) => lines.server.push(line) })
      assert.isAbove(lines.client.length, 3)
      for (const line of lines.client) assert.match(line, /^[A-Z0-9_]+ [0-9a-f]{64} [0-9a-f]{64,96}$/)
      assert.sameMembers(lines.client, lines.server)
    })))
}

it.effect("a server needs an identity, or keys if it says that it has none", () =>
  Effect.scoped(Effect.gen(function*() {
    // @ts-expect-error it does not say
    MemoryTransport.layer().pipe(Tls.server({ alpn: [] }))
    const server = (options: Tls.ServerOptions) => Layer.build(MemoryTransport.layer().pipe(Tls.server(options)))
    yield* server({ identity: "none", psk: { keyOf: () => undefined } })
    assert.strictEqual((yield* Effect.flip(server({ identity: "none" })))._tag, "CredentialsError")
  })))

it.effect("what would protect less than it says fails the layer", () =>
  Effect.scoped(Effect.gen(function*() {
    const { ca, identity } = yield* certificates
    const other = yield* Effect.flatMap(DevelopmentCertificates.make(), ({ issue }) => issue())
    const psk = { keyOf: () => undefined }
    const unsound: ReadonlyArray<readonly [Tls.ServerOptions, detail: string]> = [
      [{ identity, psk, tickets: true }, "which key it shares"],
      [{ identity, pins: [Pin.of(identity.certificate)] }, "not asked for"],
      [{ identity, cipherSuites: [] }, "no cipher suite"],
      [{ identity, groups: [] }, "no group"],
      [{ identity: { ...identity, certificate: "cert.pem" } }, "the TLS server's certificate can't be used"],
      [{ identity: { ...identity, key: Redacted.make("key.pem") } }, "the TLS server's key can't be used"],
      [{ identity: { ...identity, key: other.key } }, "it is not that of the certificate"],
      [{ identity, clientCertificates: { mode: "optional", ca: "ca.pem" } }, "the TLS server's ca can't be used"],
      [{ identity, clientCertificates: { mode: "required", ca, crl: [] } }, "no list of revoked"]
    ]
    for (const [options, detail] of unsound) {
      const error = yield* Effect.flip(Layer.build(MemoryTransport.layer().pipe(Tls.server(options))))
      assert.include(error.message, detail)
    }
    const unsoundToo: ReadonlyArray<readonly [Tls.ClientOptions, detail: string]> = [
      [{ trust: { ca, crl: [] } }, "no list of revoked"],
      [{ trust: { ca: [ca, "ca.pem"] } }, "the TLS client's ca can't be used"],
      [{ trust: { ca, crl: "crl.pem" } }, "the TLS client's crl can't be used"],
      [{ pins: ["sha256/AAAA"] }, "sha256/AAAA is no SHA-256 digest"],
      [{ alpn: ["h2", ""] }, "a name for ALPN"],
      [{ alpn: ["x".repeat(256)] }, "a name for ALPN"],
      [{ psk: { identity: "a device", key: Redacted.make(new Uint8Array(0)) } }, "this one 0"],
      [{ psk: { identity: "x".repeat(257), key: key(1) } }, "the name of a key"]
    ]
    for (const [options, detail] of unsoundToo) {
      const error = yield* Effect.flip(Layer.build(MemoryTransport.layer().pipe(Tls.client(options))))
      assert.include(error.message, detail)
    }
  })))

it.live("a key that is too long is not shown in errors", () =>
  tight(Effect.gen(function*() {
    const made = yield* certificates
    const long = Redacted.make(new Uint8Array(600).fill(77))
    const psk = { identity: "a device", key: key(1) }
    yield* Effect.gen(function*() {
      const { address, run } = yield* listen("memory:here", soon)
      const incidents: Array<Incident> = []
      yield* Effect.forkScoped(run(() => Effect.void, {
        onIncident: (incident) => Effect.sync(() => void incidents.push(incident))
      }))
      yield* Effect.exit(Effect.scoped(connect(address, soon)))
      yield* until(() => incidents.length > 0)
      const said = inspect(incidents, { depth: 9 })
      assert.include(said, "and this one 600")
      assert.notInclude(said, "77, 77")
    }).pipe(Effect.provide(stackOn(grounds.memory, made, { psk }, { identity: "none", psk: { keyOf: () => long } })))
  })))

it.live("a key log that throws fails the handshake", () =>
  tight(Effect.gen(function*() {
    const full = new Error("the disk is full")
    const keyLog = () => {
      throw full
    }
    const made = yield* certificates
    const reason = yield* refusalOf(meeting("127.0.0.1:0").pipe(Effect.provide(stackOn(grounds.TCP, made, { keyLog }))))
    assert.deepInclude(reason, { _tag: "Other", cause: full })
  })))
