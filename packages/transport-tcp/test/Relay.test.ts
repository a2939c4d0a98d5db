import { assert, describe, it } from "@effect/vitest"
import { Endpoint, Faults, Link, type Plan, Relay, Transport } from "@wirestack/protocol"
import { withoutLeaks } from "@wirestack/protocol/testing"
import { collect, reasonOf, resources, take } from "@wirestack/test-support"
import { Tcp } from "@wirestack/transport-tcp"
import { Clock, Effect, Layer } from "effect"

const soon = { closeWithin: "200 millis", drain: { within: "200 millis" } } as const

/** An echo behind a relay with faults, and a connection to it. */
const relayed = (options: Faults.Options<"bytes">) =>
  Effect.gen(function*() {
    const echo = yield* Transport.listen(Transport.Bytes)("127.0.0.1:0", soon)
    yield* Effect.forkScoped(
      echo.run((near) => Effect.forever(Effect.flatMap(near.pull, near.sendAll)), { onIncident: () => Effect.void })
    )
    const relay = yield* Transport.listen(Transport.Bytes)("127.0.0.1:0", soon)
    const faulty = yield* Layer.build(Tcp.layer().pipe(Faults.over(Transport.Bytes)(options)))
    const far = Effect.provide(Relay.through(Endpoint.format(echo.address), soon), faulty)
    yield* Effect.forkScoped(relay.run(Relay.to(far), { onIncident: () => Effect.void }))
    return yield* Transport.connect(Transport.Bytes)(relay.address, soon)
  })

const run = <A, E>(program: Effect.Effect<A, E, any>) =>
  withoutLeaks(Effect.scoped(Effect.provide(program, Tcp.layer())) as Effect.Effect<A, E>, resources)

const hello = new TextEncoder().encode("hello, relay")

describe("a relay between sockets", () => {
  it.live("passes on bytes and ends", () =>
    run(Effect.gen(function*() {
      const client = yield* relayed({ plan: { sent: { split: 3 } } })
      yield* client.send(hello)
      assert.strictEqual((yield* take(client, hello.length)).toString(), "hello, relay")
      yield* client.end
      assert.lengthOf(yield* collect(client), 0)
    })))

  it.live("makes a RST of a reset", () =>
    run(Effect.gen(function*() {
      const mishaps: ReadonlyArray<Plan.Mishap> = [{ after: { received: hello.length }, what: "reset" }]
      const client = yield* relayed({ plan: { mishaps } })
      yield* client.send(hello)
      assert.strictEqual((yield* reasonOf(collect(client)))._tag, "Reset")
    })))

  it.live("goes on after it was held", () =>
    run(Effect.gen(function*() {
      const link = Link.make()
      const client = yield* relayed({ link })
      yield* client.send(hello)
      yield* take(client, hello.length)
      yield* link.hold
      yield* client.send(hello)
      assert.isTrue((yield* Effect.timeoutOption(client.pull, "30 millis"))._tag === "None")
      yield* link.release
      assert.strictEqual((yield* take(client, hello.length)).toString(), "hello, relay")
    })))

  it.live("is as slow as it is told to be", () =>
    run(Effect.gen(function*() {
      const client = yield* relayed({ plan: { sent: { bandwidth: 100_000 } } })
      const start = yield* Clock.currentTimeMillis
      yield* client.send(new Uint8Array(10_000))
      yield* take(client, 10_000)
      assert.isAtLeast((yield* Clock.currentTimeMillis) - start, 95)
    })))

  it.live("a peer that is gone is not heard of, and costs the client its budget", () =>
    run(Effect.gen(function*() {
      const client = yield* relayed({ plan: { mishaps: [{ after: { sent: 1 }, what: "lose" }] } })
      yield* client.send(hello)
      assert.isTrue((yield* Effect.timeoutOption(client.pull, "30 millis"))._tag === "None")
    })))
})
