/** Connecting to one address of a place after the other, for handshakes that fail with one and may not with the next. */
import * as Effect from "effect/Effect"
import type { Ask } from "../Ask.ts"
import { type AddressFailed, ConnectError, NoneReached } from "../ConnectError.ts"
import { formatPlace } from "../Endpoint.ts"

/** Names are resolved for each attempt, and may have another address each time. */
const maxAddresses = 32

/** Connects; if that fails once an address was reached, `another` says whether to try the next. */
export const tryAddresses = <A, R>(
  connect: (ask: Ask) => Effect.Effect<A, ConnectError, R>,
  ask: Ask,
  another: ((error: ConnectError) => boolean) | undefined
): Effect.Effect<A, ConnectError, R> => {
  if (another === undefined) return connect(ask)
  const from = (failed: ReadonlyArray<AddressFailed>, first: ConnectError | undefined): typeof attempt =>
    Effect.suspend(() => {
      let address: string | undefined
      const reached = (last: string): void => {
        address = last
      }
      const skip = failed.map((other) => other.address)
      return Effect.catch(connect({ ...ask, skip, reached }), (error) => {
        const { layer, reason } = error
        const failures = address !== undefined
          ? [...failed, { address, reason }]
          : reason._tag === "NoneReached"
          ? [...failed, ...reason.attempts]
          : [...failed, { address: formatPlace(ask.endpoint.place), reason }]
        if (address !== undefined && failures.length < maxAddresses && another(error)) {
          return from(failures, first ?? error)
        }
        if (failures.length > 1) {
          return Effect.fail(new ConnectError({ layer, reason: new NoneReached({ attempts: failures }) }))
        }
        return Effect.fail(first ?? error)
      })
    })
  const attempt: Effect.Effect<A, ConnectError, R> = from([], undefined)
  return attempt
}
