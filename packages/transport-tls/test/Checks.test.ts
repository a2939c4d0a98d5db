import { assert, describe, it } from "@effect/vitest"
import { reasonOf, until } from "@wirestack/test-support"
import { Pin, type Tls } from "@wirestack/transport-tls"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import { Context, Deferred, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { certificates, connect, grounds, type Info, listen, meeting, quiet, soon, stackOn, tight } from "./support.ts"

/** Tries to connect; whether the server's handler has received anything. */
const refused = (endpoint: string) =>
  Effect.gen(function*() {
    const listener = yield* listen(endpoint, soon)
    let delivered = false
    yield* Effect.forkScoped(
      listener.run((connection) => Effect.map(connection.pull, () => void (delivered = true)), quiet)
    )
    const reason = yield* reasonOf(Effect.scoped(connect(listener.address, soon)))
    assert(reason._tag === "CertificateInvalid", reason.message)
    assert.isFalse(delivered)
    return reason
  })

for (const [title, ground] of Object.entries(grounds)) {
  describe(`the chain (${title})`, () => {
    it.live("is there, leaf first, up to the authority", () =>
      tight(Effect.gen(function*() {
        const made = yield* certificates
        const { client, server } = yield* meeting(ground.endpoint).pipe(Effect.provide(stackOn(ground, made, {
          identity: made.client
        }, { clientCertificates: { mode: "required", ca: made.ca } })))
        assert.deepStrictEqual(client.chain.map(({ subject }) => subject), ["CN=localhost", "CN=Development Authority"])
        assert.deepStrictEqual(server.chain.map(({ subject }) => subject), ["CN=a client", "CN=Development Authority"])
        assert.strictEqual(client.chain[0].pin, Pin.of(made.identity.certificate))
        assert.strictEqual(client.chain[1].pin, Pin.of(made.ca))
        assert.deepStrictEqual(Buffer.from(client.chain[0].raw), Buffer.from(client.peer!.raw))
      })))

    it.live("ends where a certificate has not signed the one before, whatever its name", () =>
      tight(Effect.gen(function*() {
        const made = yield* certificates
        const impostor = yield* DevelopmentCertificates.make()
        const identity = { ...made.identity, certificate: made.identity.certificate + "\n" + impostor.ca }
        const { client } = yield* meeting(ground.endpoint).pipe(
          Effect.provide(stackOn(ground, made, { trust: "insecure" }, { identity }))
        )
        assert.deepStrictEqual(client.chain.map(({ pin }) => pin), [Pin.of(made.identity.certificate)])
      })))
  })

  describe(`pins (${title})`, () => {
    it.live("of the leaf or of the authority let a server pass", () =>
      tight(Effect.gen(function*() {
        const made = yield* certificates
        for (const pin of [Pin.of(made.identity.certificate), Pin.of(made.ca)]) {
          const { client } = yield* meeting(ground.endpoint).pipe(
            Effect.provide(stackOn(ground, made, { pins: [Pin.of(made.other.ca), pin] }))
          )
          assert.isTrue(client.authorized)
        }
      })))

    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      it.live(`of others refuse it, ${maxVersion}`, () =>
        tight(Effect.gen(function*() {
          const made = yield* certificates
          const reason = yield* refused(ground.endpoint).pipe(
            Effect.provide(stackOn(ground, made, { maxVersion, pins: [Pin.of(made.other.ca)] }))
          )
          assert.strictEqual(reason.code, "pin-mismatch")
          assert.include(reason.message, Pin.of(made.ca))
        })))
    }

    it.live("of certificates that are shown, and have signed nothing, refuse it", () =>
      tight(Effect.gen(function*() {
        const made = yield* certificates
        // It has the name of the authority, and another key.
        const impostor = yield* DevelopmentCertificates.make()
        const { certificate, key } = yield* impostor.issue()
        for (const shown of [made.ca, made.identity.certificate, `${impostor.ca}\n${made.ca}`]) {
          const identity = { certificate: `${certificate}\n${shown}`, key }
          const pins = [Pin.of(made.ca), Pin.of(made.identity.certificate)]
          const reason = yield* refused(ground.endpoint).pipe(
            Effect.provide(stackOn(ground, made, { trust: "insecure", pins }, { identity }))
          )
          assert.strictEqual(reason.code, "pin-mismatch")
        }
      })))

    it.live("hold although trust is insecure", () =>
      tight(Effect.gen(function*() {
        const made = yield* certificates
        const attempt = (pin: Pin.Pin) => stackOn(ground, made, { trust: "insecure", pins: [pin] })
        const good = yield* meeting(ground.endpoint).pipe(Effect.provide(attempt(Pin.of(made.identity.certificate))))
        assert.isFalse(good.client.authorized)
        const bad = yield* refused(ground.endpoint).pipe(Effect.provide(attempt(Pin.of(made.foreign.certificate))))
        assert.strictEqual(bad.code, "pin-mismatch")
      })))
  })

  describe(`a verification of one's own (${title})`, () => {
    class Allowed extends Context.Service<Allowed, ReadonlyArray<string>>()("test/Allowed") {}

    const verify = ({ peer }: Info) =>
      Effect.flatMap(
        Allowed,
        (allowed) => peer !== undefined && allowed.includes(peer.subject) ? Effect.void : Effect.fail("not on the list")
      )

    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      it.live(`has the services of the layer, and refuses a server, ${maxVersion}`, () =>
        tight(Effect.gen(function*() {
          const made = yield* certificates
          const stack = (allowed: string) =>
            stackOn(ground, made, { maxVersion, verify }).pipe(Layer.provide(Layer.succeed(Allowed, [allowed])))
          assert.isTrue((yield* meeting(ground.endpoint).pipe(Effect.provide(stack("CN=localhost")))).client.authorized)
          const reason = yield* refused(ground.endpoint).pipe(Effect.provide(stack("CN=other")))
          assert.strictEqual(reason.code, "rejected")
          assert.strictEqual(reason.detail, "not on the list")
        })))
    }

    it.live("refuses a client before its handler sees it", () =>
      tight(Effect.gen(function*() {
        const made = yield* certificates
        const seen: Array<string> = []
        const server: Partial<Tls.ServerOptions> = {
          clientCertificates: { mode: "required", ca: made.ca },
          verify: ({ chain }) => Effect.fail(chain[0].subject)
        }
        yield* Effect.gen(function*() {
          const listener = yield* listen(ground.endpoint, soon)
          yield* Effect.forkScoped(listener.run(() => Effect.die("let in"), {
            onIncident: (incident) =>
              Effect.sync(() => {
                assert(incident._tag === "HandshakeFailed" && incident.error.reason._tag === "CertificateInvalid")
                seen.push(`${incident.error.reason.code} ${incident.error.reason.detail}`)
              })
          }))
          yield* Effect.exit(Effect.scoped(Effect.flatMap(connect(listener.address, soon), ({ pull }) => pull)))
          yield* until(() => seen.length > 0)
          assert.deepStrictEqual(seen, ["rejected CN=a client"])
        }).pipe(Effect.provide(stackOn(ground, made, { identity: made.client }, server)))
      })))
  })
}

it.effect("a verification of one's own has the time of the handshake", () =>
  Effect.gen(function*() {
    const made = yield* certificates
    const verifying = yield* Deferred.make<void>()
    const verify = () => Effect.andThen(Deferred.succeed(verifying, undefined), Effect.never)
    yield* Effect.gen(function*() {
      const listener = yield* listen("memory:here", soon)
      yield* Effect.forkScoped(listener.run((connection) => Effect.asVoid(connection.closed), quiet))
      const connecting = yield* Effect.forkChild(reasonOf(connect("memory:here", soon)))
      yield* Deferred.await(verifying)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(connecting))._tag, "TimedOut")
    }).pipe(Effect.scoped, Effect.provide(stackOn(grounds.memory, made, { verify })))
  }))
