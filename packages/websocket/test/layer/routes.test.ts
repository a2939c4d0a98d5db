/** Several resources on one listener, each with its handler. */
import { assert, describe, it } from "@effect/vitest"
import { Codec, Endpoint, Subprotocol, Transport } from "@wirestack/protocol"
import { Negotiated } from "@wirestack/protocol/Ask"
import * as Connection from "@wirestack/protocol/Connection"
import { detail } from "@wirestack/protocol/Connection"
import type { Incident } from "@wirestack/protocol/Listener"
import type { ListenError } from "@wirestack/protocol/ListenError"
import { reasonOf } from "@wirestack/test-support"
import { Origin, type PathPattern, Refusal, Route, Router, WebSocket } from "@wirestack/websocket"
import { Cause, Context, Deferred, Effect, Fiber, Layer, Option, Queue, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import type * as StreamedMachine from "../../src/machines/StreamedMachine.ts"
import { utf8 } from "../support.ts"
import {
  all,
  connect,
  connectBytes,
  ending,
  head,
  here,
  type Messages,
  on,
  onInternet,
  request,
  settle
} from "./support.ts"

const Said = Schema.TaggedStruct("Said", { text: Schema.String })
const Heard = Schema.TaggedStruct("Heard", { text: Schema.String, count: Schema.Int })

class ChatV1 extends Subprotocol.Service<ChatV1>()("chat.v1", { client: Said, server: Said }) {}
class ChatV2 extends Subprotocol.Service<ChatV2>()("chat.v2", { client: Said, server: Heard }) {}

class Users extends Context.Service<Users, { readonly of: (token: string) => string | undefined }>()(
  "@wirestack/websocket/test/layer/routes.test/Users"
) {}

const codec = Codec.json()

/** Serves routes, and tells the incidents. */
const routed = <const Routes extends ReadonlyArray<Route.Route>, R = never>(
  routes: Routes,
  options?: Router.Options<R>,
  endpoint: Endpoint.Input = here
) =>
  Effect.gen(function*() {
    const incidents = yield* Queue.unbounded<Incident>()
    const listener = yield* Router.listen(endpoint, routes, options)
    const running = yield* Effect.forkScoped(
      listener.run({ onIncident: (incident) => Queue.offer(incidents, incident) }),
      { startImmediately: true }
    )
    return { incident: Queue.take(incidents), listener, running }
  })

const at = (path: string, ...offers: ReadonlyArray<string>) => connect({ ...Endpoint.memory("here"), path }, ...offers)

const echo = <A>(connection: Connection.Connection<A, A, never>) =>
  Stream.run(Connection.messages(connection), Connection.sink(connection))

/** A route that says its name to who comes, and goes on until the client leaves. */
const named = <const Path extends string>(path: PathPattern.Checked<Path>, name: string, options?: Route.Options) =>
  Route.messages(path, (connection) => Effect.andThen(connection.send(name), Effect.asVoid(connection.closed)), options)

const said = (connection: Messages) => Effect.map(connection.pull, ([first]) => first)

/** The status with which a request is answered. */
const status = (path: string, headers: Record<string, string> = {}, endpoint: Endpoint.Input = here) =>
  Effect.scoped(Effect.gen(function*() {
    const client = yield* Transport.connect(Transport.Bytes)(endpoint)
    yield* client.send(request(headers, path))
    return Number((yield* head(client)).slice(9, 12))
  }))

describe("a route", () => {
  it.effect("sees the parameters of its path, decoded and typed, and the request", () =>
    on(
      { client: { headers: [["X-Token", "t"]] } },
      Effect.gen(function*() {
        const seen = yield* Queue.unbounded<Route.RoutedRequest<"/rooms/:room/*file">>()
        yield* routed([
          Route.messages("/rooms/:room/*file", (connection, request) => {
            const { file, room }: { readonly file: string; readonly room: string } = request.params
            // @ts-expect-error
            assert.isUndefined(request.params.other)
            return Effect.andThen(Queue.offer(seen, request), connection.send(`${room} ${file}`))
          })
        ])
        const client = yield* at("/rooms/caf%C3%A9/a/b%20c.txt?x=1&y", "offered.v1")
        assert.strictEqual(yield* said(client), "café a/b c.txt")
        const { details, headers, host, path, protocols, query } = yield* Queue.take(seen)
        assert.deepStrictEqual({ host, path, protocols, query }, {
          host: "localhost",
          path: "/rooms/caf%C3%A9/a/b%20c.txt",
          protocols: ["offered.v1"],
          query: "x=1&y"
        })
        assert.deepInclude(headers, ["x-token", "t"])
        assert.isTrue(Option.isSome(Context.getOption(details, WebSocket.WebSocket)))
        assert.strictEqual((yield* ending(client)).received?.code, 1000)
      })
    ))

  it.effect("is not found where there is none", () =>
    on(
      {},
      Effect.gen(function*() {
        const { incident } = yield* routed([named("/chat", "chat"), named("/rooms/:room", "room")])
        for (const path of ["/", "/chat/", "/Chat", "/rooms/", "/rooms/a/b", "/rooms/%ff"]) {
          const reason = yield* reasonOf(Effect.scoped(at(path)))
          assert.deepInclude(reason, { _tag: "UpgradeRejected", status: 404 })
          const failed = yield* incident
          assert(failed._tag === "HandshakeFailed")
          assert.strictEqual(failed.error.reason._tag, "UpgradeMalformed")
        }
        assert.strictEqual(yield* said(yield* at("/chat")), "chat")
      })
    ))

  it.effect("goes before less specific ones, whatever their order", () =>
    Effect.gen(function*() {
      const routes = [
        named("/*rest", "rest"),
        named("/:any", "any"),
        named("/a/:b", "parameter"),
        named("/a/*rest", "rest of a"),
        named("/a/b", "exact"),
        named("/a/:b", "host", { host: "chat.example" }),
        named("/*rest", "rest of host", { host: "chat.example" }),
        named("/a/b", "below", { host: "*.example" }),
        named("/a/b", "port", { host: "chat.example:8080" })
      ]
      for (const list of [routes, [...routes].reverse()]) {
        yield* onInternet(
          {},
          Effect.gen(function*() {
            const hosts = ["localhost", "chat.example", "other.example", "chat.example:8080"]
            for (const host of hosts) yield* routed(list, {}, `${host}${host.includes(":") ? "" : ":80"}`)
            const where = (host: string, path: string) => Effect.flatMap(connect(`ws://${host}${path}`), said)
            assert.strictEqual(yield* where("localhost", "/"), "rest")
            assert.strictEqual(yield* where("localhost", "/x"), "any")
            assert.strictEqual(yield* where("localhost", "/a/b"), "exact")
            assert.strictEqual(yield* where("localhost", "/a/c"), "parameter")
            assert.strictEqual(yield* where("localhost", "/a/c/d"), "rest of a")
            assert.strictEqual(yield* where("chat.example", "/a/b"), "host")
            assert.strictEqual(yield* where("chat.example", "/a/b/c"), "rest of host")
            assert.strictEqual(yield* where("chat.example:8080", "/a/b"), "port")
            assert.strictEqual(yield* where("other.example", "/a/b"), "below")
            assert.strictEqual(yield* where("other.example", "/a/c"), "parameter")
          })
        )
      }
    }))

  it("that makes no sense does not compile, and throws", () => {
    // @ts-expect-error
    assert.throws(() => named("chat", ""), RangeError)
    // @ts-expect-error
    assert.throws(() => named("/:a/:a", ""), RangeError)
    // @ts-expect-error
    assert.throws(() => named("/*a/b", ""), RangeError)
    assert.throws(() => named("/", "", { host: "a b" }), RangeError)
  })

  it("that is written in the list tells what its handler needs, and no more", () => {
    type Served<R> = Layer.Layer<never, ListenError, Transport.ByteTransport<Transport.Listen> | R>
    const free: Served<never> = Router.serve("/", [Route.messages("/", ({ send }) => send(""))])
    const needy: Served<Users> = Router.serve("/", [Route.messages("/", () => Effect.asVoid(Users))])
    for (const layer of [free, needy]) assert.isTrue(Layer.isLayer(layer))
  })

  it.effect("takes messages in parts, and frames by hand", () =>
    on(
      {},
      Effect.gen(function*() {
        const parts: Array<StreamedMachine.Part> = []
        yield* routed([
          Route.streamed("/parts", (connection) =>
            Effect.gen(function*() {
              while (parts.at(-1)?.last !== true) parts.push(...yield* connection.pull)
              yield* connection.send({ type: "text", data: "got ", last: false })
              yield* connection.send({ type: "text", data: "it", last: true })
            })),
          Route.raw("/frames", (connection) =>
            Effect.gen(function*() {
              const [first] = yield* connection.pull
              yield* connection.send({ opcode: 1, fin: false, payload: utf8(`${first.opcode} `) })
              yield* connection.send({ opcode: 0, fin: true, payload: first.payload })
              const [close] = yield* connection.pull
              assert.strictEqual(close.opcode, 8)
              yield* connection.send(close)
              yield* connection.closed
            }))
        ])
        const streaming = yield* at("/parts")
        yield* streaming.send("x".repeat(3 * 1_048_576))
        assert.strictEqual(yield* said(streaming), "got it")
        assert.isAbove(parts.length, 2)
        assert.strictEqual(parts.reduce((size, { data }) => size + data.length, 0), 3 * 1_048_576)
        const framing = yield* at("/frames")
        yield* framing.send("by hand")
        assert.strictEqual(yield* said(framing), "1 by hand")
        assert.isTrue((yield* detail(framing, WebSocket.WebSocket).close(1000)).clean)
      })
    ))

  it.effect("closes with what its handler ends with, and the others go on", () =>
    on(
      {},
      Effect.gen(function*() {
        const { incident } = yield* routed([
          Route.messages("/fails", () => Effect.fail("oh")),
          Route.messages("/dies", () => Effect.die("oh")),
          Route.messages("/ends", () => Effect.void),
          Route.messages("/echo", echo)
        ])
        const other = yield* at("/echo")
        const code = (path: string) => Effect.map(Effect.flatMap(at(path), ending), ({ received }) => received?.code)
        assert.strictEqual(yield* code("/ends"), 1000)
        for (const path of ["/fails", "/dies"]) {
          assert.strictEqual(yield* code(path), 1011)
          assert.strictEqual((yield* incident)._tag, "HandlerFailed")
        }
        yield* other.send("still here")
        assert.strictEqual(yield* said(other), "still here")
      })
    ))
})

describe("a typed protocol", () => {
  const heard = (text: string, count: number) => JSON.stringify({ _tag: "Heard", text, count })
  const spoken = (text: string) => JSON.stringify({ _tag: "Said", text })

  const both = Route.protocols("/rooms/:room", { "chat.v2": ChatV2, "chat.v1": ChatV1 }, codec, {
    "chat.v1": (connection, { params }) =>
      Effect.gen(function*() {
        const [{ text }] = yield* connection.pull
        yield* connection.send(Said.make({ text: `${params.room}: ${text}` }))
      }),
    "chat.v2": (connection) =>
      Effect.gen(function*() {
        assert.strictEqual(connection.protocol, "chat.v2")
        const [{ text }] = yield* connection.pull
        yield* connection.send(Heard.make({ text, count: 1 }))
        // @ts-expect-error
        yield* Effect.ignore(connection.send(Said.make({ text })))
      })
  })

  it.effect("is spoken by its handler, each version by its own", () =>
    on(
      {},
      Effect.gen(function*() {
        yield* routed([both, Route.protocol("/one", ChatV1, codec, (connection) => echo(connection))])
        const talk = (path: string, ...offers: ReadonlyArray<string>) =>
          Effect.gen(function*() {
            const client = yield* at(path, ...offers)
            yield* client.send(spoken("hi"))
            return [detail(client, Negotiated).protocol, yield* said(client)]
          })
        assert.deepStrictEqual(yield* talk("/rooms/sea", "chat.v1"), ["chat.v1", spoken("sea: hi")])
        assert.deepStrictEqual(yield* talk("/rooms/sea", "chat.v2", "chat.v1"), ["chat.v2", heard("hi", 1)])
        assert.deepStrictEqual(yield* talk("/rooms/sea", "chat.v1", "chat.v2"), ["chat.v1", spoken("sea: hi")])
        assert.deepStrictEqual(yield* talk("/one", "chat.v1"), ["chat.v1", spoken("hi")])
      })
    ))

  it.effect("has to be offered: 400", () =>
    on(
      {},
      Effect.gen(function*() {
        const { incident } = yield* routed([both, named("/plain", "plain")])
        for (const offers of [[], ["chat.v3"]]) {
          const reason = yield* reasonOf(Effect.scoped(at("/rooms/1", ...offers)))
          assert.deepInclude(reason, { _tag: "UpgradeRejected", status: 400 })
          const failed = yield* incident
          assert(failed._tag === "HandshakeFailed")
          assert.deepInclude(failed.error.reason, { _tag: "NothingNegotiated", offered: offers })
        }
        assert.strictEqual(yield* said(yield* at("/plain", "chat.v3")), "plain")
      })
    ))

  for (
    const [what, message, code] of [
      ["RFC 6455 7.4.1: that does not parse is 1007", "nonsense", 1007],
      ["RFC 6455 7.4.1: that its Schema refuses is 1008", "{\"_tag\":\"Nonsense\"}", 1008]
    ] as const
  ) {
    it.effect(what, () =>
      on(
        {},
        Effect.gen(function*() {
          const { incident } = yield* routed([both])
          const client = yield* at("/rooms/1", "chat.v1")
          yield* client.send(message)
          assert.strictEqual((yield* ending(client)).received?.code, code)
          assert.strictEqual((yield* incident)._tag, "HandlerFailed")
        })
      ))
  }

  it.effect("hears that its peer is gone", () =>
    on(
      { client: { answersPings: false, heartbeat: "off" } },
      Effect.gen(function*() {
        const ended = yield* Deferred.make<string>()
        yield* routed([
          Route.protocol("/", ChatV1, codec, (connection) =>
            Effect.flatMap(
              Effect.flip(Effect.forever(connection.pull)),
              (error) => Deferred.succeed(ended, Cause.isDone(error) ? "done" : `${error.layer} ${error.reason._tag}`)
            ))
        ])
        yield* at("/", "chat.v1")
        yield* TestClock.adjust("33 seconds")
        assert.strictEqual(yield* Deferred.await(ended), "websocket Unresponsive")
      })
    ))

  it("whose handler is forgotten, or is another one's, does not compile", () => {
    const never = () => Effect.never
    Route.protocols("/", { "chat.v1": ChatV1, "chat.v2": ChatV2 }, codec, { "chat.v1": never, "chat.v2": never })
    // @ts-expect-error
    Route.protocols("/", { "chat.v1": ChatV1, "chat.v2": ChatV2 }, codec, { "chat.v1": never })
    // @ts-expect-error
    Route.protocols("/", { "chat.v1": ChatV2 }, codec, { "chat.v1": never })
    Route.protocol("/", ChatV2, codec, (connection) => connection.send({ _tag: "Heard", text: "", count: 1 }))
    // @ts-expect-error
    Route.protocol("/", ChatV2, codec, (connection) => connection.send({ _tag: "Said", text: "" }))
  })
})

describe("options", () => {
  it.effect("hold for all routes that don't say otherwise", () =>
    on(
      { client: { headers: [["X-A", "a"]] } },
      Effect.gen(function*() {
        const { incident } = yield* routed(
          [
            Route.messages("/small", echo),
            Route.messages("/large", echo, { maxMessageSize: 20, headers: [["X-Route", "large"]] }),
            Route.messages("/open", echo, { origins: Origin.any, maxMessagesPerSecond: 1 })
          ],
          { maxMessageSize: 10, headers: [["X-Route", "any"]], origins: Origin.allow(["https://a.example"]) }
        )
        const small = yield* at("/small")
        assert.deepInclude(detail(small, WebSocket.WebSocket).headers, ["x-route", "any"])
        yield* small.send("x".repeat(11))
        assert.strictEqual((yield* ending(small)).received?.code, 1009)
        assert.strictEqual((yield* incident)._tag, "HandlerFailed")
        const large = yield* at("/large")
        assert.deepInclude(detail(large, WebSocket.WebSocket).headers, ["x-route", "large"])
        yield* large.send("x".repeat(20))
        assert.strictEqual(yield* said(large), "x".repeat(20))
        yield* large.send("x".repeat(21))
        assert.strictEqual((yield* ending(large)).received?.code, 1009)
        yield* incident
        const open = yield* at("/open")
        yield* open.sendAll(["1", "2"])
        assert.strictEqual(yield* said(open), "1")
        assert.strictEqual((yield* ending(open)).received?.code, 1008)
        for (const [path, a, b] of [["/small", 101, 403], ["/open", 101, 101]] as const) {
          assert.strictEqual(yield* status(path, { Origin: "https://a.example" }), a)
          assert.strictEqual(yield* status(path, { Origin: "https://b.example" }), b)
        }
      })
    ))

  it.effect("decide for all routes that don't decide themselves", () =>
    on(
      {},
      Effect.gen(function*() {
        yield* routed(
          [named("/private", "private"), Route.messages("/public", echo, { accept: () => Effect.void })],
          { accept: () => Effect.fail(new Refusal({ status: 401 })) }
        )
        assert.strictEqual(yield* status("/private"), 401)
        assert.strictEqual(yield* status("/public"), 101)
      })
    ))

  it.effect("of the listener: the head, the time and the number of handshakes", () =>
    on(
      {},
      Effect.gen(function*() {
        const { incident } = yield* routed([named("/", "here")], {
          maxHeadSize: 500,
          handshakeWithin: "2 seconds",
          maxHandshakes: 1
        })
        assert.strictEqual(yield* status("/", { Cookie: "c".repeat(500) }), 431)
        assert.strictEqual((yield* incident)._tag, "HandshakeFailed")
        const slow = yield* connectBytes
        yield* settle
        assert.strictEqual(yield* status("/"), 0)
        const failed = yield* incident
        assert(failed._tag === "HandshakeFailed")
        assert.deepInclude(failed.error.reason, { _tag: "TooLarge", limit: 1 })
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual((yield* all(slow)).length, 0)
        const late = yield* incident
        assert(late._tag === "HandshakeFailed")
        assert.deepInclude(late.error.reason, { _tag: "TimedOut", after: 2_000 })
        assert.strictEqual(yield* said(yield* at("/")), "here")
      })
    ))

  it.effect("RFC 6455 10.2: the origin of the listener is let in, on every route", () =>
    onInternet(
      {},
      Effect.gen(function*() {
        const endpoint = "chat.example:8080"
        yield* routed([named("/", "here")], {}, endpoint)
        assert.strictEqual(yield* status("/", { Origin: "http://chat.example:8080" }, endpoint), 101)
        assert.strictEqual(yield* status("/", { Origin: "http://evil.example:8080" }, endpoint), 403)
      })
    ))

  it.effect("a heartbeat of each route's own", () =>
    on(
      { client: { answersPings: false, heartbeat: "off" } },
      Effect.gen(function*() {
        const lives = yield* Queue.unbounded<string>()
        const living = <const Path extends string>(path: PathPattern.Checked<Path>, options?: Route.Options) =>
          Route.messages(
            path,
            (connection, { path }) => Effect.ensuring(Effect.forever(connection.pull), Queue.offer(lives, path)),
            options
          )
        yield* routed(
          [
            living("/usual"),
            living("/fast", { heartbeat: { interval: "1 second" } }),
            living("/off", { heartbeat: "off" })
          ],
          { heartbeat: { interval: "10 seconds" } }
        )
        for (const path of ["/usual", "/fast", "/off"]) yield* at(path)
        yield* TestClock.adjust("4 seconds")
        assert.strictEqual(yield* Queue.take(lives), "/fast")
        yield* TestClock.adjust("18 seconds")
        assert.strictEqual(yield* Queue.take(lives), "/usual")
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(yield* Queue.size(lives), 0)
      })
    ))
})

describe("accept of a route", () => {
  it.effect("decides about this route, with its services", () =>
    on(
      {},
      Effect.gen(function*() {
        const members = Route.messages(
          "/members",
          (connection) => Effect.flatMap(Users, (users) => connection.send(users.of("1") ?? "nobody")),
          {
            accept: ({ query }) =>
              Effect.flatMap(
                Users,
                (users) =>
                  users.of(query) === undefined
                    ? Effect.fail(new Refusal({ status: 401, headers: [["WWW-Authenticate", "Bearer"]] }))
                    : Effect.void
              )
          }
        )
        // @ts-expect-error
        const free: Route.Route = members
        assert.strictEqual(free.path.pattern, "/members")
        const listener = yield* Router.listen(here, [members, named("/public", "public")])
        const users = { of: (token: string) => token === "1" ? "ada" : undefined }
        yield* Effect.forkScoped(
          listener.run({ onIncident: () => Effect.void }).pipe(Effect.provideService(Users, users)),
          {
            startImmediately: true
          }
        )
        assert.strictEqual(yield* said(yield* at("/members?1")), "ada")
        assert.deepInclude(yield* reasonOf(Effect.scoped(at("/members?2"))), { _tag: "UpgradeRejected", status: 401 })
        assert.strictEqual(yield* said(yield* at("/public?2")), "public")
      }).pipe(Effect.provideService(Users, { of: (token) => token === "1" ? "ada" : undefined }))
    ))

  it.effect("chooses among the protocols of the route, and no others", () =>
    on(
      {},
      Effect.gen(function*() {
        const versions = { "chat.v2": ChatV2, "chat.v1": ChatV1 }
        const close = (connection: Connection.Connection<unknown, never>) => Effect.asVoid(connection.closed)
        yield* routed([
          Route.protocols("/", versions, codec, { "chat.v1": close, "chat.v2": close }, {
            accept: ({ query }) => Effect.succeed({ protocol: query })
          })
        ])
        const client = yield* at("/?chat.v1", "chat.v2", "chat.v1")
        assert.strictEqual(detail(client, Negotiated).protocol, "chat.v1")
        const reason = yield* reasonOf(Effect.scoped(at("/?chat.v3", "chat.v3", "chat.v1")))
        assert.deepInclude(reason, { _tag: "UpgradeRejected", status: 500 })
      })
    ))
})

describe("a routed listener", () => {
  it.effect("is a layer, too", () =>
    on(
      {},
      Effect.gen(function*() {
        yield* Effect.scoped(Effect.gen(function*() {
          yield* Layer.build(Router.serve(here, [named("/", "served")], { onIncident: () => Effect.void }))
          const client = yield* at("/")
          assert.strictEqual(yield* said(client), "served")
          yield* detail(client, WebSocket.WebSocket).close(1000)
        }))
        assert.strictEqual((yield* reasonOf(Effect.scoped(at("/"))))._tag, "Refused")
      })
    ))

  it.effect("drains: closes 1001, waits for its handlers, and says so", () =>
    on(
      {},
      Effect.gen(function*() {
        const goodbyes: Array<string> = []
        const { listener, running } = yield* routed([
          Route.messages("/quick", (connection) =>
            Effect.andThen(
              Effect.exit(Effect.forever(connection.pull)),
              Effect.sync(() => goodbyes.push("quick"))
            )),
          Route.messages(
            "/late",
            () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => goodbyes.push("late")))
          )
        ], { drain: { within: "3 seconds" } })
        assert.strictEqual(listener.address.place._tag, "Memory")
        const clients = [yield* at("/quick"), yield* at("/late")]
        yield* settle
        const draining = yield* Effect.forkChild(Fiber.interrupt(running), { startImmediately: true })
        for (const client of clients) assert.strictEqual((yield* ending(client)).received?.code, 1001)
        assert.deepStrictEqual(goodbyes, ["quick"])
        yield* TestClock.adjust("3 seconds")
        yield* Fiber.join(draining)
        assert.deepStrictEqual(goodbyes, ["quick", "late"])
        assert.deepInclude(yield* listener.drained, { open: 2, ended: 1, interrupted: 1, waiting: 0 })
      })
    ))

  it.effect("is on one address, and serves two stacks apart", () =>
    Effect.gen(function*() {
      const routes = [named("/", "here")]
      const program = Effect.gen(function*() {
        yield* routed(routes)
        assert.strictEqual((yield* reasonOf(Effect.scoped(Router.listen(here, routes))))._tag, "AddressInUse")
        assert.strictEqual(yield* said(yield* at("/")), "here")
      })
      yield* Effect.all([on({}, program), on({}, program)], { concurrency: 2 })
    }))
})
