/** That what is broken is found: a search that finds nothing has to be worth something. */
import { assert, describe, it } from "@effect/vitest"
import type { Machine } from "@wirestack/protocol/Machine"
import { campaign } from "../../src/fuzz/Campaign.ts"
import { machine } from "../../src/fuzz/oracles/machine.ts"
import type { Target, Verdict } from "../../src/fuzz/Target.ts"

const corpus = [Uint8Array.of(1, 2, 3, 4), Uint8Array.of(5, 6)]

/** A target that takes what is of an even length. */
const target = (show: (input: Uint8Array) => void, rest?: Partial<Target>): Target => ({
  name: "broken",
  corpus,
  show: (input): Verdict => {
    show(input)
    return { accepted: input.length % 2 === 0, how: `${input.length > 4}` }
  },
  ...rest
})

const search = (target: Target, seed = 1, seconds = 5) => campaign(target, { seed, seconds, watch: () => {} })

const throwsBeside = (one: number, other: number) => (input: Uint8Array) => {
  if (input.includes(one) && input.includes(other)) throw new TypeError("both")
}

/** Passes on what it receives, chunk by chunk. */
const chunks = (): Machine<Uint8Array, Uint8Array, Uint8Array, Uint8Array> => ({
  receive: (input, io) => {
    for (const chunk of input) if (chunk.length > 0) io.emit(chunk, chunk.length)
    return true
  },
  encode: (message, io) => io.write(message),
  ended: (endOfInput, io) => io.end(endOfInput)
})

describe("a campaign", () => {
  it("finds what throws, and shows it by the simplest input", async () => {
    const { finding } = await search(target(throwsBeside(200, 201)))
    assert.include(finding?.what, "TypeError: both")
    assert.sameMembers([...finding!.input], [200, 201])
  })

  it("finds the same for the same seed", async () => {
    const [one, two] = await Promise.all([search(target(throwsBeside(7, 255))), search(target(throwsBeside(7, 255)))])
    assert.deepStrictEqual(one.finding?.number, two.finding?.number)
    assert.deepStrictEqual(one.finding?.input, two.finding?.input)
  })

  it("finds what takes too long", async () => {
    const slow = (input: Uint8Array) => {
      const before = process.threadCpuUsage()
      while (input.includes(99) && process.threadCpuUsage(before).user < 4_000);
    }
    const { finding } = await search(target(slow, { within: 0.5 }))
    assert.match(finding!.what, /^it took \d+ ms$/)
    assert.deepStrictEqual([...finding!.input], [99])
  })

  it("finds what is never accepted, never refused, or should not be accepted", async () => {
    const never = (accepted: boolean): Target => target(() => {}, { show: () => ({ accepted, how: "" }) })
    assert.strictEqual((await search(never(false), 1, 0)).finding?.what, "nothing was accepted")
    assert.strictEqual((await search(never(true), 1, 0)).finding?.what, "nothing was refused")
    assert.strictEqual(
      (await search(target(() => {}, { takes: "none" }), 1, 0)).finding?.what,
      "something was accepted"
    )
  })

  it("keeps an input of which something new comes, and goes on with it", async () => {
    const { accepted, cases, finding, ways } = await search(target(() => {}), 1, 0.1)
    assert.strictEqual(finding, undefined)
    assert.isAtLeast(ways, 4)
    assert.isAbove(accepted, 0)
    assert.isBelow(accepted, cases)
  })

  it("finds a machine that depends on how its input is cut", async () => {
    const { finding } = await search(machine({ name: "chunks", corpus, make: chunks, limit: 1_000, again: undefined }))
    assert.include(finding?.what, "messages")
  })

  it("finds a machine that is over its limit", async () => {
    const limited = machine({ name: "chunks", corpus, make: chunks, limit: 3, said: () => [], again: undefined })
    const { finding } = await search(limited)
    assert.include(finding?.what, "a message has at most 3 bytes")
  })
})
