import { assert, describe, it } from "@effect/vitest"
import * as Connection from "@wirestack/protocol/Connection"
import * as Transport from "@wirestack/protocol/Transport"
import { Multicast, UdpInfo } from "@wirestack/transport-udp"
import { Effect, Layer, type Scope } from "effect"
import * as Dgram from "node:dgram"
import * as Os from "node:os"
import { bytes, text, tight } from "./support.ts"

const join = Transport.connect(Multicast.Packets)
const address = "239.255.77.7"

/** A port that nobody has, and whether this machine carries groups on its loopback. */
const { carries, port } = await new Promise<{ readonly carries: boolean; readonly port: number }>((resolve) => {
  const socket = Dgram.createSocket("udp4")
  const done = (carries: boolean) => {
    resolve({ carries, port: socket.address().port })
    socket.close()
  }
  socket.on("error", () => done(false))
  socket.bind(0, () => {
    try {
      socket.addMembership(address, "127.0.0.1")
      done(true)
    } catch {
      done(false)
    }
  })
})

const group = `${address}:${port}`

const member = (options?: Multicast.Options) =>
  Effect.flatMap(
    Layer.build(Multicast.layer({ interface: "127.0.0.1", ...options })),
    (stack) => Effect.provide(join<UdpInfo>(group), stack)
  )

const live = <E>(name: string, program: Effect.Effect<unknown, E, Scope.Scope>) => it.live(name, () => tight(program))

describe.skipIf(!carries)(`a group${carries ? "" : " (skipped: there is no multicast here)"}`, () => {
  live(
    "is one connection, whose packets say who has sent them",
    Effect.gen(function*() {
      const members = [yield* member(), yield* member()]
      for (const [at, { send }] of members.entries()) {
        yield* send(bytes(`from ${at}`))
        for (const { pull } of members) {
          const [{ payload, source }] = yield* pull
          assert.strictEqual(text(payload), `from ${at}`)
          assert.strictEqual(source.host, "127.0.0.1")
          assert.strictEqual(source.port, port)
        }
      }
      const info = Connection.detail(members[0], UdpInfo)
      assert.deepStrictEqual(info.remote, { host: address, port })
      assert.deepInclude(info, { datagramsSent: 1, datagramsReceived: 2 })
    })
  )

  const outer = Object.values(Os.networkInterfaces()).flat().find((on) => on?.family === "IPv4" && !on.internal)
    ?.address
  const skipped = outer === undefined ? " (skipped: the only interface is the loopback)" : ""
  it.live.skipIf(outer === undefined)(`need not hear itself${skipped}`, () =>
    tight(Effect.gen(function*() {
      // No router is passed: it stays on this machine.
      const on = { interface: outer!, hopLimit: 0 }
      const silent = yield* member({ ...on, loopback: false })
      const heard = yield* member(on)
      yield* silent.send(bytes("unheard on this machine"))
      yield* heard.send(bytes("heard"))
      const [{ payload }] = yield* silent.pull
      assert.strictEqual(text(payload), "heard")
    })))

  live(
    "may have one source only",
    Effect.gen(function*() {
      const listening = yield* member({ source: "127.0.0.1" })
      const deaf = yield* member({ source: "127.0.0.9" })
      yield* (yield* member()).send(bytes("from 127.0.0.1"))
      assert.strictEqual(text((yield* listening.pull)[0].payload), "from 127.0.0.1")
      assert.strictEqual(Connection.detail(deaf, UdpInfo).datagramsReceived, 0)
    })
  )

  it.live.skipIf(outer === undefined)(
    `may have one source only, on whichever interface others have joined${skipped}`,
    () =>
      tight(Effect.gen(function*() {
        const deaf = yield* member({ source: "127.0.0.9" })
        const other = yield* member({ interface: outer!, hopLimit: 0 })
        const listening = yield* member({ interface: outer!, hopLimit: 0, source: outer! })
        yield* other.send(bytes("from elsewhere"))
        for (const { pull } of [other, listening]) assert.strictEqual(text((yield* pull)[0].payload), "from elsewhere")
        assert.strictEqual(Connection.detail(deaf, UdpInfo).datagramsReceived, 0)
      }))
  )

  live(
    "is left when the scope closes",
    Effect.gen(function*() {
      const left = yield* Effect.scoped(member())
      const staying = yield* member()
      yield* staying.send(bytes("x"))
      yield* staying.pull
      assert.deepInclude(yield* left.closed, { first: "local", clean: true, undelivered: 0 })
    })
  )
})

describe("what is no group", () => {
  for (
    const [input, tag] of [["127.0.0.1:5000", "InvalidEndpoint"], ["localhost:5000", "InvalidEndpoint"], [
      "memory:x",
      "InvalidEndpoint"
    ], ["tls://239.1.1.1:5", "LayersMissing"]] as const
  ) {
    live(
      `${input} is refused`,
      Effect.gen(function*() {
        const stack = yield* Layer.build(Multicast.layer())
        const error = yield* Effect.flip(Effect.provide(join(input), stack))
        assert.strictEqual(error.reason._tag, tag)
      })
    )
  }

  live(
    "an interface that is not there",
    Effect.gen(function*() {
      const stack = yield* Layer.build(Multicast.layer({ interface: "198.51.100.1" }))
      const error = yield* Effect.flip(Effect.provide(join(group), stack))
      assert.include(["Unreachable", "Other"], error.reason._tag)
    })
  )
})
