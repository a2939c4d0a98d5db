/** Seconds of CPU that processes have used. */
import { readdirSync, readFileSync } from "node:fs"

/** Of all threads of a process that are still there; fails once it is gone. */
export const cpuOf = (pid: number): number => {
  const tasks = `/proc/${pid}/task`
  return readdirSync(tasks)
    .reduce((sum, task) => sum + Number(readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ")[0]), 0) / 1e9
}

/** Of this process. */
export const ownCpu = (): number => {
  const { system, user } = process.cpuUsage()
  return (user + system) / 1e6
}
