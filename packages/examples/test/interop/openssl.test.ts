import { assert, describe, it } from "@effect/vitest"
import { Lines, Transport } from "@wirestack/protocol"
import { type Connection, detail, messages } from "@wirestack/protocol/Connection"
import { TlsInfo } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { Effect, Queue, Redacted, Stream } from "effect"
import { exists, run } from "../support/processes.ts"
import { file, files, missing, tls, tlsPaths } from "./support.ts"

const skip = missing(exists("openssl", "version"), "openssl")

type TlsLines = Connection<Transport.Message, Transport.Message, TlsInfo>

for (const way of ["direct", "duplex"] as const) {
  const layer = () => Lines.over()(tlsPaths[way](tls(["lines", "http/1.1"])))

  describe.skipIf(skip)(`openssl and TLS (${way})`, () => {
    it.live("s_client: lines are echoed, ALPN and SNI are told, close_notify is said", () =>
      Effect.gen(function*() {
        const accepted = yield* Queue.unbounded<TlsLines>()
        const listener = yield* Transport.listen(Transport.Messages)<TlsInfo>("tls://127.0.0.1:0")
        yield* Effect.forkScoped(listener.run((connection: TlsLines) =>
          Effect.andThen(
            Queue.offer(accepted, connection),
            messages(connection).pipe(
              Stream.takeWhile((line) => line !== "enough"),
              Stream.runForEach((line) => connection.send(`echo ${line}`))
            )
          )
        ))
        const { place } = listener.address
        assert(place._tag === "Tcp")
        const connect = [
          "s_client",
          "-connect",
          `127.0.0.1:${place.port}`,
          "-CAfile",
          files.ca,
          "-verify_return_error",
          "-msg"
        ]
        const names = ["-verify_hostname", "localhost", "-servername", "localhost", "-alpn", "other,lines"]

        const client = yield* run("openssl", [...connect, ...names])
        yield* client.says(/Verify return code: 0 \(ok\)/)
        assert.match(client.stdout(), /^ALPN protocol: lines$/m)
        const connection = yield* Queue.take(accepted)
        const info = detail(connection, TlsInfo)
        assert.deepInclude(info, { alpn: "lines", path: way, serverName: "localhost", version: "TLSv1.3" })
        yield* client.write("hällo\n")
        yield* client.says(/^echo hällo$/m)
        yield* client.write("enough\n")
        yield* client.says(/<<< TLS 1\.[23], Alert .*, warning close_notify/)
        assert.strictEqual(yield* client.exit, 0)
        assert.deepInclude(yield* connection.closed, { first: "local", clean: true })

        const other = yield* run("openssl", [...connect, "-noservername", "-tls1_2"])
        yield* other.says(/Verify return code: 0 \(ok\)/)
        assert.match(other.stdout(), /^No ALPN negotiated$/m)
        const second = yield* Queue.take(accepted)
        const facts = detail(second, TlsInfo)
        assert.deepStrictEqual([facts.alpn, facts.serverName, facts.version], [undefined, undefined, "TLSv1.2"])
        yield* other.write("hello\n")
        yield* other.says(/^echo hello$/m)
        yield* other.end
        assert.strictEqual(yield* other.exit, 0)
        assert.match(other.stdout(), />>> TLS 1\.2, Alert .*, warning close_notify/)
        const outcome = yield* second.closed
        assert.deepInclude(outcome, {
          first: "remote",
          clean: true,
          endOfInput: way === "direct" ? "unknown" : "announced"
        })
      }).pipe(Effect.scoped, Effect.provide(layer())))

    it.live("s_server: lines are turned round, ALPN and SNI are told, close_notify is said", () =>
      Effect.gen(function*() {
        const own = ["-cert", files.certificate, "-key", files.key, "-alpn", "lines"]
        const server = yield* run("openssl", [
          "s_server",
          "-accept",
          "127.0.0.1:0",
          "-rev",
          "-msg",
          "-tlsextdebug",
          ...own
        ])
        const [, port] = yield* server.says(/^ACCEPT 127\.0\.0\.1:(\d+)$/m)
        const { closed } = yield* Effect.scoped(Effect.gen(function*() {
          const client = yield* Transport.connect(Transport.Messages)<TlsInfo>(`tls://localhost:${port}`)
          const info = detail(client, TlsInfo)
          assert.deepInclude(info, { alpn: "lines", path: way, authorized: true, version: "TLSv1.3" })
          yield* client.send("desserts")
          assert.deepStrictEqual([...yield* client.pull], ["stressed"])
          yield* server.says(/extension "server name".*\n.*localhost/)
          return client
        }))
        assert.deepInclude(yield* closed, { first: "local", clean: true })
        yield* server.says(/<<< TLS 1\.3, Alert .*, warning close_notify/)
      }).pipe(Effect.scoped, Effect.provide(layer())))

    it.live("s_server: a certificate we do not trust is refused", () =>
      Effect.gen(function*() {
        const stranger = yield* Effect.flatMap(DevelopmentCertificates.make(), (authority) => authority.issue())
        const certificate = file(`stranger-${way}.pem`, stranger.certificate)
        const strangerKey = file(`stranger-${way}.key`, Redacted.value(stranger.key))
        const server = yield* run("openssl", [
          "s_server",
          "-accept",
          "127.0.0.1:0",
          "-cert",
          certificate,
          "-key",
          strangerKey
        ])
        const [, port] = yield* server.says(/^ACCEPT 127\.0\.0\.1:(\d+)$/m)
        const error = yield* Effect.flip(
          Effect.scoped(Transport.connect(Transport.Messages)(`tls://localhost:${port}`))
        )
        assert.strictEqual(error.layer, "tls")
        assert.strictEqual(error.reason._tag, "CertificateInvalid")
      }).pipe(Effect.scoped, Effect.provide(layer())))
  })
}
