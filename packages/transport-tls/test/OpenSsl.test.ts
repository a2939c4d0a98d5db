import { assert, describe, it } from "@effect/vitest"
import { Negotiated } from "@wirestack/protocol/Ask"
import * as Connection from "@wirestack/protocol/Connection"
import * as Lines from "@wirestack/protocol/framers/Lines"
import * as Transport from "@wirestack/protocol/Transport"
import { collect, pattern, take, until } from "@wirestack/test-support"
import { Tcp } from "@wirestack/transport-tcp"
import { Alpn, Preface, StartTls, Tls, TlsInfo } from "@wirestack/transport-tls"
import { Clock, Effect, Layer, Redacted, type Scope } from "effect"
import * as Cause from "effect/Cause"
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { certificates, connect, echo, type Info, listen, quiet, refusalOf, soon, tight } from "./support.ts"

const found = spawnSync("openssl", ["version"]).status === 0

/** A running openssl, and what it has said so far. */
interface OpenSsl {
  readonly child: ChildProcessWithoutNullStreams
  readonly said: () => string
  readonly exited: Effect.Effect<number | null>
}

const openssl = (args: ReadonlyArray<string>): Effect.Effect<OpenSsl, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn("openssl", args)
      let said = ""
      let code: number | null | undefined
      for (const output of [child.stdout, child.stderr]) output.on("data", (data) => said += data)
      child.stdin.on("error", () => {})
      child.on("close", (status) => code = status)
      return {
        child,
        said: () => said,
        exited: Effect.andThen(until(() => code !== undefined), Effect.sync(() => code!))
      }
    }),
    ({ child, exited }) => Effect.andThen(Effect.sync(() => child.kill("SIGKILL")), exited)
  )

/** The certificates as files, for the length of a test. */
const files = Effect.gen(function*() {
  const { ca, client, identity } = yield* certificates
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "tls-"))),
    (folder) => Effect.sync(() => Fs.rmSync(folder, { recursive: true }))
  )
  const write = (name: string, text: string) => {
    const path = Path.join(folder, name)
    Fs.writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  return {
    ca: write("ca.crt", ca),
    serverCertificate: write("server.crt", identity.certificate),
    serverKey: write("server.key", Redacted.value(identity.key)),
    clientCertificate: write("client.crt", client.certificate),
    clientKey: write("client.key", Redacted.value(client.key))
  }
})

/** A server that says hello to whom it has shaken hands with, and what it knows of them. */
const resumptions = Effect.gen(function*() {
  const listener = yield* listen<TlsInfo>("127.0.0.1:0", soon)
  assert(listener.address.place._tag === "Tcp")
  const infos: Array<Info> = []
  yield* Effect.forkScoped(listener.run((connection) => {
    infos.push(Connection.detail(connection, TlsInfo))
    return Effect.andThen(connection.send(Buffer.from("hello\n")), Effect.asVoid(collect(connection)))
  }, quiet))
  return {
    address: `127.0.0.1:${listener.address.place.port}`,
    resumed: () => infos.map(({ resumed }) => resumed),
    identities: () => infos.map(({ pskIdentity }) => pskIdentity)
  }
})

const closeNotify = (direction: "<<<" | ">>>") =>
  new RegExp(`${direction} TLS 1\\.[23], Alert \\[length 0002\\], warning close_notify`)

