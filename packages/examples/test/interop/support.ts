/** Our side of the tests with peers that others wrote: the stacks, our server and our client. */
import { assert } from "@effect/vitest"
import { NodeZlib } from "@wirestack/node"
import { Transport } from "@wirestack/protocol"
import { type Connection, detail, detailOption, messages } from "@wirestack/protocol/Connection"
import type { Outcome } from "@wirestack/protocol/Outcome"
import { random, rechunk } from "@wirestack/protocol/testing"
import { Tcp } from "@wirestack/transport-tcp"
import { Tls, TlsInfo } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { CloseCode, Origin, PerMessageDeflate, WebSocket } from "@wirestack/websocket"
import { Cause, Duration, Effect, Exit, Layer, Option, Queue, Redacted, References, Scope, Stream } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll } from "vitest"

export const { ca, identity } = await Effect.runPromise(Effect.gen(function*() {
  const authority = yield* DevelopmentCertificates.make()
  return { ca: authority.ca, identity: yield* authority.issue() }
}))
export const key = Redacted.value(identity.key)

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "wirestack-interop-"))
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

/** Text as a file, for programs that take nothing else. */
export const file = (name: string, text: string): string => {
  const full = path.join(folder, name)
  fs.writeFileSync(full, text, { mode: 0o600 })
  return full
}

/** The certificates, as files. */
export const files = {
  ca: file("ca.pem", ca),
  certificate: file("server.pem", identity.certificate),
  key: file("server.key", key)
}

/** What the tests of a file have in common: made when the first one asks for it, and released behind the last. */
export const shared = <A>(make: Effect.Effect<A, never, Scope.Scope>): Effect.Effect<A> => {
  const scope = Scope.makeUnsafe()
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  return Effect.runSync(Effect.cached(Scope.provide(make, scope)))
}

/** A peer that is not there is said, and its tests are skipped. */
export const missing = (found: boolean, what: string): boolean => {
  if (!found) console.warn(`${what} is not installed: its tests are skipped`)
  return !found
}

// The stacks.

type Both = Transport.Connect | Transport.Listen
type Bytes = Layer.Layer<Transport.ByteTransport<Both>, unknown>

/** TLS on the socket itself, or on the bytes of a layer that hides it. */
export const tlsPaths = {
  direct: (tls: Tls.Over) => tls(Tcp.layer()),
  duplex: (tls: Tls.Over) => tls(rechunk(() => random(7, 5_000))(Tcp.layer()))
}

export const tls = (alpn?: ReadonlyArray<string>) =>
  Tls.over({
    client: { trust: { ca }, ...alpn === undefined ? undefined : { alpn } },
    server: { identity, ...alpn === undefined ? undefined : { alpn } }
  })

interface Ground {
  readonly title: string
  readonly scheme: "ws" | "wss"
  readonly path?: "direct" | "duplex"
  readonly bytes: () => Bytes
}

const grounds: ReadonlyArray<Ground> = [
  { title: "ws", scheme: "ws", bytes: () => Tcp.layer() },
  { title: "wss", scheme: "wss", path: "direct", bytes: () => tlsPaths.direct(tls()) },
  { title: "wss, TLS on a Duplex", scheme: "wss", path: "duplex", bytes: () => tlsPaths.duplex(tls()) }
]

/** The only site whose pages our server admits. */
export const home = "https://home.test"

/** How our server is set up. */
const serverOptions = (site: string) => ({ origins: Origin.allow([site]) })

/** How we speak WebSocket: every test runs with each. Peers offer and accept permessage-deflate wherever they can. */
interface Dialect {
  readonly title: string
  readonly deflate: boolean
  readonly over: (
    site: string
  ) => (bytes: Bytes) => Layer.Layer<Transport.MessageTransport<Both | WebSocket.WebSocket>, unknown>
}

const dialects: ReadonlyArray<Dialect> = [
  { title: "", deflate: false, over: (site) => (bytes) => WebSocket.over({ server: serverOptions(site) })(bytes) },
  {
    title: ", compressed",
    deflate: true,
    over: (site) => (bytes) => {
      const extensions = [PerMessageDeflate.make({ threshold: 0 })]
      const websocket = WebSocket.over({ client: { extensions }, server: { extensions, ...serverOptions(site) } })
      return Layer.provide(websocket(bytes), NodeZlib.layer)
    }
  }
]

export type Needs = Scope.Scope | Transport.MessageTransport<Both | WebSocket.WebSocket>

export interface Stack extends Ground {
  /** Both sides agree upon permessage-deflate. */
  readonly deflate: boolean
  /** Runs a program on it; `site` is the one whose pages are admitted. */
  readonly provide: <A, E>(program: Effect.Effect<A, E, Needs>, site?: string) => Effect.Effect<A, unknown>
}

