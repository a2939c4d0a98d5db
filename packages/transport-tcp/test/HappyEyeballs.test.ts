import { assert, describe, it } from "@effect/vitest"
import { type ConnectReason, Refused, Unresolved } from "@wirestack/protocol/ConnectError"
import { HappyEyeballs } from "@wirestack/transport-tcp"
import { Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"

/** An answer to a lookup, after so many milliseconds; none if there are no addresses. */
type Answer = readonly [after: number, ...addresses: ReadonlyArray<string>]

/** What an address does, after so many milliseconds. */
type Behaviour = readonly ["connects" | "refuses", after: number] | "silent"

interface Network {
  readonly v6?: Answer
  readonly v4?: Answer
  readonly addresses?: Readonly<Record<string, Behaviour>>
  readonly timing?: Partial<HappyEyeballs.Timing>
  readonly within?: number
}

const lookup = ([after, ...addresses]: Answer): Effect.Effect<ReadonlyArray<string>, ConnectReason> =>
  Effect.delay(
    addresses.length > 0
      ? Effect.succeed(addresses)
      : Effect.fail(new Unresolved({ host: "a.test", cause: "no such name" })),
    after
  )

/** A network in which it is counted what is open. */
const simulate = ({ addresses = {}, timing, v4 = [0], v6 = [0], within = 10_000 }: Network) => {
  const open = new Set<string>()
  const race: HappyEyeballs.Race<string, string> = {
    lookups: [lookup(v6), lookup(v4)],
    connect: (address) =>
      Effect.suspend(() => {
        const behaviour = addresses[address] ?? "silent"
        if (behaviour === "silent") return Effect.never
        const [what, after] = behaviour
        return Effect.delay(
          what === "refuses" ? Effect.fail(new Refused({ address, cause: undefined })) : Effect.sync(() => {
            open.add(address)
            return address
          }),
          after
        )
      }),
    close: (address) => void open.delete(address),
    ...timing === undefined ? {} : { timing },
    within
  }
  return { race, open }
}

/** More time than any of these races takes, a millisecond after the other: what happens in one is over before the next. */
const passing = Effect.forEach(Array.from({ length: 3_500 }), () => TestClock.adjust(1), { discard: true })

/** When each address was tried. */
const times = ({ attempts }: HappyEyeballs.Course<string>) =>
  attempts.map(({ address, after }) => [address, after] as const)

const succeeds = (
  name: string,
  network: Network,
  expected: { readonly tried: ReadonlyArray<readonly [string, number]>; readonly winner: string; readonly at: number }
) =>
  it.effect(name, () =>
    Effect.gen(function*() {
      const { open, race } = simulate(network)
      const running = yield* Effect.forkChild(HappyEyeballs.run(race, Effect.succeed), { startImmediately: true })
      yield* passing
      const { connected, course } = yield* Fiber.join(running)
      assert.deepStrictEqual(times(course), expected.tried)
      assert.strictEqual(connected, expected.winner)
      const won = course.attempts.find(({ address }) => address === connected)!
      assert.strictEqual(won.after + won.took, expected.at)
      assert.deepStrictEqual([...open], [connected])
    }))

const fails = (
  name: string,
  network: Network,
  expected: {
    readonly tried: ReadonlyArray<readonly [string, number]>
    readonly reasons: ReadonlyArray<string | undefined>
    readonly late: boolean
  }
) =>
  it.effect(name, () =>
    Effect.gen(function*() {
      const { open, race } = simulate(network)
      const running = yield* Effect.forkChild(Effect.flip(HappyEyeballs.run(race, Effect.succeed)), {
        startImmediately: true
      })
      yield* passing
      const { course, late } = yield* Fiber.join(running)
      assert.deepStrictEqual(times(course), expected.tried)
      assert.deepStrictEqual(course.attempts.map(({ reason }) => reason?._tag), expected.reasons)
      assert.strictEqual(late, expected.late)
      assert.strictEqual(open.size, 0)
    }))

describe("RFC 8305", () => {
  succeeds("4: the most wanted family is tried first, and nobody else if it connects", {
    v6: [2, "6a"],
    v4: [1, "4a"],
    addresses: { "6a": ["connects", 20], "4a": ["connects", 1] }
  }, { tried: [["6a", 2]], winner: "6a", at: 22 })

  succeeds("5: a black hole costs the delay of one attempt", {
    v6: [0, "6a"],
    v4: [0, "4a"],
    addresses: { "4a": ["connects", 20] }
  }, { tried: [["6a", 0], ["4a", 250]], winner: "4a", at: 270 })

  succeeds("3: without an answer for the most wanted family another one waits for 50 ms", {
    v6: [5_000, "6a"],
    v4: [10, "4a"],
    addresses: { "4a": ["connects", 20] }
  }, { tried: [["4a", 60]], winner: "4a", at: 80 })

  succeeds("3: the most wanted family is tried first if it comes within these", {
    v6: [59, "6a"],
    v4: [10, "4a"],
    addresses: { "6a": ["connects", 20], "4a": ["connects", 1] }
  }, { tried: [["6a", 59]], winner: "6a", at: 79 })

  succeeds("3: nobody waits for a family that there is not", {
    v6: [15],
    v4: [10, "4a"],
    addresses: { "4a": ["connects", 20] }
  }, { tried: [["4a", 15]], winner: "4a", at: 35 })

  succeeds("3: the most wanted family does not wait for another", {
    v6: [10, "6a"],
    v4: [5_000, "4a"],
    addresses: { "6a": ["connects", 20] }
  }, { tried: [["6a", 10]], winner: "6a", at: 30 })

  succeeds("5: the next attempt begins as soon as one fails", {
    v6: [0, "6a"],
    v4: [0, "4a"],
    addresses: { "6a": ["refuses", 5], "4a": ["connects", 20] }
  }, { tried: [["6a", 0], ["4a", 5]], winner: "4a", at: 25 })

  succeeds("5: an attempt goes on beside those after it", {
    v6: [0, "6a"],
    v4: [0, "4a"],
    addresses: { "6a": ["connects", 300], "4a": ["connects", 100] }
  }, { tried: [["6a", 0], ["4a", 250]], winner: "6a", at: 300 })

  succeeds("4: the families take turns", {
    v6: [0, "6a", "6b", "6c"],
    v4: [0, "4a", "4b"],
    addresses: { "6c": ["connects", 1] }
  }, { tried: [["6a", 0], ["4a", 250], ["6b", 500], ["4b", 750], ["6c", 1_000]], winner: "6c", at: 1_001 })

  succeeds("4: some of the first family come first if that is wished for", {
    v6: [0, "6a", "6b", "6c"],
    v4: [0, "4a", "4b"],
    addresses: { "4b": ["connects", 1] },
    timing: { firstFamilyCount: 2, attemptDelay: 100 }
  }, { tried: [["6a", 0], ["6b", 100], ["4a", 200], ["6c", 300], ["4b", 400]], winner: "4b", at: 401 })

  succeeds("5: attempts are at least 10 ms apart", {
    v6: [0, "6a"],
    v4: [0, "4a"],
    addresses: { "4a": ["connects", 1] },
    timing: { attemptDelay: 0 }
  }, { tried: [["6a", 0], ["4a", 10]], winner: "4a", at: 11 })

  succeeds("3: addresses that come late find their place among those that were not tried", {
    v6: [100, "6a"],
    v4: [0, "4a", "4b"],
    addresses: { "6a": ["connects", 1] }
  }, { tried: [["4a", 50], ["6a", 300]], winner: "6a", at: 301 })

  fails("5: when all have failed, it says why of each", {
    v6: [0, "6a"],
    v4: [0, "4a", "4b"],
    addresses: { "6a": ["refuses", 1], "4a": ["refuses", 1], "4b": ["refuses", 1] }
  }, { tried: [["6a", 0], ["4a", 1], ["4b", 2]], reasons: ["Refused", "Refused", "Refused"], late: false })

  fails("a family that comes late is waited for, even if all others have failed", {
    v6: [3_000, "6a"],
    v4: [0, "4a"],
    addresses: { "4a": ["refuses", 1], "6a": ["refuses", 1] }
  }, { tried: [["4a", 50], ["6a", 3_000]], reasons: ["Refused", "Refused"], late: false })

  fails("the time is up for all together", {
    v6: [0, "6a"],
    v4: [0, "4a"],
    addresses: { "4a": ["refuses", 10] },
    within: 1_000
  }, { tried: [["6a", 0], ["4a", 250]], reasons: [undefined, "Refused"], late: true })

  fails("a name that nobody knows", { v6: [10], v4: [20] }, { tried: [], reasons: [], late: false })

  fails("answers that never come", { v6: [60_000, "6a"], v4: [60_000, "4a"], within: 1_000 }, {
    tried: [],
    reasons: [],
    late: true
  })
})

describe("what is not wanted is closed", () => {
  it.effect("who connects at the same time as the winner", () =>
    Effect.gen(function*() {
      const { open, race } = simulate({
        v6: [0, "6a"],
        v4: [0, "4a"],
        addresses: { "6a": ["connects", 260], "4a": ["connects", 10] }
      })
      const running = yield* Effect.forkChild(HappyEyeballs.run(race, Effect.succeed), { startImmediately: true })
      yield* passing
      const { connected } = yield* Fiber.join(running)
      assert.deepStrictEqual([...open], [connected])
    }))

  it.effect("everything, by an interruption at any time", () =>
    Effect.gen(function*() {
      for (let time = 0; time <= 300; time += 10) {
        const { open, race } = simulate({
          v6: [20, "6a"],
          v4: [10, "4a"],
          addresses: { "6a": ["connects", 290], "4a": ["connects", 10] }
        })
        const running = yield* Effect.forkChild(HappyEyeballs.run(race, Effect.succeed), { startImmediately: true })
        yield* TestClock.adjust(time)
        const exit = yield* Effect.andThen(Fiber.interrupt(running), Fiber.await(running))
        assert.deepStrictEqual([...open], Exit.isSuccess(exit) ? [exit.value.connected] : [])
      }
    }))
})
