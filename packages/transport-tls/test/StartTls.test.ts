import { assert, describe, it } from "@effect/vitest"
import * as Connection from "@wirestack/protocol/Connection"
import type { Incident } from "@wirestack/protocol/Listener"
import * as MemoryTransport from "@wirestack/protocol/MemoryTransport"
import type { Outcome } from "@wirestack/protocol/Outcome"
import { bytewise, random, rechunk } from "@wirestack/protocol/testing"
import { take, until } from "@wirestack/test-support"
import { Tcp } from "@wirestack/transport-tcp"
import { Preface, StartTls, Tls, TlsInfo } from "@wirestack/transport-tls"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { once } from "node:events"
import * as Net from "node:net"
import { Duplex } from "node:stream"
import * as NodeTls from "node:tls"
import { certificates, connect, echo, type Ground, grounds, listen, quiet, soon, tight } from "./support.ts"

const prefaces = { smtp: Preface.smtp({ name: "mail.test" }), imap: Preface.imap(), postgres: Preface.postgres() }

/** Both ends of a stack that begins in plaintext. */
const secured = (ground: ReturnType<Ground["layer"]>, preface: Preface.Preface, options?: StartTls.Options) =>
  Effect.map(
    certificates,
    ({ ca, identity }) =>
      ground.pipe(
        StartTls.over(
          preface,
          Tls.over({ client: { trust: { ca }, serverName: "localhost" }, server: { identity } }),
          options
        )
      )
  )

/** What is in plaintext, as it is said and answered. */
type Plain = Connection.Connection<Uint8Array, Uint8Array>

const say = (connection: Plain, ...texts: ReadonlyArray<string>) =>
  Effect.forEach(texts, (text) => connection.send(Buffer.from(text)), { discard: true })

/** Receives until it has been said. */
const hears = (connection: Plain, text: string, heard = ""): Effect.Effect<string, unknown> =>
  heard.includes(text)
    ? Effect.succeed(heard)
    : Effect.flatMap(connection.pull, (chunks) => hears(connection, text, heard + Buffer.concat(chunks).toString()))

/** A server that begins in plaintext, what went wrong there, and a client in plaintext. */
const besieged = (ground: Ground, preface: Preface.Preface) =>
  Effect.gen(function*() {
    const below = Layer.succeedContext(yield* Layer.build(ground.layer()))
    const stack = yield* Layer.build(yield* secured(below, preface))
    const listener = yield* Effect.provide(listen(ground.endpoint, soon), stack)
    const incidents: Array<Incident> = []
    const accepted: Array<Plain> = []
    yield* Effect.forkScoped(listener.run((connection) => {
      accepted.push(connection)
      return echo(connection)
    }, { onIncident: (incident) => Effect.sync(() => void incidents.push(incident)) }))
    const client = yield* Effect.provide(connect(listener.address, soon), yield* Layer.build(below))
    const refused = Effect.gen(function*() {
      yield* until(() => incidents.length > 0)
      assert.lengthOf(accepted, 0)
      const [incident] = incidents
      assert(incident._tag === "HandshakeFailed")
      return incident.error
    })
    return { client, refused, address: listener.address }
  })

/** A client that begins in plaintext, and what became of it with a server that says what it is told to. */
const besieging = (ground: Ground, preface: Preface.Preface, serve: (client: Plain) => Effect.Effect<void, unknown>) =>
  Effect.gen(function*() {
    const below = Layer.succeedContext(yield* Layer.build(ground.layer()))
    const listener = yield* Effect.provide(listen(ground.endpoint, soon), yield* Layer.build(below))
    const serving = (connection: Plain) => Effect.andThen(Effect.ignore(serve(connection)), connection.closed)
    yield* Effect.forkScoped(listener.run((connection) => Effect.asVoid(serving(connection)), quiet))
    const stack = yield* Layer.build(yield* secured(below, preface))
    return yield* Effect.flip(Effect.provide(Effect.scoped(connect(listener.address, soon)), stack))
  })

