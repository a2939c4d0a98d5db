import type { ListenOptions } from "../Transport.ts"
import { atLeast } from "./atLeast.ts"
import { millisOf } from "./millisOf.ts"

const counts = [["maxConnections", 1], ["maxConnectionsPerPeer", 1], ["maxWaiting", 0]] as const

/** Throws a `RangeError` if an option of a listener, or of a connect, bounds nothing. */
export const checkListenOptions = (options: ListenOptions<any>): void => {
  const { closeWithin, drain: { over, retryAfter, within } = {}, maxLifetime } = options
  for (const [name, least] of counts) {
    const given = options[name]
    if (given !== undefined) atLeast(least, name, given)
  }
  for (const [name, time] of Object.entries({ closeWithin, maxLifetime, over, retryAfter, within })) {
    if (time !== undefined) millisOf(name, time)
  }
}
