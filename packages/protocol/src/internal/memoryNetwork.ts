/** The places of a network in memory: who listens at a name, and how one gets there. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { type Ask, lacking } from "../Ask.ts"
import { ConnectError, InvalidEndpoint, Refused } from "../ConnectError.ts"
import * as Connection from "../Connection.ts"
import * as Endpoint from "../Endpoint.ts"
import * as Listener from "../Listener.ts"
import { AddressInUse, ListenError } from "../ListenError.ts"
import type { Transport } from "../Transport.ts"
import type { Wire } from "../wire/Wire.ts"
import { pair } from "./Pipe.ts"

class Booth<M> implements Listener.Acceptor<M, M, never> {
  readonly layer = "memory"
  readonly address: Endpoint.Endpoint
  readonly stop: Effect.Effect<void>
  private accept: ((wire: Wire<M, M>, details: () => Context.Context<never>) => void) | undefined

  constructor(address: Endpoint.Endpoint, leave: () => void) {
    this.address = address
    this.stop = Effect.sync(leave)
  }

  start(accept: (wire: Wire<M, M>, details: () => Context.Context<never>) => void): void {
    this.accept = accept
  }

  take(wire: Wire<M, M>): void {
    this.accept?.(wire, Context.empty)
  }
}

const nameOf = (ask: Ask): string | undefined =>
  ask.endpoint.place._tag === "Memory" ? ask.endpoint.place.name : undefined

/** A transport whose listeners its connects find. */
export const memoryNetwork = <M>(): Transport<M, M> => {
  const booths = new Map<string, Booth<M>>()
  const notMemory = (ask: Ask) =>
    new InvalidEndpoint({ input: Endpoint.format(ask.endpoint), detail: "this transport knows memory:NAME only" })
  return {
    connect: (ask) =>
      Effect.suspend(() => {
        const missing = lacking(ask)
        if (missing !== undefined) return Effect.fail(new ConnectError({ layer: "memory", reason: missing }))
        const name = nameOf(ask)
        if (name === undefined) return Effect.fail(new ConnectError({ layer: "memory", reason: notMemory(ask) }))
        const booth = booths.get(name)
        if (booth === undefined) {
          return Effect.fail(
            new ConnectError({ layer: "memory", reason: new Refused({ address: Endpoint.format(ask.endpoint) }) })
          )
        }
        const [near, far] = pair<M>()
        booth.take(far)
        return Connection.make(near, { ask })
      }),
    listen: (ask) =>
      Effect.suspend(() => {
        const address = Endpoint.format(ask.endpoint)
        const name = nameOf(ask)
        const missing = lacking(ask)
        if (missing !== undefined) return Effect.fail(new ListenError({ layer: "memory", reason: missing }))
        if (name === undefined) return Effect.fail(new ListenError({ layer: "memory", reason: notMemory(ask) }))
        if (booths.has(name)) {
          return Effect.fail(new ListenError({ layer: "memory", reason: new AddressInUse({ address }) }))
        }
        const booth = new Booth<M>(ask.endpoint, () => booths.delete(name))
        booths.set(name, booth)
        return Listener.make(booth, ask)
      })
  }
}
