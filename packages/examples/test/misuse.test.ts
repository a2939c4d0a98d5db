import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"

const root = path.join(import.meta.dirname, "../../..")
const folder = path.join(import.meta.dirname, "misuse")

/** What the compiler says, by the line it says it about; its explanations are indented and belong to the line before. */
const compile = (): ReadonlyMap<number, string> => {
  const { stdout } = spawnSync(path.join(root, "node_modules/.bin/tsc"), ["-p", folder, "--pretty", "false"], {
    encoding: "utf8"
  })
  const said = new Map<number, string>()
  let line = 0
  for (const text of stdout.split("\n")) {
    const match = /misuse\.ts\((\d+),/.exec(text)
    if (match !== null) line = Number(match[1])
    said.set(line, `${said.get(line) ?? ""}${text}\n`)
  }
  return said
}

const source = fs.readFileSync(path.join(folder, "misuse.ts"), "utf8").split("\n")

const expected = source.flatMap((text, index) => {
  const match = /^\/\/ error: (.*)$/.exec(text)
  return match === null ? [] : [{ line: index + 2, says: match[1], code: source[index + 1] }]
})

describe("what must not compile", () => {
  const said = compile()

  for (const { code, line, says } of expected) {
    it(code, () => {
      assert.include(said.get(line) ?? "nothing", says)
    })
  }

  it("and all else compiles", () => {
    const lines = [...said.keys()].filter((line) => line > 0)
    assert.deepStrictEqual(lines, expected.map(({ line }) => line))
  })
})
