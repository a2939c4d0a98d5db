/** A client asks: who it says it is, what it makes of a no, and who has to wait. */
import { assert, describe, it } from "@effect/vitest"
import { Transport } from "@wirestack/protocol"
import type { ConnectError } from "@wirestack/protocol/ConnectError"
import { reasonOf } from "@wirestack/test-support"
import { Refusal, type WebSocket } from "@wirestack/websocket"
import { Clock, Effect, Fiber, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { utf8 } from "../support.ts"
import {
  all,
  answer,
  answered,
  type Bytes,
  connect,
  failure,
  head,
  on,
  onInternet,
  serve,
  serveBytes,
  serveBytesAt,
  settle
} from "./support.ts"

/** A server of bytes that takes requests down; a connection stays open until the client leaves. */
const http = (endpoint: string, reply: (request: string) => Uint8Array) =>
  Effect.gen(function*() {
    const requests: Array<string> = []
    const listener = yield* Transport.listen(Transport.Bytes)(endpoint)
    yield* Effect.forkScoped(
      listener.run((connection) =>
        Effect.gen(function*() {
          const request = yield* head(connection)
          requests.push(request)
          yield* connection.send(reply(request))
          yield* all(connection)
        })
      ),
      { startImmediately: true }
    )
    return requests
  })

const header = (request: string, name: string) => new RegExp(`^${name}: (.*)\r$`, "im").exec(request)?.[1]

const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`

/** The request of a client at this endpoint. */
const requestOf = (endpoint: string, options: WebSocket.ClientOptions = {}) =>
  onInternet(
    { client: options },
    Effect.gen(function*() {
      const { hostname, port, protocol } = new URL(endpoint)
      const at = `${hostname}:${port !== "" ? port : protocol === "wss:" ? 443 : 80}`
      const requests = yield* http(at, answer)
      yield* connect(endpoint)
      return requests[0]
    })
  )

describe("a request", () => {
  it.effect("RFC 7617 2: says user and password of a URL", () =>
    Effect.gen(function*() {
      const found = yield* requestOf("ws://ada:l%C3%B6ve%3A@chat.example/")
      assert.strictEqual(header(found, "Authorization"), basic("ada:löve:"))
      assert.strictEqual(header(found, "Host"), "chat.example")
      assert.notInclude(found.split("\r\n")[0], "ada")
      const spelled = yield* requestOf("ws://ada:secret@chat.example/", { headers: [["authorization", "Bearer t"]] })
      assert.strictEqual(header(spelled, "Authorization"), "Bearer t")
      assert.notInclude(spelled, basic("ada:secret"))
    }))

  it.effect("to a service names its domain as the host, and no port", () =>
    onInternet(
      {},
      Effect.gen(function*() {
        const requests = yield* http("srv:_chat._tcp.chat.example", answer)
        yield* connect("wss+srv://_chat._tcp.chat.example/room")
        assert.strictEqual(header(requests[0], "Host"), "chat.example")
        assert.match(requests[0], /^GET \/room /)
      })
    ))

  it.effect("RFC 6265 5.4: has its cookies in one header", () =>
    Effect.gen(function*() {
      const found = yield* requestOf("ws://chat.example/", { cookies: { a: "1", b: "\"2\"" } })
      assert.strictEqual(header(found, "Cookie"), "a=1; b=\"2\"")
      yield* on(
        { client: { cookies: { a: "1; b=2" } } },
        Effect.gen(function*() {
          yield* serveBytes
          assert.deepInclude(yield* reasonOf(Effect.scoped(connect())), { _tag: "InvalidHeader", name: "Cookie" })
        })
      )
    }))

  it.effect("RFC 6455 4.1: names the port if it isn't the default one", () =>
    Effect.gen(function*() {
      assert.strictEqual(header(yield* requestOf("ws://chat.example/"), "Host"), "chat.example")
      assert.strictEqual(header(yield* requestOf("ws://chat.example:8080/"), "Host"), "chat.example:8080")
      assert.strictEqual(header(yield* requestOf("wss://chat.example/"), "Host"), "chat.example")
      assert.strictEqual(header(yield* requestOf("wss://chat.example:80/"), "Host"), "chat.example:80")
    }))

  it.effect("RFC 6455 4.1: asks for path and query, and says where it comes from", () =>
    Effect.gen(function*() {
      const found = yield* requestOf("ws://chat.example/room?a=b", { origin: "https://site.example" })
      assert.strictEqual(found.split("\r\n")[0], "GET /room?a=b HTTP/1.1")
      assert.strictEqual(header(found, "Origin"), "https://site.example")
    }))
})

it.effect("a path with a line feed is no endpoint", () =>
  Effect.gen(function*() {
    for (const path of ["/a\nb", "/a?b\nc", "/a?b\r\nX: c"]) {
      yield* on(
        { client: { path } },
        Effect.gen(function*() {
          yield* serveBytes
          assert.strictEqual((yield* reasonOf(Effect.scoped(connect())))._tag, "InvalidEndpoint")
        })
      )
    }
  }))

describe("a no", () => {
  it.effect("has no more than a second for its body", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serveBytes
        const client = yield* Effect.forkChild(reasonOf(Effect.scoped(connect())))
        const connection = yield* server.next
        yield* head(connection)
        yield* connection.send(
          utf8("HTTP/1.1 503 Later\r\nRetry-After: 9\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst")
        )
        yield* TestClock.adjust("900 millis")
        yield* connection.send(utf8("\r\n6\r\nsecond"))
        yield* settle
        assert.isUndefined(client.pollUnsafe())
        yield* TestClock.adjust("100 millis")
        const reason = yield* Fiber.join(client)
        assert(reason._tag === "UpgradeRejected", reason._tag)
        assert.deepInclude(reason, { status: 503, body: "firstsecond" })
        assert.deepInclude(reason.headers, ["retry-after", "9"])
      })
    ))

  it.effect("is not hidden by the end of the time for the handshake", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serveBytes
        const client = yield* Effect.forkChild(reasonOf(Effect.scoped(connect())))
        const connection = yield* server.next
        yield* head(connection)
        yield* TestClock.adjust("9900 millis")
        yield* connection.send(utf8("HTTP/1.1 503 Later\r\n\r\nlat"))
        yield* settle
        yield* TestClock.adjust("1 second")
        assert.deepInclude(yield* Fiber.join(client), { _tag: "UpgradeRejected", status: 503, body: "lat" })
      })
    ))

  it.effect("is known at once when its body is", () =>
    Effect.gen(function*() {
      const endless = "x".repeat(100_000)
      const replies = [
        ["HTTP/1.1 204 No Content\r\n\r\n", ""],
        ["HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", ""],
        ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"],
        ["HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", "no"],
        [`HTTP/1.1 500 Oh\r\n\r\n${endless}`, endless.slice(0, 4_096)]
      ] as const
      for (const [reply, body] of replies) {
        assert.deepInclude(yield* answered(() => utf8(reply)), { _tag: "UpgradeRejected", body })
      }
    }))

  it.effect("may come in pieces", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serveBytes
        const client = yield* Effect.forkChild(reasonOf(Effect.scoped(connect())))
        const connection = yield* server.next
        yield* head(connection)
        for (const byte of utf8("HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nno!")) {
          yield* connection.send(Uint8Array.of(byte))
          yield* settle
        }
        assert.deepInclude(yield* Fiber.join(client), { _tag: "UpgradeRejected", status: 403, body: "no!" })
      })
    ))

  it.effect("leaves nothing of the connection", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serveBytes
        yield* Effect.forkScoped(reasonOf(connect()))
        const connection = yield* server.next
        yield* head(connection)
        yield* connection.send(utf8("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"))
        assert.strictEqual((yield* failure(connection)).reason._tag, "Reset")
      })
    ))
})

describe("a client that comes again", () => {
  it.effect("waits as its Schedule says, for as long as the server says to come later", () =>
    on(
      {
        server: {
          accept: () =>
            Effect.flatMap(Clock.currentTimeMillis, (now) =>
              now < 3_000 ? Effect.fail(new Refusal({ status: 503 })) : Effect.void)
        }
      },
      Effect.gen(function*() {
        const server = yield* serve()
        const later = (error: ConnectError) =>
          error.reason._tag === "UpgradeRejected" && error.reason.status === 503
        const connecting = yield* Effect.forkScoped(
          Effect.retry(connect(), { schedule: Schedule.exponential("1 second"), while: later }),
          { startImmediately: true }
        )
        yield* TestClock.adjust("3 seconds")
        const client = yield* Fiber.join(connecting)
        yield* client.send("here again")
        assert.deepStrictEqual([...yield* (yield* server.next).pull], ["here again"])
        for (let refused = 0; refused < 2; refused++) {
          assert.strictEqual((yield* server.incident)._tag, "HandshakeFailed")
        }
      })
    ))
})

describe("RFC 6455 4.1: one connection in the state CONNECTING", () => {
  const there = "ws://chat.example:80/"

  /** A server that answers when it is told, and how many requests it has. */
  const slow = (endpoint: string) =>
    Effect.gen(function*() {
      const server = yield* serveBytesAt(endpoint)
      const waiting: Array<Bytes> = []
      yield* Effect.forkScoped(
        Effect.forever(Effect.map(server.next, (connection) => {
          waiting.push(connection)
        })),
        { startImmediately: true }
      )
      return {
        waiting,
        answer: Effect.gen(function*() {
          const connection = waiting.shift()!
          yield* connection.send(answer(yield* head(connection)))
          yield* settle
        })
      }
    })

  const connecting = (count: number, endpoint: string = there) =>
    Effect.forEach(
      Array.from({ length: count }),
      () =>
        Effect.forkScoped(Effect.scoped(Effect.andThen(connect(endpoint), Effect.never)), { startImmediately: true })
    )

  it.effect("to a host and port; others wait", () =>
    onInternet(
      {},
      Effect.gen(function*() {
        const server = yield* slow("chat.example:80")
        yield* connecting(3)
        yield* settle
        assert.lengthOf(server.waiting, 1)
        yield* server.answer
        assert.lengthOf(server.waiting, 1)
        yield* server.answer
        assert.lengthOf(server.waiting, 1)
        yield* server.answer
        assert.lengthOf(server.waiting, 0)
        yield* connecting(1)
        yield* settle
        yield* server.answer
      })
    ))

  it.effect("to another port or host does not wait", () =>
    onInternet(
      {},
      Effect.gen(function*() {
        const servers = [
          yield* slow("chat.example:80"),
          yield* slow("chat.example:81"),
          yield* slow("chat2.example:80")
        ]
        yield* connecting(2, "ws://chat.example/")
        yield* connecting(2, "ws://chat.example:81/")
        yield* connecting(2, "ws://chat2.example/")
        yield* settle
        for (const { waiting } of servers) assert.lengthOf(waiting, 1)
      })
    ))

  it.effect("can be more, and any number", () =>
    Effect.gen(function*() {
      for (const [maxConnecting, expected] of [[2, 2], [Infinity, 5]] as const) {
        yield* onInternet(
          { client: { maxConnecting } },
          Effect.gen(function*() {
            const server = yield* slow("chat.example:80")
            yield* connecting(5)
            yield* settle
            assert.lengthOf(server.waiting, expected)
          })
        )
      }
    }))

  it.effect("that fails lets the next one go", () =>
    onInternet(
      {},
      Effect.gen(function*() {
        const server = yield* slow("chat.example:80")
        const first = yield* Effect.forkChild(reasonOf(Effect.scoped(connect(there))), { startImmediately: true })
        const second = yield* Effect.forkChild(reasonOf(Effect.scoped(connect(there))), { startImmediately: true })
        const third = yield* Effect.forkChild(reasonOf(Effect.scoped(connect(there))), { startImmediately: true })
        yield* settle
        yield* server.waiting.shift()!.send(utf8("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"))
        assert.strictEqual((yield* Fiber.join(first))._tag, "UpgradeRejected")
        yield* settle
        yield* server.waiting.shift()!.abort
        assert.strictEqual((yield* Fiber.join(second))._tag, "Reset")
        yield* settle
        assert.lengthOf(server.waiting, 1)
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual((yield* Fiber.join(third))._tag, "TimedOut")
        server.waiting.length = 0
        yield* connecting(1)
        yield* settle
        assert.lengthOf(server.waiting, 1)
      })
    ))

  it.effect("has all the time of the handshake from when it is its turn", () =>
    onInternet(
      {},
      Effect.gen(function*() {
        const server = yield* slow("chat.example:80")
        yield* Effect.forkScoped(Effect.ignore(Effect.scoped(connect(there))), { startImmediately: true })
        const second = yield* Effect.forkScoped(connect(there), { startImmediately: true })
        yield* TestClock.adjust("10 seconds")
        server.waiting.shift()
        yield* TestClock.adjust("9 seconds")
        yield* server.answer
        yield* Fiber.join(second)
      })
    ))

  it.effect("that is interrupted, under way or waiting, leaves nothing behind", () =>
    onInternet(
      {},
      Effect.gen(function*() {
        const server = yield* slow("chat.example:80")
        const [first, second, third] = yield* connecting(4)
        yield* settle
        yield* Fiber.interrupt(second)
        yield* Fiber.interrupt(first)
        yield* settle
        assert.lengthOf(server.waiting, 2)
        server.waiting.shift()
        yield* Fiber.interrupt(third)
        yield* settle
        assert.lengthOf(server.waiting, 2)
        server.waiting.shift()
        yield* server.answer
        yield* connecting(1)
        yield* settle
        yield* server.answer
      })
    ))
})
