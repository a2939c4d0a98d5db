/** What a server under load is asked, whoever wrote it: it echoes, publishes, and tells what it costs. */
import { answer } from "../support/Child.ts"
import { type Memory, memory } from "../support/Memory.ts"
import { say } from "./Speech.ts"

/** What it holds, in MiB without garbage, and the seconds of CPU it has used. */
export interface Usage extends Memory {
  readonly cpu: number
}

/** What a server is asked. */
export interface Questions {
  readonly port: number
  readonly usage: Usage
  /** Begins to publish, once a second. */
  readonly publish: void
  /** Stops publishing; how many were published. */
  readonly hush: number
}

const usage = (): Usage => {
  const { system, user } = process.cpuUsage()
  return { ...memory(), cpu: (user + system) / 1e6 }
}

/** Serves whoever asks; `broadcast` sends a text to all that are connected. */
export const serving = (port: Promise<number>, broadcast: (text: string) => void): void => {
  let count = 0
  let timer: NodeJS.Timeout | undefined
  answer({
    port: () => port,
    usage,
    publish: () => {
      timer = setInterval(() => broadcast(say("b", ++count)), 1_000)
    },
    hush: () => {
      clearInterval(timer)
      return count
    }
  })
}