export const stacks: ReadonlyArray<Stack> = dialects.flatMap(({ deflate, over, title }) =>
  grounds.map((ground) => ({
    ...ground,
    title: `${ground.title}${title}`,
    deflate,
    provide: (program, site = home) =>
      Effect.scoped(program).pipe(
        Effect.provide(over(site)(ground.bytes())),
        // Our server warns of those it refuses and of those who are gone: both are meant here.
        Effect.provideService(References.MinimumLogLevel, "Error")
      )
  }))
)

/** Those where TLS is not on a Duplex: that is not for the peer to see. */
export const common = stacks.filter((stack) => stack.path !== "duplex")

// What is sent.

export type Message = string | Buffer

/** Codes of the protocol, of its registry, and of applications. */
export const codes = {
  anybody: [1000, 3000, 4999],
  endpoints: [1000, 1001, 1003, 1007, 1008, 1009, 1011, 3000, 4999]
} as const

/** As long as a reason can be. */
export const reason = `tschüs, ${"€".repeat(38)}`

export const mebibyte = Buffer.alloc(1_048_576, "0123456789abcdef wirestack!")
export const samples: ReadonlyArray<Message> = [
  "text",
  Buffer.from([0, 0xff, 0x80]),
  "",
  Buffer.alloc(0),
  "ä€😀x".repeat(100_000),
  mebibyte,
  "end"
]

// Our ends.

const offering = (...offers: ReadonlyArray<string>) => ({ ...Transport.Messages, offers })

export type OurConnection = Connection<Transport.Message, Transport.Message, WebSocket.WebSocket>

/** What TLS says of a connection. */
export const tlsFacts = (connection: OurConnection) =>
  Option.match(detailOption(connection, TlsInfo), {
    onNone: () => undefined,
    onSome: ({ alpn, path, serverName, version }) => ({ alpn, path, serverName, version })
  })

/** A code that is only known now. */
export const closeCode = (code: number): CloseCode.CloseCode => Option.getOrThrow(CloseCode.make(code))

/** What our server does with a connection, by its path. */
const behave = (connection: OurConnection): Effect.Effect<unknown, unknown> => {
  const { close, headers, path, ping, protocol, query } = detail(connection, WebSocket.WebSocket)
  switch (path) {
    case "/close": {
      const asked = new URLSearchParams(query)
      return close(closeCode(Number(asked.get("code"))), asked.get("reason") ?? "")
    }
    case "/ping":
      return Effect.flatMap(ping, (time) => connection.send(`ponged ${Duration.isDuration(time)}`))
    case "/facts": {
      const [, origin] = headers.find(([name]) => name === "origin") ?? []
      return connection.send(JSON.stringify({ protocol, origin, tls: tlsFacts(connection) }))
    }
    default:
      return Stream.runForEachArray(messages(connection), connection.sendAll)
  }
}

/** Our server: where it is, and every connection as it ends. */
export const serve = Effect.fnUntraced(function*({ scheme }: Stack, ...offers: ReadonlyArray<string>) {
  const outcomes = yield* Queue.unbounded<Outcome>()
  const listener = yield* Transport.listen(offering(...offers))<WebSocket.WebSocket>(`${scheme}://127.0.0.1:0/`)
  yield* Effect.forkScoped(listener.run((connection) => {
    const closed = Effect.forkDetach(Effect.flatMap(connection.closed, (outcome) => Queue.offer(outcomes, outcome)))
    return Effect.asVoid(Effect.andThen(closed, behave(connection)))
  }))
  const { place } = listener.address
  assert(place._tag === "Tcp")
  return { url: `${scheme}://localhost:${place.port}`, outcome: Queue.take(outcomes) }
})

/** Our client. */
export const connect = (url: string, ...offers: ReadonlyArray<string>) =>
  Transport.connect(offering(...offers))<WebSocket.WebSocket>(url)

/** The next messages of our connection. */
export const pulled = (connection: OurConnection, count: number): Effect.Effect<ReadonlyArray<Message>, unknown> =>
  Effect.map(
    Stream.runCollect(Stream.take(messages(connection), count)),
    (all) => all.map((message) => typeof message === "string" ? message : Buffer.from(message))
  )

/** The outcome with which our connection's input ends in order. */
export const ending = (connection: Connection<unknown, never>): Effect.Effect<Outcome> =>
  Effect.flatMap(
    Effect.flip(Effect.forever(connection.pull)),
    (error) => Cause.isDone(error) ? Effect.succeed(error.value as Outcome) : Effect.die(error)
  )
