/** The echo server as a program: what it says, what it echoes, how it ends. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, type Scope } from "effect"
import { once } from "node:events"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { WebSocket } from "ws"
import { example, type Running } from "./support/processes.ts"

const listening = /^listening ((?:wss?|tcp|tls):\/\/127\.0\.0\.1:(\d+)\/?)\n/

/** A running echo server, its URL and its port. */
const serving = (...options: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const server = yield* example("run.ts", ["echo-server", ...options])
    const [, url, port] = yield* server.says(listening)
    return { server, url, port: Number(port) }
  })

const connect = (url: string, perMessageDeflate = false): Effect.Effect<WebSocket, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new WebSocket(url, { rejectUnauthorized: false, perMessageDeflate, maxPayload: 33_554_432 })
      await once(client, "open")
      return client
    }),
    (client) => Effect.sync(() => client.terminate())
  )

const echo = (client: WebSocket, message: string | Buffer) =>
  Effect.promise(async () => {
    const answer = once(client, "message")
    client.send(message)
    const [data, isBinary] = await answer
    return isBinary ? data as Buffer : String(data)
  })

const closed = (client: WebSocket) =>
  Effect.promise(async () => {
    const [code, reason] = await once(client, "close")
    return [code, String(reason)]
  })

/** Connects until the answer is that the server is not available any more. */
const refused = async (url: string): Promise<void> => {
  const client = new WebSocket(url)
  const answered = new Promise((answer) =>
    client.once("unexpected-response", (_, { statusCode }) => answer(statusCode))
  )
  const status = await Promise.race([once(client, "open"), answered])
  client.on("error", () => {}).terminate()
  return status === 503 ? undefined : refused(url)
}

/** Sends bytes, and reads as many. */
const echoBytes = (socket: Net.Socket, sent: Buffer) =>
  Effect.callback<Buffer>((resume) => {
    const chunks: Array<Buffer> = []
    socket.on("data", (chunk) => {
      chunks.push(chunk)
      const all = Buffer.concat(chunks)
      if (all.length >= sent.length) resume(Effect.succeed(all))
    })
    socket.write(sent)
  })

const socket = <S extends Net.Socket>(connect: () => S): Effect.Effect<S, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(connect), (socket) => Effect.sync(() => socket.destroy()))

const ends = (server: Running, signal: NodeJS.Signals) =>
  Effect.gen(function*() {
    yield* server.kill(signal)
    assert.strictEqual(yield* server.exit, 0)
    assert.strictEqual(server.stderr(), "")
  })

