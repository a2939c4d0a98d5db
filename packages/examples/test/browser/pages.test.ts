/** Our client in pages of Chromium, on both of its WebSockets, with our server. */
import { assert, describe, it } from "@effect/vitest"
import { NodeZlib } from "@wirestack/node"
import * as Connection from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import type { Incident } from "@wirestack/protocol/Listener"
import * as Heartbeat from "@wirestack/protocol/liveness/Heartbeat"
import type { Outcome } from "@wirestack/protocol/Outcome"
import * as Resume from "@wirestack/protocol/resilience/Resume"
import * as Transport from "@wirestack/protocol/Transport"
import * as Codec from "@wirestack/protocol/typed/Codec"
import { until } from "@wirestack/test-support"
import { Tcp } from "@wirestack/transport-tcp"
import { CloseCode, Origin, PerMessageDeflate, WebSocket } from "@wirestack/websocket"
import { Effect, Exit, Fiber, Layer, Option, Queue, type Redacted, References, Scope, Stream } from "effect"
import { Chat } from "../../src/chat/Chat.ts"
import * as Rooms from "../../src/chat/Rooms.ts"
import { serve as serveMember } from "../../src/chat/server.ts"
import { shared } from "../interop/support.ts"
import { chromium, skip } from "./chromium.ts"
import { Counter } from "./page/Counter.ts"
import { inPage, inWorker, serveSite, visit } from "./site.ts"
import { openTunnel } from "./tunnel.ts"

const browser = shared(Effect.gen(function*() {
  const port = yield* serveSite
  const context = yield* chromium
  const site = `http://127.0.0.1:${port}`
  const anew = visit(context, site)
  return { context, site, anew, page: yield* anew, foreign: yield* visit(context, `http://localhost:${port}`) }
}))

const apis = ["websocket", "stream"] as const

type Api = typeof apis[number]

const live = <E>(name: string, program: () => Effect.Effect<unknown, E, Scope.Scope>) =>
  it.live(name, () =>
    Effect.scoped(Effect.suspend(program)).pipe(
      // Our server warns of those it refuses and of those who are gone: both are meant here.
      Effect.provideService(References.MinimumLogLevel, "Error")
    ))

/** A test on each WebSocket of the browser. */
const onEach = <E>(name: string, program: (api: Api) => Effect.Effect<unknown, E, Scope.Scope>): void => {
  for (const api of apis) live(`${name} (${api})`, () => program(api))
}

type Live = Connection.Connection<Transport.Message, Transport.Message, WebSocket.WebSocket>

interface Serving {
  readonly offers?: ReadonlyArray<string>
  readonly deflate?: boolean
  readonly over?: (
    stack: Layer.Layer<Transport.MessageTransport<Transport.Listen | WebSocket.WebSocket>>
  ) => Layer.Layer<Transport.MessageTransport<Transport.Listen | WebSocket.WebSocket>>
}

/** Our server, which admits the site only. */
const serve = Effect.fnUntraced(function*(
  handler: (connection: Live) => Effect.Effect<unknown, unknown>,
  { deflate = false, offers = [], over = (stack) => stack }: Serving = {}
) {
  const { site } = yield* browser
  const outcomes = yield* Queue.unbounded<Outcome>()
  const incidents = yield* Queue.unbounded<Incident>()
  const extensions = deflate ? [PerMessageDeflate.make({ threshold: 0 })] : []
  const stack = WebSocket.server({ origins: Origin.allow([site]), extensions })(Tcp.layer())
  const context = yield* Layer.build(over(Layer.provide(stack, NodeZlib.layer) as typeof stack as never))
  const listener = yield* Effect.provideContext(
    Transport.listen({ ...Transport.Messages, offers })<WebSocket.WebSocket>("ws://127.0.0.1:0/"),
    context
  )
  yield* Effect.forkScoped(listener.run(
    (connection) => {
      const closed = Effect.forkDetach(Effect.flatMap(connection.closed, (outcome) => Queue.offer(outcomes, outcome)))
      return Effect.asVoid(Effect.andThen(closed, handler(connection)))
    },
    { onIncident: (incident) => Queue.offer(incidents, incident) }
  ))
  const url = `ws://127.0.0.1:${Endpoint.portOf(listener.address)}/`
  return { url, outcome: Queue.take(outcomes), incident: Queue.take(incidents) }
})