const onEach = (name: string, program: (ground: Ground) => Effect.Effect<unknown, unknown, any>) => {
  for (const [title, ground] of Object.entries(grounds)) {
    it.live(`${name} (${title})`, () => tight(program(ground) as Effect.Effect<unknown, unknown>))
  }
}

for (const [name, preface] of Object.entries(prefaces)) {
  describe(name, () => {
    onEach("begins in plaintext, and goes on in TLS", (ground) =>
      Effect.gen(function*() {
        const stack = yield* Layer.build(yield* secured(ground.layer(), preface))
        const listener = yield* Effect.provide(listen<TlsInfo>(ground.endpoint, soon), stack)
        const outcomes: Array<Outcome> = []
        yield* Effect.forkScoped(listener.run((connection) => {
          assert.strictEqual(Connection.detail(connection, TlsInfo).path, ground.path)
          const closed = Effect.map(connection.closed, (outcome) => void outcomes.push(outcome))
          return Effect.andThen(Effect.forkDetach(closed), echo(connection))
        }, quiet))
        const client = yield* Effect.scoped(Effect.gen(function*() {
          const client = yield* connect<TlsInfo>(listener.address, soon)
          const info = Connection.detail(client, TlsInfo)
          assert.isTrue(info.authorized)
          assert.strictEqual(info.path, ground.path)
          yield* say(client, "EHLO again\r\n")
          assert.strictEqual((yield* take(client, 12)).toString(), "EHLO again\r\n")
          return client
        })).pipe(Effect.provide(stack))
        outcomes.push(yield* client.closed)
        yield* until(() => outcomes.length === 2)
        for (const { clean, layers, undelivered } of outcomes) {
          assert.isTrue(clean)
          assert.strictEqual(undelivered, 0)
          const names = layers.map(({ layer }) => layer)
          assert.deepStrictEqual(names, ground.path === "direct" ? ["tls"] : ["tls", "memory"])
        }
      }))
  })
}

describe("however it is cut", () => {
  for (const [how, cut] of [["byte by byte", () => bytewise], ["at random", () => random(7, 5)]] as const) {
    for (const [name, preface] of Object.entries(prefaces)) {
      it.live(`${name}, ${how}`, () =>
        tight(Effect.gen(function*() {
          const ground = MemoryTransport.layer().pipe(rechunk(cut))
          const stack = yield* Layer.build(yield* secured(ground, preface))
          const listener = yield* Effect.provide(listen("memory:here", soon), stack)
          yield* Effect.forkScoped(listener.run(echo, quiet))
          const client = yield* Effect.provide(connect("memory:here", soon), stack)
          yield* say(client, "hello")
          assert.strictEqual((yield* take(client, 5)).toString(), "hello")
        })))
    }
  }
})

