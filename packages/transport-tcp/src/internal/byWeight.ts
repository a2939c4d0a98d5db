/** The order in which the targets of a service are tried: RFC 2782, "Weight". */
import type * as Dns from "effect/net/Dns"

type Target = Pick<Dns.Srv, "priority" | "weight">

/**
 * The lowest priority first, and within one by chance: each is next as often as its weight says, and one without weight hardly ever
 * before those that have some. `random` gives numbers from 0 to below 1.
 */
export const byWeight = <A extends Target>(targets: ReadonlyArray<A>, random: () => number): Array<A> => {
  const left = [...targets].sort((a, b) => a.priority - b.priority || a.weight - b.weight)
  const order: Array<A> = []
  while (left.length > 0) {
    const same = left.filter(({ priority }) => priority === left[0].priority)
    const lowest = Math.min(1, same[0].weight)
    const sum = same.reduce((sum, { weight }) => sum + weight, 0)
    const chosen = lowest + Math.floor(random() * (sum + 1 - lowest))
    let running = 0
    order.push(...left.splice(same.findIndex(({ weight }) => (running += weight) >= chosen), 1))
  }
  return order
}
