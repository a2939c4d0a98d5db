import { assert, it } from "@effect/vitest"
import { Schema } from "effect"
import { byWeight } from "../src/internal/byWeight.ts"

const target = (name: string, priority: number, weight: number) => ({ name, priority, weight })
const namesOf = (targets: ReadonlyArray<{ readonly name: string }>) => targets.map(({ name }) => name).join("")

it("RFC 2782: lower priorities come first, whatever their weights", () => {
  const targets = [target("c", 30, 9), target("a", 10, 0), target("b", 20, 5)]
  for (const random of [0, 0.5, 0.999]) assert.strictEqual(namesOf(byWeight(targets, () => random)), "abc")
})

it("RFC 2782: within a priority each is first as often as its weight says", () => {
  const targets = [target("a", 1, 60), target("b", 1, 20), target("c", 1, 20)]
  const firsts = { a: 0, b: 0, c: 0 }
  for (let n = 0; n < 100; n++) firsts[byWeight(targets, () => (n + 0.5) / 100)[0].name as "a" | "b" | "c"]++
  assert.deepStrictEqual(firsts, { a: 60, b: 20, c: 20 })
})

it("RFC 2782: without weight one is hardly ever before those that have some", () => {
  const targets = [target("a", 1, 0), target("b", 1, 99)]
  const firsts = Array.from({ length: 100 }, (_, n) => byWeight(targets, () => (n + 0.5) / 100)[0].name)
  assert.strictEqual(firsts.filter((name) => name === "a").length, 1)
})

const number = Schema.Literals([0, 1, 2, 50, 65_535])

it.prop(
  "each target comes once, and none before one of a lower priority",
  [Schema.Array(Schema.Struct({ priority: number, weight: number })), Schema.Literals([0, 0.3, 0.999_999])],
  ([targets, random]) => {
    const order = byWeight(targets, () => random)
    assert.sameMembers(order, [...targets])
    assert.deepStrictEqual(
      order.map(({ priority }) => priority),
      targets.map(({ priority }) => priority).sort((a, b) => a - b)
    )
  }
)
