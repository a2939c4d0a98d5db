/** Runs a program in a worker of its own. */
import { Worker } from "node:worker_threads"

const worker = new Worker(process.argv[2])
worker.once("error", (error) => {
  console.error(error)
  process.exitCode = 1
})
