import { assert, describe, it } from "@effect/vitest"
import * as Connection from "@wirestack/protocol/Connection"
import * as MemoryTransport from "@wirestack/protocol/MemoryTransport"
import type { Outcome } from "@wirestack/protocol/Outcome"
import { reasonOf, until } from "@wirestack/test-support"
import { Tls, TlsInfo, Upgrade } from "@wirestack/transport-tls"
import { Cause, Effect, Exit, Fiber } from "effect"
import { certificates, connected, type Ground, grounds, tight } from "./support.ts"

type Plain = Connection.Connection<Uint8Array, Uint8Array>

const bytes = (text: string): Uint8Array => Buffer.from(text)
const ready = bytes("220 ready\r\n")

const said = (connection: Plain): Effect.Effect<string, unknown> =>
  Effect.map(connection.pull, (chunks) => Buffer.concat(chunks).toString())

const upgrades = Effect.gen(function*() {
  const { ca, identity } = yield* certificates
  return {
    begin: yield* Upgrade.client(Tls.client({ trust: { ca } })),
    accept: yield* Upgrade.server(Tls.server({ identity }))
  }
})

/** A connected pair in plaintext, in which the client has asked for TLS. */
const asked = (ground: Ground, question = "STARTTLS\r\n") =>
  Effect.gen(function*() {
    const [client, server] = yield* connected(ground.endpoint)
    yield* client.send(bytes(question))
    return { client, server }
  })

const onEach = (
  name: string,
  program: (ground: Ground) => Effect.Effect<unknown, unknown, Effect.Services<ReturnType<typeof asked>>>
) => {
  for (const [title, ground] of Object.entries(grounds)) {
    it.live(`${name} (${title})`, () => tight(Effect.provide(Effect.scoped(program(ground)), ground.layer())))
  }
}

const begun = { endpoint: "localhost:25", unread: [] }

/** Both ends in TLS. */
const secured = (ground: Ground) =>
  Effect.gen(function*() {
    const { accept, begin } = yield* upgrades
    const { client, server } = yield* asked(ground)
    assert.strictEqual(yield* said(server), "STARTTLS\r\n")
    const accepting = yield* Effect.forkScoped(accept(server, { unread: [], answer: ready }))
    assert.strictEqual(yield* said(client), "220 ready\r\n")
    return { plain: client, client: yield* begin(client, begun), server: yield* Fiber.join(accepting) }
  })

