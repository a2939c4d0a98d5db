import { assert, describe, it } from "@effect/vitest"
import {
  Connection,
  DataTransferReport,
  Faults,
  Link,
  MemoryTransport,
  Network,
  type Plan,
  Transport
} from "@wirestack/protocol"
import { withoutLeaks } from "@wirestack/protocol/testing"
import { collect, reasonOf } from "@wirestack/test-support"
import { Cause, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Parting from "../support/Parting.ts"
import { turns } from "../support/turns.ts"
import { arrivals, bytes, connected } from "./support.ts"

/** What a server sees of 10 bytes that are sent at the beginning, within so many seconds. */
const seen = (plan: Plan.Plan<"bytes">, seconds = 10) =>
  Effect.scoped(Effect.gen(function*() {
    const { client, server } = yield* connected({ plan })
    const arrived = yield* arrivals(server)
    yield* client.send(bytes(10))
    yield* turns
    yield* TestClock.adjust(seconds * 1_000)
    yield* turns
    return arrived
  }))

const forever = 1_000_000

describe("conditions", () => {
  it.effect("nothing happens by default", () =>
    Effect.map(seen({}), (arrived) => assert.deepStrictEqual(arrived, [[0, 10]])))

  it.effect("delays", () =>
    Effect.map(seen({ sent: { delay: "30 millis" } }), (arrived) => assert.deepStrictEqual(arrived, [[30, 10]])))

  it.effect("has a bandwidth", () =>
    Effect.map(
      seen({ sent: { bandwidth: 100, split: 1 } }),
      (arrived) => assert.deepStrictEqual(arrived, Array.from({ length: 10 }, (_, n) => [10 * (n + 1), 1] as const))
    ))

  it.effect("splits into pieces of any size up to the largest, all of them", () =>
    Effect.gen(function*() {
      const arrived = yield* seen({ seed: 3, sent: { split: 4 } })
      const sizes = arrived.map(([, size]) => size as number)
      assert.isAbove(new Set(sizes).size, 1)
      assert.isAtMost(Math.max(...sizes), 4)
      assert.strictEqual(sizes.reduce((sum, size) => sum + size), 10)
    }))

  it.effect("merges what comes within a time", () =>
    Effect.map(
      seen({ sent: { bandwidth: 100, split: 1, merge: "35 millis" } }),
      (arrived) => assert.deepStrictEqual(arrived, [[35, 3], [70, 4], [105, 3]])
    ))

  it.effect("jitters, and keeps the order", () =>
    Effect.scoped(Effect.gen(function*() {
      const { client, server } = yield* connected({ plan: { seed: 2, sent: { jitter: "1 seconds" } } })
      const fiber = yield* Effect.forkScoped(collect(server))
      for (let n = 0; n < 20; n++) yield* client.send(Uint8Array.of(n))
      yield* client.end
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual([...yield* Fiber.join(fiber)], [...bytes(20)])
    })))

  it.effect("flips bits, about as often as it is told", () =>
    Effect.scoped(Effect.gen(function*() {
      const { client, server } = yield* connected({ plan: { seed: 1, sent: { corruptEvery: 100 } } })
      const fiber = yield* Effect.forkScoped(collect(server))
      const sent = Buffer.alloc(10_000)
      yield* client.send(sent)
      yield* client.end
      const wrong = (yield* Fiber.join(fiber)).filter((byte) => byte !== 0)
      assert.isTrue(wrong.every((byte) => Number.isInteger(Math.log2(byte))))
      assert.approximately(wrong.length, 100, 40)
      assert.isTrue(sent.every((byte) => byte === 0), "what was sent is nobody's to change")
    })))

  it.effect("does the same for the same seed, and something else for another", () => {
    const sizes = (seed: number) =>
      Effect.map(seen({ seed, sent: { split: 3, jitter: "1 seconds" } }), (arrived) => arrived.map(([, size]) => size))
    return Effect.gen(function*() {
      const first = yield* sizes(1)
      assert.deepStrictEqual(yield* sizes(1), first)
      assert.notDeepEqual(yield* sizes(2), first)
    })
  })
})

describe("mishaps", () => {
  it.effect("resets after so many bytes, which have arrived, and both ends see it", () =>
    Effect.scoped(Effect.gen(function*() {
      const { client, server } = yield* connected({ plan: { mishaps: [{ after: { sent: 7 }, what: "reset" }] } })
      const arrived = yield* arrivals(server)
      yield* client.send(bytes(10))
      yield* turns
      assert.deepStrictEqual(arrived, [[0, 7], [0, "Reset"]])
      assert.strictEqual((yield* reasonOf(collect(client)))._tag, "Reset")
      assert.include(yield* client.closed, { first: "none", clean: false })
    })))

  it.effect("resets after a time", () =>
    Effect.map(
      seen({ mishaps: [{ after: "3 seconds", what: "reset" }] }),
      (arrived) => assert.deepStrictEqual(arrived.map(([, what]) => what), [10, "Reset"])
    ))

  it.effect("ends early", () =>
    Effect.map(
      seen({ mishaps: [{ after: { sent: 4 }, what: "end", way: "sent" }] }),
      (arrived) => assert.deepStrictEqual(arrived, [[0, 4], [0, "end"]])
    ))

  it.effect("ends early what is received", () =>
    Effect.scoped(Effect.gen(function*() {
      const mishaps = [{ after: { received: 4 }, what: "end", way: "received" }] as const
      const { client, server } = yield* connected({ plan: { mishaps } })
      yield* server.send(bytes(10))
      assert.deepStrictEqual([...yield* collect(client)], [...bytes(4)])
    })))

  it.effect("loses the peer without a word", () =>
    Effect.map(
      seen({ mishaps: [{ after: { sent: 4 }, what: "lose" }] }, forever),
      (arrived) => assert.deepStrictEqual(arrived, [[0, 4]])
    ))

  it.effect("takes what is lost, as a system does", () =>
    Effect.scoped(Effect.gen(function*() {
      const { client } = yield* connected({ plan: { mishaps: [{ after: { sent: 0 }, what: "lose" }] } })
      for (let n = 0; n < 10; n++) yield* client.send(bytes(60_000))
    })))

  it.effect("a connection whose peer is lost closes within its budget, and the peer never hears of it", () =>
    withoutLeaks(Effect.scoped(Effect.gen(function*() {
      const { client, close, server } = yield* connected({ plan: { mishaps: [{ after: { sent: 4 }, what: "lose" }] } })
      const arrived = yield* arrivals(server)
      yield* client.send(bytes(10))
      const closing = yield* Effect.forkScoped(close)
      yield* turns
      yield* TestClock.adjust("6 seconds")
      yield* Fiber.join(closing)
      assert.include(yield* client.closed, { clean: false })
      yield* TestClock.adjust("1 hours")
      assert.deepStrictEqual(arrived, [[0, 4]])
      yield* server.abort
    }))))

  it.effect("holds for a time, and loses nothing", () =>
    Effect.map(
      seen({ sent: { delay: 5 }, mishaps: [{ after: { sent: 4 }, what: "hold", for: "2 seconds" }] }),
      (arrived) => assert.deepStrictEqual(arrived, [[5, 4], [2_005, 6]])
    ))

  it.effect("flips a bit of one byte", () =>
    Effect.scoped(Effect.gen(function*() {
      const { client, server } = yield* connected({
        plan: { mishaps: [{ after: { sent: 4 }, what: "flip", way: "sent" }] }
      })
      yield* client.send(new Uint8Array(10))
      yield* client.end
      const wrong = [...yield* collect(server)].flatMap((byte, at) => byte === 0 ? [] : [at])
      assert.deepStrictEqual(wrong, [4])
    })))

  it.effect("happens once, after whichever count is first", () =>
    Effect.scoped(Effect.gen(function*() {
      const mishaps = [{ after: { sent: 2, received: 1 }, what: "flip", way: "sent" }] as const
      const { client, server } = yield* connected({ plan: { mishaps } })
      yield* client.send(new Uint8Array(3))
      yield* turns
      yield* server.send(bytes(2))
      yield* client.pull
      yield* turns
      yield* client.send(new Uint8Array(3))
      yield* client.end
      const wrong = [...yield* collect(server)].flatMap((byte, at) => byte === 0 ? [] : [at])
      assert.deepStrictEqual(wrong, [2])
    })))

  it.effect("a reader that stalls holds the sender back within bounds, and gets all of it", () =>
    Effect.scoped(Effect.gen(function*() {
      const stalled = [{ after: { received: 0 }, what: "hold", way: "received", for: "1 minutes" }] as const
      const { client, server } = yield* connected({ plan: { mishaps: stalled } })
      const total = 50
      let sent = 0
      const sending = yield* Effect.forkScoped(
        Effect.forEach(
          Array.from({ length: total }),
          () => Effect.andThen(server.send(bytes(10_000)), Effect.sync(() => sent++))
        )
      )
      const receiving = yield* Effect.forkScoped(Effect.flatMap(Fiber.join(sending), () => server.end))
      yield* turns
      yield* TestClock.adjust("30 seconds")
      assert.isAtMost(sent * 10_000, 3 * 65_536 + 10_000)
      yield* TestClock.adjust("40 seconds")
      assert.lengthOf(yield* collect(client), total * 10_000)
      yield* Fiber.join(receiving)
    })))
})

describe("connecting", () => {
  const failing = (connecting: Plan.Connecting) =>
    Effect.scoped(reasonOf(connected({ plan: { connecting }, connectWithin: "3 seconds" })))

  it.effect("is refused, or finds no way", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* failing({ fails: "refused" }))._tag, "Refused")
      assert.strictEqual((yield* failing({ fails: "unreachable" }))._tag, "Unreachable")
    }))

  it.effect("gets no answer in time", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(failing({ fails: "silent" }))
      yield* TestClock.adjust("3 seconds")
      assert.deepInclude(yield* Fiber.join(fiber), { _tag: "TimedOut", after: 3_000 })
    }))

  it.effect("takes its time", () =>
    Effect.scoped(Effect.gen(function*() {
      const fiber = yield* Effect.forkScoped(connected({ plan: { connecting: { delay: "2 seconds" } } }))
      yield* TestClock.adjust("1999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(fiber)
    })))
})

