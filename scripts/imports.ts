/**
 * The import rules of ARCHITECTURE.md.
 *
 * - Packages depend downwards, as in `below`; tests may use any published package, and what they share.
 * - What is `portable` runs in a browser and in a worker: nothing from Node in it.
 * - A package is imported by its name and its public modules: no path leads out of a package, none into `internal/`.
 * - A package declares what its sources import.
 * - Files don't import one another in a circle, neither directly nor by way of an index; types may, since a public module
 *   and its internal implementation know each other's.
 */
import * as fs from "node:fs"
import { builtinModules } from "node:module"
import * as path from "node:path"
import { parseSync } from "oxc-parser"

const scope = "@wirestack/"
/** What each published package may stand on. */
const libraries: Record<string, ReadonlyArray<string>> = {
  protocol: [],
  codecs: ["protocol"],
  "backplane-redis": ["protocol"],
  http: ["protocol"],
  "transport-tcp": ["protocol"],
  "transport-tls": ["protocol"],
  "transport-proxy": ["protocol", "http"],
  "transport-udp": ["protocol", "transport-tcp"],
  "transport-streams": ["protocol"],
  websocket: ["protocol", "http"],
  node: ["protocol", "transport-streams", "transport-tcp", "transport-tls", "websocket"],
  cli: ["protocol", "transport-tcp", "transport-tls", "transport-proxy", "transport-udp", "websocket", "node"]
}

const published = Object.keys(libraries)

/** What each package may stand on. */
const below: Record<string, ReadonlyArray<string>> = {
  ...libraries,
  examples: published,
  benchmarks: published,
  endurance: [...published, "test-support"],
  "test-support": ["protocol"]
}

/** Sources that import nothing from Node, and the files among them that are for Node only, each with its reason. */
const portable = ["protocol", "codecs", "http", "transport-proxy", "transport-streams", "websocket", "backplane-redis"]
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

/** What it brings along when it is installed; tests may also use what is declared for development. */
const brings = (self: Manifest): ReadonlyArray<string> =>
  Object.keys({ ...self.dependencies, ...self.peerDependencies })

const develops = (
  self: Manifest
): ReadonlyArray<string> => [...brings(self), ...Object.keys(self.devDependencies ?? {})]

/** `@scope/name/Module` is of the package `@scope/name`. */
const packageOf = (specifier: string): string =>
  specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/")

const isBuiltin = (specifier: string): boolean =>
  specifier.startsWith("node:") || builtinModules.includes(packageOf(specifier))

interface Import {
  readonly specifier: string
  readonly line: number
  /** Something of it is there when the program runs. */
  readonly value: boolean
}

/** Everything a file imports or re-exports, types included. */
const importsOf = (file: string): ReadonlyArray<Import> => {
  const text = fs.readFileSync(path.join(root, file), "utf8")
  const { module } = parseSync(file, text)
  const at = (specifier: string, start: number, value: boolean): Import => ({
    specifier,
    line: text.slice(0, start).split("\n").length,
    value
  })
  return [
    ...module.staticImports.map(({ entries, moduleRequest }) =>
      at(moduleRequest.value, moduleRequest.start, entries.length === 0 || entries.some((entry) => !entry.isType))
    ),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ isType, moduleRequest }) =>
        moduleRequest === null ? [] : [at(moduleRequest.value, moduleRequest.start, !isType)]
      )
    ),
    ...module.dynamicImports.map(({ moduleRequest: { end, start } }) =>
      at(text.slice(start + 1, end - 1), start, false)
    )
  ]
}

/** One circle through each file that is in one, as far as it was not reported with another. */
const circles = (graph: ReadonlyMap<string, ReadonlyArray<string>>): ReadonlyArray<string> => {
  const found: Array<string> = []
  const done = new Set<string>()
  const visit = (file: string, trail: ReadonlyArray<string>): void => {
    const from = trail.indexOf(file)
    if (from >= 0) found.push([...trail.slice(from), file].join(" -> "))
    if (from >= 0 || done.has(file)) return
    for (const next of graph.get(file) ?? []) visit(next, [...trail, file])
    done.add(file)
  }
  for (const file of graph.keys()) visit(file, [])
  return found
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
    if (!inSource) {
      return published.includes(other) || other === "test-support"
        ? undefined
        : "is not a published package"
    }
    if (!below[name].includes(other)) return `${name} stands on ${below[name].join(", ") || "no other package"}`
  }
  const known = inSource ? brings(own) : [...develops(own), ...develops(manifest("."))]
  if (!known.includes(dependency)) return "is not declared in package.json"
  return undefined
}

const graph = new Map<string, ReadonlyArray<string>>()
for (const name of fs.readdirSync(path.join(root, "packages"))) {
  const folder = `packages/${name}`
  if (!fs.existsSync(path.join(root, folder, "package.json"))) continue
  if (below[name] === undefined) {
    problems.push(`${folder}: say in scripts/imports.ts what it stands on`)
    continue
  }
  const own = manifest(folder)
  for (const dependency of Object.keys({ ...own.dependencies, ...own.peerDependencies })) {
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
    const imports = importsOf(file)
    for (const { line, specifier } of imports) {
      const problem = checkImport(file, name, own, specifier)
      if (problem !== undefined) problems.push(`${file}:${line}: "${specifier}" ${problem}`)
    }
    const values = imports.filter(({ specifier, value }) => value && specifier.startsWith("."))
    graph.set(file, values.map(({ specifier }) => path.join(path.dirname(file), specifier)))
  }
}
for (const circle of circles(graph)) problems.push(`${circle}: a circle`)

for (const file of Object.keys(forNode)) {
  if (!fs.existsSync(path.join(root, file))) problems.push(`scripts/imports.ts: ${file} is gone`)
}

for (const problem of new Set(problems)) console.error(problem)
console.log(`imports: ${graph.size} files, ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1
