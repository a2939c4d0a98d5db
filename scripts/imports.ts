/**
 * The import rules that no general tool knows. Cycles between files are left to the linter.
 *
 * - Packages depend downwards, as in `below`; tests may use any published package.
 * - What is `portable` runs in a browser and in a worker: nothing from Node in it.
 * - A package is imported by its name and its public modules: no path leads out of a package, none into `internal/`.
 * - A package declares what its sources import.
 */
import * as fs from "node:fs"
import { builtinModules } from "node:module"
import * as path from "node:path"
import { parseSync } from "oxc-parser"

const scope = "@wirestack/"
const published = ["protocol", "transport-tcp", "transport-tls", "websocket"]

/** What each package may stand on. */
const below: Record<string, ReadonlyArray<string>> = {
  protocol: [],
  "transport-tcp": ["protocol"],
  "transport-tls": ["protocol"],
  websocket: ["protocol"],
  examples: published,
  benchmarks: published
}

/** Sources that import nothing from Node, and the files among them that are for Node only, each with its reason. */
const portable = ["protocol", "websocket"]
const forNode: Record<string, string> = {}

interface Manifest {
  readonly name: string
  readonly dependencies?: Record<string, string>
  readonly peerDependencies?: Record<string, string>
  readonly devDependencies?: Record<string, string>
}

const root = path.join(import.meta.dirname, "..")
const problems: Array<string> = []

const manifest = (folder: string): Manifest =>
  JSON.parse(fs.readFileSync(path.join(root, folder, "package.json"), "utf8")) as Manifest

const declared = (self: Manifest): ReadonlyArray<string> =>
  Object.keys({ ...self.dependencies, ...self.peerDependencies, ...self.devDependencies })

/** `@scope/name/Module` is of the package `@scope/name`. */
const packageOf = (specifier: string): string =>
  specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/")

const isBuiltin = (specifier: string): boolean =>
  specifier.startsWith("node:") || builtinModules.includes(packageOf(specifier))

/** Everything a file imports or re-exports, types included, with the line. */
const importsOf = (file: string): ReadonlyArray<readonly [specifier: string, line: number]> => {
  const text = fs.readFileSync(path.join(root, file), "utf8")
  const { module } = parseSync(file, text)
  const requests = [
    ...module.staticImports.map((found) => found.moduleRequest),
    ...module.staticExports.flatMap((found) => found.entries.flatMap((entry) => entry.moduleRequest ?? [])),
    ...module.dynamicImports.map(({ moduleRequest: { start, end } }) => ({
      start,
      value: text.slice(start, end).replace(/^["'`]|["'`]$/g, "")
    }))
  ]
  const seen = new Map(requests.map((request) => [request.value, text.slice(0, request.start).split("\n").length]))
  return [...seen]
}

const checkImport = (file: string, name: string, own: Manifest, specifier: string): string | undefined => {
  const [, , area] = file.split("/")
  const inSource = area === "src"
  if (specifier.startsWith(".")) {
    const target = path.relative(root, path.resolve(root, path.dirname(file), specifier))
    if (!target.startsWith(`packages/${name}/`)) return "leads out of the package: import the other one by its name"
    if (inSource && !target.startsWith(`packages/${name}/src/`)) return "leads out of src"
    return undefined
  }
  if (inSource && portable.includes(name) && forNode[file] === undefined) {
    if (isBuiltin(specifier) || specifier.startsWith("@effect/platform-")) return `${name} runs outside Node too`
  }
  if (isBuiltin(specifier)) return undefined
  const dependency = packageOf(specifier)
  if (dependency.startsWith(scope)) {
    const other = dependency.slice(scope.length)
    if (specifier.startsWith(`${dependency}/internal`)) return "is internal to its package"
    if (other === name) return inSource ? "is this package: import the file" : undefined
    if (!inSource) return published.includes(other) ? undefined : "is not a published package"
    if (!below[name].includes(other)) return `${name} stands on ${below[name].join(", ") || "no other package"}`
  }
  const known = inSource
    ? Object.keys({ ...own.dependencies, ...own.peerDependencies })
    : [...declared(own), ...declared(manifest("."))]
  if (!known.includes(dependency)) return "is not declared in package.json"
  return undefined
}

let files = 0
for (const name of fs.readdirSync(path.join(root, "packages"))) {
  const folder = `packages/${name}`
  if (!fs.existsSync(path.join(root, folder, "package.json"))) continue
  if (below[name] === undefined) {
    problems.push(`${folder}: say in scripts/imports.ts what it stands on`)
    continue
  }
  const own = manifest(folder)
  for (const dependency of declared(own)) {
    if (dependency.startsWith(scope) && !below[name].includes(dependency.slice(scope.length))) {
      problems.push(
        `${folder}/package.json: ${dependency}: ${name} stands on ${below[name].join(", ") || "no package"}`
      )
    }
  }
  for (
    const file of fs.globSync(`${folder}/**/*.ts`, {
      cwd: root,
      exclude: (entry) => /(^|\/)(node_modules|dist)$/.test(entry)
    })
  ) {
    files++
    for (const [specifier, line] of importsOf(file)) {
      const problem = checkImport(file, name, own, specifier)
      if (problem !== undefined) problems.push(`${file}:${line}: "${specifier}" ${problem}`)
    }
  }
}

for (const file of Object.keys(forNode)) {
  if (!fs.existsSync(path.join(root, file))) problems.push(`scripts/imports.ts: ${file} is gone`)
}

for (const problem of problems) console.error(problem)
console.log(`imports: ${files} files, ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1
