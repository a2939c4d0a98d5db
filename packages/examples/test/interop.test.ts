/** Our stacks with peers that others wrote: the `ws` package, Node's own WebSocket, and OpenSSL. */
import { assert, describe, it } from "@effect/vitest"
import { Lines, Transport } from "@wirestack/protocol"
import { type Connection, detail, detailOption, messages } from "@wirestack/protocol/Connection"
import type { Outcome } from "@wirestack/protocol/Outcome"
import { random, rechunk } from "@wirestack/protocol/testing"
import { Tcp } from "@wirestack/transport-tcp"
import { Tls, TlsInfo } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { CloseCode, WebSocket } from "@wirestack/websocket"
import { Cause, Duration, Effect, Fiber, type Layer, Option, Queue, Redacted, type Scope, Stream } from "effect"
import { once } from "node:events"
import * as fs from "node:fs"
import * as Http from "node:http"
import * as Https from "node:https"
import type * as Net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import type { TLSSocket } from "node:tls"
import { WebSocket as Ws, WebSocketServer } from "ws"
import { exists, run } from "./support/processes.ts"

const { ca, identity } = await Effect.runPromise(Effect.gen(function*() {
  const authority = yield* DevelopmentCertificates.make()
  return { ca: authority.ca, identity: yield* authority.issue() }
}))
const key = Redacted.value(identity.key)

type Both = Transport.Connect | Transport.Listen
type Message = Connection<Transport.Message, Transport.Message, WebSocket.WebSocket>

/** TLS on the socket itself, or on the bytes of a layer that hides it. */
const tlsPaths = {
  direct: (tls: ReturnType<typeof Tls.over>) => tls(Tcp.layer()),
  duplex: (tls: ReturnType<typeof Tls.over>) => tls(rechunk(() => random(7, 5_000))(Tcp.layer()))
}

const tls = (alpn?: ReadonlyArray<string>) =>
  Tls.over({
    client: { trust: { ca }, ...alpn === undefined ? undefined : { alpn } },
    server: { identity, ...alpn === undefined ? undefined : { alpn } }
  })

interface Ground {
  readonly title: string
  readonly scheme: "ws" | "wss"
  readonly path?: "direct" | "duplex"
  readonly layer: () => Layer.Layer<Transport.ByteTransport<Both>, unknown>
}

const grounds: ReadonlyArray<Ground> = [
  { title: "ws", scheme: "ws", layer: () => Tcp.layer() },
  { title: "wss", scheme: "wss", path: "direct", layer: () => tlsPaths.direct(tls()) },
  { title: "wss, TLS on a Duplex", scheme: "wss", path: "duplex", layer: () => tlsPaths.duplex(tls()) }
]

const offering = (...offers: ReadonlyArray<string>) => ({ ...Transport.Messages, offers })

type Needs = Scope.Scope | Transport.MessageTransport<Both | WebSocket.WebSocket>

/** A test on each ground. */
const onEach = <E>(name: string, program: (ground: Ground) => Effect.Effect<unknown, E, Needs>) => {
  for (const ground of grounds) {
    it.live(`${name} (${ground.title})`, () =>
      Effect.provide(Effect.scoped(program(ground)), WebSocket.over()(ground.layer())))
  }
}

/** The outcome with which the input ends in order. */
const ending = (connection: Connection<unknown, never>): Effect.Effect<Outcome> =>
  Effect.flatMap(
    Effect.flip(Effect.forever(connection.pull)),
    (error) => Cause.isDone(error) ? Effect.succeed(error.value as Outcome) : Effect.die(error)
  )

const tlsFacts = (connection: Message) =>
  Option.match(detailOption(connection, TlsInfo), {
    onNone: () => "none",
    onSome: ({ alpn, path, serverName, version }) => JSON.stringify({ alpn, path, serverName, version })
  })

// Our server.

/** What our server does with a connection, by its path. */
const behave = (connection: Message): Effect.Effect<unknown, unknown> => {
  const { close, path, ping, protocol } = detail(connection, WebSocket.WebSocket)
  switch (path) {
    case "/close":
      return close(CloseCode.privateUse(4002), "von uns, tschüs")
    case "/ping":
      return Effect.flatMap(ping, (time) => connection.send(`ponged ${Duration.isDuration(time)}`))
    case "/facts":
      return connection.sendAll([String(protocol), tlsFacts(connection)])
    default:
      return Stream.runForEachArray(messages(connection), connection.sendAll)
  }
}

