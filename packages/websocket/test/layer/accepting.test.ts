/** A server decides: by its own rules, by origin, and without a handshake. */
import { assert, describe, it } from "@effect/vitest"
import { Endpoint, MemoryTransport, Transport } from "@wirestack/protocol"
import { Negotiated } from "@wirestack/protocol/Ask"
import { detail } from "@wirestack/protocol/Connection"
import { reasonOf } from "@wirestack/test-support"
import { Origin, Refusal, WebSocket } from "@wirestack/websocket"
import { Cause, Context, Deferred, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { frame, toHex, utf8 } from "../support.ts"
import {
  all,
  alone,
  bytes,
  connect,
  connectBytes,
  head,
  here,
  on,
  onInternet,
  type Options,
  refused,
  request,
  serve,
  serveAt,
  settle
} from "./support.ts"

class Users extends Context.Service<Users, { readonly of: (token: string) => string | undefined }>()(
  "@wirestack/websocket/test/layer/accepting.test/Users"
) {}

/** What the client is told, and the incident there is of it. */
const declined = (options: Options, headers: Record<string, string> = {}) =>
  refused(request(headers, "/room?x=1"), options)

/** Goes through a server whose first client is refused and whose second one is not. */
const accepting = (
  accept: NonNullable<WebSocket.ServerOptions["accept"]>,
  more: WebSocket.ServerOptions = {}
): Options => {
  let first = true
  return {
    server: {
      ...more,
      accept: (request) => {
        const asked = first
        first = false
        return asked ? accept(request) : Effect.void
      }
    }
  }
}

describe("accept", () => {
  it.effect("is asked about the request, and chooses subprotocol and headers", () =>
    Effect.gen(function*() {
      const seen: Array<WebSocket.Request> = []
      yield* on(
        {
          client: { headers: [["X-Token", "t"]], path: "/room/1?token=t" },
          server: {
            headers: [["X-Server", "s"]],
            accept: (request) => {
              seen.push(request)
              return Effect.succeed({ protocol: request.protocols[1], headers: [["Set-Cookie", "a=b"]] as const })
            }
          }
        },
        Effect.gen(function*() {
          const server = yield* serve()
          const client = detail(yield* connect(here, "chat.v1", "chat.v2"), WebSocket.WebSocket)
          assert.strictEqual(client.protocol, "chat.v2")
          assert.strictEqual(detail(yield* server.next, Negotiated).protocol, "chat.v2")
          const added = client.headers.filter(([name]) => name === "x-server" || name === "set-cookie")
          assert.deepStrictEqual(added, [["x-server", "s"], ["set-cookie", "a=b"]])
        })
      )
      const [{ details, headers, host, origin, path, protocols, query }] = seen
      assert.deepStrictEqual({ host, origin, path, protocols, query }, {
        host: "localhost",
        origin: undefined,
        path: "/room/1",
        protocols: ["chat.v1", "chat.v2"],
        query: "token=t"
      })
      assert.deepInclude(headers, ["x-token", "t"])
      assert.isTrue(Context.isContext(details))
    }))

  it.effect("may leave everything as it is", () =>
    on(
      { server: { accept: () => Effect.void } },
      Effect.gen(function*() {
        const server = yield* serve("chat.v1")
        const client = yield* connect(here, "chat.v1")
        assert.strictEqual(detail(client, Negotiated).protocol, "chat.v1")
        yield* server.next
      })
    ))

  it.effect("refuses with any status, headers and body", () =>
    Effect.gen(function*() {
      const refusals = [
        [new Refusal({ status: 401, headers: [["WWW-Authenticate", "Bearer"]] }), "Unauthorized\n"],
        [new Refusal({ status: 307, headers: [["Location", "ws://b.example/"]], body: "" }), ""],
        [new Refusal({ status: 503, body: "später\n" }), "später\n"],
        [new Refusal({ status: 418, body: utf8("{}"), headers: [["Content-Type", "application/json"]] }), "{}"],
        [new Refusal({ status: 599 }), "Status 599\n"]
      ] as const
      for (const [refusal, body] of refusals) {
        const { reason, said } = yield* declined(accepting(() => Effect.fail(refusal)))
        const [head, rest] = said.split("\r\n\r\n")
        assert.match(head, new RegExp(`^HTTP/1\\.1 ${refusal.status} `))
        for (const [name, value] of refusal.headers ?? []) assert.include(head, `\r\n${name}: ${value}`)
        assert.include(head, "\r\nConnection: close")
        assert.strictEqual(rest, body)
        assert.deepInclude(reason, { _tag: "UpgradeRefused", status: refusal.status, path: "/room" })
      }
    }))

  it.effect("the client has the refusal as data", () =>
    on(
      { server: { accept: () => Effect.fail(new Refusal({ status: 429, headers: [["Retry-After", "30"]] })) } },
      Effect.gen(function*() {
        yield* serve()
        const reason = yield* reasonOf(Effect.scoped(connect()))
        assert(reason._tag === "UpgradeRejected", reason._tag)
        assert.strictEqual(reason.status, 429)
        assert.deepInclude(reason.headers, ["retry-after", "30"])
        assert.strictEqual(reason.body, "Too Many Requests\n")
      })
    ))

  it.effect("a decision that can't be sent is 500, and the client is not told why", () =>
    Effect.gen(function*() {
      const decisions: ReadonlyArray<NonNullable<WebSocket.ServerOptions["accept"]>> = [
        () => Effect.succeed({ protocol: "secret" }),
        () => Effect.succeed({ headers: [["X-Secret", "a\r\nb"]] }),
        () => Effect.fail(new Refusal({ status: 200 })),
        () => Effect.fail(new Refusal({ status: 400, headers: [["Sec-WebSocket-Accept", "secret"]] }))
      ]
      for (const decision of decisions) {
        const { reason, said } = yield* declined(accepting(decision))
        assert.match(said, /^HTTP\/1\.1 500 /)
        assert.notInclude(said, "ecret")
        assert.match(reason._tag, /^Invalid(Header|Status)$/)
      }
    }))

  it.effect("a subprotocol that was offered, and that nobody speaks, is 500", () =>
    on(
      { server: { accept: ({ protocols }) => Effect.succeed({ protocol: protocols[0] }) } },
      Effect.gen(function*() {
        const server = yield* serve("chat.v1")
        const reason = yield* reasonOf(Effect.scoped(connect(here, "chat.v2", "chat.v1")))
        assert.deepInclude(reason, { _tag: "UpgradeRejected", status: 500 })
        const incident = yield* server.incident
        assert(incident._tag === "HandshakeFailed")
        assert.deepInclude(incident.error.reason, { _tag: "InvalidHeader", detail: "chat.v2 is not spoken here" })
        yield* connect(here, "chat.v1", "chat.v2")
        yield* server.next
      })
    ))

  it.effect("has the services of where the layer is built", () =>
    alone(Effect.gen(function*() {
      const network = MemoryTransport.layer()
      const websocket = WebSocket.over({
        server: {
          accept: ({ query }) =>
            Effect.flatMap(Users, (users) => {
              const user = users.of(query)
              return user === undefined
                ? Effect.fail(new Refusal({ status: 401 }))
                : Effect.succeed({ headers: [["X-User", user]] as const })
            })
        }
      })
      const stack = websocket(network)
      const users = Layer.succeed(Users, { of: (token) => token === "token=1" ? "ada" : undefined })
      const context = yield* Layer.build(Layer.provide(stack, users))
      yield* Effect.provideContext(
        Effect.gen(function*() {
          yield* serve()
          const knock = (path: string) => Effect.scoped(connect({ ...Endpoint.memory("here"), path }))
          const { headers } = detail(yield* knock("/?token=1"), WebSocket.WebSocket)
          assert.deepInclude(headers, ["x-user", "ada"])
          assert.deepInclude(yield* reasonOf(knock("/?token=2")), { _tag: "UpgradeRejected", status: 401 })
        }),
        context
      )
      const needed: [Layer.Services<typeof stack>] extends [never] ? false : true = true
      assert.isTrue(needed)
    })))

  it.effect("has the time of the handshake, and is interrupted with it", () =>
    Effect.gen(function*() {
      const interrupted = yield* Deferred.make<void>()
      yield* on(
        {
          handshakeWithin: "3 seconds",
          server: {
            accept: ({ path }) =>
              path === "/slow"
                ? Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
                : Effect.delay(Effect.void, "2 seconds")
          }
        },
        Effect.gen(function*() {
          const server = yield* serve()
          const client = yield* connectBytes
          yield* client.send(request({}, "/slow"))
          yield* settle
          const quick = yield* Effect.forkChild(connect(), { startImmediately: true })
          yield* settle
          yield* TestClock.adjust("2 seconds")
          yield* Fiber.join(quick)
          yield* server.next
          yield* TestClock.adjust("1 second")
          yield* Deferred.await(interrupted)
          const incident = yield* server.incident
          assert(incident._tag === "HandshakeFailed")
          assert.deepInclude(incident.error.reason, { _tag: "TimedOut", phase: "handshake", after: 3_000 })
          assert.strictEqual((yield* all(client)).length, 0)
        })
      )
    }))

  it.effect("that dies is 500, and ends nothing but its connection", () =>
    on(
      accepting(() => Effect.die(new Error("secret"))),
      Effect.gen(function*() {
        const server = yield* serve()
        const reason = yield* reasonOf(Effect.scoped(connect()))
        assert.deepInclude(reason, { _tag: "UpgradeRejected", status: 500, body: "Internal Server Error\n" })
        const incident = yield* server.incident
        assert(incident._tag === "HandlerFailed", incident._tag)
        assert.isTrue(Cause.hasDies(incident.cause))
        yield* connect()
        yield* server.next
      })
    ))

  it.effect("that throws does as well", () =>
    on(
      accepting(() => {
        throw new Error("secret")
      }),
      Effect.gen(function*() {
        const server = yield* serve()
        const reason = yield* reasonOf(Effect.scoped(connect()))
        assert.deepInclude(reason, { _tag: "UpgradeRejected", status: 500 })
        assert.strictEqual((yield* server.incident)._tag, "HandlerFailed")
        yield* connect()
        yield* server.next
      })
    ))

  it.effect("is not asked about what breaks the rules, nor about strange origins and paths", () =>
    Effect.gen(function*() {
      let times = 0
      const options: Options = {
        client: { path: "/chat" },
        server: {
          path: "/chat",
          accept: () => {
            times++
            return Effect.void
          }
        }
      }
      for (const headers of [{ "Sec-WebSocket-Version": "8" }, { Origin: "https://evil.example" }] as const) {
        yield* refused(request(headers, "/chat"), options)
      }
      yield* refused(request({}, "/"), options)
      // The client that is let in afterwards.
      assert.strictEqual(times, 3)
    }))

  it.effect("does not keep a client that leaves meanwhile", () =>
    on(
      accepting(() => Effect.delay(Effect.void, "4 seconds")),
      Effect.gen(function*() {
        const server = yield* serve()
        yield* Effect.scoped(Effect.gen(function*() {
          const client = yield* connectBytes
          yield* client.send(request())
          yield* settle
          yield* client.abort
        }))
        yield* TestClock.adjust("10 seconds")
        yield* connect()
        yield* server.next
      })
    ))
})

describe("origins", () => {
  const knock = (origin: string | undefined, endpoint: Endpoint.Input) =>
    Effect.gen(function*() {
      const client = yield* Transport.connect(Transport.Bytes)(endpoint)
      yield* client.send(request(origin === undefined ? {} : { Origin: origin }))
      return Number((yield* head(client)).slice(9, 12))
    }).pipe(Effect.scoped)

  const statuses = (
    endpoint: string,
    server: WebSocket.ServerOptions,
    origins: ReadonlyArray<string | undefined>,
    where: typeof on
  ) =>
    where(
      { server },
      Effect.gen(function*() {
        yield* serveAt(endpoint)
        return yield* Effect.forEach(origins, (origin) => knock(origin, endpoint))
      })
    )

  it.effect("RFC 6455 10.2: none is let in where the server has no address of its own", () =>
    Effect.gen(function*() {
      const origins = [undefined, "http://localhost", "http://here", "null"]
      assert.deepStrictEqual(yield* statuses(here, {}, origins, on), [101, 403, 403, 403])
      assert.deepStrictEqual(yield* statuses("ws://0.0.0.0:80", {}, origins, onInternet), [101, 403, 403, 403])
    }))

  it.effect("RFC 6455 10.2: that of the address it listens on is let in", () =>
    Effect.gen(function*() {
      const origins = [
        undefined,
        "http://chat.example:8080",
        "https://chat.example:8080",
        "http://chat.example",
        "null"
      ]
      const found = yield* statuses("ws://chat.example:8080", {}, origins, onInternet)
      assert.deepStrictEqual(found, [101, 101, 101, 403, 403])
      const loopback = ["http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost:8081"]
      assert.deepStrictEqual(yield* statuses("ws://127.0.0.1:8080", {}, loopback, onInternet), [101, 101, 101, 403])
    }))

  it.effect("those of its names are let in, if they are told", () =>
    Effect.gen(function*() {
      const origins = ["https://chat.example", "https://chat.example:8080", "http://localhost:8080"]
      const server = { authorities: ["chat.example"] }
      assert.deepStrictEqual(yield* statuses("ws://127.0.0.1:8080", server, origins, onInternet), [101, 403, 403])
    }))

  it.effect("a policy replaces all this", () =>
    Effect.gen(function*() {
      const origins = [undefined, "https://chat.example", "null"]
      assert.deepStrictEqual(yield* statuses(here, { origins: Origin.any }, origins, on), [101, 101, 101])
      const server = {
        origins: Origin.required(Origin.allow(["https://chat.example"])),
        authorities: ["other.example"]
      }
      assert.deepStrictEqual(yield* statuses(here, server, origins, on), [403, 101, 403])
    }))

  it.effect("the client is told no more than that, the server everything", () =>
    Effect.gen(function*() {
      const { reason, said } = yield* refused(request({ Origin: "https://evil.example" }), {
        server: { origins: Origin.allow(["https://good.example"]) }
      })
      assert.notInclude(said, "good.example")
      assert.deepInclude(reason, { _tag: "OriginRefused", origin: "https://evil.example" })
    }))
})

describe("skipHandshake", () => {
  const agreed = { client: { skipHandshake: true }, server: { skipHandshake: true } } as const

  it.effect("speaks frames from the first byte on, in both roles", () =>
    on(
      agreed,
      Effect.gen(function*() {
        const server = yield* serve("chat.v1")
        const client = yield* connect({ ...Endpoint.memory("here"), path: "/x?y=z" }, "chat.v1")
        const accepted = yield* server.next
        yield* client.send("hello")
        assert.deepStrictEqual([...yield* accepted.pull], ["hello"])
        yield* accepted.send(utf8("world"))
        assert.deepStrictEqual([...yield* client.pull], [utf8("world")])
        for (const connection of [client, accepted]) {
          assert.strictEqual(detail(connection, Negotiated).protocol, "chat.v1")
          assert.deepStrictEqual(detail(connection, WebSocket.WebSocket).headers, [])
        }
        const { path, query } = detail(client, WebSocket.WebSocket)
        assert.deepStrictEqual({ path, query }, { path: "/x", query: "y=z" })
        assert.isTrue((yield* detail(client, WebSocket.WebSocket).close(1000)).clean)
      })
    ))

  it.effect("takes bytes by hand", () =>
    on(
      agreed,
      Effect.gen(function*() {
        const server = yield* serve()
        const client = yield* connectBytes
        yield* client.send(frame(1, "hi", { mask: true }))
        const accepted = yield* server.next
        assert.deepStrictEqual([...yield* accepted.pull], ["hi"])
        yield* accepted.send("ho")
        assert.strictEqual(toHex(yield* bytes(client, 4)), toHex(frame(1, "ho")))
      })
    ))
})
