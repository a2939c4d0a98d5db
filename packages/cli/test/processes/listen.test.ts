/** `wirestack listen`, `echo` and `bench`. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, type Scope } from "effect"
import { once } from "node:events"
import { WebSocket } from "ws"
import { eventually, piped, serving, wirestack } from "./support.ts"

interface Client {
  readonly socket: WebSocket
  readonly received: Array<string>
  readonly codes: Array<number>
}

const client = (url: string, ...protocols: Array<string>): Effect.Effect<Client, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const socket = new WebSocket(url, protocols)
      const made: Client = { socket, received: [], codes: [] }
      socket.on("message", (data) => made.received.push(String(data))).on("close", (code) => made.codes.push(code))
      socket.on("error", () => {})
      await once(socket, "open")
      return made
    }),
    ({ socket }) => Effect.sync(() => socket.terminate())
  )

describe("wirestack listen", () => {
  it.live("talks to one after the other, and tells who comes and goes", () =>
    Effect.gen(function*() {
      const { server, url } = yield* serving("listen", ["ws://127.0.0.1:0/"])
      const first = yield* client(url)
      yield* server.says(/\+ 127\.0\.0\.1:\d+\n/)
      first.socket.send("hello")
      yield* server.says(/^hello$/m)
      yield* server.write("welcome\n")
      yield* eventually("welcome", () => first.received.length === 1)
      const waiting = yield* Effect.forkChild(client(url))
      first.socket.close()
      yield* server.says(/- 127\.0\.0\.1:\d+\n/)
      const second = yield* Fiber.join(waiting)
      yield* server.write("you, too\n")
      yield* eventually("you, too", () => second.received.length === 1)
      yield* server.kill("SIGTERM")
      assert.strictEqual(yield* server.exit, 0)
      assert.deepStrictEqual([first.received, second.received], [["welcome"], ["you, too"]])
      assert.deepStrictEqual(second.codes, [1001])
      assert.match(server.stderr(), /drained in \d+ ms: 1 open, 1 clean, 0 forced, 0 failed\n$/)
    }).pipe(Effect.scoped))

  it.live("talks to all at once, and reads what it was piped when somebody is there", () =>
    Effect.gen(function*() {
      const server = yield* wirestack(["listen", "--broadcast", "--subprotocol", "chat.v1", "ws://127.0.0.1:0/"])
      yield* server.write("early\n")
      const [, url] = yield* server.says(/listening (\S+)/)
      const refused = new WebSocket(url)
      const [error] = yield* Effect.promise(() => once(refused, "error"))
      assert.match(String(error), /400/)
      const [ada, grace] = [yield* client(url, "chat.v1"), yield* client(url, "chat.v1")]
      yield* eventually("early", () => ada.received.length === 1)
      yield* server.write("news\n")
      yield* eventually("news", () => grace.received.at(-1) === "news" && ada.received.at(-1) === "news")
      yield* server.kill("SIGINT")
      assert.strictEqual(yield* server.exit, 0)
      assert.deepStrictEqual([ada.codes, grace.codes], [[1001], [1001]])
    }).pipe(Effect.scoped))

  it.live("receives a file, once, and the sender is told that it has arrived", () =>
    Effect.gen(function*() {
      const { server, url } = yield* serving("listen", ["--once", "tcp://127.0.0.1:0"])
      yield* server.end
      const text = "0123456789".repeat(100_000)
      const { code } = yield* piped(["connect", url], text)
      assert.strictEqual(code, 0)
      assert.strictEqual(yield* server.exit, 0)
      assert.isTrue(server.stdout() === text)
    }).pipe(Effect.scoped))

  it.live("can't listen where somebody does", () =>
    Effect.gen(function*() {
      const { url } = yield* serving("listen", ["tcp+lines://127.0.0.1:0"])
      const { code, stderr } = yield* piped(["listen", url], "")
      assert.strictEqual(code, 1)
      assert.match(stderr, /^wirestack: tcp: 127\.0\.0\.1:\d+ is in use\n$/)
    }).pipe(Effect.scoped))
})

describe("wirestack echo and bench", () => {
  it.live("measure one another, on messages, bytes and datagrams", () =>
    Effect.gen(function*() {
      for (const place of ["ws://127.0.0.1:0/", "tcp://127.0.0.1:0", "udp://127.0.0.1:0"]) {
        const { server, url } = yield* serving("echo", [place])
        const { code, stdout } = yield* piped(
          ["bench", "--seconds", "0.3", "--connections", "2", "--pipeline", "4", "--size", "100", url],
          ""
        )
        assert.strictEqual(code, 0, `${place}: ${stdout}`)
        assert.match(stdout, /^messages +[1-9]\d+\nrate +[1-9]\d+ messages\/s\nthroughput +[\d.]+ MB\/s each way\np50 /)
        assert.match(stdout, /\nerrors +0\n$/)
        yield* server.kill("SIGTERM")
        assert.strictEqual(yield* server.exit, 0)
      }
    }).pipe(Effect.scoped))

  it.live("find out that a server does not echo", () =>
    Effect.gen(function*() {
      const { url } = yield* serving("listen", ["ws://127.0.0.1:0/"])
      const { code, stderr } = yield* piped(["bench", "--seconds", "0.2", url], "")
      assert.strictEqual(code, 1)
      assert.match(stderr, /wirestack: the server does not echo: nothing came back in 200ms\n$/)
    }).pipe(Effect.scoped))
})

describe("wirestack", () => {
  const saying = (title: string, args: ReadonlyArray<string>, ...patterns: ReadonlyArray<RegExp>) =>
    it.live(title, () =>
      Effect.gen(function*() {
        const { code, stderr, stdout } = yield* piped(args, "")
        assert.deepStrictEqual([code, stderr], [0, ""])
        for (const pattern of patterns) assert.match(stdout, pattern)
      }).pipe(Effect.scoped))

  saying("says its version", ["--version"], /^wirestack v\d+\.\d+\.\d+\n$/)
  saying("has help", ["--help"], /connect +Connect to a server\n/, /bench +Measure/, /Exit codes: 0 done/)
  saying(
    "has help for each command",
    ["connect", "--help"],
    /--insecure, -k +TRUST ANYBODY/,
    /EXAMPLES\n/,
    /--linger SECONDS/
  )
  saying("completes for shells", ["--completions", "bash"], /complete .*wirestack/)
})
