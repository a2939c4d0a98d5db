/** The layer as its users meet it, over memory: the other side is ours, or bytes by hand. */
import { assert, describe, it } from "@effect/vitest"
import { Endpoint, MemoryTransport, Transport } from "@wirestack/protocol"
import { Negotiated } from "@wirestack/protocol/Ask"
import { type Connection, detail } from "@wirestack/protocol/Connection"
import type { Incident } from "@wirestack/protocol/Listener"
import type { Outcome } from "@wirestack/protocol/Outcome"
import { CloseCode, WebSocket } from "@wirestack/websocket"
import { Cause, Deferred, Duration, Effect, Exit, Fiber, Layer, Queue, Scope } from "effect"
import { TestClock } from "effect/testing"
import { createHash } from "node:crypto"
import { concat, frame, hex, text, toHex, utf8 } from "./support.ts"

type Both = Transport.Connect | Transport.Listen
type Details = WebSocket.WebSocket | Negotiated
type Messages = Connection<Transport.Message, Transport.Message, Details>
type Bytes = Connection<Uint8Array, Uint8Array>
type Needs = Scope.Scope | Transport.ByteTransport<Both> | Transport.MessageTransport<Both | Details>
type Options = Parameters<typeof WebSocket.over>[0]

const here = "memory:here"

/** A program on a network of its own, where it has bytes and WebSockets at once. Whatever it leaves open has to close. */
const on = <A, E>(options: Options, program: Effect.Effect<A, E, Needs>): Effect.Effect<A, E> =>
  Effect.gen(function*() {
    const network = MemoryTransport.layer()
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(Layer.merge(network, WebSocket.over(options)(network)), scope)
    const exit = yield* Effect.exit(Scope.provide(Effect.provideContext(program, context), scope))
    const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
    for (let seconds = 0; closing.pollUnsafe() === undefined; seconds++) {
      assert.isBelow(seconds, 30, "seconds it took to close")
      yield* TestClock.adjust("1 second")
    }
    return yield* exit
  })

const offering = (...offers: ReadonlyArray<string>) => ({ ...Transport.Messages, offers })

const connect = (endpoint: Endpoint.Input = here, ...offers: ReadonlyArray<string>) =>
  Transport.connect(offering(...offers))<Details>(endpoint)

/** A server: every connection it has, once it is open, and every incident. */
const serve = (...offers: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const connections = yield* Queue.unbounded<Messages>()
    const incidents = yield* Queue.unbounded<Incident>()
    const listener = yield* Transport.listen(offering(...offers))<Details>(here)
    yield* Effect.forkScoped(
      listener.run(
        (connection) => Effect.andThen(Queue.offer(connections, connection), Effect.asVoid(connection.closed)),
        {
          onIncident: (incident) => Queue.offer(incidents, incident)
        }
      ),
      { startImmediately: true }
    )
    return { next: Queue.take(connections), incident: Queue.take(incidents) }
  })

/** A server of bytes. */
const serveBytes = Effect.gen(function*() {
  const connections = yield* Queue.unbounded<Bytes>()
  const listener = yield* Transport.listen(Transport.Bytes)(here)
  yield* Effect.forkScoped(
    listener.run((connection) =>
      Effect.andThen(Queue.offer(connections, connection), Effect.asVoid(connection.closed))
    ),
    { startImmediately: true }
  )
  return { next: Queue.take(connections) }
})

const connectBytes = Transport.connect(Transport.Bytes)(here)

/** Our client and our server, connected. */
const pair = Effect.gen(function*() {
  const server = yield* serve()
  const client = yield* connect()
  return [client, yield* server.next] as const
})

const reasonOf = <A, E extends { readonly reason: unknown }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error) => error.reason as E["reason"])

/** The typed failure of a pull. */
const failure = (connection: Connection<unknown, never>) =>
  Effect.map(Effect.flip(Effect.forever(connection.pull)), (error) => {
    assert(!Cause.isDone(error), "the input ended in order")
    return error
  })

/** The outcome with which the input ends in order. */
const ending = (connection: Connection<unknown, never>): Effect.Effect<Outcome> =>
  Effect.flatMap(
    Effect.flip(Effect.forever(connection.pull)),
    (error) => Cause.isDone(error) ? Effect.succeed(error.value as Outcome) : Effect.die(error)
  )

