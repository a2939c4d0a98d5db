/** Somebody honest, in a process of their own, who is to be served while others attack: says something again and again, and has it back. */
import { once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import { WebSocket } from "ws"
import { answer } from "../support/Child.ts"
import { Histogram, type Summary } from "../support/Histogram.ts"

/** What it is asked. */
export interface Questions {
  /** Connects to a URL, and begins. */
  readonly begin: void
  /** Says a last word, has it back, and leaves; how long it waited for its echoes, in milliseconds, or why it was not served. */
  readonly stop: Summary | string
}

/** Milliseconds between two echoes, and until an echo is given up. */
const pause = 20
const patience = 10_000

let waited = new Histogram()
let socket: WebSocket
let stopping = new AbortController()
let talking: Promise<void>

const echo = async (): Promise<void> => {
  const from = performance.now()
  socket.send(String(from))
  const [data] = await once(socket, "message", { signal: AbortSignal.timeout(patience) })
  if (String(data) !== String(from)) throw new Error("something else came back")
  waited.add(performance.now() - from)
}

const talk = async (): Promise<void> => {
  while (!stopping.signal.aborted) {
    await echo()
    await sleep(pause)
  }
}

answer({
  begin: async (url: string) => {
    waited = new Histogram()
    socket = new WebSocket(url, { rejectUnauthorized: false })
    await once(socket, "open")
    stopping = new AbortController()
    talking = talk()
    // Who stops it is told.
    talking.catch(() => undefined)
  },
  stop: async () => {
    stopping.abort()
    try {
      await talking
      await echo()
    } catch (error) {
      return String(error)
    }
    socket.close()
    await once(socket, "close")
    return waited.summary
  }
})
