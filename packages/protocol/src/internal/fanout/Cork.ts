/** Flushes many connections at the end of the turn, in one microtask for all. */
import type { LiveConnection } from "../LiveConnection.ts"

declare const queueMicrotask: (f: () => void) => void

type Any = LiveConnection<any, any, any>

let corked: Array<Any> = []

/** One that throws must not keep the others back. */
const flush = (connection: Any): void => {
  try {
    connection.flush()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

const uncork = (): void => {
  const connections = corked
  corked = []
  for (let i = 0; i < connections.length; i++) flush(connections[i])
}

/** Something was written to a connection. */
export const cork = (connection: Any): void => {
  if (connection.awaitsFlush() && corked.push(connection) === 1) queueMicrotask(uncork)
}
