/**
 * Chaos: some thousand seeded scenarios of the whole stack over faults, in virtual time.
 *
 *     npm run chaos -- --seed 1 --scenarios 1000     from that seed on
 *     npm run chaos -- --seed 123                    that one, with its plan and what happened
 */
import * as Effect from "effect/Effect"
import { numbers } from "../support/numbers.ts"
import { play, type Result } from "./play.ts"
import type { Visit } from "./Visitor.ts"

const tally = new Map<string, number>()

const count = (what: string): void => void tally.set(what, (tally.get(what) ?? 0) + 1)

/** How a visit ended, in a word or two. */
const endOf = ({ outcome, refused }: Visit): string => {
  if (refused !== undefined) return `refused: ${refused.layer} ${refused.reason._tag}`
  if (outcome?.error !== undefined) return `failed: ${outcome.error.layer} ${outcome.error.reason._tag}`
  return outcome?.clean === true ? `clean, ${outcome.first} first` : "cut"
}

const show = ({ connections, scenario, took, visits }: Result): void => {
  console.log(JSON.stringify(scenario, undefined, 2))
  for (const visit of visits) {
    const heard = visit.received.map((message) =>
      message._tag === "Said" ? `${message.number}` : message._tag === "Taken" ? `(${message.nth})` : "here"
    )
    console.log(
      `client ${visit.by}: ${visit.script.ends}; ${endOf(visit)}; sent ${visit.sent}; heard ${heard.join(" ")}`
    )
  }
  console.log(`${connections} connections, ${took} ms of virtual time`)
}

const { scenarios, seed } = numbers({ seed: 0, scenarios: 0 })
const single = seed > 0 && scenarios === 0
const from = seed || 1
const total = single ? 1 : scenarios || 1_000
const began = performance.now()
let failed = 0
let messages = 0
let clients = 0
let connections = 0

let unhandled: Array<string> = []
for (const event of ["unhandledRejection", "uncaughtException"] as const) {
  process.on(event, (error) => unhandled.push(`${event}: ${error instanceof Error ? error.stack : String(error)}`))
}

for (let next = from; next < from + total; next++) {
  unhandled = []
  const result = await Effect.runPromise(play(next))
  const broken = [...result.broken, ...unhandled]
  clients += result.visits.length
  connections += result.connections
  for (const visit of result.visits) {
    count(`${result.scenario.kind}: ${endOf(visit)}`)
    messages += visit.received.length
  }
  if (single) show(result)
  if (broken.length === 0) continue
  failed++
  console.error(`seed ${next} failed; again with: npm run chaos -- --seed ${next}`)
  for (const what of broken) console.error(`  ${what}`)
}

const seconds = ((performance.now() - began) / 1_000).toFixed(1)
console.log(
  `${total} scenarios in ${seconds} s, ${clients} clients, ${connections} connections, ${messages} messages received, ` +
    `${failed} failed`
)
for (const [what, times] of [...tally].sort(([, a], [, b]) => b - a)) console.log(`  ${times} ${what}`)
process.exitCode = failed === 0 ? 0 : 1
