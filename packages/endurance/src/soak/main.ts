/**
 * A soak: thousands of connections over all stacks come, speak and go, in order and not, while servers are drained and come back.
 *
 *     npm run soak -- --minutes 120 --connections 2000 --seed 7 --curve heap.csv
 *
 * It goes on epoch by epoch, and stops at the first in which something does not hold: a message that was acknowledged is lost, or
 * heard twice, or changed; a `closed` that does not resolve, or a close beyond its budget; a fiber, socket or descriptor that is
 * left; memory that grows with the connections served. Then it exits with 1, and tells with what the epoch is repeated.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { parseArgs } from "node:util"
import { memory } from "../support/Memory.ts"
import { number } from "../support/numbers.ts"
import { Curve } from "./Curve.ts"
import { epoch, warmUp } from "./epoch.ts"
import { Ledger } from "./Ledger.ts"
import { Slope } from "./Slope.ts"
import * as Stacks from "./stacks.ts"
import { summary } from "./summary.ts"

const { values } = parseArgs({
  options: {
    minutes: { type: "string" },
    connections: { type: "string" },
    epoch: { type: "string" },
    seed: { type: "string" },
    curve: { type: "string" }
  }
})
const minutes = number("minutes", values.minutes, 2)
const connections = number("connections", values.connections, 1_000)
const seconds = number("epoch", values.epoch, 10)
const seed = number("seed", values.seed, Math.floor(Math.random() * 1e6))

/** How many bytes a connection may leave behind, by the line that fits the memory of all epochs after the first quarter. */
const bound = 64

/** What memory may grow by at all, in bytes: the engine itself takes some more as it gets to know the program. */
const unnoticed = 2 * 1_048_576

const minutesSince = (from: number): number => (performance.now() - from) / 60_000

const program = Effect.gen(function*() {
  const stacks = yield* Stacks.make
  const ledger = new Ledger()
  const curve = new Curve(values.curve)
  const slope = new Slope()
  yield* warmUp(stacks, ledger)
  const began = performance.now()
  let current = seed
  do {
    const exit = yield* Effect.exit(epoch(stacks, { connections, seconds }, current, ledger))
    if (Exit.isFailure(exit)) ledger.breaks(Cause.pretty(exit.cause))
    yield* Effect.sleep("100 millis")
    const now = memory()
    const { messages } = ledger
    const passed = minutesSince(began)
    curve.add({ ...now, minutes: passed, messages, connections: ledger.connections })
    if (passed > minutes / 4) slope.add(ledger.connections, (now.heap + now.external) * 1_048_576)
    console.log([
      `${passed.toFixed(1).padStart(6)} min`,
      `seed ${current}`,
      `${ledger.connections} connections`,
      `${messages} messages`,
      `heap ${now.heap.toFixed(1)} MiB`,
      `rss ${now.rss.toFixed(0)} MiB`
    ].join("   "))
    current++
  } while (minutesSince(began) < minutes && ledger.broken.length === 0)

  const { growth, rise } = slope
  if (rise !== undefined && rise > bound && growth > unnoticed) {
    ledger.breaks(`memory grows by ${rise.toFixed(0)} bytes a connection`)
  }
  console.log(`\n${curve.chart}\n\n${summary(ledger, rise, bound)}`)
  if (ledger.broken.length === 0) return console.log("everything held")
  console.log(
    `again: npm run soak -- --minutes 0 --connections ${connections} --epoch ${seconds} --seed ${current - 1}`
  )
  process.exitCode = 1
})

await Effect.runPromise(program)
