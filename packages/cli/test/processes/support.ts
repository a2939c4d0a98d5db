/** The command as a process, and what it talks to. */
import { run, type Running } from "@wirestack/test-support"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { Effect, Redacted, type Scope } from "effect"
import { once } from "node:events"
import * as fs from "node:fs"
import * as http from "node:http"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { type WebSocket, WebSocketServer } from "ws"

const main = path.resolve(import.meta.dirname, "../../src/internal/main.ts")
const node = [process.execPath, "--conditions=@wirestack/source", main]

type Environment = Readonly<Record<string, string>>

/** `wirestack ARGS...`, with pipes. */
export const wirestack = (
  args: ReadonlyArray<string>,
  env: Environment = {}
): Effect.Effect<Running, never, Scope.Scope> => run(node[0], [...node.slice(1), ...args], env)

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** The same in a pseudo-terminal, which `script` makes. */
export const terminal = (
  args: ReadonlyArray<string>,
  env: Environment = {}
): Effect.Effect<Running, never, Scope.Scope> =>
  run("script", ["-qefc", [...node, ...args].map(quoted).join(" "), "/dev/null"], { TERM: "xterm", ...env })

/** Redirects as a shell does, pipes text in, and waits for the end. */
export const redirected = (redirection: string, args: ReadonlyArray<string>, input: string) =>
  fed(run("sh", ["-c", `${[...node, ...args].map(quoted).join(" ")} ${redirection}`]), input)

/** Pipes text in, and waits for the end. */
export const piped = (args: ReadonlyArray<string>, input: string, env?: Environment) => fed(wirestack(args, env), input)

const fed = (starting: ReturnType<typeof wirestack>, input: string) =>
  Effect.gen(function*() {
    const running = yield* starting
    yield* running.write(input)
    yield* running.end
    const code = yield* running.exit
    return { code, stdout: running.stdout(), stderr: running.stderr() }
  })

/** A folder for as long as the scope is open. */
export const folder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "wirestack-cli-"))),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
)

/** The files of an authority, of a server and of a client. */
export const certificates = Effect.gen(function*() {
  const into = yield* folder
  const write = (name: string, text: string): string => {
    const file = path.join(into, name)
    fs.writeFileSync(file, text)
    return file
  }
  const authority = yield* DevelopmentCertificates.make()
  const server = yield* authority.issue()
  const client = yield* authority.issue({ names: ["client"] })
  return {
    folder: into,
    ca: write("ca.pem", authority.ca),
    cert: write("server.pem", server.certificate),
    key: write("server.key", Redacted.value(server.key)),
    clientCert: write("client.pem", client.certificate),
    clientKey: write("client.key", Redacted.value(client.key))
  }
})

/** A port that nobody listens on. */
export const freePort: Effect.Effect<number> = Effect.callback((resume) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as net.AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** What a WebSocket server of `ws` has seen. */
export interface Seen {
  readonly requests: Array<http.IncomingMessage>
  readonly messages: Array<string | Buffer>
  /** The code of each close. */
  readonly closes: Array<number>
}

/** Asks until it is so. */
export const eventually = (what: string, holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => holds() ? Effect.void : Effect.fail("not yet")).pipe(
    Effect.retry({ while: () => Effect.delay(Effect.succeed(true), "5 millis") }),
    Effect.timeoutOrElse({ duration: "10 seconds", orElse: () => Effect.die(new Error(what)) }),
    Effect.orDie
  )

/** A server of `ws` on a port or a path, that does so with who comes; by default it echoes. */
export const wsServer = (
  use: (socket: WebSocket) => void = (socket) => socket.on("message", (data, binary) => socket.send(data, { binary })),
  { at = 0, protocols = [] as ReadonlyArray<string>, reject }: {
    readonly at?: number | string
    readonly protocols?: ReadonlyArray<string>
    readonly reject?: number
  } = {}
) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const seen: Seen = { requests: [], messages: [], closes: [] }
      const server = http.createServer()
      const sockets = new WebSocketServer({
        server,
        handleProtocols: (offered) => protocols.find((name) => offered.has(name)) ?? false,
        ...reject === undefined ? undefined : {
          verifyClient: (_: unknown, answer: (ok: boolean, code: number, text: string) => void) =>
            answer(false, reject, "No")
        }
      })
      sockets.on("connection", (socket, request) => {
        seen.requests.push(request)
        socket.on("message", (data, binary) => seen.messages.push(binary ? data as Buffer : String(data)))
        socket.on("close", (code) => seen.closes.push(code))
        use(socket)
      })
      if (typeof at === "string") server.listen(at)
      else server.listen(at, "127.0.0.1")
      await once(server, "listening")
      const address = server.address() as net.AddressInfo | string
      const url = typeof address === "string" ? `ws+unix:${address}:/` : `ws://127.0.0.1:${address.port}/`
      return { url, seen, server, sockets }
    }),
    ({ server, sockets }) =>
      Effect.sync(() => {
        for (const socket of sockets.clients) socket.terminate()
        server.close()
      })
  )

/** A server of bytes that does so with who comes; its URL is `host:port`. */
export const tcpServer = (use: (socket: net.Socket) => void) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const sockets = new Set<net.Socket>()
      const server = net.createServer({ allowHalfOpen: true }, (socket) => {
        sockets.add(socket)
        socket.on("error", () => {}).on("close", () => sockets.delete(socket))
        use(socket)
      })
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
      return { server, sockets, address: `127.0.0.1:${(server.address() as net.AddressInfo).port}` }
    }),
    ({ server, sockets }) =>
      Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
        server.close()
      })
  )

/** One of our servers, when it listens: its URL. */
export const serving = (command: "echo" | "listen", args: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const server = yield* wirestack([command, ...args])
    const [, url] = yield* server.says(/listening (\S+)/)
    return { server, url }
  })
