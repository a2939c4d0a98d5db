import { it } from "@effect/vitest"
import { Refused } from "@wirestack/protocol/ConnectError"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import { AddressInUse } from "@wirestack/protocol/ListenError"
import { withoutLeaks } from "@wirestack/protocol/testing"
import type { Source } from "@wirestack/transport-streams"
import { Effect, type Scope } from "effect"

/** A network of names, in which a pair of streams is made for whoever connects. */
export const network = <A>(pair: () => readonly [A, A]) => {
  const listeners = new Map<string, Source.Accept<A>>()
  return {
    connect: (endpoint: Endpoint.Endpoint) =>
      Effect.suspend(() => {
        const address = Endpoint.format(endpoint)
        const accept = listeners.get(address)
        const [near, far] = pair()
        const refused = accept === undefined ? new Refused({ address }) : accept(far)
        return refused === undefined ? Effect.succeed(near) : Effect.fail(refused)
      }),
    listen: (endpoint: Endpoint.Endpoint, accept: Source.Accept<A>) =>
      Effect.suspend(() => {
        const address = Endpoint.format(endpoint)
        if (listeners.has(address)) return Effect.fail(new AddressInUse({ address }))
        listeners.set(address, accept)
        return Effect.addFinalizer(() => Effect.sync(() => listeners.delete(address)))
      })
  }
}

/** A live test that leaves no fiber. */
export const live = <E>(name: string, program: () => Effect.Effect<unknown, E, Scope.Scope>) =>
  it.live(name, () => withoutLeaks(Effect.scoped(Effect.suspend(program))))

/** How many message ports the process listens to. */
export const ports = (): number => process.getActiveResourcesInfo().filter((name) => name === "MessagePort").length