describe("the echo server", () => {
  for (const options of [[], ["--tls"], ["--streamed"], ["--streamed", "--tls", "--compression"]]) {
    it.live(`echoes text as text and bytes as bytes (${options.join(" ") || "default"})`, () =>
      Effect.gen(function*() {
        const { server, url } = yield* serving(...options)
        assert.match(url, options.includes("--tls") ? /^wss:.*\/$/ : /^ws:.*\/$/)
        const client = yield* connect(url)
        assert.strictEqual(yield* echo(client, "hello, wörld"), "hello, wörld")
        assert.strictEqual(yield* echo(client, ""), "")
        const bytes = Buffer.from([0, 1, 0xff, 0x80])
        assert.deepStrictEqual(yield* echo(client, bytes), bytes)
        assert.strictEqual(server.stdout(), `listening ${url}\n`)
      }).pipe(Effect.scoped))
  }

  it.live("compresses with --compression, as the client wants it, and takes as many --max-fragments as it may", () =>
    Effect.gen(function*() {
      const { url } = yield* serving("--compression", "--max-message", "16777216", "--max-fragments", "262144")
      const client = yield* connect(url, true)
      assert.strictEqual(client.extensions, "permessage-deflate")
      const bytes = Buffer.alloc(16_777_216, "0123456789abcdef")
      assert.isTrue((yield* echo(client, bytes)).toString("latin1") === bytes.toString("latin1"))
      const plain = yield* connect(url)
      const answer = Effect.promise(() => once(plain, "message"))
      const receiving = yield* Effect.forkChild(answer, { startImmediately: true })
      for (let at = 0; at < bytes.length; at += 64) {
        plain.send(bytes.subarray(at, at + 64), { fin: at + 64 === bytes.length })
      }
      const [data] = yield* Fiber.join(receiving)
      assert.isTrue(bytes.equals(data as Buffer))
    }).pipe(Effect.scoped))

  it.live("refuses what is over --max-message with 1009, and only that", () =>
    Effect.gen(function*() {
      const { url } = yield* serving("--max-message", "1000")
      const client = yield* connect(url)
      assert.strictEqual(String(yield* echo(client, "x".repeat(1000))).length, 1000)
      const other = yield* connect(url)
      const closing = yield* Effect.forkChild(closed(client), { startImmediately: true })
      client.send("x".repeat(1001))
      assert.strictEqual((yield* Fiber.join(closing))[0], 1009)
      assert.strictEqual(yield* echo(other, "goes on"), "goes on")
    }).pipe(Effect.scoped))

  it.live("takes messages of 4 MiB if it may", () =>
    Effect.gen(function*() {
      const { url } = yield* serving("--max-message", "4194304")
      const message = Buffer.alloc(4_194_304, 7)
      const answer = yield* echo(yield* connect(url), message)
      assert.isTrue(Buffer.isBuffer(answer) && answer.equals(message))
    }).pipe(Effect.scoped))

  it.live("echoes lines on TCP", () =>
    Effect.gen(function*() {
      const { port, url } = yield* serving("--transport", "tcp", "--framer", "lines")
      assert.strictEqual(url, `tcp://127.0.0.1:${port}`)
      const sent = Buffer.from("one\ntwo, ü\n\nfour\n")
      assert.deepStrictEqual(yield* echoBytes(yield* socket(() => Net.connect(port, "127.0.0.1")), sent), sent)
    }).pipe(Effect.scoped))

  it.live("echoes lines on TLS", () =>
    Effect.gen(function*() {
      const { port, url } = yield* serving("--transport", "tcp", "--framer", "lines", "--tls")
      assert.strictEqual(url, `tls://127.0.0.1:${port}`)
      const client = yield* socket(() => Tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false }))
      assert.strictEqual(String(yield* echoBytes(client, Buffer.from("one\n"))), "one\n")
    }).pipe(Effect.scoped))

  it.live("echoes length-prefixed frames on TCP, and ends at one that is too large", () =>
    Effect.gen(function*() {
      const { port } = yield* serving("--transport", "tcp", "--framer", "length", "--max-message", "5")
      const client = yield* socket(() => Net.connect(port, "127.0.0.1"))
      const sent = Buffer.from("0000000361626300000000000000056162636465", "hex")
      assert.deepStrictEqual(yield* echoBytes(client, sent), sent)
      client.write(Buffer.from("00000006", "hex"))
      yield* Effect.promise(() => once(client, "end"))
    }).pipe(Effect.scoped))

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it.live(`ends cleanly on ${signal}: clients hear 1001`, () =>
      Effect.gen(function*() {
        const { server, url } = yield* serving()
        const clients = [yield* connect(url), yield* connect(url)]
        yield* echo(clients[0], "busy")
        const closing = yield* Effect.forkChild(Effect.forEach(clients, closed, { concurrency: "unbounded" }), {
          startImmediately: true
        })
        yield* ends(server, signal)
        assert.deepStrictEqual(yield* Fiber.join(closing), [[1001, ""], [1001, ""]])
      }).pipe(Effect.scoped))
  }

  it.live("ends cleanly on SIGTERM with TLS, and without clients", () =>
    Effect.gen(function*() {
      const tls = yield* serving("--tls")
      const client = yield* connect(tls.url)
      const closing = yield* Effect.forkChild(closed(client), { startImmediately: true })
      yield* ends(tls.server, "SIGTERM")
      assert.deepStrictEqual(yield* Fiber.join(closing), [1001, ""])
      yield* ends((yield* serving("--transport", "tcp")).server, "SIGINT")
    }).pipe(Effect.scoped))

  it.live("ends at once on a second signal, whoever is silent", () =>
    Effect.gen(function*() {
      const { server, url } = yield* serving()
      const client = yield* connect(url)
      client.pause()
      yield* server.kill("SIGTERM")
      yield* Effect.promise(() => refused(url))
      yield* server.kill("SIGTERM")
      assert.strictEqual(yield* server.exit, 143)
    }).pipe(Effect.scoped))

  it.live("says what is wrong with its options, without a stack trace", () =>
    Effect.gen(function*() {
      const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp]> = [
        [["--max-message", "many"], /--max-message takes a number of bytes/],
        [["--transport", "pigeon"], /--transport is websocket or tcp/],
        [["--port", "99999"], /99999/],
        [["--colour"], /--colour/]
      ]
      const running = yield* Effect.forEach(wrong, ([options]) => example("run.ts", ["echo-server", ...options]))
      for (const [n, server] of running.entries()) {
        const code = yield* server.exit
        assert.isTrue(typeof code === "number" && code > 0, `${wrong[n][0].join(" ")} ended with ${code}`)
        const said = server.stdout() + server.stderr()
        assert.match(said, wrong[n][1])
        assert.notMatch(said, /^\s+at /m, said)
      }
    }).pipe(Effect.scoped))

  it.live("says that its port is taken", () =>
    Effect.gen(function*() {
      const { port } = yield* serving()
      const second = yield* example("run.ts", ["echo-server", "--port", String(port)])
      assert.strictEqual(yield* second.exit, 1)
      const said = second.stdout() + second.stderr()
      assert.match(said, new RegExp(`127\\.0\\.0\\.1:${port}`))
      assert.notMatch(said, /^\s+at /m, said)
    }).pipe(Effect.scoped))
})
