/** The guides are short. That they run is tested with all examples of the documentation. */
import { assert, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"

const guide = fs.readFileSync(path.join(import.meta.dirname, "../../../docs/your-own-protocol.md"), "utf8")

const fences = [...guide.matchAll(/^```ts import\.meta\.vitest( continued)?\n([^]*?)^```$/gm)]

it("a protocol of one's own takes fewer than 100 lines", () => {
  const lines = fences.flatMap(([, , code]) => code.split("\n").filter((line) => line.trim() !== ""))
  assert.isAbove(lines.length, 50)
  assert.isBelow(lines.length, 100)
})

it("all of them are one program", () => {
  assert.lengthOf(guide.match(/^```ts/gm)!, fences.length)
  assert.deepStrictEqual(fences.map(([, continued]) => continued !== undefined), fences.map((_, at) => at > 0))
})
