/**
 * Looks at each published package as somebody who installs it: publint and attw on what `npm pack` would send, with
 * every public module as an entry point, and its documentation in the declarations. Needs the build.
 */
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"

const root = path.join(import.meta.dirname, "..")

interface Manifest {
  readonly name: string
  readonly private?: boolean
}

/** The output of a command that failed. */
const run = (folder: string, command: string, ...args: ReadonlyArray<string>): Promise<string | undefined> =>
  new Promise((resolve) => {
    execFile(path.join(root, "node_modules/.bin", command), args, { cwd: folder }, (error, stdout, stderr) => {
      resolve(error === null ? undefined : `${stdout}${stderr}`)
    })
  })

const publint = async (folder: string): Promise<ReadonlyArray<string>> => {
  const output = await run(folder, "publint", "--strict")
  return output === undefined ? [] : [`publint: ${output.replace(/^(Running|Packing|Linting).*\n/gm, "").trim()}`]
}

/** attw prints a section for each entry point, good or not; what counts are the bad lines of the ESM resolutions. */
const attw = async (folder: string): Promise<ReadonlyArray<string>> => {
  const modules = fs.globSync("{,*/}*.ts", { cwd: path.join(folder, "src"), exclude: ["**/index.ts", "internal"] })
  const entries = modules.map((file) => file.replace(/\.ts$/, ""))
  const only = ["--profile", "esm-only", "--no-color", "--no-summary", "--include-entrypoints", ...entries]
  const output = await run(folder, "attw", "--pack", ".", ...only)
  if (output === undefined) return []
  const bad = output.split(/^\*+$/m).flatMap((section) =>
    section.split("\n")
      .filter((line) => /^(node16 \(from ESM\)|bundler): (?!🟢|\(wildcard\))/u.test(line))
      .map((line) => `attw: ${/^"(.*)"$/m.exec(section)?.[1]}: ${line}`)
  )
  return bad.length === 0 ? [`attw: ${output.trim()}`] : bad
}

/** Files that were built from sources that are gone; the compiler leaves them, and they would be published. */
const stale = (folder: string): ReadonlyArray<string> =>
  fs.globSync("dist/**/*.js", { cwd: folder })
    .filter((file) => !fs.existsSync(path.join(folder, file.replace(/^dist(.*)\.js$/, "src$1.ts"))))
    .map((file) => `${file} has no source: npm run clean`)

/**
 * Modules whose documentation did not get into their declarations: the compiler takes a comment right above an import for that
 * import's, and drops both. A blank line between them tells them apart.
 */
const undocumented = (folder: string): ReadonlyArray<string> => {
  const documented = (file: string) => fs.readFileSync(path.join(folder, file), "utf8").startsWith("/**")
  return fs.globSync("src/**/*.ts", { cwd: folder, exclude: ["**/internal"] })
    .filter((file) => documented(file) && !documented(file.replace(/^src(.*)\.ts$/, "dist$1.d.ts")))
    .map((file) => `${file} loses its documentation: put a blank line behind it, and build`)
}

const check = async (folder: string): Promise<ReadonlyArray<string>> => {
  if (!fs.existsSync(path.join(folder, "dist"))) return ["is not built: npm run build"]
  return [...stale(folder), ...undocumented(folder), ...await publint(folder), ...await attw(folder)]
}

const folders = fs.globSync("packages/*", { cwd: root }).filter((folder) => {
  const file = path.join(root, folder, "package.json")
  return fs.existsSync(file) && (JSON.parse(fs.readFileSync(file, "utf8")) as Manifest).private !== true
})

const results = await Promise.all(folders.map((folder) => check(path.join(root, folder))))
const problems = results.flatMap((found, index) => found.map((problem) => `${folders[index]}: ${problem}`))

for (const problem of problems) console.error(problem)
console.log(`packed: ${folders.length} packages, ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1
