/**
 * Fuzzes what reads from a peer, with a budget and a seed.
 *
 *     npm run fuzz -- --seconds 60 --seed 7        all targets share the time
 *     npm run fuzz -- --target socks5              those whose name has this in it
 *     npm run fuzz -- --target socks5 --case 05ff  one input, in hex or in a file
 *
 * Exits with 1 if something was found. Targets run in a thread of their own, so that one that hangs is found too.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { parseArgs } from "node:util"
import { Worker } from "node:worker_threads"
import { number } from "../support/numbers.ts"
import { hex, hexOf, seedOf } from "./bytes.ts"
import { examine, type Finding, type Report } from "./Campaign.ts"
import { targets } from "./targets/index.ts"
import { Watch } from "./Watch.ts"
import type { Told, Work } from "./worker.ts"

const { values: given } = parseArgs({
  options: {
    seconds: { type: "string" },
    seed: { type: "string" },
    target: { type: "string" },
    case: { type: "string" }
  }
})
const seconds = number("seconds", given.seconds, 30)
const seed = number("seed", given.seed, 1)
const chosen = targets.filter(({ name }) => given.target === undefined || name.includes(given.target))

/** How long an input is waited for. */
const hangsAfter = 10_000

const row = (...cells: ReadonlyArray<string | number>): void =>
  console.log(cells.map((cell, i) => i === 0 ? String(cell).padEnd(36) : String(cell).padStart(9)).join(" "))

const printReport = ({ accepted, cases, seconds, target, ways }: Report): void =>
  row(target, cases, Math.round(cases / seconds), accepted, ways)

/** More bytes go into a file. */
const maxHex = 1_000

/** An input as the command line takes it. */
const caseOf = ({ input, target }: Finding): string => {
  if (input.length > 0 && input.length <= maxHex) return hexOf(input)
  const file = path.join(os.tmpdir(), `fuzz-${target}-${seedOf(input)}.bin`)
  fs.writeFileSync(file, input)
  return file
}

const printFinding = (finding: Finding): void => {
  const { number, target, what } = finding
  console.log(`\n${target}, seed ${seed}${number === undefined ? "" : `, case ${number}`}: ${what}`)
  console.log(`\n    npm run fuzz -- --target ${target} --case ${caseOf(finding)}\n`)
}

/** Shows one input to each chosen target. */
const repeated = async (input: Uint8Array): Promise<boolean> => {
  let right = true
  for (const target of chosen) {
    const seen = await examine(target, input)
    if ("wrong" in seen) right = false
    console.log(
      `${target.name}: ${"wrong" in seen ? seen.wrong : `${seen.accepted ? "accepted" : "refused"}, ${seen.how}`}`
    )
  }
  return right
}

/** Runs all chosen targets, and tells whether nothing was found. */
const searched = (): Promise<boolean> =>
  new Promise((done, fail) => {
    const watch = new Watch()
    const workerData: Work = {
      names: chosen.map(({ name }) => name),
      seconds: seconds / chosen.length,
      seed,
      memory: watch.memory
    }
    const worker = new Worker(new URL("worker.ts", import.meta.url), { workerData })
    let target = ""
    let right = true
    let seen = { count: -1, since: performance.now() }
    const guard = setInterval(() => {
      const { count } = watch
      if (count !== seen.count || target === "") seen = { count, since: performance.now() }
      else if (performance.now() - seen.since > hangsAfter) hangs("it hangs")
    }, 500)
    const hangs = (what: string): void => {
      printFinding({ target, what, number: undefined, input: watch.input })
      finish(false)
    }
    const finish = (right: boolean): void => {
      clearInterval(guard)
      worker.removeAllListeners("exit")
      void worker.terminate()
      done(right)
    }
    row("target", "cases", "a second", "accepted", "ways")
    worker.on("error", fail)
    worker.on("exit", () => hangs("it waits for something that never comes"))
    worker.on("message", (told: Told) => {
      switch (told._tag) {
        case "Begun":
          target = told.target
          break
        case "Done":
          printReport(told.report)
          if (told.report.finding !== undefined) printFinding(told.report.finding)
          right &&= told.report.finding === undefined
          break
        case "Over":
          finish(right)
      }
    })
  })

if (chosen.length === 0) throw new RangeError(`no target has ${given.target} in its name`)
const right = given.case === undefined
  ? await searched()
  : await repeated(fs.existsSync(given.case) ? new Uint8Array(fs.readFileSync(given.case)) : hex(given.case))
if (right) console.log(`\nnothing found, by seed ${seed}`)
process.exit(right ? 0 : 1)
