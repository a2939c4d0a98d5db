/** The tests of the machine beside the receiver of `ws`. */
import { assert, describe, it } from "@effect/vitest"
import { chosen, type Difference, search } from "./judge.ts"
import { bytesOf, print, type Variant } from "./traffic.ts"

export interface Kind {
  readonly variant: Variant
  /** The differences there are to meet, and others that may be met. */
  readonly table: ReadonlyArray<Difference>
  readonly others: ReadonlyArray<Difference>
  readonly cases: number
  /** How many bytes an example of a difference has at most. */
  readonly simplest: number
}

const ends = ["open, inside a frame", "open, inside a fragmented message", "closed", "failed 1002", "failed 1007"]
  .concat("failed 1009", "open, inside the connection, before a Close frame")

export const beside = ({ cases, others, simplest, table, variant }: Kind): void => {
  describe("WebSocketMachine beside ws", () => {
    const range = chosen(cases)
    const timeout = 120_000 + (range.seconds === Infinity ? 0 : range.seconds * 1_000)

    it("makes the same of the same traffic, but for what is in the table", { timeout }, async () => {
      const found = await search(variant, [...others, ...table], range)
      if (found.wrong !== undefined) {
        const { fault, seed, traffic } = found.wrong
        assert.fail(`WIRESTACK_SEED=${seed} WIRESTACK_CASES=1: ${fault}\n${print(traffic)}`)
      }
      if (found.judged < cases) return
      for (const difference of table) {
        const { ours, section, theirs } = difference
        assert.isAbove(found.differences.get(difference) ?? 0, 0, `how often ${ours} and ${theirs} in ws (${section})`)
      }
      for (const ending of ends) {
        assert.isAbove(found.endings.get(ending) ?? 0, found.judged / 200, `how often ${ending}`)
      }
    })

    it("shows what is not in the table by its simplest example", { timeout }, async () => {
      for (const missing of table) {
        const rest = [...others, ...table.filter((difference) => difference !== missing)]
        const { wrong } = await search(variant, rest, { firstSeed: 1, cases, seconds: Infinity })
        assert(wrong !== undefined)
        assert.include(wrong.fault, "not in the table")
        assert.isAtMost(bytesOf(wrong.traffic).length, simplest, print(wrong.traffic))
      }
    })
  })
}