/** Our server: where it is, and every connection as it ends. */
const serve = (ground: Ground, ...offers: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const outcomes = yield* Queue.unbounded<Outcome>()
    const listener = yield* Transport.listen(offering(...offers))<WebSocket.WebSocket>(
      `${ground.scheme}://127.0.0.1:0/`
    )
    yield* Effect.forkScoped(listener.run((connection) => {
      const closed = Effect.forkDetach(Effect.flatMap(connection.closed, (outcome) => Queue.offer(outcomes, outcome)))
      return Effect.asVoid(Effect.andThen(closed, behave(connection)))
    }))
    const { place } = listener.address
    assert(place._tag === "Tcp")
    return { url: `${ground.scheme}://localhost:${place.port}`, outcome: Queue.take(outcomes) }
  })

/** A client of `ws`, as it opens. */
const wsClient = (url: string, protocols: ReadonlyArray<string> = [], options: object = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const client = new Ws(
        url,
        [...protocols],
        { ca, perMessageDeflate: false, ALPNProtocols: ["http/1.1"], ...options } as object
      )
      client.on("error", () => {})
      return client
    }),
    (client) => Effect.sync(() => client.terminate())
  )

const opened = (client: Ws) => Effect.promise(() => once(client, "open"))

const messageOf = (data: Buffer, isBinary: boolean): string | Buffer => isBinary ? data : String(data)

/** The next messages of a `ws` connection. */
const heard = (client: Ws, count: number) =>
  Effect.callback<ReadonlyArray<string | Buffer>>((resume) => {
    const all: Array<string | Buffer> = []
    client.on("message", (data: Buffer, isBinary: boolean) => {
      all.push(messageOf(data, isBinary))
      if (all.length === count) resume(Effect.succeed(all))
    })
  })

const closedWs = (client: Ws) =>
  Effect.callback<readonly [number, string]>((resume) => {
    client.on("close", (code, reason) => resume(Effect.succeed([code, String(reason)])))
  })

const mebibyte = Buffer.alloc(1_048_576, "0123456789abcdef wirestack!")
const longText = "ä€😀x".repeat(100_000)
const samples: ReadonlyArray<string | Buffer> = [
  "text",
  Buffer.from([0, 0xff, 0x80]),
  "",
  Buffer.alloc(0),
  longText,
  mebibyte,
  "end"
]

const start = { startImmediately: true } as const

