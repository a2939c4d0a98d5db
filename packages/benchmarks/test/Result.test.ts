import { assert, describe, it } from "@effect/vitest"
import { Cycle } from "../src/Cycle.ts"
import { bytes, many, percent, plain, time } from "../src/format.ts"
import * as Ratio from "../src/Ratio.ts"
import { limitOf } from "../src/report/limits.ts"
import { table } from "../src/report/markdown.ts"
import { linear, logarithmic, percentile } from "../src/report/Scale.ts"
import { encode, latencyAt, type Measured, percentiles, type Result, row } from "../src/Result.ts"
import { bucketOf, quantiles, type Sample } from "../src/Sample.ts"
import * as Verdict from "../src/Verdict.ts"
import { workloads } from "../src/Workload.ts"

/** A second in which so many messages cost the server so much of it. */
const sample = (count: number, server = 1, own = 0.5): Sample => ({ count, seconds: 1, server, own, latency: [] })

const five = (count: number, server?: number, own?: number): ReadonlyArray<Sample> =>
  Array.from({ length: 5 }, () => sample(count, server, own))

const measured = (...rows: Measured["rows"]): Measured => ({ workload: workloads[0], rounds: 5, millis: 100, rows })

const result = (...workloads: ReadonlyArray<Measured>): Result => ({
  date: "2026-11-21",
  machine: { cpu: "", cores: 2, memory: 0, kernel: "" },
  versions: {},
  generator: "C",
  titles: {},
  workloads,
  byConnections: [],
  bySize: []
})

describe("ratios", () => {
  it("are taken round by round", () => {
    assert.deepStrictEqual(Ratio.less([2, 20, 200, 2_000, 3], [1, 10, 100, 1_000, 1]), { median: 2, low: 2, high: 2 })
  })

  it("are not taken of what is not to be trusted", () => {
    const doubted = [
      row("ws", five(10).slice(1)),
      row("ws", five(10, 0.5, 0.99)),
      row("ws", [...five(10), sample(0)]),
      row("ws", [], "it has ended")
    ]
    assert.deepStrictEqual(doubted.map((base) => Ratio.between(base, row("batch", five(10)))), [
      { doubt: "ws: 4 rounds are too few" },
      { doubt: "ws: the load generator was the bottleneck" },
      { doubt: "ws: nothing came back in a whole round" },
      { doubt: "ws: it has ended" }
    ])
  })

  it("are held against goals", () => {
    const [batch, ...others] = Verdict.all(result(measured(row("ws", five(10)), row("batch", five(250)))))
    assert.deepStrictEqual(others, [])
    assert.isTrue(Verdict.isMet(batch))
    assert.strictEqual(Verdict.text(batch), "25.0, met by 25 %")
  })
})

it("costs may grow a little with connections", () => {
  const byConnections = [10, 1_000, 10_000].map((connections, n) => ({
    ...measured(row("batch", five(10 - n))),
    workload: { ...workloads[0], connections }
  }))
  const [few, many] = [byConnections.slice(0, 2), byConnections].map((byConnections) =>
    Verdict.all({ ...result(), byConnections }).map(Verdict.text)
  )
  assert.deepStrictEqual(few, [], "the series does not reach its end")
  assert.deepStrictEqual(many, ["1.25, missed by 4 %"])
})

describe("latencies", () => {
  it("are those of all rounds together", () => {
    const slow: Sample = { ...sample(1), latency: [[bucketOf(1_000_000), 1]] }
    const fast: Sample = { ...sample(1), latency: [[bucketOf(1_000), 99]] }
    const [half, most, all] = quantiles([slow, fast], [50, 99, 99.9])
    assert.strictEqual(half, most)
    assert.closeTo(half, 1_000, 50)
    assert.closeTo(all, 1_000_000, 50_000)
  })

  it("are unknown where nothing was timed", () => {
    assert.isNaN(latencyAt(row("bun", five(1)), 50))
    assert.strictEqual(time(NaN), "-")
  })

  it("are kept at known places", () => {
    const timed = row("ws", [{ ...sample(1), latency: [[160, 1]] }])
    assert.deepStrictEqual(timed.latency, percentiles.map(() => 1_024))
  })
})

it("a list of numbers is a line", () => {
  const text = encode(result(measured(row("ws", five(3)))))
  assert.include(text, "\"rates\": [3,3,3,3,3]")
  assert.deepStrictEqual(JSON.parse(text), result(measured(row("ws", five(3)))))
})

it("numbers are written for people", () => {
  assert.deepStrictEqual([21.94, 1, 0.256, 1_081.4].map(plain), ["21.9", "1.00", "0.26", "1,081"])
  assert.deepStrictEqual([0.004, 0.3, NaN].map(percent), ["0.4 %", "30 %", "-"])
  assert.deepStrictEqual([many(1_316_000), time(170_000), bytes(16_384), bytes(0)], [
    "1.32 M",
    "170 µs",
    "16 KiB",
    "0 B"
  ])
})

it("what limits a workload has the figures of the run", () => {
  const limit = limitOf(measured(row("raw", five(4e6)), row("batch", five(2e6))))!
  assert.include(limit, "node:net itself takes 50 %")
  assert.include(limit, "0.50 µs")
})

it("tables are aligned", () => {
  assert.strictEqual(table(["", "µs"], [["a", "1.00"]]), "|     |   µs |\n| --- | ---: |\n| a   | 1.00 |")
})

describe("scales", () => {
  it("have marks within their domain", () => {
    assert.deepStrictEqual(logarithmic(2, [0.4, 9], [0, 1]).ticks, [0.5, 1, 2, 4, 8])
    assert.deepStrictEqual(logarithmic(10, [40, 600], [0, 1]).ticks, [50, 100, 200, 500])
    assert.deepStrictEqual(linear(5_000, [0, 1]).ticks, [0, 1_024, 2_048, 3_072, 4_096])
  })

  it("lead from one end to the other", () => {
    const scales = [logarithmic(10, [1, 100], [100, 0]), linear(4, [100, 0]), percentile([1, 99], [100, 0])]
    assert.deepStrictEqual(scales.map(({ at }, n) => Math.round(at([10, 2, 50][n]))), [50, 50, 50])
  })
})

it("a cycle begins again", () => {
  const cycle = new Cycle(Buffer.from("abcde"), [2, 3])
  assert.deepStrictEqual([0, 1, 2, 3].map((message) => cycle.start(message)), [0, 2, 5, 7])
  assert.deepStrictEqual([...cycle.between(4, 12)].map(String), ["e", "abcde", "ab"])
})