describe("a live connection", () => {
  onEach("goes on in TLS, in the same life", (ground) =>
    Effect.gen(function*() {
      const outcomes: Array<Outcome> = []
      yield* Effect.scoped(Effect.gen(function*() {
        const { client, plain, server } = yield* secured(ground)
        assert.deepInclude(Connection.detail(client, TlsInfo), { authorized: true, path: ground.path })
        assert.strictEqual(Connection.detail(server, TlsInfo).serverName, "localhost")
        yield* client.send(bytes("a secret"))
        assert.strictEqual(yield* said(server), "a secret")
        yield* server.send(bytes("another"))
        assert.strictEqual(yield* said(client), "another")
        assert.strictEqual((yield* reasonOf(plain.send(bytes("in plaintext"))))._tag, "Closed")
        yield* Effect.forkDetach(Effect.map(client.closed, (outcome) => outcomes.push(outcome)))
        yield* server.end
        yield* client.end
      }))
      yield* until(() => outcomes.length === 1)
      const [{ clean, layers }] = outcomes
      assert.isTrue(clean)
      assert.deepStrictEqual(layers.map(({ layer }) => layer), ground.path === "direct" ? ["tls"] : ["tls", "memory"])
    }))

  onEach("is cut if its certificate is not accepted", (ground) =>
    Effect.gen(function*() {
      const { accept } = yield* upgrades
      const { other } = yield* certificates
      const begin = yield* Upgrade.client(Tls.client({ trust: { ca: other.ca } }))
      const { client, server } = yield* asked(ground)
      yield* said(server)
      const accepting = yield* Effect.forkChild(reasonOf(accept(server, { unread: [] })))
      const reason = yield* reasonOf(begin(client, begun))
      assert.strictEqual(reason._tag, "CertificateInvalid")
      assert.include(["AlertReceived", "Reset", "Truncated"], (yield* Fiber.join(accepting))._tag)
      assert.isFalse((yield* client.closed).clean)
      assert.isFalse((yield* server.closed).clean)
    }))

  onEach("is cut if that is interrupted", (ground) =>
    Effect.gen(function*() {
      const { accept } = yield* upgrades
      const { client, server } = yield* asked(ground)
      yield* said(server)
      const accepting = yield* Effect.forkChild(accept(server, { unread: [], answer: ready }))
      assert.strictEqual(yield* said(client), "220 ready\r\n")
      yield* Fiber.interrupt(accepting)
      assert.isFalse((yield* server.closed).clean)
      assert.strictEqual((yield* Effect.exit(client.pull))._tag, "Failure")
    }))

  it.live("is cut if the peer is silent, and who waits for it goes on", () =>
    tight(
      Effect.gen(function*() {
        const { identity } = yield* certificates
        const accept = yield* Upgrade.server(Tls.server({ identity, handshakeWithin: "30 millis" }))
        const { server } = yield* asked(grounds.memory)
        yield* said(server)
        assert.deepInclude(yield* reasonOf(accept(server, begun)), { _tag: "TimedOut", after: 30 })
        assert.isFalse((yield* server.closed).clean)
      }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer()))
    ))

  it.live("dies of what its verification dies of", () =>
    tight(
      Effect.gen(function*() {
        const { identity } = yield* certificates
        const { begin } = yield* upgrades
        const accept = yield* Upgrade.server(Tls.server({ identity, verify: () => Effect.die("a bug") }))
        const { client, server } = yield* asked(grounds.memory)
        yield* said(server)
        yield* Effect.forkScoped(Effect.exit(begin(client, begun)))
        const exit = yield* Effect.exit(accept(server, { unread: [] }))
        assert(Exit.isFailure(exit))
        assert.strictEqual(Cause.squash(exit.cause), "a bug")
      }).pipe(Effect.scoped, Effect.provide(grounds.memory.layer()))
    ))

  it.live("needs an endpoint that can be used", () =>
    tight(
      Effect.gen(function*() {
        const { begin } = yield* upgrades
        const { client, server } = yield* asked(grounds.memory)
        yield* said(server)
        const reason = yield* reasonOf(begin(client, { endpoint: "nowhere", unread: [] }))
        assert.strictEqual(reason._tag, "InvalidEndpoint")
      }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer()))
    ))
})

describe("plaintext that is unread is refused, on either side", () => {
  onEach("behind the question, in the hands of the program", (ground) =>
    Effect.gen(function*() {
      const { accept } = yield* upgrades
      const { client, server } = yield* asked(ground, "STARTTLS\r\nRSET\r\n")
      const unread = (yield* said(server)).slice("STARTTLS\r\n".length)
      const reason = yield* reasonOf(accept(server, { unread: [bytes(unread)], answer: ready }))
      assert.deepInclude(reason, { _tag: "PlaintextInjected", size: 6 })
      // It has not even been answered.
      assert.strictEqual((yield* Effect.exit(client.pull))._tag, "Failure")
    }))

  onEach("behind the question, and not pulled", (ground) =>
    Effect.gen(function*() {
      const { accept } = yield* upgrades
      const { client, server } = yield* asked(ground)
      yield* said(server)
      yield* client.send(bytes("RSET\r\n"))
      yield* Effect.sleep("20 millis")
      const reason = yield* reasonOf(accept(server, { unread: [], answer: ready }))
      assert.deepInclude(reason, { _tag: "PlaintextInjected", size: 6 })
    }))

  onEach("behind a question that has no answer, where it goes to TLS", (ground) =>
    Effect.gen(function*() {
      const { accept } = yield* upgrades
      const { server } = yield* asked(ground, "STARTTLS\r\nRSET\r\n")
      const unread = (yield* said(server)).slice("STARTTLS\r\n".length)
      assert.strictEqual((yield* reasonOf(accept(server, { unread: [bytes(unread)] })))._tag, "NotTls")
    }))

  onEach("behind the answer", (ground) =>
    Effect.gen(function*() {
      const { begin } = yield* upgrades
      const { client, server } = yield* asked(ground)
      yield* said(server)
      yield* server.send(bytes("220 ready\r\n250 injected\r\n"))
      const unread = (yield* said(client)).slice(ready.length)
      const reason = yield* reasonOf(begin(client, { ...begun, unread: [bytes(unread)] }))
      assert.deepInclude(reason, { _tag: "PlaintextInjected", size: 14 })
    }))
})
