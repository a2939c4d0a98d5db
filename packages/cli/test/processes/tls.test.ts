/** `wirestack` with TLS: against `openssl s_server`, and our own servers. */
import { assert, describe, it } from "@effect/vitest"
import { run } from "@wirestack/test-support"
import { Effect } from "effect"
import { certificates, freePort, piped, serving, tcpServer } from "./support.ts"

/** `openssl s_server`, which sends each line back in reverse. */
const sServer = (...options: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const files = yield* certificates
    const port = yield* freePort
    const accept = ["-accept", `127.0.0.1:${port}`, "-naccept", "1"]
    const server = yield* run("openssl", [
      "s_server",
      "-rev",
      "-cert",
      files.cert,
      "-key",
      files.key,
      "-CAfile",
      files.ca,
      ...accept,
      ...options
    ])
    yield* server.says(/ACCEPT/)
    return { files, server, authority: `localhost:${port}` }
  })

describe("openssl s_server", () => {
  it.live("answers by lines, once its authority is trusted", () =>
    Effect.gen(function*() {
      const { authority, files } = yield* sServer()
      const connect = ["connect", "--once", "--report", "--ca", files.ca, `tls+lines://${authority}`]
      const { code, stderr, stdout } = yield* piped(connect, "wirestack\n")
      assert.deepStrictEqual([code, stdout], [0, "kcatseriw\n"])
      assert.match(stderr, /\ntls +[█▏▎▍▌▋▊▉]+ .*version TLSv1\.3/)
    }).pipe(Effect.scoped))

  it.live("answers in bytes, too", () =>
    Effect.gen(function*() {
      const { authority, files } = yield* sServer("-no_tls1_3")
      const { code, stdout } = yield* piped(["connect", "--ca", files.ca, `tls://${authority}`], "abc\n")
      assert.deepStrictEqual([code, stdout], [0, "cba\n"])
    }).pipe(Effect.scoped))

  it.live("is not trusted by itself, and the layer and a hint are named", () =>
    Effect.gen(function*() {
      const { authority } = yield* sServer()
      const { code, stderr, stdout } = yield* piped(["connect", `tls+lines://${authority}`], "wirestack\n")
      assert.deepStrictEqual([code, stdout], [4, ""])
      assert.match(
        stderr,
        /^wirestack: tls: the peer's certificate is not accepted \(unknown-authority\): .*\n {2}hint: --ca FILE .*--insecure anybody\n$/
      )
    }).pipe(Effect.scoped))

  it.live("is talked to with --insecure, loudly", () =>
    Effect.gen(function*() {
      const { authority } = yield* sServer()
      const { code, stderr, stdout } = yield* piped(
        ["connect", "-k", "--once", `tls+lines://${authority}`],
        "wirestack\n"
      )
      assert.deepStrictEqual([code, stdout], [0, "kcatseriw\n"])
      assert.match(
        stderr,
        /^INSECURE: nobody has to prove to be tls\+lines:\/\/localhost:\d+; whoever is on the way can read/
      )
    }).pipe(Effect.scoped))

  it.live("is not who was expected", () =>
    Effect.gen(function*() {
      const { authority, files } = yield* sServer()
      const { code, stderr } = yield* piped(
        ["connect", "--ca", files.ca, "--server-name", "other.example", `tls://${authority}`],
        ""
      )
      assert.strictEqual(code, 4)
      assert.match(stderr, /\(hostname-mismatch\).*other\.example.*\n {2}hint: --server-name/)
    }).pipe(Effect.scoped))

  it.live("is shown our certificate, and agrees on a protocol", () =>
    Effect.gen(function*() {
      const { authority, files, server } = yield* sServer("-Verify", "1", "-verify_return_error", "-alpn", "b,c")
      const { code, stderr, stdout } = yield* piped([
        "connect",
        "--once",
        "--report",
        "--ca",
        files.ca,
        "--cert",
        files.clientCert,
        "--key",
        files.clientKey,
        "--alpn",
        "a",
        "--alpn",
        "b",
        `tls+lines://${authority}`
      ], "wirestack\n")
      assert.deepStrictEqual([code, stdout], [0, "kcatseriw\n"])
      assert.match(stderr, /alpn b/)
      yield* server.says(/CN ?= ?client/)
    }).pipe(Effect.scoped))
})

describe("TLS", () => {
  it.live("with somebody who does not speak it is a failure of TLS", () =>
    Effect.gen(function*() {
      const { address } = yield* tcpServer((socket) => socket.end("220 mail.example ready\r\n"))
      const { code, stderr } = yield* piped(["connect", `tls://${address}`], "")
      assert.strictEqual(code, 4)
      assert.match(stderr, /^wirestack: tls: the peer does not speak TLS\n {2}hint: /)
    }).pipe(Effect.scoped))

  it.live("on our own server has a certificate for development, whose authority is in a file", () =>
    Effect.gen(function*() {
      const { server, url } = yield* serving("echo", ["--development-certificate", "wss+length32://localhost:0/"])
      const [, ca] = yield* server.says(/--ca (\S+)/)
      const { code, stdout } = yield* piped(["connect", "--once", "--ca", ca, url], "hello\n")
      assert.deepStrictEqual([code, stdout], [0, "hello\n"])
    }).pipe(Effect.scoped))

  it.live("on our own server takes a certificate from files, and wants one", () =>
    Effect.gen(function*() {
      const { ca, cert, key } = yield* certificates
      const { url } = yield* serving("echo", ["--cert", cert, "--key", key, "tls+netstring://localhost:0"])
      const { stdout } = yield* piped(["connect", "--once", "--ca", ca, url], "hello\n")
      assert.strictEqual(stdout, "hello\n")
      const { code, stderr } = yield* piped(["echo", "wss://localhost:0/"], "")
      assert.strictEqual(code, 2)
      assert.match(stderr, /needs --cert and --key, or --development-certificate\n$/)
    }).pipe(Effect.scoped))
})