describe("our server with a client of ws", () => {
  onEach("text, bytes, nothing and a MiB", (ground) =>
    Effect.gen(function*() {
      const { url } = yield* serve(ground)
      const client = yield* wsClient(url)
      yield* opened(client)
      const hearing = yield* Effect.forkChild(heard(client, samples.length), start)
      for (const sample of samples) client.send(sample)
      assert.deepStrictEqual(yield* Fiber.join(hearing), samples)
    }))

  onEach("a message in fragments, with a ping between them", (ground) =>
    Effect.gen(function*() {
      const { url } = yield* serve(ground)
      const client = yield* wsClient(url)
      yield* opened(client)
      const hearing = yield* Effect.forkChild(heard(client, 2), start)
      const pong = once(client, "pong")
      const [first, ...rest] = "drei Stücke, schön".split(/(?=[,s])/)
      client.send(first, { fin: false })
      client.ping("between")
      for (const part of rest) client.send(part, { fin: false })
      client.send("", { fin: true })
      for (let at = 0; at < mebibyte.length; at += 65_536) {
        client.send(mebibyte.subarray(at, at + 65_536), { binary: true, fin: at + 65_536 >= mebibyte.length })
      }
      assert.strictEqual(String((yield* Effect.promise(() => pong))[0]), "between")
      assert.deepStrictEqual(yield* Fiber.join(hearing), ["drei Stücke, schön", mebibyte])
    }))

  onEach("pings both ways", (ground) =>
    Effect.gen(function*() {
      const { url } = yield* serve(ground)
      const client = yield* wsClient(`${url}/ping`)
      assert.deepStrictEqual(yield* heard(client, 1), ["ponged true"])
      const other = yield* wsClient(url)
      yield* opened(other)
      const pong = once(other, "pong")
      other.ping(Buffer.alloc(125, 9))
      assert.deepStrictEqual((yield* Effect.promise(() => pong))[0], Buffer.alloc(125, 9))
    }))

  onEach("closed by the client", (ground) =>
    Effect.gen(function*() {
      const { outcome, url } = yield* serve(ground)
      const client = yield* wsClient(url)
      yield* opened(client)
      const closing = yield* Effect.forkChild(closedWs(client), start)
      client.close(4001, "bis bald, ü")
      assert.deepStrictEqual(yield* Fiber.join(closing), [4001, "bis bald, ü"])
      const status = { code: 4001, reason: "bis bald, ü" }
      assert.deepInclude(yield* outcome, { first: "remote", clean: true, received: status, sent: status })
    }))

  onEach("closed by the client without a code", (ground) =>
    Effect.gen(function*() {
      const { outcome, url } = yield* serve(ground)
      const client = yield* wsClient(url)
      yield* opened(client)
      const closing = yield* Effect.forkChild(closedWs(client), start)
      client.close()
      assert.strictEqual((yield* Fiber.join(closing))[0], 1005)
      assert.deepInclude(yield* outcome, { first: "remote", clean: true, received: { code: 1005, reason: "" } })
    }))

  onEach("closed by the server", (ground) =>
    Effect.gen(function*() {
      const { outcome, url } = yield* serve(ground)
      const client = yield* wsClient(`${url}/close`)
      assert.deepStrictEqual(yield* closedWs(client), [4002, "von uns, tschüs"])
      const status = { code: 4002, reason: "von uns, tschüs" }
      assert.deepInclude(yield* outcome, { first: "local", clean: true, received: status, sent: status })
    }))

  onEach("a subprotocol, ALPN and SNI", (ground) =>
    Effect.gen(function*() {
      const { url } = yield* serve(ground, "chat.v2", "chat.v1")
      const client = yield* wsClient(`${url}/facts`, ["chat.v1", "chat.v2"])
      const [protocol, facts] = yield* heard(client, 2)
      assert.strictEqual(client.protocol, "chat.v1")
      assert.strictEqual(protocol, "chat.v1")
      if (ground.path === undefined) assert.strictEqual(facts, "none")
      else {
        const expected = { alpn: "http/1.1", path: ground.path, serverName: "localhost", version: "TLSv1.3" }
        assert.deepStrictEqual(JSON.parse(String(facts)), expected)
      }
      const refused = yield* wsClient(url, ["chat.v9"])
      const [, response] = yield* Effect.promise(() => once(refused, "unexpected-response"))
      assert.strictEqual(response.statusCode, 400)
    }))
})

describe("our server with Node's own WebSocket", () => {
  const global = (globalThis as any).WebSocket as new(url: string, protocols?: ReadonlyArray<string>) => any
  const [plain] = grounds

  const nodeClient = (url: string, protocols: ReadonlyArray<string> = []) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const client = new global(url, protocols)
        client.binaryType = "arraybuffer"
        return client
      }),
      (client) => Effect.sync(() => client.close())
    )

  const next = (client: any, type: string) =>
    Effect.callback<any>((resume) =>
      client.addEventListener(type, (event: any) => resume(Effect.succeed(event)), { once: true })
    )

  const served = <E>(name: string, program: Effect.Effect<unknown, E, Needs>) =>
    it.live(name, () => Effect.provide(Effect.scoped(program), WebSocket.over()(plain.layer())))

  served(
    "text, bytes, and a subprotocol",
    Effect.gen(function*() {
      const { outcome, url } = yield* serve(plain, "chat.v1")
      const client = yield* nodeClient(url, ["chat.v0", "chat.v1"])
      yield* next(client, "open")
      assert.strictEqual(client.protocol, "chat.v1")
      for (const sample of samples) {
        const answer = yield* Effect.forkChild(next(client, "message"), start)
        client.send(sample)
        const { data } = yield* Fiber.join(answer)
        assert.deepStrictEqual(typeof data === "string" ? data : Buffer.from(data), sample)
      }
      const closing = yield* Effect.forkChild(next(client, "close"), start)
      client.close(3001, "fertig")
      const { code, reason, wasClean } = yield* Fiber.join(closing)
      assert.deepStrictEqual([code, reason, wasClean], [3001, "fertig", true])
      assert.deepInclude(yield* outcome, { first: "remote", clean: true, received: { code: 3001, reason: "fertig" } })
    })
  )

  served(
    "closed by the server",
    Effect.gen(function*() {
      const { outcome, url } = yield* serve(plain)
      const { code, reason, wasClean } = yield* next(yield* nodeClient(`${url}/close`), "close")
      assert.deepStrictEqual([code, reason, wasClean], [4002, "von uns, tschüs", true])
      assert.deepInclude(yield* outcome, { first: "local", clean: true })
    })
  )
})

