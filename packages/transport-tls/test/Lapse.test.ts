import { assert, it } from "@effect/vitest"
import { detail } from "@wirestack/protocol/Connection"
import type { Incident } from "@wirestack/protocol/Listener"
import * as MemoryTransport from "@wirestack/protocol/MemoryTransport"
import { collect } from "@wirestack/test-support"
import { Tls, TlsInfo } from "@wirestack/transport-tls"
import { Effect, Layer, Redacted, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { randomBytes } from "node:crypto"
import { certificates, connect, listen, soon, tight } from "./support.ts"

/** A client that resumes in memory, and servers that come and go there: what each knows of the client, or has against it. */
const visits = Effect.gen(function*() {
  const { authority, ca, identity } = yield* certificates
  const certificate = yield* authority.issue({ names: [], commonName: "a client", days: [-1, 1] })
  const below = Layer.succeedContext(yield* Layer.build(MemoryTransport.layer()))
  const trusting = { trust: { ca }, serverName: "localhost", resumption: { lifetime: "9 days" } } as const
  const client = yield* Layer.build(below.pipe(Tls.client({ ...trusting, identity: certificate })))
  const anonymous = yield* Layer.build(below.pipe(Tls.client(trusting)))
  const tickets = { keys: Redacted.make(new Uint8Array(randomBytes(48))) }
  const visit = (options: Partial<Tls.ServerOptions>, known = true) =>
    Effect.scoped(Effect.gen(function*() {
      const server = below.pipe(Tls.server({ identity, tickets, ...options }))
      const listener = yield* Effect.provide(listen<TlsInfo>("memory:here", soon), server)
      const incidents: Array<Incident> = []
      yield* Effect.forkScoped(listener.run(
        (peer) => Effect.andThen(peer.send(Buffer.from("hello")), Effect.asVoid(collect(peer))),
        { onIncident: (incident) => Effect.sync(() => void incidents.push(incident)) }
      ))
      const meeting: Effect.Effect<boolean, unknown, Scope.Scope> = Effect.gen(function*() {
        const connection = yield* connect<TlsInfo>("memory:here", soon)
        yield* connection.pull
        return detail(connection, TlsInfo).resumed
      }).pipe(Effect.provide(known ? client : anonymous))
      return yield* Effect.catch(Effect.scoped(meeting), () => {
        const [incident] = incidents
        assert(incident._tag === "HandshakeFailed" && incident.error.reason._tag === "CertificateInvalid")
        return Effect.succeed(incident.error.reason.code)
      })
    }))
  return visit
})

it.effect("a session is refused once the client's certificate has expired", () =>
  Effect.scoped(Effect.gen(function*() {
    yield* TestClock.setTime(Date.now())
    const { ca } = yield* certificates
    const visit = yield* visits
    const asking = { clientCertificates: { mode: "required", ca } } as const
    assert.strictEqual(yield* visit(asking), false)
    assert.strictEqual(yield* visit(asking), true)
    yield* TestClock.adjust("2 days")
    assert.strictEqual(yield* visit(asking), "expired")
  })))

it.live("a session counts only where the same is asked of clients", () =>
  tight(Effect.gen(function*() {
    const { ca, other } = yield* certificates
    const visit = yield* visits
    const asking = (mode: "required" | "optional", ca: string) => ({ clientCertificates: { mode, ca } })
    assert.strictEqual(yield* visit(asking("required", ca)), false)
    assert.strictEqual(yield* visit(asking("required", ca)), true)
    // It would have vouched for a certificate that is not accepted there.
    assert.strictEqual(yield* visit(asking("required", other.ca)), "unknown-authority")
    // And here for nothing.
    assert.strictEqual(yield* visit({}, false), false)
    assert.strictEqual(yield* visit({}, false), true)
    assert.strictEqual(yield* visit(asking("optional", ca), false), false)
  })))
