import { assert, it } from "@effect/vitest"
import { Protocol, Transport } from "@wirestack/protocol"
import type { Outcome } from "@wirestack/protocol/Outcome"
import { until } from "@wirestack/test-support"
import { Tcp } from "@wirestack/transport-tcp"
import { Tls } from "@wirestack/transport-tls"
import { Effect, Latch } from "effect"
import { once } from "node:events"
import * as Net from "node:net"
import * as NodeTls from "node:tls"
import { certificates, listen, quiet, soon, tight } from "./support.ts"

/** Shakes hands, says that it is done, and is gone before it can be told anything. */
const visit = (port: number, ca: string) =>
  Effect.promise(async () => {
    const socket = Net.connect(port, "127.0.0.1")
    const tls = NodeTls.connect({ socket, ca, servername: "localhost" }).on("error", () => {})
    await once(tls, "secureConnect")
    setImmediate(() => socket.resetAndDestroy())
    await once(socket, "close")
  })

it.live("a peer that resets the connection right after the handshake does not hold up the close", () =>
  tight(Effect.gen(function*() {
    const { ca, identity } = yield* certificates
    yield* Effect.gen(function*() {
      const { address, run } = yield* listen("127.0.0.1:0", soon)
      const outcomes: Array<Outcome> = []
      yield* Effect.forkScoped(run((connection) => {
        const closed = Effect.map(connection.closed, (outcome) => void outcomes.push(outcome))
        return Effect.andThen(Effect.forkDetach(closed), connection.send(new Uint8Array(10)))
      }, quiet))
      assert(address.place._tag === "Tcp")
      for (let n = 0; n < 10; n++) yield* visit(address.place.port, ca)
      yield* until(() => outcomes.length === 10)
      for (const { clean, error, layers } of outcomes) {
        assert.isFalse(clean)
        assert.strictEqual(error?.reason._tag, "Reset")
        assert.isTrue(layers[0].settled)
      }
    }).pipe(Effect.provide(Tcp.layer().pipe(Tls.server({ identity }))))
  })))

it.live("a peer that only ends its side is sent all that there is", () =>
  tight(Effect.gen(function*() {
    const { ca, identity } = yield* certificates
    yield* Effect.gen(function*() {
      const { address, run } = yield* listen("127.0.0.1:0", soon)
      yield* Effect.forkScoped(run(({ send }) =>
        Effect.forEach(
          Array.from({ length: 400 }, (_, n) => n),
          (n) =>
            Effect.andThen(
              send(new Uint8Array(n % 3 === 0 ? 30_000 : 10)),
              n % 7 === 0 ? Effect.yieldNow : Effect.void
            ),
          {
            discard: true
          }
        ), quiet))
      assert(address.place._tag === "Tcp")
      // Of a socket, which its types don't say.
      const options: object = { allowHalfOpen: true }
      const socket = NodeTls.connect({ ca, port: address.place.port, servername: "localhost", ...options })
      yield* Effect.promise(() => once(socket, "secureConnect"))
      socket.end()
      let size = 0
      for (const chunk of yield* Effect.promise(() => socket.toArray())) size += chunk.length
      assert.strictEqual(size, 134 * 30_000 + 266 * 10)
    }).pipe(Effect.provide(Tcp.layer().pipe(Tls.server({ identity }))))
  })))

it.live("a connection that is cut as soon as it closes does not hold up a drain", () =>
  tight(Effect.gen(function*() {
    const { ca, identity } = yield* certificates
    const asked = yield* Latch.make()
    const parting = Protocol.within(Transport.Bytes)({
      layer: "parting",
      below: (ask) => ({ ...ask, turnsAway: true }),
      client: Effect.succeed,
      server: ({ send }) =>
        Effect.onInterrupt(Effect.andThen(asked.open, Effect.never), () => Effect.ignore(send(new Uint8Array(10))))
    })
    yield* Effect.gen(function*() {
      const { address, drain, run } = yield* listen("127.0.0.1:0")
      yield* Effect.forkScoped(Effect.exit(run(() => Effect.void, quiet)))
      assert(address.place._tag === "Tcp")
      const socket = NodeTls.connect({ port: address.place.port, host: "127.0.0.1", ca, servername: "localhost" })
      const closed = once(socket.on("error", () => {}).resume(), "close")
      yield* asked.await
      const { refused, took } = yield* drain({ within: 0 })
      assert.strictEqual(refused, 1)
      assert.isBelow(took, 900)
      yield* Effect.promise(() => closed)
    }).pipe(Effect.provide(Tcp.layer().pipe(Tls.server({ identity }), parting)))
  })))