describe.skipIf(!found)(`openssl${found ? "" : " (skipped: it is not installed)"}`, () => {
  for (const version of ["1.3", "1.2"] as const) {
    it.live(`s_client, TLS ${version}: verifies us, asks for a name and a protocol, and sees our close_notify`, () =>
      tight(Effect.gen(function*() {
        const { ca, identity } = yield* certificates
        const paths = yield* files
        const layer = Tcp.layer().pipe(Tls.server({
          identity,
          alpn: ["chat.v1"],
          clientCertificates: { mode: "required", ca }
        }))
        yield* Effect.gen(function*() {
          const listener = yield* listen<TlsInfo | Negotiated>("127.0.0.1:0", soon)
          assert(listener.address.place._tag === "Tcp")
          let info: TlsInfo["Service"] | undefined
          let protocol: string | undefined
          yield* Effect.forkScoped(listener.run((connection) =>
            Effect.gen(function*() {
              info = Connection.detail(connection, TlsInfo)
              protocol = Connection.detail(connection, Negotiated).protocol
              const bytes = yield* take(connection, 6)
              yield* connection.send(Buffer.from(`you said ${bytes.toString()}`))
            }), quiet))
          const client = yield* openssl([
            "s_client",
            "-connect",
            `127.0.0.1:${listener.address.place.port}`,
            "-servername",
            "localhost",
            "-CAfile",
            paths.ca,
            "-cert",
            paths.clientCertificate,
            "-key",
            paths.clientKey,
            "-verify_return_error",
            "-verify_hostname",
            "localhost",
            "-alpn",
            "chat.v1",
            "-msg",
            "-ign_eof",
            version === "1.3" ? "-tls1_3" : "-tls1_2"
          ])
          client.child.stdin.write("hello\n")
          yield* until(() => client.said().includes("you said hello"))
          yield* client.exited
          assert.match(client.said(), /Verify return code: 0 \(ok\)/)
          assert.match(client.said(), closeNotify("<<<"))
          assert.strictEqual(info?.serverName, "localhost")
          assert.strictEqual(info?.version, `TLSv${version}`)
          assert.strictEqual(info?.peer?.subject, "CN=a client")
          assert.isTrue(info?.authorized)
          assert.strictEqual(protocol, "chat.v1")
        }).pipe(Effect.provide(layer), Effect.scoped)
      })))

    it.live(`s_server, TLS ${version}: is verified, sees our name, certificate and close_notify`, () =>
      tight(Effect.gen(function*() {
        const { ca, client } = yield* certificates
        const paths = yield* files
        const server = yield* openssl([
          "s_server",
          "-accept",
          "127.0.0.1:0",
          "-cert",
          paths.serverCertificate,
          "-key",
          paths.serverKey,
          "-CAfile",
          paths.ca,
          "-Verify",
          "1",
          "-verify_return_error",
          "-msg",
          "-naccept",
          "1",
          // It forgets ALPN once it has chosen a certificate by name.
          ...(version === "1.3"
            ? ["-tls1_3", "-alpn", "chat.v1"]
            : ["-tls1_2", "-servername", "localhost", "-cert2", paths.serverCertificate, "-key2", paths.serverKey])
        ])
        yield* until(() => /ACCEPT .*:\d+/.test(server.said()))
        const port = /ACCEPT .*:(\d+)/.exec(server.said())![1]
        const layer = Tcp.layer().pipe(Tls.client({ trust: { ca }, identity: client, alpn: ["other", "chat.v1"] }))
        const connection = yield* Effect.gen(function*() {
          const connection = yield* connect<TlsInfo | Negotiated>(`localhost:${port}`, soon)
          assert.strictEqual(Connection.detail(connection, TlsInfo).version, `TLSv${version}`)
          const { protocol } = Connection.detail(connection, Negotiated)
          assert.strictEqual(protocol, version === "1.3" ? "chat.v1" : undefined)
          yield* connection.send(Buffer.from("hello openssl\n"))
          yield* until(() => server.said().includes("hello openssl"))
          server.child.stdin.write("hello wirestack\n")
          assert.include((yield* take(connection, 16)).toString(), "hello wirestack")
          return connection
        }).pipe(Effect.provide(layer), Effect.scoped)
        yield* server.exited
        assert.strictEqual((yield* connection.closed).first, "local")
        assert.match(server.said(), closeNotify("<<<"))
        if (version === "1.2") assert.match(server.said(), /Hostname in TLS extension: "localhost"/)
        assert.include(server.said(), "a client")
      })))
  }

  it.live("s_client gets the branch of the name it offers", () =>
    tight(Effect.gen(function*() {
      const { identity } = yield* certificates
      class Spoken extends Alpn.Choice<Spoken>()({
        lines: Alpn.branch(Transport.Messages, Lines.over()),
        bytes: Alpn.branch(Transport.Bytes, (tls) => tls)
      }) {}
      yield* Effect.gen(function*() {
        const listener = yield* Spoken.listen("127.0.0.1:0", soon)
        assert(listener.address.place._tag === "Tcp")
        const { port } = listener.address.place
        yield* Effect.forkScoped(listener.run({
          lines: (connection) => connection.send("lines are spoken"),
          bytes: (connection) => connection.send(Buffer.from("bytes are spoken\n"))
        }, quiet))
        for (const [offered, agreed] of [["h2,bytes", "bytes"], ["bytes,lines", "lines"]]) {
          const client = yield* openssl(["s_client", "-connect", `127.0.0.1:${port}`, "-alpn", offered, "-ign_eof"])
          yield* client.exited
          assert.include(client.said(), `ALPN protocol: ${agreed}`)
          assert.include(client.said(), `${agreed} are spoken`)
        }
        const stranger = yield* openssl(["s_client", "-connect", `127.0.0.1:${port}`, "-alpn", "h2"])
        yield* stranger.exited
        assert.match(stranger.said(), /no application protocol/)
      }).pipe(Effect.provide(Tcp.layer().pipe(Tls.server({ identity }), Spoken.over())), Effect.scoped)
    })))

  for (
    const [name, preface] of Object.entries({
      smtp: Preface.smtp(),
      imap: Preface.imap(),
      postgres: Preface.postgres()
    })
  ) {
    it.live(`s_client -starttls ${name}`, () =>
      tight(Effect.gen(function*() {
        const { identity } = yield* certificates
        const { ca } = yield* files
        yield* Effect.gen(function*() {
          const listener = yield* listen<TlsInfo>("127.0.0.1:0", soon)
          assert(listener.address.place._tag === "Tcp")
          yield* Effect.forkScoped(listener.run((connection) =>
            Effect.flatMap(
              take(connection, 6),
              (bytes) => connection.send(Buffer.from(`${Connection.detail(connection, TlsInfo).path}: ${bytes}`))
            ), quiet))
          const client = yield* openssl([
            "s_client",
            "-starttls",
            name,
            "-connect",
            `127.0.0.1:${listener.address.place.port}`,
            "-CAfile",
            ca,
            "-verify_return_error",
            "-ign_eof"
          ])
          client.child.stdin.write("hello\n")
          yield* client.exited
          assert.include(client.said(), "direct: hello")
          assert.match(client.said(), /Verify return code: 0 \(ok\)/)
        }).pipe(Effect.provide(Tcp.layer().pipe(StartTls.over(preface, Tls.server({ identity })))), Effect.scoped)
      })))
  }

  it.live("s_client sends much and half-closes", () =>
    tight(Effect.gen(function*() {
      const { identity } = yield* certificates
      yield* Effect.gen(function*() {
        const listener = yield* listen("127.0.0.1:0", soon)
        assert(listener.address.place._tag === "Tcp")
        let received: Buffer | undefined
        yield* Effect.forkScoped(
          listener.run((connection) => Effect.map(collect(connection), (all) => void (received = all)), quiet)
        )
        const client = yield* openssl([
          "s_client",
          "-quiet",
          "-no_ign_eof",
          "-connect",
          `127.0.0.1:${listener.address.place.port}`
        ])
        // Letters that mean nothing to s_client at the start of a line.
        const sent = Buffer.from(pattern(1_000_000).map((byte) => 97 + byte % 16))
        client.child.stdin.end(sent)
        yield* until(() => received !== undefined)
        assert.isTrue(sent.equals(received!))
      }).pipe(Effect.provide(Tcp.layer().pipe(Tls.server({ identity }))), Effect.scoped)
    })))

  it.live("s_client that does not accept our certificate: its alert has a name", () =>
    tight(Effect.gen(function*() {
      const { identity } = yield* certificates
      yield* Effect.gen(function*() {
        const listener = yield* listen("127.0.0.1:0", soon)
        assert(listener.address.place._tag === "Tcp")
        const reasons: Array<string> = []
        yield* Effect.forkScoped(listener.run(echo, {
          onIncident: (incident) =>
            Effect.sync(() => {
              if (incident._tag === "HandshakeFailed" && incident.error.reason._tag === "AlertReceived") {
                reasons.push(incident.error.reason.alert)
              }
            })
        }))
        yield* openssl(["s_client", "-verify_return_error", "-connect", `127.0.0.1:${listener.address.place.port}`])
        yield* until(() => reasons.length > 0)
        assert.deepStrictEqual(reasons, ["unknown_ca"])
      }).pipe(Effect.provide(Tcp.layer().pipe(Tls.server({ identity }))), Effect.scoped)
    })))

  for (const version of ["1.3", "1.2"] as const) {
    it.live(`s_client, TLS ${version}: resumes our session, and is stapled our OCSP response`, () =>
      tight(Effect.gen(function*() {
        const { identity } = yield* certificates
        const ocspResponse = new Uint8Array([0x30, 0x03, 0x0a, 0x01, 0x06])
        const paths = yield* files
        yield* Effect.gen(function*() {
          const { address, resumed } = yield* resumptions
          const ticket = Path.join(Path.dirname(paths.ca), "session")
          for (const [how, again] of [["-sess_out", false], ["-sess_in", true]] as const) {
            const client = yield* openssl([
              "s_client",
              "-connect",
              address,
              "-servername",
              "localhost",
              "-CAfile",
              paths.ca,
              how,
              ticket,
              "-status",
              "-ign_eof",
              version === "1.3" ? "-tls1_3" : "-tls1_2"
            ])
            yield* until(() => client.said().includes("hello"))
            client.child.kill("SIGTERM")
            yield* client.exited
            assert.include(client.said(), again ? "\nReused," : "\nNew,")
            // The one that says "unauthorized".
            if (!again) assert.include(client.said(), "OCSP Response Status: unauthorized (0x6)")
            yield* until(() => resumed().length > (again ? 1 : 0))
          }
          assert.deepStrictEqual(resumed(), [false, true])
        }).pipe(
          Effect.scoped,
          Effect.provide(Tcp.layer().pipe(Tls.server({ identity: { ...identity, ocspResponse } })))
        )
      })))

    it.live(`s_client and s_server, TLS ${version}: share a key with us`, () =>
      tight(Effect.gen(function*() {
        const key = Redacted.make(new Uint8Array(32).fill(7))
        const hex = "07".repeat(32)
        const how = version === "1.3" ? ["-tls1_3"] : ["-tls1_2", "-cipher", "ECDHE-PSK-CHACHA20-POLY1305"]
        yield* Effect.gen(function*() {
          const { address, identities } = yield* resumptions
          const client = yield* openssl([
            "s_client",
            "-connect",
            address,
            "-psk",
            hex,
            "-psk_identity",
            "a device",
            ...how
          ])
          yield* until(() => client.said().includes("hello"))
          assert.deepStrictEqual(identities(), ["a device"])
        }).pipe(
          Effect.scoped,
          Effect.provide(
            Tcp.layer().pipe(
              Tls.server({ identity: "none", psk: { keyOf: (identity) => identity === "a device" ? key : undefined } })
            )
          )
        )
        const server = yield* openssl([
          "s_server",
          "-accept",
          "127.0.0.1:0",
          "-nocert",
          "-psk",
          hex,
          "-psk_identity",
          "a device",
          "-naccept",
          "1",
          ...how
        ])
        yield* until(() => /ACCEPT .*:\d+/.test(server.said()))
        const port = /ACCEPT .*:(\d+)/.exec(server.said())![1]
        yield* Effect.gen(function*() {
          const connection = yield* connect<TlsInfo>(`127.0.0.1:${port}`, soon)
          assert.strictEqual(Connection.detail(connection, TlsInfo).pskIdentity, "a device")
          yield* connection.send(Buffer.from("hello openssl\n"))
          yield* until(() => server.said().includes("hello openssl"))
        }).pipe(Effect.scoped, Effect.provide(Tcp.layer().pipe(Tls.client({ psk: { identity: "a device", key } }))))
        yield* server.exited
      })))
  }

  it.live("s_client, TLS 1.2: asks for a renegotiation in vain", () =>
    tight(Effect.gen(function*() {
      const { identity } = yield* certificates
      yield* Effect.gen(function*() {
        const { address } = yield* resumptions
        const client = yield* openssl(["s_client", "-connect", address, "-tls1_2", "-msg"])
        yield* until(() => client.said().includes("hello"))
        client.child.stdin.write("R\n")
        yield* until(() => /no_renegotiation/.test(client.said()))
        yield* client.exited
        assert.match(client.said(), /RENEGOTIATING/)
        assert.notMatch(client.said().split("RENEGOTIATING")[1], /ServerHello/)
      }).pipe(Effect.scoped, Effect.provide(Tcp.layer().pipe(Tls.server({ identity }))))
    })))

  it.live("s_server: tickets of a session that is resumed live no longer than the first", () =>
    tight(Effect.gen(function*() {
      const { ca } = yield* certificates
      const paths = yield* files
      const server = yield* openssl([
        "s_server",
        "-accept",
        "127.0.0.1:0",
        "-cert",
        paths.serverCertificate,
        "-key",
        paths.serverKey,
        "-tls1_3",
        "-www"
      ])
      yield* until(() => /ACCEPT .*:\d+/.test(server.said()))
      const port = /ACCEPT .*:(\d+)/.exec(server.said())![1]
      const real = yield* Clock.Clock
      let ahead = 0
      const clock: Clock.Clock = Object.assign(Object.create(real), {
        currentTimeMillisUnsafe: () => real.currentTimeMillisUnsafe() + ahead
      })
      const layer = yield* Layer.build(Tcp.layer().pipe(Tls.client({ trust: { ca } }))).pipe(
        Effect.provideService(Clock.Clock, clock)
      )
      const visit = Effect.scoped(Effect.gen(function*() {
        const connection = yield* connect<TlsInfo>(`localhost:${port}`, soon)
        yield* connection.send(Buffer.from("GET / HTTP/1.0\r\n\r\n"))
        yield* collect(connection)
        return Connection.detail(connection, TlsInfo).resumed
      })).pipe(Effect.provide(layer))
      const resumed: Array<boolean> = []
      for (let minutes = 0; minutes < 100; minutes += 25) {
        ahead = minutes * 60_000
        resumed.push(yield* visit)
      }
      assert.deepStrictEqual(resumed, [false, true, true, false])
    })))

  it.live("s_server: the alert for our certificate has a name, and comes after our handshake in TLS 1.3", () =>
    tight(Effect.gen(function*() {
      const { ca, expired } = yield* certificates
      const paths = yield* files
      for (const version of ["1.3", "1.2"] as const) {
        const server = yield* openssl([
          "s_server",
          "-accept",
          "127.0.0.1:0",
          "-cert",
          paths.serverCertificate,
          "-key",
          paths.serverKey,
          "-CAfile",
          paths.ca,
          "-Verify",
          "1",
          "-verify_return_error",
          version === "1.3" ? "-tls1_3" : "-tls1_2"
        ])
        yield* until(() => /ACCEPT .*:\d+/.test(server.said()))
        const port = /ACCEPT .*:(\d+)/.exec(server.said())![1]
        const error = yield* Effect.flip(
          Effect.scoped(Effect.flatMap(connect(`localhost:${port}`, soon), ({ pull }) => pull)).pipe(
            Effect.provide(Tcp.layer().pipe(Tls.client({ trust: { ca }, identity: expired })))
          )
        )
        assert.strictEqual(error._tag, version === "1.3" ? "ConnectionError" : "ConnectError")
        assert(!Cause.isDone(error) && error._tag !== "CredentialsError" && error.reason._tag === "AlertReceived")
        assert.strictEqual(error.reason.alert, "certificate_expired")
      }
    })))

  // Node 22 takes them.
  it.live.skipIf(Number(process.versions.node.split(".")[0]) < 24)(
    "s_server: a short key and a broken digest are too weak",
    () =>
      tight(Effect.gen(function*() {
        const { ca: file } = yield* files
        const folder = Path.dirname(file)
        const make = (name: string, ...args: ReadonlyArray<string>) => {
          const common = [
            "-nodes",
            "-keyout",
            `${name}.key`,
            "-out",
            `${name}.crt`,
            "-subj",
            "/CN=localhost",
            "-days",
            "2"
          ]
          assert.strictEqual(spawnSync("openssl", ["req", "-x509", ...common, ...args], { cwd: folder }).status, 0)
        }
        const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        const issued = ["-CA", "root.crt", "-CAkey", "root.key", "-addext", "subjectAltName=DNS:localhost"]
        make("root", ...ec)
        make("short", "-newkey", "rsa:1024", ...issued)
        make("broken", ...ec, "-sha1", ...issued)
        const trust = { ca: Fs.readFileSync(Path.join(folder, "root.crt"), "utf8") }
        for (const name of ["short", "broken"]) {
          const at = Path.join(folder, name)
          const server = yield* openssl([
            "s_server",
            "-accept",
            "127.0.0.1:0",
            "-cert",
            `${at}.crt`,
            "-key",
            `${at}.key`,
            "-tls1_2",
            "-cipher",
            "ALL:@SECLEVEL=0"
          ])
          yield* until(() => /ACCEPT .*:\d+/.test(server.said()))
          const port = /ACCEPT .*:(\d+)/.exec(server.said())![1]
          const reason = yield* refusalOf(
            Effect.scoped(connect(`localhost:${port}`, soon)).pipe(
              Effect.provide(Tcp.layer().pipe(Tls.client({ trust })))
            )
          )
          assert(reason._tag === "CertificateInvalid", reason.message)
          assert.strictEqual(reason.code, "too-weak")
        }
      }))
  )
})

it("layers are made, not shared", () => {
  assert.isFalse(Object.is(Tls.client()(Tcp.layer()), Tls.client()(Tcp.layer())))
  assert.isTrue(Layer.isLayer(Tls.client()(Tcp.layer())))
})
