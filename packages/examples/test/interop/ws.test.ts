import { assert, describe } from "@effect/vitest"
import { detail } from "@wirestack/protocol/Connection"
import { WebSocket } from "@wirestack/websocket"
import { Deferred, Effect, Queue } from "effect"
import { once } from "node:events"
import * as Http from "node:http"
import * as Https from "node:https"
import type * as Net from "node:net"
import type { TLSSocket } from "node:tls"
import { WebSocket as Ws, WebSocketServer } from "ws"
import { type Client, clientSuite, type Closed, type ConnectOptions, onStacks, Refused } from "./clients.ts"
import { paths, serverSuite } from "./servers.ts"
import {
  ca,
  connect,
  home,
  identity,
  key,
  mebibyte,
  type Message,
  pulled,
  serve,
  type Stack,
  stacks,
  tlsFacts
} from "./support.ts"

const messageOf = (data: Buffer, isBinary: boolean): Message => isBinary ? data : String(data)

/** Sends a message in fragments: of 64 KiB at most from ws itself, which then compresses each by itself. */
const sendParts = (socket: Ws, parts: ReadonlyArray<Message>): void => {
  parts.forEach((part, n) => socket.send(part, { binary: typeof part !== "string", fin: n === parts.length - 1 }))
}

const extensionsOf = ({ extensions }: Ws): ReadonlyArray<string> => extensions === "" ? [] : extensions.split(",")

const open = Effect.fnUntraced(function*(url: string, { foreign, protocols = [] }: ConnectOptions = {}) {
  const received = yield* Queue.unbounded<Message>()
  const closed = yield* Deferred.make<Closed>()
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const options = { ca, ALPNProtocols: ["http/1.1"], origin: foreign ? "https://evil.test" : home }
      return new Ws(url, [...protocols], options as object)
    }),
    (socket) => Effect.sync(() => socket.terminate())
  )
  socket.on("error", () => {})
  socket.on("message", (data: Buffer, isBinary) => Queue.offerUnsafe(received, messageOf(data, isBinary)))
  socket.on("close", (code, reason) => Deferred.doneUnsafe(closed, Effect.succeed([code, String(reason)])))
  yield* Effect.callback<void, Refused>((resume) => {
    socket.on("open", () => resume(Effect.void))
    socket.on("unexpected-response", (_, { statusCode }) => resume(Effect.fail(new Refused({ status: statusCode! }))))
  })
  const ponged = (payload: Message) =>
    Effect.promise(async () => {
      const [pong] = await once(socket, "pong")
      assert.deepStrictEqual(pong, Buffer.from(payload))
    })
  const client: Client = {
    protocol: socket.protocol,
    extensions: extensionsOf(socket),
    send: (message) => Effect.sync(() => socket.send(message)),
    fragments: ([first, ...rest], ping) =>
      Effect.gen(function*() {
        socket.send(first, { binary: typeof first !== "string", fin: false })
        socket.ping(ping)
        yield* ponged(ping)
        sendParts(socket, rest)
      }),
    ping: (payload) => {
      socket.ping(payload)
      return ponged(payload)
    },
    next: Queue.take(received),
    close: (code, reason) => Effect.sync(() => socket.close(code, reason)),
    closed: Deferred.await(closed),
    drop: Effect.sync(() => socket.terminate())
  }
  return client
})

/** What the server of `ws` does with a connection, by its path. */
const behave = (socket: Ws, request: Http.IncomingMessage): void => {
  const { pathname, searchParams } = new URL(request.url!, "ws://localhost")
  switch (pathname) {
    case paths.close: {
      const code = searchParams.get("code")
      return code === null ? socket.close() : socket.close(Number(code), searchParams.get("reason")!)
    }
    case paths.ping:
      socket.on("pong", (payload) => socket.send(`ponged ${payload}`))
      return socket.ping("are you there?")
    case paths.fragments: {
      sendParts(socket, ["Gr", "ü", "ße", ""])
      const size = 10_000
      const count = Math.ceil(mebibyte.length / size)
      return sendParts(socket, Array.from({ length: count }, (_, n) => mebibyte.subarray(n * size, (n + 1) * size)))
    }
    case paths.extensions:
      return socket.send(JSON.stringify(extensionsOf(socket)))
    case "/facts": {
      const { alpnProtocol, servername } = request.socket as TLSSocket & { readonly servername: unknown }
      return socket.send(JSON.stringify({ alpnProtocol, servername }))
    }
    default:
      socket.on("message", (data: Buffer, isBinary) => socket.send(data, { binary: isBinary }))
  }
}

const serveWs = Effect.fnUntraced(function*({ scheme }: Stack) {
  const closes = yield* Queue.unbounded<Closed>()
  const server = scheme === "ws"
    ? Http.createServer()
    : Https.createServer({ key, cert: identity.certificate, ALPNProtocols: ["http/1.1"] })
  const sockets = new WebSocketServer({
    server,
    perMessageDeflate: true,
    handleProtocols: (offered) => offered.has("chat.v2") && "chat.v2",
    verifyClient: ({ req }, answer) =>
      req.url === paths.private
        ? answer(false, 401, "who are you?", { "WWW-Authenticate": "Bearer" })
        : answer(true)
  })
  sockets.on("connection", (socket, request) => {
    socket.on("close", (code, reason) => Queue.offerUnsafe(closes, [code, String(reason)]))
    behave(socket, request)
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
  const { port } = server.address() as Net.AddressInfo
  return { url: `${scheme}://localhost:${port}`, closed: Queue.take(closes) }
})

clientSuite({ name: "a client of ws", stacks, connect: open })

serverSuite({ name: "a server of ws", stacks, serve: serveWs })

describe("ws besides", () => {
  const onEach = onStacks(stacks)
  const tlsStacks = stacks.filter(({ scheme }) => scheme === "wss")

  onEach("closed by its client without a code", (stack) =>
    Effect.gen(function*() {
      const { outcome, url } = yield* serve(stack)
      const client = yield* open(url)
      yield* client.close()
      assert.deepStrictEqual(yield* client.closed, [1005, ""])
      assert.deepInclude(yield* outcome, { first: "remote", clean: true, received: { code: 1005, reason: "" } })
    }))

  onEach("closed by its server without a code", (stack) =>
    Effect.gen(function*() {
      const { closed, url } = yield* serveWs(stack)
      const client = yield* connect(`${url}${paths.close}`)
      const received = { code: 1005, reason: "" }
      assert.deepInclude(yield* client.closed, { first: "remote", clean: true, received })
      assert.deepStrictEqual(yield* closed, [1005, ""])
    }))

  onStacks(tlsStacks)("our server hears of ALPN and SNI", (stack) =>
    Effect.gen(function*() {
      const { url } = yield* serve(stack)
      const client = yield* open(`${url}/facts`)
      const expected = { alpn: "http/1.1", path: stack.path, serverName: "localhost", version: "TLSv1.3" }
      assert.deepStrictEqual(JSON.parse(String(yield* client.next)).tls, expected)
    }))

  onStacks(tlsStacks)("our client tells of ALPN and SNI", (stack) =>
    Effect.gen(function*() {
      const { url } = yield* serveWs(stack)
      const client = yield* connect(`${url}/facts`)
      const [facts] = yield* pulled(client, 1)
      assert.deepStrictEqual(JSON.parse(String(facts)), { alpnProtocol: "http/1.1", servername: "localhost" })
      assert.deepInclude(tlsFacts(client), { alpn: "http/1.1", path: stack.path!, version: "TLSv1.3" })
      assert.strictEqual(detail(client, WebSocket.WebSocket).path, "/facts")
    }))
})
