/**
 * Runs the suites of transports, framers and codecs on other runtimes, each as one program without imports, and prints what passes as a
 * table. Fails if a test fails, but for those that need what a runtime is known to lack.
 *
 *     npm run runtimes [-- RUNTIME...]
 */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as readline from "node:readline"
import { fileURLToPath } from "node:url"
import { table } from "../support/table.ts"
import { bundle, importsOf, mark } from "./bundle.ts"
import { type Lack, type Runtime, runtimes } from "./Runtime.ts"
import type { Report } from "./StandIn.ts"
import { type Suite, suites } from "./Suite.ts"

const root = fileURLToPath(new URL("../../../../", import.meta.url))

/** Milliseconds after which a suite is given up. */
const patience = 100_000

const sum = (reports: ReadonlyArray<Report>): Report => ({
  passed: reports.reduce((sum, { passed }) => sum + passed, 0),
  skipped: reports.reduce((sum, { skipped }) => sum + skipped, 0),
  failed: reports.flatMap(({ failed }) => failed)
})

const lacksOf = (lacks: ReadonlyArray<Lack>): string => JSON.stringify(lacks.map(({ tests }) => tests.source))

/** What becomes of a suite on a runtime. */
const run = async ({ command, lacks }: Runtime, { files }: Suite, program: string): Promise<Report> => {
  const [file, ...args] = command(program)
  const env = { ...process.env, WIRESTACK_LACKS: lacksOf(lacks) }
  const child = spawn(file, args, { env, stdio: ["ignore", "pipe", "inherit"] })
  const timer = setTimeout(() => child.kill("SIGKILL"), patience)
  const reports: Array<Report> = []
  for await (const line of readline.createInterface({ input: child.stdout })) {
    if (line.startsWith(mark)) reports.push(JSON.parse(line.slice(mark.length)) as Report)
  }
  clearTimeout(timer)
  const missing = files.slice(reports.length).map((name) => ({ name, error: "did not come to its end" }))
  return sum([...reports, { passed: 0, skipped: 0, failed: missing }])
}

const cell = ({ failed, passed, skipped }: Report): string =>
  failed.length + skipped === 0 ? `${passed}` : `${passed} of ${passed + failed.length + skipped}`

const seconds = (since: number): string => ((performance.now() - since) / 1_000).toFixed(1)

const wanted = process.argv.slice(2)
const chosen = runtimes.filter(({ name }) => wanted.length === 0 || wanted.includes(name))

const folder = mkdtempSync(join(tmpdir(), "wirestack-runtimes-"))
process.once("exit", () => rmSync(folder, { recursive: true, force: true }))

const problems: Array<string> = []

const imported = await importsOf(
  ["protocol", "http", "codecs", "websocket", "transport-proxy", "transport-streams"].map((name) =>
    join(root, `packages/${name}/src/index.ts`)
  ),
  folder
)
if (imported.length > 0) problems.push(`the portable packages import ${imported.join(", ")}`)

/** A suite on all of them, two at a time. */
const row = async (suite: Suite): Promise<ReadonlyArray<string>> => {
  const program = await bundle(suite.name, suite.files.map((file) => join(root, file)), folder)
  const onOne = async (runtime: Runtime): Promise<string> => {
    const begun = performance.now()
    const report = await run(runtime, suite, program)
    console.log(`${runtime.name}: ${suite.name}: ${cell(report)} in ${seconds(begun)} s`)
    for (const { error, name } of report.failed) problems.push(`${runtime.name}: ${suite.name}: ${name}: ${error}`)
    if (report.passed === 0) problems.push(`${runtime.name}: ${suite.name}: nothing passed`)
    return cell(report)
  }
  const cells = Effect.forEach(chosen, (runtime) => Effect.promise(() => onOne(runtime)), { concurrency: 2 })
  return [suite.name, ...await Effect.runPromise(cells)]
}

const rows: Array<ReadonlyArray<string>> = []
for (const suite of suites) rows.push(await row(suite))

console.log(table([["", ...chosen.map(({ name }) => name)], ...rows]))
for (const { lacks, name } of chosen) {
  for (const { reason } of lacks) console.log(`${name}: ${reason}`)
}
for (const problem of problems) console.error(problem)
console.log(`runtimes: ${problems.length} problems`)
process.exit(problems.length === 0 ? 0 : 1)
