/**
 * Hundreds of attackers at once, attack by attack, each on a server of its own, beside somebody who is served meanwhile. Exits with 1
 * if one is not stopped by the limit that is for it, in time, and at the cost that is allowed.
 */
import { numbers } from "../support/numbers.ts"
import { table } from "../support/table.ts"
import { attacks } from "./attacks.ts"
import { type Result, trial } from "./trial.ts"

const { attackers, floods } = numbers({ attackers: 100, floods: 5_000 })

/** Those that cost an attacker hardly anything are many more. */
const countOf = (name: string): number => name.startsWith("handshakes") ? floods : attackers

const rows: Array<ReadonlyArray<string>> = []
const faults: Array<string> = []

const row = (name: string, count: number, stoppedBy: string, { held, peak, took, waited }: Result) => [
  name,
  String(count),
  stoppedBy,
  `${took.toFixed(0)} ms`,
  `${held.toFixed(1)} KiB`,
  `${peak.toFixed(0)} MiB`,
  `${waited.toFixed(0)} ms`
]

for (const attack of attacks) {
  const count = countOf(attack.name)
  const result = await trial(attack, count)
  rows.push(row(attack.name, count, attack.stoppedBy, result))
  faults.push(...result.faults.map((fault) => `${attack.name}: ${fault}`))
}

console.log(table([["attack", "by", "stopped by", "after", "held by one", "peak of all", "bystander"], ...rows]))
console.log(faults.length === 0 ? `\nall ${attacks.length} attacks were stopped` : `\n${faults.join("\n")}`)
process.exitCode = faults.length === 0 ? 0 : 1
