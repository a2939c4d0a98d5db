/**
 * Turns the examples of the documentation into files that are type-checked and run.
 *
 * Examples are the `ts` fences of every README.md, and, elsewhere (other documents, doc comments of the sources), the
 * fences marked `ts import.meta.vitest`. A fence marked `no-run` is only type-checked. Each becomes a file of its own
 * in `.doctest`, with every line where it is in the original, so an error at line 40 is at line 40 of the document. A fence marked
 * `continued` goes on with the one before it: together they are one example.
 *
 *     connection.details.protocol // => "chat.v1"
 *     const answer = yield* connection.pull // => ["hello"]
 *     yield* Console.log(answer) // => ["hello"]
 *
 * A comment `// => value` at the end of a statement asserts that its value (of a declaration: what is assigned; of a
 * call of `log`: what is printed) equals `value`. A program that ends in `NodeRuntime.runMain(program)` is awaited.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { parseSync } from "oxc-parser"

const root = path.join(import.meta.dirname, "..")
const out = path.join(root, ".doctest")

const prelude = `import type * as Effect from "effect/Effect"
import * as Runtime from "effect/Effect"
import { expect } from "vitest"

export const same = <A>(actual: A, expected: unknown): A => {
  expect(actual).toStrictEqual(expected)
  return actual
}

export const runMain = <A, E>(program: Effect.Effect<A, E>): Promise<A> => Runtime.runPromise(program)
`

interface Example {
  /** The document, from the root. */
  readonly source: string
  /** The line of the opening fence, from 1. */
  readonly line: number
  readonly code: string
  readonly run: boolean
  /** Whether it is of several fences, each of which may begin with imports. */
  readonly continued: boolean
}

const fence = /^([ \t]*)```ts([^\n]*)\n([\s\S]*?)^[ \t]*```[ \t]*$/gm

const examplesOf = (source: string, text: string, marked: boolean): Array<Example> =>
  [...text.matchAll(fence)].reduce((examples: Array<Example>, match) => {
    const [, indent, info, body] = match
    if (/^\S/.test(info) || (marked && !info.includes("import.meta.vitest"))) return examples
    const line = text.slice(0, match.index).split("\n").length
    const code = body.split("\n").map((line) => line.startsWith(indent) ? line.slice(indent.length) : line).join("\n")
    const last = /\bcontinued\b/.test(info) ? examples.pop() : undefined
    if (last === undefined) examples.push({ source, line, code, run: !/\bno-run\b/.test(info), continued: false })
    else {
      const between = "\n".repeat(line + 1 - last.line - last.code.split("\n").length)
      examples.push({ ...last, code: last.code + between + code, continued: true })
    }
    return examples
  }, [])

