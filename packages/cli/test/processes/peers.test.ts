/** `wirestack connect` with servers that others wrote. */
import { assert, describe, it } from "@effect/vitest"
import { run, which } from "@wirestack/test-support"
import { Effect } from "effect"
import { certificates, folder, freePort, piped, wirestack, wsServer } from "./support.ts"

/** A program that may not be here, with what to say of that. */
const program = (name: string) => {
  const found = which(name) !== undefined
  return { skip: !found, title: found ? name : `${name} (skipped: it is not installed)` }
}

const redis = program("redis-server")

describe.skipIf(redis.skip)(redis.title, () => {
  const server = Effect.gen(function*() {
    const { ca, cert, folder, key } = yield* certificates
    const [port, secure] = [yield* freePort, yield* freePort]
    const socket = `${folder}/redis.sock`
    const plain = `--port ${port} --bind 127.0.0.1 --unixsocket ${socket} --save  --appendonly no --dir ${folder}`
    const tls = `--tls-port ${secure} --tls-cert-file ${cert} --tls-key-file ${key} --tls-ca-cert-file ${ca}`
    const server = yield* run("redis-server", `${plain} ${tls} --tls-auth-clients no`.split(" "))
    yield* server.says(/Ready to accept connections/)
    return { ca, port, secure, socket }
  })

  it.live("answers on TCP, on TLS, and on a Unix socket", () =>
    Effect.gen(function*() {
      const { ca, port, secure, socket } = yield* server
      const commands = "SET greeting hello\nGET greeting\n"
      const answers = "+OK\n$5\nhello\n"
      const tcp = yield* piped(["connect", "--count", "3", `tcp+lines://localhost:${port}`], commands)
      assert.deepStrictEqual([tcp.code, tcp.stdout, tcp.stderr], [0, answers, ""])
      const tls = yield* piped(["connect", "--count", "3", "--ca", ca, `tls+crlf://localhost:${secure}`], commands)
      assert.deepStrictEqual([tls.code, tls.stdout, tls.stderr], [0, answers, ""])
      const unix = yield* piped(["connect", `unix:${socket}`], `${commands}QUIT\n`)
      assert.deepStrictEqual([unix.code, unix.stdout], [0, "+OK\r\n$5\r\nhello\r\n+OK\r\n"])
    }).pipe(Effect.scoped))

  it.live("goes on to answer a program that reads and writes in turn", () =>
    Effect.gen(function*() {
      const { port } = yield* server
      const client = yield* wirestack(["connect", `lines://localhost:${port}`])
      for (const n of [1, 2, 3]) {
        yield* client.write("INCR n\n")
        yield* client.says(new RegExp(`^:${n}$`, "m"))
      }
      yield* client.end
      assert.strictEqual(yield* client.exit, 0)
    }).pipe(Effect.scoped))
})

const microsocks = program("microsocks")

describe.skipIf(microsocks.skip)(microsocks.title, () => {
  const proxy = Effect.gen(function*() {
    const port = yield* freePort
    yield* run("microsocks", ["-i", "127.0.0.1", "-p", `${port}`, "-u", "ada", "-P", "secret"])
    // It says nothing when it is ready.
    yield* Effect.sleep("50 millis")
    return `ada:secret@127.0.0.1:${port}`
  })

  it.live("leads to a WebSocket, named in the URL or by the flag", () =>
    Effect.gen(function*() {
      const { url } = yield* wsServer()
      const proxied = yield* proxy
      const named = `${url.replace("ws:", "ws+socks5:")}#proxy=${proxied}`
      const byUrl = yield* piped(["connect", "--once", named], "hello\n")
      assert.deepStrictEqual([byUrl.code, byUrl.stdout], [0, "hello\n"])
      const byFlag = yield* piped(["connect", "--once", "--report", "--proxy", `socks5://${proxied}`, url], "hello\n")
      assert.deepStrictEqual([byFlag.code, byFlag.stdout], [0, "hello\n"])
      assert.match(byFlag.stderr, /\nsocks5 .*proxy 127\.0\.0\.1:\d+\n/)
      assert.notInclude(byFlag.stderr, "secret")
    }).pipe(Effect.scoped))

  it.live("says that nobody listens there, and who is wrong", () =>
    Effect.gen(function*() {
      const proxied = yield* proxy
      const port = yield* freePort
      const { code, stderr } = yield* piped(["connect", "--proxy", `socks5://${proxied}`, `127.0.0.1:${port}`], "")
      assert.strictEqual(code, 3)
      assert.match(stderr, new RegExp(`^wirestack: socks5: 127.0.0.1:${port} refused the connection, on the way `))
      const wrong = yield* piped(
        ["connect", "--proxy", `socks5://${proxied.replace("secret", "guess")}`, `127.0.0.1:${port}`],
        ""
      )
      assert.strictEqual(wrong.code, 5)
      assert.match(
        wrong.stderr,
        /^wirestack: socks5: the proxy 127\.0\.0\.1:\d+ refused: user name or password is wrong/
      )
    }).pipe(Effect.scoped))
})

describe("nobody", () => {
  it.live("hears of flags that don't fit", () =>
    Effect.gen(function*() {
      const path = `${yield* folder}/none.sock`
      const { code, stderr } = yield* piped(["connect", "--proxy", "socks5://localhost:1", `unix:${path}`], "")
      assert.deepStrictEqual([code, stderr], [2, "wirestack: the proxy of the URL: there is none on the way to unix\n"])
    }).pipe(Effect.scoped))
})
