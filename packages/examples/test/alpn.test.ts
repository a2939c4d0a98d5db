/** A WebSocket and a protocol of our own on one port, chosen by ALPN. */
import { assert, it } from "@effect/vitest"
import { Connection, Endpoint, EstablishmentReport, Lines, Transport } from "@wirestack/protocol"
import { reasonOf, until } from "@wirestack/test-support"
import { Tcp } from "@wirestack/transport-tcp"
import { Alpn, Tls } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { WebSocket } from "@wirestack/websocket"
import { Cause, Deferred, Effect, Fiber, Layer } from "effect"

class Spoken extends Alpn.Choice<Spoken>()({
  lines: Alpn.branch(Transport.Messages, Lines.over()),
  "http/1.1": Alpn.branch(Transport.Messages, WebSocket.over({ server: { path: "/chat" } }))
}) {}

it.live("a WebSocket is what ALPN says it is", () =>
  Effect.gen(function*() {
    const { identity, trust } = yield* DevelopmentCertificates.localhost
    const tcp = Layer.succeedContext(yield* Layer.build(Tcp.layer()))
    const server = yield* Layer.build(tcp.pipe(Tls.server({ identity }), Spoken.over()))
    const listener = yield* Effect.provide(Spoken.listen("127.0.0.1:0"), server)
    yield* Effect.forkScoped(listener.run({
      lines: (connection) => connection.send("lines"),
      "http/1.1": (connection) =>
        connection.send(`websocket at ${Connection.detail(connection, WebSocket.WebSocket).path}`)
    }))
    assert(listener.address.place._tag === "Tcp")
    const url = `wss://localhost:${listener.address.place.port}/chat`

    const browser = tcp.pipe(Tls.client({ trust }), WebSocket.client())
    const said = Effect.flatMap(Transport.connect(Transport.Messages)(url), ({ pull }) => pull)
    assert.deepStrictEqual(yield* Effect.provide(Effect.scoped(said), browser), ["websocket at /chat"])

    const only = tcp.pipe(Tls.client({ trust, alpn: ["http/1.1"] }), Spoken.over())
    const either = tcp.pipe(Tls.client({ trust, alpn: ["http/1.1", "lines"] }), Spoken.over())
    const report = EstablishmentReport.of(yield* Effect.provide(Effect.scoped(Spoken.connect(url)), only))
    assert.deepStrictEqual(report.attempts.map((steps) => steps.map(({ layer }) => layer)), [
      ["tcp", "tls", "alpn", "websocket"]
    ])
    assert.deepStrictEqual(report.attempts[0][3].facts.path, "/chat")

    const chosen = Effect.flatMap(
      Spoken.connect(listener.address),
      (connection) => Effect.map(connection.pull, ([text]) => [connection.alpn, text])
    )
    assert.deepStrictEqual(yield* Effect.provide(Effect.scoped(chosen), either), ["lines", "lines"])
  }))

it.live("a server that drains goes on to shake hands with TLS, to say no where there are words for it", () =>
  Effect.gen(function*() {
    const { identity, trust } = yield* DevelopmentCertificates.localhost
    const tcp = Layer.succeedContext(yield* Layer.build(Tcp.layer()))
    const server = yield* Layer.build(tcp.pipe(Tls.server({ identity }), Spoken.over()))
    const listener = yield* Effect.provide(Spoken.listen("127.0.0.1:0"), server)
    const handled: Array<string> = []
    const stays = ({ alpn, closed }: Alpn.Chosen<string, Connection.Connection<unknown, never>>) =>
      Effect.andThen(Effect.sync(() => handled.push(alpn)), Effect.asVoid(closed))
    yield* Effect.forkScoped(Effect.exit(listener.run({ lines: stays, "http/1.1": stays })))
    const url = `wss://localhost:${Endpoint.portOf(listener.address)}/chat`

    const browser = tcp.pipe(Tls.client({ trust }), WebSocket.client())
    const visit = Effect.flatMap(
      Transport.connect(Transport.Messages)(url),
      (connection) => Effect.andThen(Effect.exit(connection.pull), connection.closed)
    )
    const visiting = yield* Effect.forkChild(Effect.provide(Effect.scoped(visit), browser))
    yield* until(() => handled.length === 1)

    const go = yield* Deferred.make<void>()
    const draining = yield* Effect.forkChild(listener.drain({ as: "restart", goodbye: () => Deferred.await(go) }))
    yield* listener.draining
    assert.deepInclude(yield* Effect.provide(reasonOf(Effect.scoped(visit)), browser), {
      _tag: "UpgradeRejected",
      status: 503
    })
    const lines = tcp.pipe(Tls.client({ trust, alpn: ["lines"] }), Lines.over())
    const ending = Effect.flatMap(
      Transport.connect(Transport.Messages)(listener.address),
      ({ pull }) => Effect.flip(pull)
    )
    assert.isTrue(Cause.isDone(yield* Effect.provide(Effect.scoped(ending), lines)))
    yield* Deferred.succeed(go, undefined)
    assert.strictEqual((yield* Fiber.join(visiting)).received?.code, 1012)
    assert.deepInclude(yield* Fiber.join(draining), { open: 1, clean: 1, refused: 2 })
    assert.deepStrictEqual(handled, ["http/1.1"])
  }))