describe("the peer", () => {
  it.effect("has the faults, if it is the one that listens", () =>
    Effect.scoped(Effect.gen(function*() {
      const { client, server } = yield* connected({ at: "listen", plan: { sent: { delay: "1 seconds" } } })
      const [there, here] = [yield* arrivals(server), yield* arrivals(client)]
      yield* client.send(bytes(1))
      yield* server.send(bytes(2))
      yield* turns
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual([there, here], [[[0, 1]], [[1_000, 2]]])
    })))

  it.effect("that cuts is heard of behind what it has sent", () =>
    Effect.scoped(Effect.gen(function*() {
      const { client, server } = yield* connected({ plan: { received: { delay: "1 seconds" } } })
      const arrived = yield* arrivals(client)
      yield* server.send(bytes(3))
      yield* turns
      yield* server.abort
      yield* turns
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(arrived, [[1_000, 3], [1_000, "Reset"]])
    })))

  it.effect("that cuts ends our closing, too", () =>
    Effect.scoped(Effect.gen(function*() {
      const { client, close, server } = yield* connected({ plan: { sent: { delay: "1 seconds" } } })
      yield* client.send(bytes(3))
      const closing = yield* Effect.forkScoped(close)
      yield* turns
      yield* server.abort
      yield* Fiber.join(closing)
      assert.deepInclude((yield* client.closed).unsent, { bytes: 3 })
    })))

  it.effect("says goodbye through it", () =>
    Effect.scoped(Effect.gen(function*() {
      const listener = yield* Transport.listen(Parting.Parted)("memory:here")
      yield* Effect.forkScoped(listener.run((server) => server.send("hello")))
      const client = yield* Transport.connect(Parting.Parted)("memory:here")
      assert.deepStrictEqual(yield* client.pull, ["hello"])
      assert.isTrue(Cause.isDone(yield* Effect.flip(client.pull)))
      assert.include(yield* client.closed, { first: "remote", clean: true })
    })).pipe(
      Effect.provide(MemoryTransport.layerMessages().pipe(Parting.over(), Faults.over(Parting.Parted)()))
    ))

  it.effect("is not waited for by those who wait for room, once our end was ended early", () =>
    Effect.scoped(Effect.gen(function*() {
      const mishaps = [{ after: "1 seconds", what: "end", way: "sent" }] as const
      const { client, server } = yield* connected({ plan: { sent: { delay: "1 hours" }, mishaps } })
      const arrived = yield* arrivals(server)
      const sending = yield* Effect.forkScoped(
        Effect.andThen(client.send(bytes(70_000)), client.send(bytes(70_000)))
      )
      yield* turns
      assert.isUndefined(sending.pollUnsafe())
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(sending)
      assert.deepStrictEqual(arrived, [[1_000, "end"]])
    })))
})