/** What is received until `enough`, or until the end. */
const gather = (connection: Bytes, enough: (soFar: Uint8Array) => boolean) => {
  let soFar = new Uint8Array(0)
  const loop: Effect.Effect<Uint8Array> = Effect.matchEffect(connection.pull, {
    onSuccess: (batch) => {
      soFar = concat(soFar, ...batch) as Uint8Array<ArrayBuffer>
      return enough(soFar) ? Effect.succeed(soFar) : loop
    },
    onFailure: () => Effect.succeed(soFar)
  })
  return loop
}

const head = (connection: Bytes) => Effect.map(gather(connection, (soFar) => text(soFar).includes("\r\n\r\n")), text)
const all = (connection: Bytes) => gather(connection, () => false)
const bytes = (connection: Bytes, size: number) => gather(connection, (soFar) => soFar.length >= size)

const asked = {
  Host: "localhost",
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13"
}

const request = (headers: Record<string, string> = {}, path = "/") =>
  utf8(
    `GET ${path} HTTP/1.1\r\n${
      Object.entries({ ...asked, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`).join("")
    }\r\n`
  )

/** A client of bytes that has been let in. */
const upgradedBytes = Effect.gen(function*() {
  const client = yield* connectBytes
  yield* client.send(request())
  assert.match(yield* head(client), /^HTTP\/1\.1 101 /)
  return client
})

/** The 101 that a request wants to hear, with whatever else is wanted in it. */
const answer = (request: string, headers: Record<string, string> = {}) => {
  const [, key] = /^Sec-WebSocket-Key: (.*)\r$/m.exec(request)!
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")
  const lines = Object.entries({
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Accept": accept,
    ...headers
  })
  return utf8(`HTTP/1.1 101 Switching Protocols\r\n${lines.map((line) => `${line.join(": ")}\r\n`).join("")}\r\n`)
}

/** How our client takes what a server of bytes answers. */
const answered = (reply: (request: string) => Uint8Array, options: Options = {}, ...offers: ReadonlyArray<string>) =>
  on(
    options,
    Effect.gen(function*() {
      const server = yield* serveBytes
      const client = yield* Effect.forkChild(reasonOf(Effect.scoped(connect(here, ...offers))))
      const connection = yield* server.next
      yield* connection.send(reply(yield* head(connection)))
      return yield* Fiber.join(client)
    })
  )

/** What our server answers bytes with, and what incident it reports; afterwards it lets the next client in. */
const refused = (sent: Uint8Array, options: Options = {}) =>
  on(
    options,
    Effect.gen(function*() {
      const server = yield* serve()
      const said = yield* Effect.scoped(Effect.gen(function*() {
        const client = yield* connectBytes
        yield* client.send(sent)
        return text(yield* all(client))
      }))
      const incident = yield* server.incident
      yield* connect()
      yield* server.next
      assert(incident._tag === "HandshakeFailed")
      assert.strictEqual(incident.error.layer, "websocket")
      return { said, reason: incident.error.reason }
    })
  )

describe("opening", () => {
  it.effect("tells path, query and the headers of the other side", () =>
    on(
      {
        client: { headers: [["Authorization", "Bearer let-me-in"]], origin: "https://site.example" },
        server: { headers: [["X-Served-By", "b2"]] }
      },
      Effect.gen(function*() {
        const server = yield* serve()
        const client = detail(
          yield* connect({ ...Endpoint.memory("here"), path: "/room/sea?from=1&to=2" }),
          WebSocket.WebSocket
        )
        const accepted = detail(yield* server.next, WebSocket.WebSocket)
        for (const { path, protocol, query } of [client, accepted]) {
          assert.deepStrictEqual({ path, query, protocol }, {
            path: "/room/sea",
            query: "from=1&to=2",
            protocol: undefined
          })
        }
        assert.deepInclude(accepted.headers, ["authorization", "Bearer let-me-in"])
        assert.deepInclude(accepted.headers, ["origin", "https://site.example"])
        assert.deepInclude(accepted.headers, ["host", "localhost"])
        assert.deepInclude(client.headers, ["x-served-by", "b2"])
        assert.isTrue(Duration.isDuration(client.handshakeTime))
      })
    ))

  it.effect("asks for the path of the options before that of the endpoint, and for / by default", () =>
    Effect.gen(function*() {
      const path = (options: Options, endpoint: Endpoint.Input) =>
        on(
          options,
          Effect.gen(function*() {
            const server = yield* serve()
            yield* connect(endpoint)
            const { path, query } = detail(yield* server.next, WebSocket.WebSocket)
            return `${path} ${query}`
          })
        )
      assert.strictEqual(yield* path({}, here), "/ ")
      assert.strictEqual(
        yield* path({ client: { path: "/own?x" } }, { ...Endpoint.memory("here"), path: "/other" }),
        "/own x"
      )
    }))

  it.effect("takes how long the handshake took from the clock", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serveBytes
        const client = yield* Effect.forkChild(connect())
        const connection = yield* server.next
        const request = yield* head(connection)
        yield* TestClock.adjust("30 millis")
        yield* connection.send(answer(request))
        const { handshakeTime } = detail(yield* Fiber.join(client), WebSocket.WebSocket)
        assert.strictEqual(Duration.toMillis(handshakeTime), 30)
      })
    ))

  it.effect("negotiates a subprotocol, in the client's order, and tells which", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve("chat.v1", "chat.v2")
        const client = yield* connect(here, "chat.v3", "chat.v2", "chat.v1")
        for (const connection of [client, yield* server.next]) {
          assert.strictEqual(detail(connection, WebSocket.WebSocket).protocol, "chat.v2")
          assert.strictEqual(detail(connection, Negotiated).protocol, "chat.v2")
        }
      })
    ))

  it.effect("chooses nothing for a server that speaks no subprotocol", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        const client = yield* connect(here, "chat.v1")
        for (const connection of [client, yield* server.next]) {
          assert.strictEqual(detail(connection, WebSocket.WebSocket).protocol, undefined)
        }
      })
    ))

  it.effect("refuses with 400 a client that offers none of the server's subprotocols", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve("chat.v1")
        for (const offers of [[], ["chat.v2"]]) {
          const reason = yield* reasonOf(Effect.scoped(connect(here, ...offers)))
          assert(reason._tag === "UpgradeRejected", reason._tag)
          assert.strictEqual(reason.status, 400)
          const incident = yield* server.incident
          assert(incident._tag === "HandshakeFailed")
          assert.deepInclude(incident.error.reason, { _tag: "NothingNegotiated", offered: offers })
        }
        yield* connect(here, "chat.v1")
        yield* server.next
      })
    ))

  it.effect("does not take a subprotocol that was not offered", () =>
    Effect.gen(function*() {
      const choosing = (request: string) => answer(request, { "Sec-WebSocket-Protocol": "chat.v9" })
      const reason = yield* answered(choosing, {}, "chat.v1", "chat.v2")
      assert.deepInclude(reason, { _tag: "NothingNegotiated", offered: ["chat.v1", "chat.v2"], selected: "chat.v9" })
      assert.deepInclude(yield* answered(choosing), { _tag: "NothingNegotiated", offered: [], selected: "chat.v9" })
    }))

  it.effect("does not take an extension that was not offered", () =>
    Effect.gen(function*() {
      const reason = yield* answered((request) => answer(request, { "Sec-WebSocket-Extensions": "permessage-deflate" }))
      assert(reason._tag === "UpgradeMalformed", reason._tag)
      assert.include(reason.rule, "extension")
    }))

  it.effect("does not take a proof for another key", () =>
    Effect.gen(function*() {
      const reason = yield* answered((request) =>
        answer(request, { "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" })
      )
      assert(reason._tag === "UpgradeMalformed", reason._tag)
      assert.include(reason.rule, "Sec-WebSocket-Accept")
    }))

  it.effect("gives status, headers and body of another answer", () =>
    Effect.gen(function*() {
      const reason = yield* answered(() =>
        utf8(
          "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 9\r\n\r\nwho goes?"
        )
      )
      assert(reason._tag === "UpgradeRejected", reason._tag)
      assert.strictEqual(reason.status, 401)
      assert.deepInclude(reason.headers, ["www-authenticate", "Bearer"])
      assert.strictEqual(reason.body, "who goes?")
    }))

  it.effect("gives what there was of an answer that is cut off", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serveBytes
        const client = yield* Effect.forkChild(reasonOf(Effect.scoped(connect())))
        const connection = yield* server.next
        yield* head(connection)
        yield* connection.send(utf8("HTTP/1.1 503 Later\r\nContent-Length: 900\r\n\r\ncome ba"))
        yield* connection.end
        assert.deepInclude(yield* Fiber.join(client), { _tag: "UpgradeRejected", status: 503, body: "come ba" })
      })
    ))

  it.effect("fails if the server ends without an answer", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serveBytes
        const client = yield* Effect.forkChild(reasonOf(Effect.scoped(connect())))
        const connection = yield* server.next
        yield* head(connection)
        yield* connection.end
        assert.strictEqual((yield* Fiber.join(client))._tag, "Truncated")
      })
    ))

  it.effect("skips interim answers, and takes frames that come with the last one", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serveBytes
        const client = yield* Effect.forkChild(connect())
        const connection = yield* server.next
        const request = yield* head(connection)
        const interim = utf8("HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
        yield* connection.send(concat(interim, interim, answer(request), frame(1, "early"), frame(1, "bird")))
        assert.deepStrictEqual([...yield* (yield* Fiber.join(client)).pull], ["early", "bird"])
      })
    ))

  it.effect("a server takes frames that come with the request", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        const client = yield* connectBytes
        yield* client.send(concat(request(), frame(1, "early", { mask: true })))
        assert.deepStrictEqual([...yield* (yield* server.next).pull], ["early"])
      })
    ))

  it.effect("what can't be a header is refused before anything is sent", () =>
    on(
      { client: { headers: [["X-Evil", "a\r\nHost: b"]] } },
      Effect.gen(function*() {
        const server = yield* serveBytes
        assert.deepInclude(yield* reasonOf(Effect.scoped(connect())), { _tag: "InvalidHeader", name: "X-Evil" })
        assert.strictEqual((yield* all(yield* server.next)).length, 0)
      })
    ))
})

describe("refusing", () => {
  it.effect("another path with 404", () =>
    Effect.gen(function*() {
      const { reason, said } = yield* refused(request({}, "/elsewhere?x=1"), {
        client: { path: "/chat" },
        server: { path: "/chat" }
      })
      assert.match(said, /^HTTP\/1\.1 404 /)
      assert.strictEqual(reason._tag, "UpgradeMalformed")
    }))

  it.effect("another version with 426, saying which one it is", () =>
    Effect.gen(function*() {
      const { reason, said } = yield* refused(request({ "Sec-WebSocket-Version": "8" }))
      assert.match(said, /^HTTP\/1\.1 426 /)
      assert.match(said, /^Sec-WebSocket-Version: 13\r$/m)
      assert.strictEqual(reason._tag, "UpgradeMalformed")
    }))

  it.effect("a plain request with 426", () =>
    Effect.gen(function*() {
      const { said } = yield* refused(utf8("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
      assert.match(said, /^HTTP\/1\.1 426 /)
      assert.match(said, /^Upgrade: websocket\r$/m)
    }))

  it.effect("an origin with 403", () =>
    Effect.gen(function*() {
      const { said } = yield* refused(request({ Origin: "https://evil.example" }), {
        server: { allowsOrigin: (origin) => origin === "https://site.example" }
      })
      assert.match(said, /^HTTP\/1\.1 403 /)
    }))

  it.effect("a head of more than 16 KiB with 431", () =>
    Effect.gen(function*() {
      const { reason, said } = yield* refused(request({ Cookie: "c".repeat(16_384) }))
      assert.match(said, /^HTTP\/1\.1 431 /)
      assert.deepInclude(reason, { _tag: "TooLarge", limit: 16_384 })
    }))

  it.effect("a head without an end with 431, however little of it comes at a time", () =>
    on(
      { server: { maxHeadSize: 1_000 } },
      Effect.gen(function*() {
        const server = yield* serve()
        yield* Effect.scoped(Effect.gen(function*() {
          const client = yield* connectBytes
          yield* client.send(utf8("GET / HTTP/1.1\r\n"))
          yield* Effect.forkScoped(Effect.ignore(Effect.forever(client.send(utf8("X-Endless: yes\r\n")))))
          assert.match(text(yield* all(client)), /^HTTP\/1\.1 431 /)
        }))
        const incident = yield* server.incident
        assert(incident._tag === "HandshakeFailed")
        assert.deepInclude(incident.error.reason, { _tag: "TooLarge", limit: 1_000 })
      })
    ))

  it.effect("a head of more than 16 KiB in the answer, as a client", () =>
    Effect.gen(function*() {
      const reason = yield* answered((request) => answer(request, { Cookie: "c".repeat(16_384) }))
      assert.deepInclude(reason, { _tag: "TooLarge", limit: 16_384 })
    }))

  it.effect("what is not HTTP with 400", () =>
    Effect.gen(function*() {
      for (
        const sent of [hex("16030100f8010000f40303"), utf8("SSH-2.0-OpenSSH_9.2\r\n\r\n"), hex("0000000804d2162f")]
      ) {
        const { reason, said } = yield* refused(sent)
        assert.match(said, /^HTTP\/1\.1 400 /)
        assert.strictEqual(reason._tag, "UpgradeMalformed")
      }
    }))

  it.effect("what is not HTTP, as a client", () =>
    Effect.gen(function*() {
      for (const said of [hex("15030300020228"), utf8("SSH-2.0-OpenSSH_9.2\r\n\r\n"), hex("000102")]) {
        assert.strictEqual((yield* answered(() => said))._tag, "UpgradeMalformed")
      }
    }))

  it.effect("the client sees what the server refuses with", () =>
    on(
      { client: { path: "/elsewhere" }, server: { path: "/chat" } },
      Effect.gen(function*() {
        const server = yield* serve()
        const reason = yield* reasonOf(Effect.scoped(connect()))
        assert(reason._tag === "UpgradeRejected", reason._tag)
        assert.strictEqual(reason.status, 404)
        assert.include(reason.body, "no WebSocket at")
        assert.strictEqual((yield* server.incident)._tag, "HandshakeFailed")
      })
    ))
})

describe("deadlines", () => {
  it.effect("a server gives up on a client that says nothing", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        yield* Effect.scoped(Effect.gen(function*() {
          const client = yield* connectBytes
          yield* TestClock.adjust("10 seconds")
          assert.strictEqual((yield* all(client)).length, 0)
        }))
        const incident = yield* server.incident
        assert(incident._tag === "HandshakeFailed")
        assert.deepInclude(incident.error, { layer: "websocket" })
        assert.deepInclude(incident.error.reason, { _tag: "TimedOut", phase: "handshake", after: 10_000 })
        yield* connect()
        yield* server.next
      })
    ))

  it.effect("a server gives up on a client that says a little now and then", () =>
    on(
      { handshakeWithin: "3 seconds" },
      Effect.gen(function*() {
        const server = yield* serve()
        yield* Effect.scoped(Effect.gen(function*() {
          const client = yield* connectBytes
          for (let n = 0; n < 3; n++) {
            yield* client.send(utf8("GET"))
            yield* TestClock.adjust("1 second")
          }
          yield* all(client)
        }))
        const incident = yield* server.incident
        assert(incident._tag === "HandshakeFailed")
        assert.deepInclude(incident.error.reason, { _tag: "TimedOut", after: 3_000 })
      })
    ))

  it.effect("a client gives up on a server that says nothing, and cuts the connection", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serveBytes
        const client = yield* Effect.forkChild(Effect.flip(Effect.scoped(connect())))
        const connection = yield* server.next
        yield* head(connection)
        yield* TestClock.adjust("10 seconds")
        const { layer, reason } = yield* Fiber.join(client)
        assert.strictEqual(layer, "websocket")
        assert.deepInclude(reason, { _tag: "TimedOut", phase: "handshake", after: 10_000 })
        assert.strictEqual((yield* failure(connection)).reason._tag, "Reset")
      })
    ))
})

describe("ping", () => {
  it.effect("gives the time until its pong", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        const client = yield* upgradedBytes
        const { ping } = detail(yield* server.next, WebSocket.WebSocket)
        const pinging = yield* Effect.forkChild(ping, { startImmediately: true })
        const sent = yield* bytes(client, 3)
        assert.strictEqual(sent[0], 0x89)
        yield* TestClock.adjust("25 millis")
        yield* client.send(frame(10, "not this", { mask: true }))
        yield* client.send(frame(10, sent.subarray(2), { mask: true }))
        assert.strictEqual(Duration.toMillis(yield* Fiber.join(pinging)), 25)
      })
    ))

  it.effect("is answered by our other side, from either", () =>
    on(
      {},
      Effect.gen(function*() {
        for (const connection of yield* pair) {
          const { ping } = detail(connection, WebSocket.WebSocket)
          const times = yield* Effect.all([ping, ping, ping], { concurrency: "unbounded" })
          for (const time of times) assert.isTrue(Duration.isDuration(time))
        }
      })
    ))

  it.effect("fails when the connection closes meanwhile, and afterwards", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        const client = yield* upgradedBytes
        const connection = yield* server.next
        const { ping } = detail(connection, WebSocket.WebSocket)
        const pinging = yield* Effect.forkChild(reasonOf(ping), { startImmediately: true })
        yield* bytes(client, 3)
        yield* client.send(frame(8, hex("03e8"), { mask: true }))
        yield* client.end
        assert.strictEqual((yield* ending(connection)).received?.code, 1000)
        assert.strictEqual((yield* Fiber.join(pinging))._tag, "Closed")
        assert.strictEqual((yield* reasonOf(ping))._tag, "Closed")
      })
    ))

  it.effect("fails when the connection is cut meanwhile", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        const client = yield* upgradedBytes
        const connection = yield* server.next
        const pinging = yield* Effect.forkChild(reasonOf(detail(connection, WebSocket.WebSocket).ping))
        yield* bytes(client, 3)
        yield* client.abort
        assert.strictEqual((yield* failure(connection)).reason._tag, "Reset")
        assert.strictEqual((yield* Fiber.join(pinging))._tag, "Closed")
      })
    ))

  it.effect("fails while our own side is closing", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        const client = yield* upgradedBytes
        const { close, ping } = detail(yield* server.next, WebSocket.WebSocket)
        const closing = yield* Effect.forkChild(close(1000), { startImmediately: true })
        assert.strictEqual(toHex(yield* bytes(client, 4)), "880203e8")
        assert.strictEqual((yield* reasonOf(ping))._tag, "Closed")
        yield* client.send(frame(8, hex("03e8"), { mask: true }))
        yield* client.end
        assert.isTrue((yield* Fiber.join(closing)).clean)
      })
    ))
})

describe("close", () => {
  const bye = { code: 4001, reason: "bis später" }
  for (const who of ["client", "server"] as const) {
    it.effect(`says code and reason, and both sides know them (${who} first)`, () =>
      on(
        {},
        Effect.gen(function*() {
          const [client, server] = yield* pair
          const [near, far] = who === "client" ? [client, server] : [server, client]
          const outcome = yield* detail(near, WebSocket.WebSocket).close(CloseCode.privateUse(4001), bye.reason)
          assert.deepInclude(outcome, { first: "local", clean: true, sent: bye, received: bye })
          assert.deepInclude(yield* ending(far), { first: "remote", sent: bye, received: bye })
          assert.deepInclude(yield* far.closed, { first: "remote", clean: true, sent: bye, received: bye })
          assert.strictEqual((yield* reasonOf(near.send("late")))._tag, "Closing")
          assert.strictEqual((yield* reasonOf(far.send("late")))._tag, "Closed")
        })
      ))
  }

  it.effect("what was sent before arrives first", () =>
    on(
      {},
      Effect.gen(function*() {
        const [client, server] = yield* pair
        yield* client.sendAll(["one", "two"])
        yield* Effect.forkChild(detail(client, WebSocket.WebSocket).close(1001))
        assert.deepStrictEqual([...yield* server.pull], ["one", "two"])
        assert.deepInclude((yield* ending(server)).received, { code: 1001, reason: "" })
      })
    ))

  it.effect("a reason of more than 123 bytes is refused, and nothing is sent", () =>
    on(
      {},
      Effect.gen(function*() {
        const [client, server] = yield* pair
        const { close } = detail(client, WebSocket.WebSocket)
        for (const reason of ["x".repeat(124), "é".repeat(62)]) {
          const error = yield* Effect.flip(close(1000, reason))
          assert.deepInclude(error, { layer: "websocket" })
          assert.strictEqual(error.reason._tag, "Unencodable")
        }
        yield* client.send("still here")
        assert.deepStrictEqual([...yield* server.pull], ["still here"])
        const longest = `${"é".repeat(61)}x`
        assert.deepInclude((yield* close(1000, longest)).received, { code: 1000, reason: longest })
      })
    ))

  it.effect("the interrupted one goes on", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        const client = yield* upgradedBytes
        const connection = yield* server.next
        const closing = yield* Effect.forkChild(detail(connection, WebSocket.WebSocket).close(1012), {
          startImmediately: true
        })
        assert.strictEqual(toHex(yield* bytes(client, 4)), "880203f4")
        yield* Fiber.interrupt(closing)
        yield* client.send(frame(8, hex("03f4"), { mask: true }))
        yield* client.end
        assert.deepInclude(yield* connection.closed, { first: "local", clean: true, sent: { code: 1012, reason: "" } })
      })
    ))

  it.effect("a silent peer costs the budget, once", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        const client = yield* upgradedBytes
        const connection = yield* server.next
        const closing = yield* Effect.forkChild(detail(connection, WebSocket.WebSocket).close(1000), {
          startImmediately: true
        })
        yield* bytes(client, 4)
        yield* TestClock.adjust("5 seconds")
        yield* TestClock.adjust("100 millis")
        const outcome = yield* Fiber.join(closing)
        assert.deepInclude(outcome, { first: "local", clean: false })
        assert.deepInclude(outcome.layers[0], { layer: "websocket", settled: false, took: 5_000 })
      })
    ))

  it.effect("the way the scope ends says why", () =>
    Effect.gen(function*() {
      const code = (part: Effect.Effect<void, string>) =>
        on(
          {},
          Effect.gen(function*() {
            const server = yield* serve()
            const done = yield* Effect.forkChild(Effect.exit(Effect.scoped(Effect.andThen(connect(), part))))
            const connection = yield* server.next
            const listening = yield* Effect.forkChild(ending(connection))
            if (part === Effect.never) yield* Fiber.interrupt(done)
            return (yield* Fiber.join(listening)).received?.code
          })
        )
      assert.strictEqual(yield* code(Effect.void), 1000)
      assert.strictEqual(yield* code(Effect.fail("oh")), 1011)
      assert.strictEqual(yield* code(Effect.die("oh")), 1011)
      assert.strictEqual(yield* code(Effect.never), 1001)
    }))
})

describe("what a peer does wrong", () => {
  it.effect("a message over the limit is 1009 to the peer, and TooLarge here", () =>
    on(
      { server: { maxMessageSize: 10 } },
      Effect.gen(function*() {
        const [client, server] = yield* pair
        yield* client.send("0123456789")
        assert.deepStrictEqual([...yield* server.pull], ["0123456789"])
        yield* client.send("0123456789a")
        const error = yield* failure(server)
        assert.deepInclude(error, { layer: "websocket" })
        assert.deepInclude(error.reason, { _tag: "TooLarge", limit: 10 })
        assert.strictEqual((yield* ending(client)).received?.code, 1009)
        const outcome = yield* server.closed
        assert.deepInclude(outcome, { first: "local", clean: false })
        assert.strictEqual(outcome.sent?.code, 1009)
        assert.strictEqual(outcome.error?.reason._tag, "TooLarge")
      })
    ))

  const wrong = (name: string, sent: Uint8Array, code: number) =>
    it.effect(name, () =>
      on(
        {},
        Effect.gen(function*() {
          const server = yield* serve()
          const client = yield* upgradedBytes
          const connection = yield* server.next
          yield* client.send(concat(frame(1, "fine", { mask: true }), sent))
          assert.deepStrictEqual([...yield* connection.pull], ["fine"])
          const { reason } = yield* failure(connection)
          assert.strictEqual(reason._tag, "Violation")
          const said = yield* all(client)
          assert.strictEqual(said[0], 0x88)
          assert.strictEqual(said[2] << 8 | said[3], code)
          yield* client.end
          assert.strictEqual((yield* connection.closed).sent?.code, code)
        })
      ))

  wrong("text that is not UTF-8 is 1007", frame(1, hex("cebae1bdb9cf83cebcceb5eda080"), { mask: true }), 1007)
  wrong("a frame of a client without a mask is 1002", frame(1, "bare"), 1002)
  wrong("a reserved bit is 1002", frame(1, "deflated?", { mask: true, rsv: 4 }), 1002)
  wrong("an unknown opcode is 1002", frame(3, "", { mask: true }), 1002)

  it.effect("a masked frame of a server is 1002", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serveBytes
        const connecting = yield* Effect.forkChild(connect())
        const connection = yield* server.next
        yield* connection.send(answer(yield* head(connection)))
        const client = yield* Fiber.join(connecting)
        yield* connection.send(frame(1, "masked", { mask: true }))
        assert.strictEqual((yield* failure(client)).reason._tag, "Violation")
        const [first, second] = yield* bytes(connection, 6)
        assert.deepStrictEqual([first, second >> 7], [0x88, 1])
        yield* connection.end
        assert.strictEqual((yield* client.closed).sent?.code, 1002)
      })
    ))
})

describe("a listener", () => {
  it.effect("is told of each handshake that fails, and goes on", () =>
    on(
      { server: { path: "/chat" } },
      Effect.gen(function*() {
        const server = yield* serve()
        const attempts = [request(), utf8("nonsense\r\n\r\n"), request({ "Sec-WebSocket-Key": "short" }, "/chat")]
        for (const sent of attempts) {
          yield* Effect.scoped(Effect.gen(function*() {
            const client = yield* connectBytes
            yield* client.send(sent)
            yield* all(client)
          }))
          assert.strictEqual((yield* server.incident)._tag, "HandshakeFailed")
        }
        yield* Effect.scoped(connectBytes)
        const incident = yield* server.incident
        assert(incident._tag === "HandshakeFailed")
        assert.strictEqual(incident.error.reason._tag, "Closed")
        yield* connect({ ...Endpoint.memory("here"), path: "/chat" })
        yield* server.next
      })
    ))

  it.effect("does not let one handshake hold up another", () =>
    on(
      {},
      Effect.gen(function*() {
        const server = yield* serve()
        const slow = yield* connectBytes
        yield* slow.send(request().subarray(0, 40))
        yield* connect()
        yield* server.next
        yield* slow.send(request().subarray(40))
        assert.match(yield* head(slow), /^HTTP\/1\.1 101 /)
        yield* server.next
      })
    ))

  it.effect("runs no more handshakes at once than it may", () =>
    on(
      { server: { maxHandshakes: 1 } },
      Effect.gen(function*() {
        const server = yield* serve()
        const slow = yield* connectBytes
        const waiting = yield* connectBytes
        yield* waiting.send(request())
        const arriving = yield* Effect.forkChild(head(waiting), { startImmediately: true })
        yield* slow.send(request())
        assert.match(yield* head(slow), /^HTTP\/1\.1 101 /)
        assert.match(yield* Fiber.join(arriving), /^HTTP\/1\.1 101 /)
        yield* server.next
        yield* server.next
      })
    ))
})

describe("a stack", () => {
  it.effect("without TLS refuses wss://, and sends nothing", () =>
    on(
      {},
      Effect.gen(function*() {
        const seen = yield* Deferred.make<Bytes>()
        const listener = yield* Transport.listen(Transport.Bytes)(here)
        yield* Effect.forkScoped(listener.run((connection) => Deferred.succeed(seen, connection)), {
          startImmediately: true
        })
        const url = yield* Effect.flip(Effect.scoped(connect("wss://localhost:1/chat")))
        assert.deepInclude(url.reason, { _tag: "LayersMissing", layers: ["tls"], endpoint: "wss://localhost:1/chat" })
        const place = { ...Endpoint.memory("here"), demands: ["websocket", "tls"] } as const
        assert.strictEqual((yield* reasonOf(Effect.scoped(connect(place))))._tag, "LayersMissing")
        assert.isFalse(Deferred.isDoneUnsafe(seen))
        const bound = yield* Effect.flip(Effect.scoped(Transport.listen(Transport.Messages)("wss://127.0.0.1:0/")))
        assert.deepInclude(bound.reason, { _tag: "LayersMissing", layers: ["tls"] })
      })
    ))

  it.effect("of its own comes of each use of one WebSocket value", () =>
    Effect.gen(function*() {
      const websocket = WebSocket.over()
      const memoMap = yield* Layer.makeMemoMap
      const scope = yield* Effect.scope
      const build = (network: ReturnType<typeof MemoryTransport.layer>) =>
        Layer.buildWithMemoMap(websocket(network), memoMap, scope)
      const [one, other] = [yield* build(MemoryTransport.layer()), yield* build(MemoryTransport.layer())]
      const server = yield* Effect.provideContext(serve(), one)
      assert.strictEqual((yield* reasonOf(Effect.scoped(Effect.provideContext(connect(), other))))._tag, "Refused")
      yield* Effect.provideContext(connect(), one)
      yield* server.next
    }).pipe(Effect.scoped))
})
