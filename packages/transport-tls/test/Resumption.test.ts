import { assert, describe, it } from "@effect/vitest"
import { detail } from "@wirestack/protocol/Connection"
import type * as Endpoint from "@wirestack/protocol/Endpoint"
import { collect, reasonOf, take } from "@wirestack/test-support"
import { Pin, Tls, TlsInfo } from "@wirestack/transport-tls"
import { Effect, Layer, Redacted } from "effect"
import { randomBytes } from "node:crypto"
import { certificates, changing, connect, grounds, listen, meetings, quiet, soon, stackOn, tight } from "./support.ts"

const versions = ["TLSv1.2", "TLSv1.3"] as const
const keys = () => Redacted.make(new Uint8Array(randomBytes(48)))

for (const [title, ground] of Object.entries(grounds)) {
  describe(`sessions (${title})`, () => {
    for (const maxVersion of versions) {
      it.live(`are resumed, ${maxVersion}, with what was known of the server, and checked again`, () =>
        tight(Effect.gen(function*() {
          const made = yield* certificates
          const verified: Array<boolean> = []
          const client: Tls.ClientOptions = {
            maxVersion,
            pins: [Pin.of(made.ca)],
            verify: ({ resumed }) => Effect.sync(() => void verified.push(resumed))
          }
          yield* Effect.gen(function*() {
            const { meet } = yield* meetings(ground.endpoint)
            for (const resumed of [false, true, true]) {
              const { client, server } = yield* meet
              assert.strictEqual(client.resumed, resumed)
              assert.strictEqual(server.resumed, resumed)
              assert.isTrue(client.authorized)
              assert.strictEqual(client.version, maxVersion)
              assert.deepStrictEqual(client.chain.map(({ subject }) => subject), [
                "CN=localhost",
                "CN=Development Authority"
              ])
            }
            assert.deepStrictEqual(verified, [false, true, true])
          }).pipe(Effect.provide(stackOn(ground, made, client)))
        })))
    }

    it.live("of a server that was not accepted are not kept", () =>
      tight(Effect.gen(function*() {
        const made = yield* certificates
        const offered: Array<boolean> = []
        const client: Tls.ClientOptions = {
          maxVersion: "TLSv1.2",
          verify: ({ resumed }) =>
            Effect.suspend(() => {
              offered.push(resumed)
              return Effect.fail("never")
            })
        }
        yield* Effect.gen(function*() {
          const listener = yield* listen(ground.endpoint, soon)
          yield* Effect.forkScoped(listener.run(({ pull }) => Effect.asVoid(pull), quiet))
          for (let n = 0; n < 2; n++) yield* reasonOf(Effect.scoped(connect(listener.address, soon)))
          assert.deepStrictEqual(offered, [false, false])
        }).pipe(Effect.provide(stackOn(ground, made, client)))
      })))

    for (
      const [what, client, server] of [
        ["the client does not want it", { resumption: false }, {}],
        ["the server does not want it", {}, { tickets: false }],
        ["they are over", { resumption: { lifetime: 0 } }, {}]
      ] as const satisfies ReadonlyArray<readonly [string, Tls.ClientOptions, Partial<Tls.ServerOptions>]>
    ) {
      it.live(`are not resumed if ${what}`, () =>
        tight(Effect.gen(function*() {
          const made = yield* certificates
          yield* Effect.gen(function*() {
            const { meet } = yield* meetings(ground.endpoint)
            for (let n = 0; n < 2; n++) assert.isFalse((yield* meet).client.resumed)
          }).pipe(Effect.provide(stackOn(ground, made, client, server)))
        })))
    }

    it.live("are not given to clients that present certificates, unless that is asked for", () =>
      tight(Effect.gen(function*() {
        const made = yield* certificates
        const clientCertificates = { mode: "required", ca: made.ca } as const
        for (const server of [{ clientCertificates }, { clientCertificates, tickets: true }]) {
          yield* Effect.gen(function*() {
            const { meet } = yield* meetings(ground.endpoint)
            yield* meet
            const again = yield* meet
            assert.strictEqual(again.client.resumed, "tickets" in server)
            assert.isTrue(again.server.authorized)
            assert.strictEqual(again.server.chain[0].subject, "CN=a client")
          }).pipe(Effect.provide(stackOn(ground, made, { identity: made.client }, server)))
        }
      })))

    it.live("are of no use once the server has another identity, which is seen then", () =>
      tight(Effect.gen(function*() {
        const made = yield* certificates
        const { change, stream } = yield* changing(made.identity)
        yield* Effect.gen(function*() {
          const { meet } = yield* meetings(ground.endpoint)
          const pins = new Set<string>()
          for (let n = 0; n < 2; n++) pins.add((yield* meet).client.peer!.pin)
          assert.strictEqual(pins.size, 1)
          const renewed = yield* made.authority.issue()
          yield* change(renewed)
          const { client } = yield* meet
          assert.isFalse(client.resumed)
          assert.strictEqual(client.peer?.pin, Pin.of(renewed.certificate))
          assert.isTrue((yield* meet).client.resumed)
        }).pipe(Effect.provide(stackOn(ground, made, {}, { identity: stream })))
      })))

    it.live("are resumed until the keys of tickets change", () =>
      tight(Effect.gen(function*() {
        const made = yield* certificates
        const { change, stream } = yield* changing(keys())
        yield* Effect.gen(function*() {
          const { meet } = yield* meetings(ground.endpoint)
          yield* meet
          assert.isTrue((yield* meet).client.resumed)
          yield* change(keys())
          assert.isFalse((yield* meet).client.resumed)
        }).pipe(Effect.provide(stackOn(ground, made, {}, { tickets: { keys: stream } })))
      })))

    it.live("are resumed by another server with the same keys of tickets", () =>
      tight(Effect.gen(function*() {
        const { ca, identity } = yield* certificates
        const below = Layer.succeedContext(yield* Layer.build(ground.layer()))
        const client = yield* Layer.build(below.pipe(Tls.client({ trust: { ca }, serverName: "localhost" })))
        const shared = { keys: keys() }
        const visit = (endpoint: string | Endpoint.Endpoint, tickets: Tls.Tickets) =>
          Effect.scoped(Effect.gen(function*() {
            const listener = yield* listen(endpoint, soon).pipe(
              Effect.provide(below.pipe(Tls.server({ identity, tickets })))
            )
            yield* Effect.forkScoped(
              listener.run(
                (peer) => Effect.andThen(peer.send(Buffer.from("hello")), Effect.asVoid(collect(peer))),
                quiet
              )
            )
            return yield* Effect.scoped(Effect.gen(function*() {
              const connection = yield* Effect.provide(connect<TlsInfo>(listener.address, soon), client)
              yield* take(connection, 5)
              return { address: listener.address, resumed: detail(connection, TlsInfo).resumed }
            }))
          }))
        const { address } = yield* visit(ground.endpoint, shared)
        assert.isTrue((yield* visit(address, shared)).resumed)
        assert.isFalse((yield* visit(address, { keys: keys() })).resumed)
      })))
  })
}