describe("nothing goes on without TLS", () => {
  onEach("other commands are refused, and who leaves is let go", (ground) =>
    Effect.gen(function*() {
      const { client, refused } = yield* besieged(ground, prefaces.smtp)
      yield* hears(client, "220 mail.test ESMTP\r\n")
      for (
        const [command, code] of [
          ["STARTTLS", "503"],
          ["ehlo me", "250 STARTTLS"],
          ["NOOP", "250"],
          ["MAIL FROM:<a@b>", "530"],
          ["STARTTLS now", "501"],
          ["QUIT", "221"]
        ]
      ) {
        yield* say(client, `${command}\r\n`)
        assert.include(yield* hears(client, "\r\n"), code)
      }
      assert.deepInclude(yield* refused, { layer: "smtp" })
      assert.strictEqual((yield* refused).reason._tag, "Closed")
    }))

  it.live("IMAP refuses other commands too", () =>
    tight(Effect.gen(function*() {
      const { client, refused } = yield* besieged(grounds.memory, prefaces.imap)
      yield* hears(client, "LOGINDISABLED")
      for (
        const [command, answer] of [
          ["1 CAPABILITY", "1 OK"],
          ["2 NOOP", "2 OK"],
          ["3 LOGIN me secret", "3 NO [PRIVACYREQUIRED]"],
          ["4 STARTTLS now", "4 BAD"],
          ["5 LOGOUT", "5 OK"]
        ]
      ) {
        yield* say(client, `${command}\r\n`)
        yield* hears(client, answer)
      }
      assert.strictEqual((yield* refused).reason._tag, "Closed")
    })))

  const refusals: ReadonlyArray<readonly [what: string, preface: Preface.Preface, said: string, detail: string]> = [
    ["SMTP is not offered", prefaces.smtp, "220 x\r\n250-x\r\n250 SIZE\r\n", "STARTTLS is not among its extensions"],
    ["SMTP is not to be had now", prefaces.smtp, "220 x\r\n250 STARTTLS\r\n454 4.7.0 later\r\n", "454 4.7.0 later"],
    ["SMTP greets with a no", prefaces.smtp, "554-go\r\n554 away\r\n", "554 go away"],
    ["IMAP knows us already", prefaces.imap, "* PREAUTH hello\r\n", "* PREAUTH hello"],
    ["IMAP says no", prefaces.imap, "* OK x\r\n* 1 EXISTS\r\na NO x\r\n", "a NO x"],
    ["IMAP says bye", prefaces.imap, "* OK x\r\n* BYE x\r\n", "* BYE x"],
    ["PostgreSQL says no", prefaces.postgres, "N", "it says no"],
    ["PostgreSQL has an error", prefaces.postgres, "E", "it has an error to tell"]
  ]
  for (const [what, preface, said, detail] of refusals) {
    it.live(what, () =>
      tight(Effect.gen(function*() {
        const error = yield* besieging(grounds.memory, preface, (client) => say(client, said))
        assert(error._tag === "ConnectError")
        assert.deepInclude(error.reason, { _tag: "StartTlsRefused", detail })
      })))
  }

  for (
    const [what, preface, said, tag] of [
      ["a line without end", prefaces.smtp, "2".repeat(600), "TooLarge"],
      ["lines without end", prefaces.smtp, "220-x\r\n".repeat(101), "TooLarge"],
      ["untagged lines without end", prefaces.imap, "* OK\r\n".repeat(101), "TooLarge"],
      ["no reply of SMTP", prefaces.smtp, "hello\r\n", "Violation"]
    ] as const
  ) {
    it.live(`${what} is cut short`, () =>
      tight(Effect.gen(function*() {
        const error = yield* besieging(grounds.memory, preface, (client) => say(client, said))
        assert(error._tag === "ConnectError")
        assert.strictEqual(error.reason._tag, tag)
      })))
  }

  it.live("what is no SSLRequest", () =>
    tight(Effect.gen(function*() {
      const { client, refused } = yield* besieged(grounds.memory, prefaces.postgres)
      yield* say(client, "\0\0\0\u0008\0\u0003\0\0")
      assert.strictEqual((yield* refused).reason._tag, "Violation")
    })))

  it.effect("a server that says nothing is given up in time", () =>
    Effect.gen(function*() {
      const below = Layer.succeedContext(yield* Layer.build(MemoryTransport.layer()))
      const listener = yield* Effect.provide(listen("memory:here"), below)
      yield* Effect.forkScoped(listener.run((connection) => Effect.asVoid(connection.closed), quiet))
      const stack = yield* Layer.build(yield* secured(below, prefaces.smtp, { handshakeWithin: "3 seconds" }))
      const trying = yield* Effect.forkChild(Effect.provide(Effect.flip(connect("memory:here")), stack))
      yield* TestClock.adjust("3 seconds")
      const error = yield* Fiber.join(trying)
      assert(error._tag === "ConnectError")
      assert.deepInclude(error, { layer: "smtp" })
      assert.deepInclude(error.reason, { _tag: "TimedOut", after: 3_000 })
    }).pipe(Effect.scoped))
})