/** The same text with everything but the doc comments blank, and these without their stars. */
const docComments = (text: string): string => {
  let end = 0
  let docs = ""
  for (const match of text.matchAll(/^[ \t]*\/\*\*[\s\S]*?\*\//gm)) {
    docs += text.slice(end, match.index).replace(/[^\n]/g, "")
    docs += match[0].replace(/^[ \t]*\/\*\*/, "").replace(/\*\/$/, "").replace(/^[ \t]*\* ?/gm, "")
    end = match.index + match[0].length
  }
  return docs
}

const collect = (): ReadonlyArray<Example> =>
  fs.globSync(["*.md", "docs/**/*.md", "packages/*/*.md", "packages/*/src/**/*.ts"], { cwd: root })
    .map((found) => found.replaceAll("\\", "/"))
    .sort()
    .flatMap((source) => {
      const text = fs.readFileSync(path.join(root, source), "utf8")
      if (source.endsWith(".ts")) return examplesOf(source, docComments(text), true)
      return examplesOf(source, text, path.basename(source) !== "README.md")
    })

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

const isNode = (u: unknown): u is Node => typeof u === "object" && u !== null && "type" in u && "start" in u

const walk = (u: unknown, visit: (node: Node) => void): void => {
  if (Array.isArray(u)) { for (const item of u) walk(item, visit) }
  else if (isNode(u)) {
    visit(u)
    for (const key in u) if (typeof u[key] === "object") walk(u[key], visit)
  }
}

/** What `// =>` behind this statement is about. */
const valueOf = (statement: Node): Node | undefined => {
  switch (statement.type) {
    case "ExpressionStatement": {
      let expression = statement.expression as Node
      const value = expression
      while (/^(Yield|Await)Expression$/.test(expression.type)) expression = expression.argument as Node
      if (expression.type !== "CallExpression") return value
      const { arguments: args, callee } = expression as Node & { arguments: Array<Node>; callee: Node }
      const prints = callee.type === "MemberExpression" && (callee.property as Node).name === "log"
      return prints && args.length === 1 ? args[0] : value
    }
    case "VariableDeclaration": {
      const declarations = statement.declarations as Array<Node>
      return declarations.length === 1 ? declarations[0].init as Node : undefined
    }
    case "ReturnStatement":
      return statement.argument as Node
    default:
      return undefined
  }
}

class Problem extends Error {}

/** The example as a module: imports, then a function with the rest; nothing changes its line. */
const moduleOf = ({ code, continued, line, run, source }: Example): string => {
  const { comments, errors, program } = parseSync("example.ts", code)
  if (errors.length > 0) throw new Problem(errors[0].message)
  const toplevel = program.body as unknown as ReadonlyArray<Node>
  const isImport = (node: Node): boolean => node.type === "ImportDeclaration"
  const isRunMain = (node: Node): boolean => code.slice(node.start, node.end) === "NodeRuntime.runMain"

  const rest = toplevel.find((node) => !isImport(node))?.start ?? Infinity
  const imports = toplevel.findLast((node) => node.end <= rest)?.end ?? 0
  let hoisted = ""
  const edits: Array<{ readonly at: number; readonly remove?: number; readonly insert: string }> = [
    { at: imports, insert: `; ${run ? `it("${source}:${line}", ` : "export const example = ("}async () => {` }
  ]

  for (const node of toplevel) {
    if (isImport(node)) {
      if (node.start < imports) continue
      if (!continued) throw new Problem("imports come first")
      const text = code.slice(node.start, node.end)
      hoisted += `${text.replace(/\s+/g, " ")}; `
      edits.push({ at: node.start, remove: text.length, insert: text.replace(/[^\n]/g, "") })
      continue
    }
    if (node.type === "ExportNamedDeclaration" && isNode(node.declaration)) {
      edits.push({ at: node.start, remove: node.declaration.start - node.start, insert: "" })
    } else if (node.type.startsWith("Export")) {
      throw new Problem("an example exports nothing but declarations")
    } else if (node.type === "ExpressionStatement") {
      let runs = false
      walk(node, (inner) => runs ||= isRunMain(inner))
      if (runs) edits.push({ at: node.start, insert: "await " })
    }
  }

  const statements: Array<Node> = []
  walk(program, (node) => {
    if (/Statement$|Declaration$/.test(node.type)) statements.push(node)
    if (isRunMain(node)) edits.push({ at: node.start, remove: node.end - node.start, insert: "runMain" })
  })
  for (const comment of comments) {
    const expected = /^\s*=>\s*(.*\S)\s*$/.exec(comment.value)?.[1]
    if (comment.type !== "Line" || expected === undefined) continue
    const value = statements
      .filter((node) => node.end <= comment.start && code.slice(node.end, comment.start).trim() === "")
      .filter((node) => !code.slice(node.end, comment.start).includes("\n"))
      .map(valueOf)
      .findLast((node) => node !== undefined)
    if (value === undefined) throw new Problem(`nothing to compare with ${expected}`)
    edits.push({ at: value.start, insert: "same(" }, { at: value.end, insert: `, ${expected})` })
  }

  const backwards = edits
    .map(({ at, insert, remove = 0 }, order) => ({ at, insert, order, remove }))
    .sort((a, b) => b.at - a.at || b.remove - a.remove || b.order - a.order)
  let body = code
  for (const { at, insert, remove } of backwards) body = body.slice(0, at) + insert + body.slice(at + remove)

  const up = "../".repeat(source.split("/").length - 1) || "./"
  const head = `import { it } from "vitest"; import { runMain, same } from "${up}prelude.ts"`
  return `${head}; ${hoisted}${"\n".repeat(line)}${body}})\n`
}

/** Writes `.doctest` anew, touching only what changed, and returns what can't be an example, by place. */
export const extract = (): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const files = new Map([["prelude.ts", prelude]])
  for (const example of collect()) {
    const place = `${example.source}:${example.line}`
    const name = `${example.source.replace(/\.(md|ts)$/, "")}.${example.line}${example.run ? ".test" : ""}.ts`
    try {
      files.set(name, moduleOf(example))
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      problems.push(`${place}: ${error.message}`)
      files.set(
        name.replace(/(\.test)?\.ts$/, ".test.ts"),
        `import { it } from "vitest"\nit("${place}", () => {\n  throw new Error(${JSON.stringify(error.message)})\n})\n`
      )
    }
  }
  for (const [name, text] of files) {
    const target = path.join(out, name)
    fs.mkdirSync(path.dirname(target), { recursive: true })
    if (!fs.existsSync(target) || fs.readFileSync(target, "utf8") !== text) fs.writeFileSync(target, text)
  }
  for (const found of fs.globSync("**/*.ts", { cwd: out })) {
    if (!files.has(found.replaceAll("\\", "/"))) fs.rmSync(path.join(out, found))
  }
  return problems
}

if (import.meta.main) {
  const problems = extract()
  for (const problem of problems) console.error(problem)
  process.exitCode = problems.length === 0 ? 0 : 1
}
