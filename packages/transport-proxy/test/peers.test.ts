import { assert, describe, it } from "@effect/vitest"
import * as Connection from "@wirestack/protocol/Connection"
import { ProxyProtocol, ProxyProtocolInfo, Socks5 } from "@wirestack/transport-proxy"
import { Tcp, type TcpInfo } from "@wirestack/transport-tcp"
import { Effect, Queue, Redacted, Schedule, type Scope, Stream } from "effect"
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { above, connect, listen } from "./support.ts"

const soon = { closeWithin: "300 millis" } as const

/** A program that may not be here, with what to say of that. */
const program = (name: string) => {
  const found = spawnSync("which", [name]).status === 0
  return { skip: !found, title: found ? name : `${name} (skipped: it is not installed)` }
}

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

const microsocks = program("microsocks")

describe.skipIf(microsocks.skip)(microsocks.title, () => {
  /** Connects by way of it to a server that echoes. */
  const byProxy = (args: ReadonlyArray<string>, options?: Omit<Socks5.Options, "proxy">, name = "127.0.0.1") =>
    Effect.gen(function*() {
      const port = yield* freePort
      yield* running("microsocks", ["-i", "127.0.0.1", "-p", String(port), ...args], port)
      const stack = yield* above(Tcp.layer(), Socks5.over({ proxy: `127.0.0.1:${port}`, ...options }))
      const listener = yield* Effect.provide(listen("127.0.0.1:0", soon), stack.below)
      yield* Effect.forkScoped(listener.run((peer) => Stream.run(Connection.messages(peer), Connection.sink(peer))))
      assert(listener.address.place._tag === "Tcp")
      return yield* Effect.provide(connect(`${name}:${listener.address.place.port}`, soon), stack.above)
    })

  const echoes = (connection: Effect.Success<ReturnType<typeof byProxy>>) =>
    Effect.gen(function*() {
      const message = new Uint8Array(200_000).map((_, n) => n)
      yield* Effect.forkScoped(connection.send(message))
      const chunks = yield* Stream.runCollect(Stream.take(
        Stream.flattenIterable(Stream.map(Connection.messages(connection), (chunk) => [...chunk])),
        message.length
      ))
      assert.deepStrictEqual(Uint8Array.from(chunks), message)
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
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "wirestack-haproxy-"))),
        (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
      )
      const file = path.join(folder, "haproxy.cfg")
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