/** Where somebody has listened, and nobody does. */
const nobody = Effect.map(Effect.scoped(serve(() => Effect.void)), ({ url }) => url)

const echo = (connection: Live) => Stream.runForEachArray(Connection.messages(connection), connection.sendAll)

/** What a refusal was for, as our server knows it. */
const reasonOf = (incident: Incident) => incident._tag === "HandshakeFailed" ? incident.error.reason : undefined

describe.skipIf(skip)("pages in Chromium", () => {
  for (const [where, doing] of [["a page", inPage], ["a dedicated worker", inWorker]] as const) {
    onEach(`the typed chat in ${where}`, (api) =>
      Effect.gen(function*() {
        const { page, site } = yield* browser
        const stack = Chat.over(Codec.json())(WebSocket.server({ origins: Origin.allow([site]) })(Tcp.layer()))
        const context = yield* Layer.build(stack)
        const listener = yield* Effect.provideContext(Chat.listen("ws://127.0.0.1:0/"), context)
        yield* Effect.forkScoped(listener.run(serveMember(Rooms.make())))
        const url = `ws://127.0.0.1:${Endpoint.portOf(listener.address)}/`
        const visit = yield* doing(page, "chat", { url, name: "ada", text: "hello", options: { api } })
        const [, said] = visit.heard
        assert.deepInclude(said, { _tag: "Said", room: "lobby", n: 1, name: "ada", text: "hello" })
        assert.deepStrictEqual(visit, {
          api,
          extensions: "",
          protocol: "chat.v1",
          heard: [{ _tag: "Joined", room: "lobby", members: ["ada"], history: [], last: 0 }, said],
          outcome: { clean: true, first: "local", received: { code: 1000, reason: "bye" } }
        })
      }))
  }

  onEach("messages of every kind and size", (api) =>
    Effect.gen(function*() {
      const { page } = yield* browser
      const { url } = yield* serve(echo)
      const { extensions, received, sent } = yield* inPage(page, "echo", { url, options: { api } })
      assert.deepStrictEqual(received, sent)
      assert.strictEqual(extensions, "")
    }))

  onEach("compressed messages", (api) =>
    Effect.gen(function*() {
      const { page } = yield* browser
      const names: Array<string> = []
      const { url } = yield* serve((connection) => {
        names.push(...Connection.detail(connection, WebSocket.WebSocket).extensions.map(({ name }) => name))
        return echo(connection)
      }, { deflate: true })
      const { extensions, received, sent } = yield* inPage(page, "echo", { url, options: { api } })
      assert.deepStrictEqual(received, sent)
      assert.match(extensions, /^permessage-deflate/)
      assert.deepStrictEqual(names, ["permessage-deflate"])
    }))

  const failed = { layer: "browser websocket", tag: "OpeningFailed" } as const

  onEach("a subprotocol that the server does not speak is refused by the server", (api) =>
    Effect.gen(function*() {
      const { page } = yield* browser
      const { incident, url } = yield* serve(echo, { offers: ["chat.v2"] })
      assert.deepInclude(yield* inPage(page, "refusal", { url, offers: ["chat.v1"], options: { api } }), failed)
      assert.deepInclude(reasonOf(yield* incident), { _tag: "NothingNegotiated", offered: ["chat.v1"] })
    }))

  onEach("a server that selects no subprotocol is refused by the browser", (api) =>
    Effect.gen(function*() {
      const { page } = yield* browser
      const { outcome, url } = yield* serve(echo)
      assert.deepInclude(yield* inPage(page, "refusal", { url, offers: ["chat.v1"], options: { api } }), failed)
      assert.strictEqual((yield* outcome).clean, false)
    }))

  onEach("a foreign origin is refused by the server", (api) =>
    Effect.gen(function*() {
      const { foreign } = yield* browser
      const { incident, url } = yield* serve(echo)
      assert.deepInclude(yield* inPage(foreign, "refusal", { url, options: { api } }), failed)
      const reason = reasonOf(yield* incident)
      assert(reason?._tag === "OriginRefused")
      assert.match(reason.origin ?? "", /^http:\/\/localhost:/)
    }))

  onEach("where nobody listens is not told from that", (api) =>
    Effect.gen(function*() {
      const { page } = yield* browser
      assert.deepInclude(yield* inPage(page, "refusal", { url: yield* nobody, options: { api } }), failed)
    }))

  onEach("what no browser opens is said before", (api) =>
    Effect.gen(function*() {
      const { page } = yield* browser
      for (const url of ["127.0.0.1:1", "tcp://127.0.0.1:1", "unix:/run/chat.sock", "ws://ada:secret@127.0.0.1:1/"]) {
        const { tag } = yield* inPage(page, "refusal", { url, options: { api } })
        assert.strictEqual(tag, "InvalidEndpoint", url)
      }
    }))

  onEach("closed by the page, with each code it may say", (api) =>
    Effect.gen(function*() {
      const { page } = yield* browser
      const { outcome, url } = yield* serve(echo)
      for (const code of [1000, 3000, 4999]) {
        const status = { code, reason: "tschüs" }
        const seen = yield* inPage(page, "closing", { url, ...status, options: { api } })
        assert.deepInclude(seen, { first: "local", clean: true, sent: status, received: status })
        assert.deepInclude(yield* outcome, { first: "remote", clean: true, received: status })
      }
    }))

  onEach("closed by the server, with each code it may say", (api) =>
    Effect.gen(function*() {
      const { page } = yield* browser
      for (const code of [1000, 1001, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 3000, 4999]) {
        const status = { code, reason: "tschüs" }
        const { outcome, url } = yield* serve((connection) =>
          Connection.detail(connection, WebSocket.WebSocket).close(Option.getOrThrow(CloseCode.make(code)), "tschüs")
        )
        const seen = yield* inPage(page, "closed", { url, options: { api } })
        assert.deepInclude(seen, { first: "remote", clean: true, received: status })
        assert.deepInclude(yield* outcome, { first: "local", clean: true, received: { code, reason: "tschüs" } })
      }
    }))

  onEach(
    "closed by the server while the page speaks: that is told, and so is what is lost",
    (api) =>
      Effect.gen(function*() {
        const { page } = yield* browser
        const { url } = yield* serve(() => Effect.void)
        for (let n = 0; n < 20; n++) {
          const { clean, first, received, unsent } = yield* inPage(page, "closed", {
            url,
            says: "hello",
            options: { api }
          })
          assert.deepStrictEqual([first, received], ["remote", { code: 1000, reason: "" }])
          assert.strictEqual(clean, unsent === 0)
        }
      })
  )

  onEach("cut by the server", (api) =>
    Effect.gen(function*() {
      const { page } = yield* browser
      const { url } = yield* serve((connection) => Effect.andThen(connection.pull, connection.abort))
      const seen = yield* inPage(page, "closed", { url, says: "hello", options: { api } })
      assert.deepInclude(seen, { clean: false, error: "Reset" })
    }))

  onEach("the page is left", (api) =>
    Effect.gen(function*() {
      const { anew } = yield* browser
      const { outcome, url } = yield* serve(echo)
      const page = yield* anew
      assert.strictEqual(yield* inPage(page, "hold", { url, options: { api } }), api)
      yield* Effect.promise(() => page.close())
      assert.deepInclude(yield* outcome, { first: "remote", received: { code: 1001, reason: "" } })
    }))

  const kib = 1_024

  /** A server that sends until it is over, and how much it has sent. */
  const flooding = Effect.gen(function*() {
    const sent = { messages: 0 }
    const message = new Uint8Array(16 * kib)
    const server = yield* serve((connection) =>
      Effect.forever(Effect.andThen(connection.send(message), Effect.sync(() => sent.messages++)))
    )
    return { ...server, sent }
  })

  live("a server that floods a WebSocket is closed, and what had come is delivered", () =>
    Effect.gen(function*() {
      const { anew } = yield* browser
      const page = yield* anew
      const { outcome, sent, url } = yield* flooding
      yield* inPage(page, "hold", { url, options: { api: "websocket", maxInboxSize: 1_024 * kib } })
      const { received } = yield* outcome
      assert.deepInclude(received, { code: 1000 })
      assert.match(received!.reason, /^what waits to be pulled of \d+ is over the limit of 1048576$/)
      const seen = yield* inPage(page, "drain", Infinity)
      assert.deepInclude(seen.outcome, { clean: false, error: "TooLarge", first: "local" })
      assert.isAtLeast(seen.bytes, 1_024 * kib)
      assert.isAtMost(seen.bytes, 1_024 * kib + 64 * kib + 16 * kib)
      assert.isAtLeast(sent.messages, seen.messages)
      yield* Effect.promise(() => page.close())
    }))

  live("a server that floods a WebSocketStream is held back, and nothing is lost", () =>
    Effect.gen(function*() {
      const { anew } = yield* browser
      const page = yield* anew
      const { sent, url } = yield* flooding
      yield* inPage(page, "hold", { url, options: { api: "stream", maxInboxSize: 1_024 * kib } })
      let before = -1
      while (before !== sent.messages) {
        before = sent.messages
        yield* Effect.sleep("200 millis")
      }
      const seen = yield* inPage(page, "drain", before + 1_000)
      assert.isAtLeast(seen.messages, before + 1_000)
      assert.isUndefined(seen.outcome)
      yield* Effect.promise(() => page.close())
    }))

  onEach("a message over the limit", (api) =>
    Effect.gen(function*() {
      const { page } = yield* browser
      const { outcome, url } = yield* serve((connection) =>
        Effect.andThen(connection.sendAll(["small", "x".repeat(2_000)]), connection.closed)
      )
      const seen = yield* inPage(page, "closed", { url, options: { api, maxMessageSize: 1_999 } })
      assert.deepInclude(seen, { error: "TooLarge", undelivered: 1 })
      const reason = "a message of 2000 is over the limit of 1999"
      assert.deepInclude((yield* outcome).received, { code: 1000, reason })
    }))

  onEach("a page that sends to a server that does not read waits", (api) =>
    Effect.gen(function*() {
      const { anew } = yield* browser
      const page = yield* anew
      const gate = yield* Queue.unbounded<void>()
      let bytes = 0
      const { url } = yield* serve((connection) =>
        Effect.andThen(
          Queue.take(gate),
          Stream.runForEach(Connection.messages(connection), (message) => Effect.sync(() => bytes += message.length))
        )
      )
      yield* inPage(page, "hold", { url, options: { api } })
      let over = false
      const size = 64 * kib
      yield* Effect.forkChild(
        Effect.andThen(inPage(page, "push", { count: 1_000, size }), Effect.sync(() => over = true))
      )
      yield* Effect.sleep("500 millis")
      assert.isFalse(over)
      yield* Queue.offer(gate, undefined)
      yield* until(() => over && bytes === 1_000 * size)
      yield* Effect.promise(() => page.close())
    }))

  const beats = Heartbeat.over({ interval: "1 minute" })

  onEach("a heartbeat keeps on while it is answered", (api) =>
    Effect.gen(function*() {
      const { page } = yield* browser
      const { url } = yield* serve(echo, { over: beats })
      assert.strictEqual(yield* inPage(page, "beating", { url, millis: 600, options: { api } }), "alive")
    }))

  onEach("a heartbeat finds out that it is not", (api) =>
    Effect.gen(function*() {
      const { page } = yield* browser
      const { url } = yield* serve(({ closed }) => closed)
      assert.strictEqual(yield* inPage(page, "beating", { url, millis: 10_000, options: { api } }), "Unresponsive")
    }))

  /** A server of numbers at a port, which can be started again there. */
  const counting = <D>(
    over: (
      stack: Layer.Layer<Transport.MessageTransport<Transport.Listen | WebSocket.WebSocket>>
    ) => Layer.Layer<Transport.At<Counter, Transport.Listen | D>>,
    handler: (connection: Connection.Connection<number, number, D>) => Effect.Effect<unknown, unknown>
  ) =>
  (port: number) =>
    Effect.gen(function*() {
      const { site } = yield* browser
      const scope = yield* Scope.make()
      const stop = Scope.close(scope, Exit.interrupt())
      yield* Effect.addFinalizer(() => stop)
      const context = yield* Layer.build(over(WebSocket.server({ origins: Origin.allow([site]) })(Tcp.layer()))).pipe(
        Scope.provide(scope)
      )
      const listener = yield* Counter.listen<D>(`ws://127.0.0.1:${port}/`).pipe(
        Scope.provide(scope),
        Effect.provideContext(context)
      )
      yield* Effect.forkIn(listener.run((connection) => Effect.asVoid(handler(connection))), scope)
      return { port: Endpoint.portOf(listener.address)!, stop }
    })

  onEach("a session goes on across restarts of the server", (api) =>
    Effect.gen(function*() {
      const { page } = yield* browser
      const secrets = new Map<string, Redacted.Redacted<string>>()
      const stored: Array<number> = []
      const store: Resume.Store = {
        opened: (id, secret) => Effect.sync(() => void secrets.set(id, secret)),
        load: (id, received) =>
          Effect.sync(() => {
            const secret = secrets.get(id)
            const replay = stored.slice(received).map((n) => JSON.stringify(2 * n))
            return secret && { secret, received: stored.length, sent: stored.length, replay }
          })
      }
      const start = counting<Resume.Session>(
        (stack) => stack.pipe(Resume.server({ store, acknowledge: "stored" }), Counter.over(Codec.json())),
        (connection) =>
          Stream.runForEach(Connection.messages(connection), (n) => {
            stored.push(n)
            return Effect.andThen(Resume.acknowledge(connection, 1), connection.send(2 * n))
          })
      )
      let server = yield* start(0)
      const { port } = server
      const to = 300
      const running = yield* Effect.forkChild(
        inPage(page, "counted", { url: `ws://127.0.0.1:${port}/`, to, options: { api } })
      )
      for (const count of [100, 200]) {
        yield* until(() => stored.length >= count)
        yield* server.stop
        server = yield* start(port)
      }
      const { answers, connections } = yield* Fiber.join(running)
      const numbers = Array.from({ length: to }, (_, n) => n + 1)
      assert.deepStrictEqual(stored, numbers)
      assert.deepStrictEqual(answers, numbers.map((n) => 2 * n))
      assert.isAtLeast(connections, 3)
    }))

  live("a connection that waits comes back as soon as the network does", () =>
    Effect.gen(function*() {
      const { anew, context } = yield* browser
      const page = yield* anew
      const start = counting((stack) => Counter.over(Codec.json())(stack), ({ closed }) => closed)
      const first = yield* start(0)
      yield* inPage(page, "survive", { url: `ws://127.0.0.1:${first.port}/` })
      const seen = (...wanted: ReadonlyArray<string>): Effect.Effect<void> =>
        Effect.flatMap(
          inPage(page, "states", null),
          (states) =>
            wanted.every((state, at) => states[at] === state)
              ? Effect.void
              : Effect.andThen(Effect.sleep("10 millis"), seen(...wanted))
        )
      yield* seen("Preparing", "Ready")
      yield* first.stop
      yield* seen("Preparing", "Ready", "Waiting")
      yield* start(first.port)
      yield* Effect.promise(() => context.setOffline(true))
      yield* Effect.promise(() => context.setOffline(false))
      yield* seen("Preparing", "Ready", "Waiting", "Preparing", "Ready")
      yield* Effect.promise(() => page.close())
    }))

  // Chromium lets the WebSocketStream of a page that it keeps live on.
  live("a page that is left and gone back to connects again (websocket)", () =>
    Effect.gen(function*() {
      const { anew, site } = yield* browser
      const page = yield* anew
      const ends: Array<Outcome["received"]> = []
      let connections = 0
      const start = counting((stack) => Counter.over(Codec.json())(stack), ({ closed }) => {
        connections++
        return Effect.map(closed, ({ received }) => ends.push(received))
      })
      const { port } = yield* start(0)
      yield* inPage(page, "survive", { url: `ws://127.0.0.1:${port}/`, options: { api: "websocket" } })
      yield* until(() => connections === 1)
      yield* Effect.promise(() => page.goto(site.replace("127.0.0.1", "localhost")))
      // Who drives the browser can't follow into a page that was kept.
      yield* Effect.forkChild(Effect.promise(() => page.goBack({ waitUntil: "commit" })))
      yield* until(() => connections === 2 && ends.length === 1)
      assert.deepStrictEqual(ends, [{ code: 1001, reason: "" }])
      yield* Effect.promise(() => page.close())
    }))

  for (const api of apis) {
    live(`the compliance suite (${api})`, () =>
      Effect.gen(function*() {
        const { anew } = yield* browser
        const page = yield* anew
        const cases = yield* inPage(page, "compliance", { api, nobody: yield* nobody, ...yield* openTunnel })
        assert.isAbove(cases.length, 20)
        assert.deepStrictEqual(cases.filter(([, failure]) => failure !== undefined), [])
        yield* Effect.promise(() => page.close())
      }))
  }
})