// Our client.

/** What the server of `ws` does with a connection, by its path. */
const behaveWs = (socket: Ws, request: Http.IncomingMessage): void => {
  switch (request.url) {
    case "/close":
      return socket.close(4003, "vom Server, ü")
    case "/ping":
      socket.on("pong", (payload) => socket.send(`ponged ${payload}`))
      return socket.ping("are you there?")
    case "/fragments":
      for (const part of ["Gr", "ü", "ße", ""]) socket.send(part, { fin: part === "" })
      for (let at = 0; at < mebibyte.length; at += 10_000) {
        socket.send(mebibyte.subarray(at, at + 10_000), { binary: true, fin: at + 10_000 >= mebibyte.length })
      }
      return
    case "/facts": {
      const { alpnProtocol, servername } = request.socket as TLSSocket & { readonly servername: unknown }
      return socket.send(JSON.stringify({ alpnProtocol, servername }))
    }
    default:
      socket.on("message", (data: Buffer, isBinary) => socket.send(data, { binary: isBinary }))
  }
}

/** A server of `ws`: where it is, and how each connection ends. */
const serveWs = (ground: Ground) =>
  Effect.gen(function*() {
    const closes = yield* Queue.unbounded<readonly [number, string]>()
    const server = ground.scheme === "ws"
      ? Http.createServer()
      : Https.createServer({ key, cert: identity.certificate, ALPNProtocols: ["http/1.1"] })
    const sockets = new WebSocketServer({
      server,
      handleProtocols: (offered) => offered.has("chat.v2") && "chat.v2",
      verifyClient: ({ req }, answer) =>
        req.url === "/private" ? answer(false, 401, "who are you?", { "WWW-Authenticate": "Bearer" }) : answer(true)
    })
    sockets.on("connection", (socket, request) => {
      socket.on("close", (code, reason) => Queue.offerUnsafe(closes, [code, String(reason)]))
      behaveWs(socket, request)
    })
    yield* Effect.acquireRelease(
      Effect.promise(() => once(server.listen(0, "127.0.0.1"), "listening")),
      () =>
        Effect.sync(() => {
          for (const socket of sockets.clients) socket.terminate()
          server.close()
          server.closeAllConnections()
        })
    )
    return {
      url: `${ground.scheme}://localhost:${(server.address() as Net.AddressInfo).port}`,
      close: Queue.take(closes)
    }
  })

const connect = (url: string, ...offers: ReadonlyArray<string>) =>
  Transport.connect(offering(...offers))<WebSocket.WebSocket>(url)

const pulled = (connection: Message, count: number) =>
  Effect.map(
    Stream.runCollect(Stream.take(messages(connection), count)),
    (all) => all.map((message) => typeof message === "string" ? message : Buffer.from(message))
  )

