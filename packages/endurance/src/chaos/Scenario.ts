/** What is done in a scenario: it follows from the seed alone. */
import * as Faults from "@wirestack/protocol/faults/Faults"
import type { Plan } from "@wirestack/protocol/faults/Plan"
import { random } from "@wirestack/test-support"
import { type Script, scriptOf } from "./Visitor.ts"

/** What becomes of a client whose connection breaks: it is gone, resumes its session, or comes back as somebody new. */
export type Kind = "passing" | "resuming" | "resilient"

/** How long a session without a connection is kept, in milliseconds, and how much of it. */
export interface Keeping {
  readonly keepFor: number
  readonly maxMessages: number
  readonly acknowledgeAfter: number
}

export interface Scenario {
  readonly seed: number
  readonly kind: Kind
  /** In milliseconds. */
  readonly drainsAt: number
  readonly keeping: Keeping | undefined
  /** How many messages wait for the next connection of a client that is resilient; undefined if sending fails in between. */
  readonly buffer: number | undefined
  readonly scripts: ReadonlyArray<Script>
  /** What befalls each connection; nothing befalls those beyond. */
  readonly plans: ReadonlyArray<Plan<"bytes">>
}

const kinds: ReadonlyArray<Kind> = ["resuming", "passing", "resilient", "passing"]

/** For those who come back: a connection seldom lasts. */
const rough: Omit<Faults.Random, "seed"> = {
  chances: { reset: 0.6, end: 0.1, lose: 0.2, hold: 0.4, corrupt: 0.05, fail: 0.1 },
  within: "6 seconds",
  withinBytes: 20_000
}

/** How many connections of a client have faults, if it comes back. */
const roughly = 5

export const planned = (seed: number): Scenario => {
  const next = random(seed)
  const upTo = (limit: number) => Math.floor(next() * limit)
  const kind = kinds[seed % kinds.length]
  const scripts = Array.from({ length: 1 + upTo(5) }, () => scriptOf(next, kind === "passing" ? 12 : 24))
  const planOf = Faults.random({ seed, ...(kind === "passing" ? { withinBytes: 30_000 } : rough) })
  const drainsAt = 2_000 + upTo(30_000)
  return {
    seed,
    kind,
    drainsAt,
    keeping: kind === "resuming"
      ? { keepFor: 1_000 + upTo(15_000), maxMessages: next() < 0.3 ? 8 : 1_024, acknowledgeAfter: 1 + upTo(64) }
      : undefined,
    buffer: kind === "resilient" && next() < 0.7 ? 1 + upTo(10) : undefined,
    scripts,
    plans: Array.from({ length: scripts.length * (kind === "passing" ? 1 : roughly) }, (_, nth) => planOf(nth))
  }
}