describe("a link", () => {
  it.effect("holds and releases its connections, and those that are still to be made", () =>
    Effect.scoped(Effect.gen(function*() {
      const link = Link.make()
      const { client, server } = yield* connected({ link })
      assert.strictEqual(link.live, 1)
      const arrived = yield* arrivals(server)
      yield* link.hold
      yield* client.send(bytes(3))
      const late = yield* Effect.forkScoped(connected({ link }))
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(arrived, [])
      assert.isUndefined(late.pollUnsafe())
      yield* link.release
      yield* Fiber.join(late)
      yield* turns
      assert.deepStrictEqual(arrived, [[5_000, 3]])
      assert.strictEqual(link.live, 2)
    })))

  it.effect("cuts them, and leaves nothing", () =>
    withoutLeaks(Effect.scoped(Effect.gen(function*() {
      const link = Link.make()
      const { client, server } = yield* connected({ link, plan: { sent: { delay: "1 seconds" } } })
      const arrived = yield* arrivals(server)
      yield* client.send(bytes(3))
      yield* link.reset
      yield* turns
      assert.deepStrictEqual(arrived, [[0, "Reset"]])
      assert.deepInclude((yield* client.closed).unsent, { bytes: 3 })
      assert.strictEqual(link.live, 0)
    }))))

  it.effect("is given up while it is held: nobody hears of that", () =>
    withoutLeaks(Effect.scoped(Effect.gen(function*() {
      const link = Link.make()
      const { client, server } = yield* connected({ link })
      const arrived = yield* arrivals(server)
      yield* link.hold
      yield* client.abort
      yield* client.closed
      yield* link.release
      yield* TestClock.adjust("1 hours")
      assert.deepStrictEqual(arrived, [])
      yield* server.abort
    }))))
})