describe("our client with a server of ws", () => {
  onEach("text, bytes, nothing and a MiB", (ground) =>
    Effect.gen(function*() {
      const { close, url } = yield* serveWs(ground)
      const { closed } = yield* Effect.scoped(Effect.gen(function*() {
        const client = yield* connect(url)
        const sending = yield* Effect.forkChild(Effect.forEach(samples, client.send))
        assert.deepStrictEqual(yield* pulled(client, samples.length), samples)
        yield* Fiber.join(sending)
        return client
      }))
      assert.deepStrictEqual(yield* close, [1000, ""])
      const status = { code: 1000, reason: "" }
      assert.deepInclude(yield* closed, { first: "local", clean: true, sent: status, received: status, undelivered: 0 })
    }))

  onEach("messages in fragments", (ground) =>
    Effect.gen(function*() {
      const { url } = yield* serveWs(ground)
      assert.deepStrictEqual(yield* pulled(yield* connect(`${url}/fragments`), 2), ["Grüße", mebibyte])
    }))

  onEach("pings both ways", (ground) =>
    Effect.gen(function*() {
      const { url } = yield* serveWs(ground)
      assert.deepStrictEqual(yield* pulled(yield* connect(`${url}/ping`), 1), ["ponged are you there?"])
      const { ping } = detail(yield* connect(url), WebSocket.WebSocket)
      for (const time of yield* Effect.all([ping, ping], { concurrency: "unbounded" })) {
        assert.isTrue(Duration.toMillis(time) < 10_000)
      }
    }))

  onEach("closed by the client", (ground) =>
    Effect.gen(function*() {
      const { close, url } = yield* serveWs(ground)
      const client = yield* connect(url)
      const outcome = yield* detail(client, WebSocket.WebSocket).close(CloseCode.registered(3002), "bis bald, ü")
      const status = { code: 3002, reason: "bis bald, ü" }
      assert.deepInclude(outcome, { first: "local", clean: true, sent: status, received: status })
      assert.deepStrictEqual(yield* close, [3002, "bis bald, ü"])
    }))

  onEach("closed by the server", (ground) =>
    Effect.gen(function*() {
      const { close, url } = yield* serveWs(ground)
      const client = yield* connect(`${url}/close`)
      const status = { code: 4003, reason: "vom Server, ü" }
      assert.deepInclude(yield* ending(client), { first: "remote", sent: status, received: status })
      assert.deepStrictEqual(yield* close, [4003, "vom Server, ü"])
      assert.deepInclude(yield* client.closed, { first: "remote", clean: true })
    }))

  onEach("a subprotocol, ALPN and SNI", (ground) =>
    Effect.gen(function*() {
      const { url } = yield* serveWs(ground)
      const client = yield* connect(`${url}/facts`, "chat.v1", "chat.v2")
      assert.strictEqual(detail(client, WebSocket.WebSocket).protocol, "chat.v2")
      const [facts] = yield* pulled(client, 1)
      if (ground.path !== undefined) {
        assert.deepStrictEqual(JSON.parse(String(facts)), { alpnProtocol: "http/1.1", servername: "localhost" })
        const ours = JSON.parse(tlsFacts(client))
        assert.deepInclude(ours, { alpn: "http/1.1", path: ground.path, version: "TLSv1.3" })
      }
      assert.strictEqual(detail(yield* connect(url, "chat.v9"), WebSocket.WebSocket).protocol, undefined)
    }))

  onEach("refused", (ground) =>
    Effect.gen(function*() {
      const { url } = yield* serveWs(ground)
      const { layer, reason } = yield* Effect.flip(Effect.scoped(connect(`${url}/private`)))
      assert.strictEqual(layer, "websocket")
      assert(reason._tag === "UpgradeRejected", reason._tag)
      assert.strictEqual(reason.status, 401)
      assert.deepInclude(reason.headers, ["www-authenticate", "Bearer"])
      assert.strictEqual(reason.body, "who are you?")
    }))
})

// TLS itself.

const hasOpenssl = exists("openssl", "version")
if (!hasOpenssl) console.warn("openssl is not installed: its tests are skipped")

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "wirestack-openssl-"))
process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }))
const file = (name: string, text: string): string => {
  const full = path.join(folder, name)
  fs.writeFileSync(full, text, { mode: 0o600 })
  return full
}
const files = {
  ca: file("ca.pem", ca),
  certificate: file("server.pem", identity.certificate),
  key: file("server.key", key)
}

type TlsLines = Connection<Transport.Message, Transport.Message, TlsInfo>

for (const way of ["direct", "duplex"] as const) {
  const layer = () => Lines.over()(tlsPaths[way](tls(["lines", "http/1.1"])))

  describe.skipIf(!hasOpenssl)(`openssl and TLS (${way})`, () => {
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
