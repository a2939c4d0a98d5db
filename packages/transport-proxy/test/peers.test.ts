import { assert, describe, it } from "@effect/vitest"
import { values } from "@wirestack/http/Headers"
import * as Connection from "@wirestack/protocol/Connection"
import { HttpConnect, ProxyProtocol, ProxyProtocolInfo, Socks5 } from "@wirestack/transport-proxy"
import { Tcp, type TcpInfo } from "@wirestack/transport-tcp"
import { Effect, Queue, Redacted, Schedule, type Scope, Stream } from "effect"
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { above, type Bytes, connect, echo, listen } from "./support.ts"

const soon = { closeWithin: "300 millis" } as const

/** A program that may not be here, with what to say of that. */
const program = (name: string) => {
  const found = spawnSync("which", [name]).status === 0
  return { skip: !found, title: found ? name : `${name} (skipped: it is not installed)` }
}

const folder = (name: string) =>
  Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), `wirestack-${name}-`))),
    (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
  )

const freePort: Effect.Effect<number> = Effect.callback((resume) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as net.AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** Runs a program, until the scope closes, that soon listens on a port. */
const running = (command: string, args: ReadonlyArray<string>, port: number) =>
  Effect.gen(function*() {
    yield* Effect.acquireRelease(
      Effect.sync(() => spawn(command, args, { stdio: "ignore" })),
      (child) =>
        Effect.callback<void>((resume) => {
          if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
          child.once("exit", () => resume(Effect.void))
          child.kill("SIGTERM")
        })
    )
    const answers = Effect.scoped(connect(`127.0.0.1:${port}`, soon))
    yield* Effect.retry(answers, { schedule: Schedule.spaced("20 millis"), times: 200 })
  }).pipe(Effect.provide(Tcp.layer()))

const live = (name: string, test: Effect.Effect<void, unknown, Scope.Scope>) => it.live(name, () => Effect.scoped(test))

/** Connects by way of a proxy to a server that echoes. */
const toEcho = (over: Socks5.Over, name = "127.0.0.1") =>
  Effect.gen(function*() {
    const stack = yield* above(Tcp.layer(), over)
    const listener = yield* Effect.provide(listen("127.0.0.1:0", soon), stack.below)
    yield* Effect.forkScoped(listener.run(echo))
    assert(listener.address.place._tag === "Tcp")
    return yield* Effect.provide(connect(`${name}:${listener.address.place.port}`, soon), stack.above)
  })

const echoes = (connection: Bytes) =>
  Effect.gen(function*() {
    const message = new Uint8Array(200_000).map((_, n) => n)
    yield* Effect.forkScoped(connection.send(message))
    const chunks = yield* Stream.runCollect(Stream.take(
      Stream.flattenIterable(Stream.map(Connection.messages(connection), (chunk) => [...chunk])),
      message.length
    ))
    assert.deepStrictEqual(Uint8Array.from(chunks), message)
  })

/** Why an endpoint can't be connected to by way of a proxy. */
const refusal = (over: Socks5.Over, endpoint: string) =>
  Effect.gen(function*() {
    const { above: stack } = yield* above(Tcp.layer(), over)
    return (yield* Effect.flip(Effect.provide(connect(endpoint, soon), stack))).reason
  })

const microsocks = program("microsocks")

describe.skipIf(microsocks.skip)(microsocks.title, () => {
  /** Connects by way of it to a server that echoes. */
  const byProxy = (args: ReadonlyArray<string>, options?: Omit<Socks5.Options, "proxy">, name = "127.0.0.1") =>
    Effect.gen(function*() {
      const port = yield* freePort
      yield* running("microsocks", ["-i", "127.0.0.1", "-p", String(port), ...args], port)
      return yield* toEcho(Socks5.over({ proxy: `127.0.0.1:${port}`, ...options }), name)
    })

  live("connects", Effect.flatMap(byProxy([]), echoes))

  live("resolves names", Effect.flatMap(byProxy([], undefined, "localhost"), echoes))

  const account = { username: "me", password: Redacted.make("secret") }

  live("asks for a password", Effect.flatMap(byProxy(["-u", "me", "-P", "secret"], { credentials: account }), echoes))

  live(
    "refuses a wrong password, and none",
    Effect.gen(function*() {
      const wrong = { ...account, password: Redacted.make("other") }
      for (const options of [{ credentials: wrong }, undefined]) {
        const { reason } = yield* Effect.flip(byProxy(["-u", "me", "-P", "secret"], options))
        assert("_tag" in reason && reason._tag === "ProxyRefused")
      }
    }) as Effect.Effect<void, unknown, Scope.Scope>
  )
})

/** It becomes another user for each of its tasks. */
const dante = process.getuid?.() === 0
  ? program("danted")
  : { skip: true, title: "danted (skipped: it runs as root only)" }

describe.skipIf(dante.skip)(dante.title, () => {
  const socks = Effect.gen(function*() {
    const port = yield* freePort
    const temporary = yield* folder("dante")
    const file = path.join(temporary, "danted.conf")
    fs.writeFileSync(
      file,
      `logoutput: stderr
internal: 127.0.0.1 port = ${port}
external: lo
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
socks pass { from: 127.0.0.0/8 to: 127.0.0.0/8 }
socks block { from: 0.0.0.0/0 to: 0.0.0.0/0 }
`
    )
    yield* running("danted", ["-f", file, "-p", path.join(temporary, "pid"), "-N", "1"], port)
    return Socks5.over({ proxy: `127.0.0.1:${port}` })
  })

  live(
    "connects, resolves names, and says why it does not",
    Effect.gen(function*() {
      const over = yield* socks
      yield* echoes(yield* toEcho(over))
      yield* echoes(yield* toEcho(over, "localhost"))
      assert.deepInclude(yield* refusal(over, "127.0.0.1:1"), { _tag: "Refused", address: "127.0.0.1:1" })
      assert.deepInclude(yield* refusal(over, "192.0.2.1:1"), { _tag: "Forbidden", address: "192.0.2.1:1" })
    })
  )
})

const squid = program("squid")

/** Where Debian has the helper that checks passwords. */
const checker = "/usr/lib/squid/basic_ncsa_auth"

describe.skipIf(squid.skip)(squid.title, () => {
  const http = Effect.gen(function*() {
    const port = yield* freePort
    const temporary = yield* folder("squid")
    const passwords = path.join(temporary, "passwords")
    const { stdout } = spawnSync("openssl", ["passwd", "-apr1", "secret"], { encoding: "utf8" })
    fs.writeFileSync(passwords, `me:${stdout}`)
    const file = path.join(temporary, "squid.conf")
    fs.writeFileSync(
      file,
      `http_port 127.0.0.1:${port}
pid_filename none
cache deny all
cache_mem 0
access_log none
cache_log /dev/null
netdb_filename none
pinger_enable off
cache_effective_user proxy
coredump_dir ${temporary}
shutdown_lifetime 0 seconds
auth_param basic program ${checker} ${passwords}
auth_param basic realm here
acl near dst 127.0.0.0/8
acl known proxy_auth REQUIRED
http_access deny !near
http_access allow CONNECT known
http_access deny all
`
    )
    fs.chmodSync(temporary, 0o777)
    // Its shared memory is named after this.
    yield* running("squid", ["-n", `wirestack${port}`, "-N", "-f", file], port)
    return (options?: Omit<HttpConnect.Options, "proxy">) =>
      HttpConnect.over({ proxy: `127.0.0.1:${port}`, ...options })
  })

  live(
    "connects who it knows, resolves names, and says why it does not",
    Effect.gen(function*() {
      const over = yield* http
      const credentials = { username: "me", password: Redacted.make("secret") }
      yield* echoes(yield* toEcho(over({ credentials })))
      yield* echoes(yield* toEcho(over({ credentials, authenticate: "whenAsked" }), "localhost"))

      const wrong = { ...credentials, password: Redacted.make("other") }
      for (const options of [undefined, { credentials: wrong }]) {
        const unknown = yield* refusal(over(options), "127.0.0.1:1")
        assert(unknown._tag === "ProxyRefused")
        assert.strictEqual(unknown.code, 407)
        assert.deepStrictEqual(values(unknown.headers ?? [], "proxy-authenticate"), ["Basic realm=\"here\""])
        assert.include(unknown.body, "<!DOCTYPE html")
      }
      assert.deepInclude(yield* refusal(over({ credentials }), "192.0.2.1:1"), { _tag: "ProxyRefused", code: 403 })
      assert.deepInclude(yield* refusal(over({ credentials }), "127.0.0.1:1"), { _tag: "ProxyRefused", code: 503 })
    })
  )
})

const haproxy = program("haproxy")

describe.skipIf(haproxy.skip)(haproxy.title, () => {
  const behind = (send: "send-proxy" | "send-proxy-v2") =>
    Effect.gen(function*() {
      const stack = yield* above(Tcp.layer(), ProxyProtocol.server({ trusted: ["127.0.0.1"] }))
      const seen = yield* Queue.unbounded<readonly [ProxyProtocolInfo["Service"], string]>()
      const listener = yield* Effect.provide(listen<ProxyProtocolInfo | TcpInfo>("127.0.0.1:0", soon), stack.above)
      yield* Effect.forkScoped(listener.run(
        (peer) =>
          Effect.ignore(Effect.flatMap(peer.pull, ([first]) =>
            Queue.offer(seen, [Connection.detail(peer, ProxyProtocolInfo), new TextDecoder().decode(first)]))),
        {
          onIncident: () =>
            Effect.void
        }
      ))
      assert(listener.address.place._tag === "Tcp")
      const ours = listener.address.place.port
      const port = yield* freePort
      const file = path.join(yield* folder("haproxy"), "haproxy.cfg")
      fs.writeFileSync(
        file,
        `defaults
  mode tcp
  timeout connect 2s
  timeout client 10s
  timeout server 10s
listen p
  bind 127.0.0.1:${port}
  server s 127.0.0.1:${ours} ${send}
`
      )
      yield* running("haproxy", ["-db", "-f", file], port)
      const client = yield* Effect.provide(connect<TcpInfo>(`127.0.0.1:${port}`, soon), stack.below)
      yield* client.send(new TextEncoder().encode("hello"))
      const [info, first] = yield* Queue.take(seen)
      assert.strictEqual(first, "hello")
      assert.strictEqual(info.version, send === "send-proxy" ? 1 : 2)
      assert.strictEqual(info.source?.host, "127.0.0.1")
      assert.deepStrictEqual(info.destination, { host: "127.0.0.1", port })
    })

  live("tells who has connected to it, in version 1", behind("send-proxy"))

  live("and in version 2", behind("send-proxy-v2"))
})
