import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { type Connection, detail } from "@wirestack/protocol/Connection"
import type * as Transport from "@wirestack/protocol/Transport"
import { resources, take, until } from "@wirestack/test-support"
import { Tcp, type TcpInfo } from "@wirestack/transport-tcp"
import { CredentialsError, type Identity, IdentityFiles, Pin, Tls, TlsInfo } from "@wirestack/transport-tls"
import { Context, Effect, Fiber, FileSystem, Layer, PlatformError, Queue, Redacted, Stream } from "effect"
import { TestClock } from "effect/testing"
import { certificates, changing, connect, echo, grounds, listen, meetings, quiet, stackOn, tight } from "./support.ts"

const pinOf = ({ certificate }: Identity): Pin.Pin => Pin.of(certificate)

it.live(
  "1,000 connections are held while the certificate changes: none is dropped, new ones see the new one",
  () =>
    tight(Effect.gen(function*() {
      const { authority, ca, identity } = yield* certificates
      const identities = [identity, ...yield* Effect.all(Array.from({ length: 4 }, () => authority.issue()))]
      const order = identities.map(pinOf)
      const { change, stream } = yield* changing(identity)
      const ground = Tcp.layer({ backlog: 1_000 }).pipe(
        Tls.over({
          client: { trust: { ca }, serverName: "localhost", groups: ["X25519"] },
          server: { identity: stream }
        })
      )
      yield* Effect.gen(function*() {
        const listener = yield* listen("127.0.0.1:0")
        yield* Effect.forkScoped(listener.run(echo, quiet))
        const ping = (connection: Connection<Uint8Array, Uint8Array>, text: string) =>
          Effect.andThen(
            connection.send(Buffer.from(text)),
            Effect.map(take(connection, text.length), (echoed) => assert.strictEqual(echoed.toString(), text))
          )
        const connections: Array<Connection<Uint8Array, Uint8Array>> = []
        const seen = order.map(() => 0)
        let current = 0
        let full = 0
        const one = Effect.gen(function*() {
          const earliest = current
          const connection = yield* connect<TlsInfo>(listener.address)
          const { peer, resumed } = detail(connection, TlsInfo)
          const which = order.indexOf(peer!.pin)
          assert.isAtLeast(which, earliest)
          seen[which]++
          if (!resumed) full++
          yield* ping(connection, "before")
          connections.push(connection)
          // In the middle of others that shake hands.
          if (connections.length % 200 === 100 && current < 4) {
            yield* change(identities[current + 1])
            current++
          }
        })
        yield* Effect.forEach(Array.from({ length: 1_000 }), () => one, { concurrency: 40, discard: true })
        yield* Effect.forEach(connections, (connection) => ping(connection, "after"), { discard: true })
        assert.lengthOf(connections, 1_000)
        assert.isTrue(seen.every((count) => count > 50), seen.join())
        assert.isAtLeast(full, 5)
        yield* Effect.forEach(connections, (connection) => connection.abort, { discard: true })
        yield* until(() => resources() < 50)
      }).pipe(Effect.scoped, Effect.provide(ground))
    })),
  60_000
)

for (const [title, ground] of Object.entries(grounds)) {
  describe(`a Stream of identities (${title})`, () => {
    it.live("changes the one for a name", () =>
      tight(Effect.gen(function*() {
        const made = yield* certificates
        const { change, stream } = yield* changing(made.alternative)
        const layer = stackOn(ground, made, { serverName: "a.example.test" }, {
          identities: { "*.example.test": stream }
        })
        yield* Effect.gen(function*() {
          const { meet } = yield* meetings(ground.endpoint)
          assert.strictEqual((yield* meet).client.peer?.pin, pinOf(made.alternative))
          const renewed = yield* made.authority.issue({ names: ["a.example.test"] })
          yield* change(renewed)
          assert.strictEqual((yield* meet).client.chain[0].pin, pinOf(renewed))
        }).pipe(Effect.provide(layer))
      })))

    it.live("changes the client's, whose sessions are of no use then", () =>
      tight(Effect.gen(function*() {
        const made = yield* certificates
        const { change, stream } = yield* changing(made.client)
        const server = { clientCertificates: { mode: "required", ca: made.ca }, tickets: true } as const
        yield* Effect.gen(function*() {
          const { meet } = yield* meetings(ground.endpoint)
          assert.strictEqual((yield* meet).server.peer?.subject, "CN=a client")
          assert.isTrue((yield* meet).server.resumed)
          yield* change(made.identity)
          const { server } = yield* meet
          assert.isFalse(server.resumed)
          assert.strictEqual(server.peer?.subject, "CN=localhost")
        }).pipe(Effect.provide(stackOn(ground, made, { identity: stream }, server)))
      })))

    it.live("keeps the last good one, and tells of what can't be used", () =>
      tight(Effect.gen(function*() {
        const made = yield* certificates
        const { change, stream } = yield* changing(made.identity)
        const told = yield* Queue.unbounded<unknown>()
        const layer = stackOn(ground, made, {}, {
          identity: stream,
          onUnusable: (error) => Effect.asVoid(Queue.offer(told, error))
        })
        yield* Effect.gen(function*() {
          const { meet } = yield* meetings(ground.endpoint)
          yield* change({ ...made.identity, key: made.foreign.key })
          assert.instanceOf(yield* Queue.take(told), CredentialsError)
          assert.strictEqual((yield* meet).client.peer?.pin, pinOf(made.identity))
        }).pipe(Effect.provide(layer))
      })))
  })
}

