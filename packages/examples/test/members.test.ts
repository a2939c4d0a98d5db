/** What the READMEs say to who comes from elsewhere: each name in their tables is there, and each test. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import * as path from "node:path"

const packages = path.join(import.meta.dirname, "../..")
const read = (file: string): string => fs.readFileSync(path.join(packages, file), "utf8")

interface Row {
  readonly member: string
  readonly here: string
  readonly test: string
}

/** The tables of a package. */
const tablesOf = (name: string) =>
  read(`${name}/README.md`).split("\n## Coming from ")[1].split("\n## ")[0].split("\n### ").slice(1).map((text) => ({
    title: text.slice(0, text.indexOf("\n")),
    rows: [...text.matchAll(/^\|(.*)\|(.*)\|(.*)\|$/gm)].slice(2).map(([, ...cells]): Row => {
      const [member, here, test] = cells.map((cell) => cell.trim())
      return { member, here, test }
    })
  }))

const tables = ["protocol", "codecs", "websocket", "transport-proxy", "transport-tcp", "transport-tls", "transport-udp"]
  .flatMap(
    tablesOf
  )

/** What is named beside our own modules. */
const others = ["Uint8Array", "ws://", "wss://", "@wirestack/node"]

/** The public modules of this name, without comments, with what they export of others; more than one package may have one. */
const modules = (name: string): ReadonlyArray<string> =>
  fs.globSync(`*/src/{,*/}${name}.ts`, { cwd: packages, exclude: ["*/src/internal"] }).map((file) => {
    const text = read(file)
    const exported = [...text.matchAll(/^export (?:(?:type )?\{[^}]*\}|\*) from "(\..*)"$/gm)]
    const all = [text, ...exported.map(([, from]) => read(path.join(path.dirname(file), from)))].join("\n")
    return all.replace(/\/\*\*[^]*?\*\//g, "")
  })

/** The declaration of what a module exports. */
const declaration = (module: string, name: string): string | undefined =>
  module.split(/\n(?=export |const |class |interface |type )/).find((text) =>
    new RegExp(`^export (?:(?:const|class|interface|type) ${name}\\b|const \\{[^=]*\\b${name}\\b[^=]*\\} =)`).test(text)
  )

const exists = (name: string): boolean => {
  const [module, exported, member] = name.split(".")
  if (exported === undefined) {
    return others.includes(name) || modules(name).some((text) => declaration(text, name) !== undefined)
  }
  if (module === "Effect") return exported in Effect
  return modules(module).some((text) => {
    const declared = declaration(text, exported)
    return declared !== undefined && (member === undefined || new RegExp(`[{\\s]${member}\\??:`).test(declared))
  })
}

const wrong = ({ here, member, test }: Row): ReadonlyArray<string> => {
  const names = [...here.matchAll(/`([^`]+)`/g)].map(([, name]) => name)
  const missing = names.filter((name) => !exists(name)).map((name) => `${member}: there is no ${name}`)
  const [, file, name] = /^`([^`]+)`: (.+)$/.exec(test) ?? []
  if (file === undefined) return here.startsWith("none: ") && test === "" ? missing : [...missing, `${member}: no test`]
  const tested = ["\"", "`"].some((quote) => read(file).includes(quote + name))
  return tested ? missing : [...missing, `${member}: ${file} has no test ${JSON.stringify(name)}`]
}

describe("who comes from elsewhere", () => {
  it("has all tables", () => {
    assert.lengthOf(tables.filter(({ rows }) => rows.length > 10), 18)
  })

  for (const { rows, title } of tables) {
    it(`finds what there is, and a test of it: ${title}`, () => {
      assert.deepStrictEqual(rows.flatMap(wrong), [])
      assert.lengthOf(new Set(rows.map(({ member }) => member)), rows.length)
    })
  }

  it("is told what is not there", () => {
    const row = {
      member: "m",
      here: "`CloseCode.make`",
      test: "`websocket/test/frames/CloseCode.test.ts`: makes a code"
    }
    assert.deepStrictEqual(wrong(row), [])
    for (
      const here of ["`CloseCode.nothing`", "`CloseCode.Protocol.Nothing`", "`Nothing.make`", "`make`", "`Effect.no`"]
    ) {
      assert.lengthOf(wrong({ ...row, here }), 1, here)
    }
    assert.lengthOf(wrong({ ...row, test: "" }), 1)
    assert.lengthOf(wrong({ ...row, test: `${row.test} of nothing` }), 1)
    assert.deepStrictEqual(wrong({ ...row, here: "none: for a reason", test: "" }), [])
  })
})
