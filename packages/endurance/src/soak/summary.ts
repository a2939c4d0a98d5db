/** What a soak has seen, in lines for people. */
import type { Ledger } from "./Ledger.ts"

const millis = (time: number): string => `${time.toFixed(0)} ms`

/** `rise` is by how many bytes memory grows with a connection, if that is known, and `bound` how many it may be. */
export const summary = (ledger: Ledger, rise: number | undefined, bound: number): string => {
  const { acknowledged, broken, clean, closed, closing, connections, drains, incidents, late, messages } = ledger
  const facts: ReadonlyArray<readonly [name: string, value: string]> = [
    ["connections", `${connections}, both ends; ${closed} closed, ${clean} of them in order`],
    ["messages", `${messages} heard, ${acknowledged} acknowledged`],
    ["drains", `${drains}; ${incidents} incidents`],
    ["closing", `p99 ${millis(closing.quantile(0.99))}, max ${millis(closing.max)}`],
    ["event loop", `${millis(late)} late at the most`],
    [
      "memory",
      rise === undefined
        ? "too short to tell whether it grows"
        : `${rise.toFixed(1)} bytes a connection, at most ${bound}`
    ],
    ...broken.map((what) => ["broken", what] as const)
  ]
  return facts.map(([name, value]) => name.padEnd(14) + value).join("\n")
}
