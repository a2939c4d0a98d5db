import { assert, describe, it } from "@effect/vitest"
import { Curve } from "../src/soak/Curve.ts"
import { Slope } from "../src/soak/Slope.ts"
import { Histogram } from "../src/support/Histogram.ts"

describe("Histogram", () => {
  it("tells what a part of the numbers does not exceed, at most 4.5 % too high", () => {
    const histogram = new Histogram()
    for (let i = 1_000; i > 0; i--) histogram.add(i)
    for (const part of [0.01, 0.5, 0.99]) {
      assert.isAtLeast(histogram.quantile(part), part * 1_000)
      assert.isAtMost(histogram.quantile(part), part * 1_000 * 1.045)
    }
    assert.deepInclude(histogram.summary, { count: 1_000, max: 1_000 })
  })

  it("has none of nothing, and takes zeros", () => {
    const histogram = new Histogram()
    assert.strictEqual(histogram.quantile(0.5), 0)
    histogram.add(0)
    assert.strictEqual(histogram.quantile(0.99), 0)
  })
})

describe("Slope", () => {
  it("is that of the line which fits best", () => {
    const slope = new Slope()
    slope.add(0, 100)
    slope.add(10, 120)
    assert.isUndefined(slope.rise)
    slope.add(20, 110)
    slope.add(30, 130)
    assert.closeTo(slope.rise!, 0.8, 1e-9)
    assert.closeTo(slope.growth, 24, 1e-9)
  })
})

describe("Curve", () => {
  it("shows the whole time in a bounded number of lines", () => {
    const curve = new Curve()
    const point = { connections: 0, messages: 0, rss: 100, heap: 10, external: 1 }
    for (let minutes = 0; minutes < 10_000; minutes++) curve.add({ ...point, minutes })
    const lines = curve.chart.split("\n").slice(1)
    assert.isAtMost(lines.length, 32)
    assert.include(lines[0], " 0.0 ")
    assert.isAbove(Number(lines.at(-1)!.trim().split(" ")[0]), 9_000)
  })
})
