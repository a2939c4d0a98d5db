/** What became of connections that were closed together: those that are not over yet were given up. */
import type { DrainReport } from "../Listener.ts"
import type { Outcome } from "../Outcome.ts"
import type { Life } from "./LiveConnection.ts"

type End = "clean" | "forced" | "failed"

const endOf = (outcome: Outcome | undefined, aborted: boolean): End => {
  if (outcome?.clean === true) return "clean"
  return aborted || outcome?.error === undefined ? "forced" : "failed"
}

export const toll = (lives: ReadonlyArray<Life>): Pick<DrainReport, End | "unsent" | "undelivered"> => {
  const toll = { clean: 0, forced: 0, failed: 0, unsent: { messages: 0, bytes: 0 }, undelivered: 0 }
  for (const { aborted, outcome } of lives) {
    toll[endOf(outcome, aborted)]++
    toll.unsent.messages += outcome?.unsent.messages ?? 0
    toll.unsent.bytes += outcome?.unsent.bytes ?? 0
    toll.undelivered += outcome?.undelivered ?? 0
  }
  return toll
}
