import { assert, describe, it } from "@effect/vitest"
import * as Transport from "@wirestack/protocol/Transport"
import { Tcp } from "@wirestack/transport-tcp"
import { Cause, Deferred, Effect, Exit, Layer } from "effect"
import * as Net from "node:net"
import { tuning } from "../src/internal/tuning.ts"

/** What is asked of a connected socket. */
const askedOf = (options: Tcp.Options) => {
  const asked: Array<ReadonlyArray<unknown>> = []
  const note = (name: string) => (...values: ReadonlyArray<unknown>) => void asked.push([name, ...values])
  const { connected, made } = tuning(options)
  connected({ setKeepAlive: note("setKeepAlive"), setTypeOfService: note("setTypeOfService") } as never)
  return { made, asked }
}

describe("options", () => {
  it("by default small pieces leave at once, and nothing is probed", () => {
    assert.deepStrictEqual(askedOf({}), { made: { noDelay: true }, asked: [] })
    assert.deepStrictEqual(askedOf({ noDelay: false, keepAlive: false }), { made: { noDelay: false }, asked: [] })
  })

  it("a time alone is when the first probe is sent, in whole seconds", () => {
    for (const [time, delay] of [["1 minute", 60_000], ["1500 millis", 2_000], ["1 millis", 1_000]] as const) {
      assert.deepStrictEqual(askedOf({ keepAlive: time }), {
        made: { noDelay: true, keepAlive: true, keepAliveInitialDelay: delay },
        asked: []
      })
    }
  })

  it("interval and count are set on the connected socket, and so is the type of service", () => {
    const keepAlive = { idle: "30 seconds", interval: "5 seconds", count: 3 } as const
    assert.deepStrictEqual(askedOf({ keepAlive, typeOfService: 0xb8 }), {
      made: { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 },
      asked: [["setKeepAlive", true, 30_000, 5_000, 3], ["setTypeOfService", 0xb8]]
    })
    assert.deepStrictEqual(askedOf({ keepAlive: { idle: "2 seconds", count: 4 } }).asked, [
      ["setKeepAlive", true, 2_000, undefined, 4]
    ])
    tuning({ typeOfService: 1 }).connected({} as never)
  })
})

const wrong: ReadonlyArray<Tcp.Options> = [
  { typeOfService: 256 },
  { typeOfService: 1.5 },
  { keepAlive: "10 hours" },
  { keepAlive: Infinity },
  { keepAlive: { idle: "1 second", interval: "1 day" } },
  { keepAlive: { idle: "1 second", count: 0 } },
  { keepAlive: { idle: "1 second", count: 128 } },
  { keepAlive: { idle: "1 second", count: NaN } }
]
for (const options of wrong) {
  it.effect(`what no system takes is found out when the layer is built: ${JSON.stringify(options)}`, () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(Tcp.layer(options))))
      assert(Exit.isFailure(exit))
      assert.instanceOf(Cause.squash(exit.cause), RangeError)
    }))
}

it("a setting that fails is the end of its connection, and not of the process", () => {
  const failure = new Error("setTypeOfService EINVAL")
  let destroyed: unknown
  tuning({ typeOfService: 1 }).connected({
    setTypeOfService: () => {
      throw failure
    },
    destroy: (cause: unknown) => void (destroyed = cause)
  } as never)
  assert.strictEqual(destroyed, failure)
})

const knows = "setTypeOfService" in Net.Socket.prototype

it.live.skipIf(!knows)(
  "the system has the type of service, on both sides (skipped: Node has it since 24.15)",
  () =>
    Effect.gen(function*() {
      const read: Array<number> = []
      const layer = Tcp.layer({ typeOfService: 0x10 })
      const spied = Net.Socket.prototype.setTypeOfService
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          Net.Socket.prototype.setTypeOfService = function(value) {
            spied.call(this, value)
            read.push(this.getTypeOfService())
            return this
          }
        }),
        () => Effect.sync(() => void (Net.Socket.prototype.setTypeOfService = spied))
      )
      const program = Effect.gen(function*() {
        const listener = yield* Transport.listen(Transport.Bytes)("127.0.0.1:0")
        const accepted = yield* Deferred.make<void>()
        yield* Effect.forkScoped(listener.run(() => Deferred.succeed(accepted, undefined)))
        yield* Transport.connect(Transport.Bytes)(listener.address)
        yield* Deferred.await(accepted)
      })
      yield* Effect.provide(Effect.scoped(program), layer)
      assert.deepStrictEqual(read, [0x10, 0x10])
    }).pipe(Effect.scoped)
)