describe("a Stream of identities", () => {
  for (const [what, failure] of [["fail", Stream.fail("out of reach")], ["die", Stream.die("out of reach")]] as const) {
    it.live(`may ${what} later, and then the last one stays`, () =>
      tight(Effect.gen(function*() {
        const made = yield* certificates
        const told = yield* Queue.unbounded<unknown>()
        const layer = stackOn(grounds.memory, made, {}, {
          identity: Stream.concat(Stream.make(made.identity), failure),
          onUnusable: (error) => Effect.asVoid(Queue.offer(told, error))
        })
        yield* Effect.gen(function*() {
          assert.strictEqual(yield* Queue.take(told), "out of reach")
          const { meet } = yield* meetings("memory:here")
          assert.strictEqual((yield* meet).client.peer?.pin, pinOf(made.identity))
        }).pipe(Effect.provide(layer))
      })))
  }

  it.effect("has the first before the layer is built, or fails it", () =>
    Effect.gen(function*() {
      const { identity, foreign } = yield* certificates
      const build = <E>(identity: Stream.Stream<Identity, E>) =>
        Effect.flip(Effect.scoped(Layer.build(Tcp.layer().pipe(Tls.server({ identity })))))
      assert.strictEqual(yield* build(Stream.fail("out of reach" as const)), "out of reach")
      for (const unusable of [Stream.empty, Stream.make({ ...identity, key: foreign.key })]) {
        assert.instanceOf(yield* build(unusable), CredentialsError)
      }
    }))

  it("has its errors and requirements in the type of the layer", () => {
    class Vault extends Context.Service<Vault, { readonly identities: Stream.Stream<Identity, "sealed"> }>()("Vault") {}
    const identity = Stream.unwrap(Effect.map(Vault, ({ identities }) => identities))
    const layer = Tcp.layer().pipe(Tls.server({ identity }))
    expectTypeOf(layer).toEqualTypeOf<
      Layer.Layer<Transport.ByteTransport<Transport.Listen | Tls.Adds | TcpInfo>, CredentialsError | "sealed", Vault>
    >()
  })
})

describe("files", () => {
  const missing = PlatformError.systemError({ _tag: "NotFound", module: "FileSystem", method: "readFileString" })

  it.effect("are an identity, looked for again and again", () =>
    Effect.gen(function*() {
      const { alternative, identity } = yield* certificates
      const disk = new Map([["crt", identity.certificate], ["key", Redacted.value(identity.key)]])
      const files = FileSystem.layerNoop({
        readFileString: (path) => Effect.suspend(() => disk.has(path) ? Effect.succeed(disk.get(path)!) : missing)
      })
      const seen: Array<string> = []
      const watching = yield* Effect.forkChild(
        IdentityFiles.watch({ certificate: "crt", key: "key" }).pipe(
          Stream.runForEach(({ certificate }) => Effect.sync(() => void seen.push(certificate))),
          Effect.provide(files)
        )
      )
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(seen, [identity.certificate])
      disk.delete("crt")
      yield* TestClock.adjust("1 minute")
      disk.set("crt", alternative.certificate)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(seen, [identity.certificate, alternative.certificate])
      yield* Fiber.interrupt(watching)
    }))

  it.effect("that are not there fail the layer", () =>
    Effect.gen(function*() {
      const layer = Tcp.layer().pipe(Tls.server({ identity: IdentityFiles.watch({ certificate: "crt", key: "key" }) }))
      const files = FileSystem.layerNoop({ readFileString: () => missing })
      const error = yield* Effect.flip(Effect.scoped(Layer.build(Layer.provide(layer, files))))
      assert.strictEqual(error._tag, "PlatformError")
    }))
})