describe("plaintext behind the last word is refused (CVE-2011-0411)", () => {
  onEach("a command behind STARTTLS", (ground) =>
    Effect.gen(function*() {
      const { client, refused } = yield* besieged(ground, prefaces.smtp)
      yield* say(client, "EHLO me\r\n")
      yield* hears(client, "250 STARTTLS")
      yield* say(client, "STARTTLS\r\nRSET\r\n")
      assert.deepInclude((yield* refused).reason, { _tag: "PlaintextInjected", size: 6 })
      const rest = yield* Effect.exit(hears(client, "220 2.0.0"))
      assert.strictEqual(rest._tag, "Failure")
    }))

  onEach("a command that is sent instead of TLS", (ground) =>
    Effect.gen(function*() {
      const { client, refused } = yield* besieged(ground, prefaces.smtp)
      yield* say(client, "EHLO me\r\n")
      yield* hears(client, "250 STARTTLS")
      yield* say(client, "STARTTLS\r\n")
      yield* hears(client, "220 2.0.0")
      yield* say(client, "MAIL FROM:<mallory@example.test>\r\n")
      assert.deepInclude(yield* refused, { layer: "tls" })
      assert.strictEqual((yield* refused).reason._tag, "NotTls")
    }))

  onEach("an answer behind that of the server", (ground) =>
    Effect.gen(function*() {
      const error = yield* besieging(ground, prefaces.smtp, (client) =>
        say(client, "220 x\r\n250 STARTTLS\r\n220 go\r\n250 injected\r\n"))
      assert(error._tag === "ConnectError")
      assert.deepInclude(error.reason, { _tag: "PlaintextInjected", size: 14 })
    }))

  it.live("a byte behind the answer of PostgreSQL (CVE-2021-23222)", () =>
    tight(Effect.gen(function*() {
      const error = yield* besieging(grounds.TCP, prefaces.postgres, (client) => say(client, "SX"))
      assert(error._tag === "ConnectError")
      assert.deepInclude(error.reason, { _tag: "PlaintextInjected", size: 1 })
    })))

  it.live("and behind the question too, where TLS might be there (CVE-2021-23214)", () =>
    tight(Effect.gen(function*() {
      const { client, refused } = yield* besieged(grounds.TCP, prefaces.postgres)
      yield* client.send(Buffer.from([0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f, ...Buffer.from("Q, injected")]))
      assert.strictEqual((yield* refused).reason._tag, "NotTls")
    })))
})

it.live("TLS that is there before the answer is taken, where the protocol allows it", () =>
  tight(Effect.gen(function*() {
    const { ca, identity } = yield* certificates
    const layer = Tcp.layer().pipe(StartTls.over(Preface.postgres(), Tls.server({ identity })))
    yield* Effect.gen(function*() {
      const listener = yield* listen("127.0.0.1:0", soon)
      yield* Effect.forkScoped(listener.run(echo, quiet))
      assert(listener.address.place._tag === "Tcp")
      const socket = Net.connect(listener.address.place.port, "127.0.0.1")
      yield* Effect.promise(() => once(socket, "connect"))
      let asked = false
      let answer: Uint8Array | undefined
      // The question leaves in one piece with the ClientHello, and the first byte that comes is the answer.
      const eager = new Duplex({
        read: () => {},
        write: (chunk: Buffer, _encoding, done) => {
          const request = asked ? [] : [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f]
          asked = true
          socket.write(Buffer.concat([Buffer.from(request), chunk]), done)
        },
        final: (done) => void socket.end(done)
      })
      socket.on("data", (chunk: Buffer) => {
        eager.push(answer === undefined ? chunk.subarray(1) : chunk)
        answer ??= chunk.subarray(0, 1)
      })
      socket.on("end", () => eager.push(null))
      const tls = NodeTls.connect({ socket: eager, ca, servername: "localhost" })
      tls.write("early")
      const [echoed] = yield* Effect.promise(() => once(tls, "data"))
      assert.strictEqual(String(echoed), "early")
      assert.strictEqual(String(Buffer.from(answer!)), "S")
      tls.end()
      yield* Effect.promise(() => once(socket, "close"))
    }).pipe(Effect.provide(layer), Effect.scoped)
  })))
