/** What TCP tells in an `EstablishmentReport`. */
import { formatPlace } from "@wirestack/protocol/Endpoint"
import type { Facts } from "@wirestack/protocol/EstablishmentReport"
import * as Context from "effect/Context"
import type { Attempt, Lookup } from "../HappyEyeballs.ts"
import { TcpInfo } from "../TcpInfo.ts"

const outcomeOf = ({ reason, took }: Attempt<string> | Lookup): Facts => ({ took, failed: reason?.message })

export const facts = (details: Context.Context<TcpInfo>): Facts => {
  const { course: { attempts, lookups }, remote: { host, port } } = Context.get(details, TcpInfo)
  return {
    address: formatPlace({ _tag: "Tcp", host, port }),
    lookup: lookups.map((lookup) => ({ addresses: lookup.count, ...outcomeOf(lookup) })),
    tried: attempts.map((attempt) => ({ address: attempt.address, after: attempt.after, ...outcomeOf(attempt) }))
  }
}
