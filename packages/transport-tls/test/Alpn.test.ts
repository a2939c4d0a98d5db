// The compiler says so too, and its Effect plugin once more.
// @effect-diagnostics missingEffectContext:off floatingEffect:off missingReturnYieldStar:off
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import {
  Channels,
  Codec,
  Connection,
  Endpoint,
  LengthPrefixed,
  Lines,
  Protocol,
  Subprotocol,
  Transport
} from "@wirestack/protocol"
import { Negotiated } from "@wirestack/protocol/Ask"
import { ConnectError } from "@wirestack/protocol/ConnectError"
import { Closed } from "@wirestack/protocol/ConnectionError"
import type { Incident } from "@wirestack/protocol/Listener"
import { reasonOf, take, until } from "@wirestack/test-support"
import { Tcp, TcpInfo } from "@wirestack/transport-tcp"
import { Alpn, Tls, TlsInfo } from "@wirestack/transport-tls"
import { Context, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { certificates, type Ground, grounds, quiet, soon, tight } from "./support.ts"

class Chat extends Subprotocol.Service<Chat>()("chat.v1", { client: Schema.String, server: Schema.Finite }) {}
class Greeting extends Context.Service<Greeting, string>()("test/Greeting") {}

const codec = Codec.json()
const bytes = Alpn.branch(Transport.Bytes, (tls) => tls)

class Spoken extends Alpn.Choice<Spoken>()({
  "chat.v1": Alpn.branch(Chat, (tls) => tls.pipe(Lines.over(), Chat.over(codec))),
  lines: Alpn.branch(Transport.Messages, Lines.over()),
  bytes
}) {}

/** What a server says to whoever it meets, in each of the protocols. */
const handlers: Alpn.Handlers<typeof Spoken.branches, TlsInfo> = {
  "chat.v1": (connection) => Effect.flatMap(connection.pull, ([text]) => connection.send(text.length)),
  lines: (connection) => Effect.flatMap(connection.pull, ([line]) => connection.send(`${connection.alpn}: ${line}`)),
  bytes: (connection) => connection.send(Buffer.from(`alpn ${Connection.detail(connection, TlsInfo).alpn}`))
}

/** A stack for the server, and one for clients that offer what they are told; they meet where `ground` is one. */
const stacks = (ground: Ground, options?: Alpn.OverOptions<"chat.v1" | "lines" | "bytes">) =>
  Effect.gen(function*() {
    const { ca, identity } = yield* certificates
    const below = Layer.succeedContext(yield* Layer.build(ground.layer()))
    return {
      server: below.pipe(Tls.server({ identity }), Spoken.over(options)),
      client: (alpn?: ReadonlyArray<string>) =>
        below.pipe(Tls.client({ trust: { ca }, serverName: "localhost", ...(alpn && { alpn }) }))
    }
  })

const serving = (endpoint: string, incidents: Array<Incident> = []) =>
  Effect.gen(function*() {
    const listener = yield* Spoken.listen<TlsInfo>(endpoint, soon)
    yield* Effect.forkScoped(
      listener.run(handlers, { onIncident: (incident) => Effect.sync(() => void incidents.push(incident)) })
    )
    return listener
  })

const onEach = (name: string, program: (ground: Ground) => Effect.Effect<unknown, unknown, any>) => {
  for (const [title, ground] of Object.entries(grounds)) {
    it.live(`${name} (${title})`, () => tight(program(ground) as Effect.Effect<unknown, unknown>))
  }
}

describe("what was agreed on decides what is spoken", () => {
  onEach("each client gets what it has offered", (ground) =>
    Effect.gen(function*() {
      const { client, server } = yield* stacks(ground)
      const context = yield* Layer.build(server)
      const { address } = yield* Effect.provide(serving(ground.endpoint), context)
      const spoken = (alpn: string) =>
        Effect.scoped(Effect.gen(function*() {
          const connection = yield* Spoken.connect(address, soon)
          assert.strictEqual(connection.alpn, alpn)
          switch (connection.alpn) {
            case "chat.v1": {
              assert.strictEqual(connection.protocol, "chat.v1")
              yield* connection.send("four")
              return (yield* connection.pull)[0]
            }
            case "lines": {
              yield* connection.send("a line")
              return (yield* connection.pull)[0]
            }
            case "bytes":
              return Buffer.from((yield* connection.pull)[0]).toString()
          }
        })).pipe(Effect.provide(Spoken.over()(client([alpn]))))
      const said = Effect.all([spoken("bytes"), spoken("chat.v1"), spoken("lines")], { concurrency: "unbounded" })
      assert.deepStrictEqual(yield* said, ["alpn bytes", 4, "lines: a line"])
    }))

  it.live("the server's first that the client offers too", () =>
    tight(Effect.gen(function*() {
      const { client, server } = yield* stacks(grounds.TCP)
      const { address } = yield* Effect.provide(serving("127.0.0.1:0"), yield* Layer.build(server))
      class Two extends Alpn.Choice<Two>()({ bytes, "chat.v1": Spoken.branches["chat.v1"] }) {}
      const connection = yield* Effect.provide(Two.connect(address, soon), Two.over()(client()))
      assert.strictEqual(connection.alpn, "chat.v1")
    })))

  it.live("a layer that serves, with what the handlers need", () =>
    tight(Effect.gen(function*() {
      const { ca, identity } = yield* certificates
      class One extends Alpn.Choice<One>()({ bytes }) {}
      const stack = Layer.succeedContext(
        yield* Layer.build(
          grounds.memory.layer().pipe(
            Tls.over({ client: { trust: { ca }, serverName: "localhost" }, server: { identity } }),
            One.over()
          )
        )
      )
      const server = One.serve()("memory:here", {
        bytes: (connection) => Effect.flatMap(Greeting, (text) => connection.send(Buffer.from(text)))
      }, soon)
      yield* Layer.build(Layer.provide(server, [stack, Layer.succeed(Greeting, "hello")]))
      const connection = yield* Effect.provide(One.connect("memory:here", soon), stack)
      assert.strictEqual((yield* take(connection, 5)).toString(), "hello")
    })))

  it.live("a branch that connects once more speaks the same there", () =>
    tight(Effect.gen(function*() {
      const { client, server } = yield* stacks(grounds.TCP)
      const { address } = yield* Effect.provide(serving("127.0.0.1:0"), yield* Layer.build(server))
      let connects = 0
      const insistent = Protocol.make(Transport.Bytes, Transport.Bytes, {
        layer: "insistent",
        connect: (attempt, ask) => {
          const once = attempt(ask, (lower) =>
            ++connects % 2 === 0
              ? Effect.succeed(lower)
              : Effect.andThen(
                Effect.ignore(lower.pull),
                Effect.fail(new ConnectError({ layer: "insistent", reason: new Closed() }))
              ))
          return Effect.catch(once, () => once)
        }
      })
      class Insistent extends Alpn.Choice<Insistent>()({ bytes: Alpn.branch(Transport.Bytes, insistent) }) {}
      const connection = yield* Effect.provide(Insistent.connect(address, soon), Insistent.over()(client()))
      assert.strictEqual((yield* take(connection, 10)).toString(), "alpn bytes")
      assert.strictEqual(connects, 2)
    })))
})

describe("without an agreement there is no connection", () => {
  onEach("a client that doesn't know ALPN is refused, and reported", (ground) =>
    Effect.gen(function*() {
      const { client, server } = yield* stacks(ground)
      const incidents: Array<Incident> = []
      const { address } = yield* Effect.provide(
        serving(ground.endpoint, incidents),
        yield* Layer.build(server)
      )
      yield* Effect.ignore(Effect.scoped(
        Effect.flatMap(Transport.connect(Transport.Bytes)(address, soon), (connection) => connection.pull)
      )).pipe(Effect.provide(client()))
      yield* until(() => incidents.length > 0)
      const [incident] = incidents
      assert(incident._tag === "HandshakeFailed")
      assert.strictEqual(incident.error.layer, "alpn")
      assert.deepInclude(incident.error.reason, { _tag: "NothingNegotiated", offered: ["chat.v1", "lines", "bytes"] })
    }))

  it.live("a server that doesn't know ALPN is refused", () =>
    tight(Effect.gen(function*() {
      const { client } = yield* stacks(grounds.TCP)
      const { identity } = yield* certificates
      const plain = yield* Layer.build(Tcp.layer().pipe(Tls.server({ identity })))
      const listener = yield* Effect.provide(Transport.listen(Transport.Bytes)("127.0.0.1:0", soon), plain)
      yield* Effect.forkScoped(listener.run((connection) => Effect.asVoid(connection.closed), quiet))
      const stack = yield* Layer.build(Spoken.over()(client()))
      const reason = yield* reasonOf(Effect.provide(Effect.scoped(Spoken.connect(listener.address, soon)), stack))
      assert.strictEqual(reason._tag, "NothingNegotiated")
    })))

  it.live("a client that offers something else gets the alert of RFC 7301", () =>
    tight(Effect.gen(function*() {
      const { client, server } = yield* stacks(grounds.TCP)
      const { address } = yield* Effect.provide(serving("127.0.0.1:0"), yield* Layer.build(server))
      const stack = yield* Layer.build(client(["h2"]))
      const reason = yield* reasonOf(
        Effect.provide(Effect.scoped(Transport.connect(Transport.Bytes)(address, soon)), stack)
      )
      assert.strictEqual(reason._tag, "AlpnRejected")
    })))

  onEach("unless it is said what such peers speak", (ground) =>
    Effect.gen(function*() {
      const { client, server } = yield* stacks(ground, { unnamed: "lines" })
      const { address } = yield* Effect.provide(serving(ground.endpoint), yield* Layer.build(server))
      const line = yield* Effect.gen(function*() {
        const connection = yield* Transport.connect(Transport.Messages)<Negotiated>(address, soon)
        assert.isUndefined(Connection.detail(connection, Negotiated).protocol)
        yield* connection.send("hello")
        return (yield* connection.pull)[0]
      }).pipe(Effect.provide(client().pipe(Lines.over())))
      assert.strictEqual(line, "lines: hello")
    }))

  it.live("a demand of the URL that the branch doesn't meet", () =>
    tight(Effect.gen(function*() {
      const { client, server } = yield* stacks(grounds.TCP)
      const { address } = yield* Effect.provide(serving("127.0.0.1:0"), yield* Layer.build(server))
      const stack = yield* Layer.build(Spoken.over()(client()))
      const connecting = (scheme: string) =>
        Effect.provide(
          Effect.scoped(Spoken.connect(`${scheme}://${Endpoint.formatPlace(address.place)}`, soon)),
          stack
        )
      assert.strictEqual((yield* connecting("tls")).alpn, "chat.v1")
      assert.deepInclude(yield* reasonOf(connecting("wss")), { _tag: "LayersMissing", layers: ["websocket"] })
    })))
})

it.live("a listener pauses, and goes on", () =>
  tight(Effect.gen(function*() {
    const { client, server } = yield* stacks(grounds.memory)
    const { address, pause, resume } = yield* Effect.provide(serving("memory:here"), yield* Layer.build(server))
    yield* pause
    const stack = yield* Layer.build(Spoken.over()(client(["bytes"])))
    const visiting = yield* Effect.forkScoped(Effect.provide(Spoken.connect(address, soon), stack))
    yield* Effect.repeat(Effect.yieldNow, { times: 100 })
    assert.isUndefined(visiting.pollUnsafe())
    yield* resume
    assert.strictEqual((yield* Fiber.join(visiting)).alpn, "bytes")
  })))

it.live("one listener drains for all branches", () =>
  tight(Effect.gen(function*() {
    const { client, server } = yield* stacks(grounds.TCP)
    const accepted: Array<string> = []
    const wait = ({ alpn, pull }: Alpn.Chosen<string, Connection.Connection<unknown, never>>) => {
      accepted.push(alpn)
      return Effect.ignore(pull)
    }
    const scope = yield* Scope.make()
    const listener = yield* Spoken.listen("127.0.0.1:0", soon).pipe(
      Scope.provide(scope),
      Effect.provide(yield* Layer.build(server))
    )
    yield* Effect.forkScoped(listener.run({ "chat.v1": wait, lines: wait, bytes: wait }, quiet))
    for (const alpn of ["chat.v1", "lines"]) {
      const stack = yield* Layer.build(client([alpn]))
      const visit = Effect.flatMap(Transport.connect(Transport.Bytes)(listener.address, soon), ({ pull }) => pull)
      yield* Effect.forkScoped(Effect.provide(Effect.ignore(Effect.scoped(visit)), stack))
    }
    yield* until(() => accepted.length === 2)
    yield* Scope.close(scope, Exit.void)
    assert.deepInclude(yield* listener.drained, { open: 2, ended: 2, interrupted: 0, waiting: 0 })
  })))

it.live("a branch that is a listener of its own drains, too", () =>
  tight(Effect.gen(function*() {
    class Many extends Alpn.Choice<Many>()({
      many: Alpn.branch(Transport.Messages, (tls) => tls.pipe(LengthPrefixed.over(), Channels.over()))
    }) {}
    const { ca, identity } = yield* certificates
    const below = Layer.succeedContext(yield* Layer.build(grounds.TCP.layer()))
    const tls = Tls.over({ server: { identity }, client: { trust: { ca }, serverName: "localhost" } })(below)
    const stack = yield* Layer.build(Many.over()(tls))
    const scope = yield* Scope.make()
    const listener = yield* Many.listen("127.0.0.1:0", soon).pipe(Scope.provide(scope), Effect.provide(stack))
    yield* Effect.forkScoped(
      listener.run({ many: (channel) => Effect.flatMap(channel.pull, channel.sendAll) }, quiet)
    )
    const visit = Effect.gen(function*() {
      const channel = yield* Many.connect(Endpoint.format(listener.address), soon)
      yield* channel.send("hello")
      return yield* channel.pull
    })
    assert.deepStrictEqual(yield* Effect.provide(Effect.scoped(visit), stack), ["hello"])
    yield* Scope.close(scope, Exit.void)
    assert.isNumber((yield* listener.drained).took)
  })))

it("a name is not a number, whose place a record doesn't keep, and can be offered", () => {
  for (const name of ["1", "", "x".repeat(256)]) {
    assert.throws(() => Alpn.Choice<unknown>()({ [name]: bytes }), RangeError)
  }
  assert.doesNotThrow(() => Alpn.Choice<unknown>()({ ["x".repeat(255)]: bytes }))
})

it("what must not compile", () => {
  const typeOnly = (_: () => void) => {}
  typeOnly(() => {
    const stack = Tcp.layer().pipe(Tls.client(), Spoken.over())
    expectTypeOf(stack).toExtend<
      Layer.Layer<Transport.At<Spoken, Transport.Connect | TcpInfo | TlsInfo | Negotiated>, unknown>
    >()
    // The layer below does not negotiate: Property '"the stack below lacks"' is missing.
    // @ts-expect-error
    Spoken.over()(Tcp.layer())
    // @ts-expect-error there is no such branch
    Spoken.over({ unnamed: "h2" })
    // @ts-expect-error a branch ends in its shape
    Alpn.branch(Chat, Lines.over())

    Effect.gen(function*() {
      const connection = yield* Spoken.connect<TcpInfo>("localhost:1")
      expectTypeOf(connection.alpn).toEqualTypeOf<"chat.v1" | "lines" | "bytes">()
      if (connection.alpn === "chat.v1") {
        expectTypeOf(connection.protocol).toEqualTypeOf<"chat.v1">()
        expectTypeOf(Connection.detail(connection, TcpInfo)).toEqualTypeOf<TcpInfo["Service"]>()
        expectTypeOf<Parameters<typeof connection.send>>().toEqualTypeOf<[string]>()
      } else if (connection.alpn === "bytes") {
        expectTypeOf<Parameters<typeof connection.send>>().toEqualTypeOf<[Uint8Array]>()
      }
    })
    Effect.flatMap(Spoken.listen("localhost:1"), (listener) => {
      const nothing = () => Effect.void
      // @ts-expect-error a handler is missing
      listener.run({ "chat.v1": nothing, lines: nothing })
      listener.run({
        lines: nothing,
        bytes: nothing,
        // A number is sent by the server.
        // @ts-expect-error
        "chat.v1": (connection) => connection.send("text")
      })
      return listener.run({ "chat.v1": nothing, lines: nothing, bytes: nothing })
    })
    const runs = <A, E>(_: Effect.Effect<A, E>) => {}
    runs(Effect.provide(Effect.scoped(Spoken.connect<TcpInfo>("localhost:1")), stack))
    // @ts-expect-error there is no such detail below
    runs(Effect.provide(Effect.scoped(Spoken.connect<Greeting>("localhost:1")), stack))
    // @ts-expect-error the stack only connects
    runs(Effect.provide(Effect.scoped(Spoken.listen("localhost:1")), stack))
  })
})