describe("messages and datagrams", () => {
  const sent = Array.from({ length: 200 }, (_, n) => `message ${n}`)

  const received = (plan: Plan.Plan<"messages">) =>
    Effect.scoped(Effect.gen(function*() {
      const connect = Transport.connect(Transport.Messages)("memory:here")
      const listener = yield* Transport.listen(Transport.Messages)("memory:here")
      yield* Effect.forkScoped(
        listener.run((server) => Effect.andThen(server.sendAll(sent as [string, ...Array<string>]), server.end))
      )
      const client = yield* connect
      const all: Array<unknown> = []
      const reading = yield* Effect.forkScoped(
        Effect.forever(Effect.map(client.pull, (batch) => void all.push(...batch)))
      )
      yield* turns
      yield* TestClock.adjust("10 seconds")
      yield* Effect.exit(Fiber.join(reading))
      return all
    })).pipe(
      Effect.provide(MemoryTransport.layerMessages().pipe(Faults.over(Transport.Messages)({ plan })))
    )

  it.effect("keep their order, whatever the jitter", () =>
    Effect.map(
      received({ received: { jitter: "1 seconds" } }),
      (all) => assert.deepStrictEqual(all, sent)
    ))

  it.effect("are dropped and come twice, as often as they are to", () =>
    Effect.gen(function*() {
      const dropped = yield* received({ received: { drop: 0.25 } })
      assert.approximately(dropped.length, 150, 25)
      assert.deepStrictEqual(dropped, sent.filter((message) => dropped.includes(message)))
      const doubled = yield* received({ received: { duplicate: 0.25 } })
      assert.approximately(doubled.length, 250, 25)
      assert.deepStrictEqual([...new Set(doubled)], sent)
    }))

  it.effect("only datagrams overtake one another", () =>
    Effect.scoped(Effect.gen(function*() {
      const listener = yield* Transport.listen(Transport.Datagrams)("memory:here")
      const all: Array<number> = []
      yield* Effect.forkScoped(
        listener.run((server) =>
          Effect.forever(Effect.map(server.pull, (batch) => void all.push(...batch.map((datagram) => datagram[0]))))
        )
      )
      const client = yield* Transport.connect(Transport.Datagrams)("memory:here")
      for (let n = 0; n < 50; n++) yield* client.send(Uint8Array.of(n))
      yield* TestClock.adjust("1 seconds")
      assert.notDeepEqual(all, [...bytes(50)])
      assert.deepStrictEqual(all.toSorted((a, b) => a - b), [...bytes(50)])
      yield* client.abort
    })).pipe(
      Effect.provide(
        MemoryTransport.layerDatagrams().pipe(
          Faults.over(Transport.Datagrams)({ plan: { sent: { jitter: "500 millis" } } })
        )
      )
    ))
})

