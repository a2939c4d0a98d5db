/** What TCP tells in an `EstablishmentReport`. */
import type { Facts } from "@wirestack/protocol/reports/EstablishmentReport"
import * as Context from "effect/Context"
import * as Address from "../Address.ts"
import type { Attempt, Lookup } from "../HappyEyeballs.ts"
import { TcpInfo } from "../TcpInfo.ts"

const outcomeOf = ({ reason, took }: Attempt<string> | Lookup): Facts => ({ took, failed: reason?.message })

export const facts = (details: Context.Context<TcpInfo>): Facts => {
  const { course: { attempts, lookups }, remote } = Context.get(details, TcpInfo)
  return {
    address: Address.format(remote),
    lookup: lookups.map((lookup) => ({ addresses: lookup.count, ...outcomeOf(lookup) })),
    tried: attempts.map((attempt) => ({ address: attempt.address, after: attempt.after, ...outcomeOf(attempt) }))
  }
}
