/** Every process that is started here is adopted, so that none outlives this one, however this one ends. */
import type { ChildProcess } from "node:child_process"

const running = new Set<ChildProcess>()

export const adopt = (child: ChildProcess): ChildProcess => {
  running.add(child)
  child.once("exit", () => running.delete(child))
  return child
}

process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

for (const [signal, number] of [["SIGINT", 2], ["SIGTERM", 15], ["SIGHUP", 1]] as const) {
  process.once(signal, () => process.exit(128 + number))
}
