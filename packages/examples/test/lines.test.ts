/** The programs that are made to be copied stay as short as they are said to be. */
import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"

describe("a program to copy", () => {
  for (const name of ["mqtt", "redis", "nats", "sip", "game"]) {
    it(`${name} has less than 150 lines, and stands on no more than the stack that the URL asks for`, () => {
      const text = fs.readFileSync(path.join(import.meta.dirname, `../src/${name}.ts`), "utf8")
      assert.isBelow(text.split("\n").length - 1, 150)
      const own = Array.from(text.matchAll(/from "(\.[^"]*)"/g), ([, file]) => file)
      assert.isEmpty(own.filter((file) => file !== "./stack.ts" && file !== "./runProgram.ts"))
    })
  }
})