describe("plans that mean nothing", () => {
  const bytePlans: ReadonlyArray<Plan.Plan<"bytes">> = [
    { sent: { delay: -5 } },
    { sent: { delay: Number.NaN } },
    { received: { jitter: "-1 millis" } },
    { sent: { merge: -1 } },
    { sent: { bandwidth: 0 } },
    { sent: { bandwidth: Number.NaN } },
    { sent: { split: 0 } },
    { sent: { split: -5 } },
    { sent: { split: 1.5 } },
    { received: { corruptEvery: 0 } },
    { connecting: { delay: -1 } },
    { mishaps: [{ after: -1, what: "reset" }] },
    { mishaps: [{ after: {}, what: "reset" }] },
    { mishaps: [{ after: { sent: 3.5 }, what: "reset" }] },
    { mishaps: [{ after: { received: Number.NaN }, what: "reset" }] },
    { mishaps: [{ after: 1, what: "hold", for: -1 }] }
  ]

  it("are refused", () => {
    for (const plan of bytePlans) {
      assert.throws(() => Faults.over(Transport.Bytes)({ plan }), RangeError, undefined, JSON.stringify(plan))
    }
    for (const sent of [{ drop: 2 }, { duplicate: -0.1 }]) {
      assert.throws(() => Faults.over(Transport.Messages)({ plan: { sent } }), RangeError)
    }
    assert.throws(() => Network.make({ delay: -1 }), RangeError)
  })

  it.effect("are defects of the connections they are made for", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.scoped(connected({ plan: () => ({ sent: { split: 0 } }) })))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    }))
})

describe("chance", () => {
  it("draws the same plans for a seed, and others for other connections", () => {
    const plans = (seed: number) => Array.from({ length: 20 }, (_, nth) => Faults.random({ seed })(nth))
    assert.deepStrictEqual(plans(4), plans(4))
    assert.strictEqual(new Set(plans(4).map((plan) => JSON.stringify(plan))).size, 20)
    assert.notDeepEqual(plans(4), plans(5))
  })

  it("has nothing lost by what is harmless", () => {
    const lossy = Array.from({ length: 500 }, (_, nth) => Faults.random({ seed: 1, chances: Faults.harmless })(nth))
      .filter(({ connecting, mishaps, sent }) =>
        connecting?.fails !== undefined || sent?.corruptEvery !== undefined ||
        mishaps?.some(({ what }) => what !== "hold")
      )
    assert.deepStrictEqual(lossy, [])
  })

  it("plans survive being printed", () => {
    const plan = Faults.random({ seed: 12 })(3)
    assert.deepStrictEqual(JSON.parse(JSON.stringify(plan)), plan)
  })
})

it.effect("counts what has passed, as every layer does", () =>
  Effect.scoped(Effect.gen(function*() {
    const { client } = yield* connected({ plan: { sent: { split: 3 } } })
    yield* client.send(bytes(10))
    const [faults] = (yield* DataTransferReport.of(client)).layers
    assert.strictEqual(faults.layer, "faults")
    assert.strictEqual(faults.sent.bytes, 10)
    assert.strictEqual(Connection.peer(client), undefined)
  })))
