/** The way of connections into a listener that is built on a `ground`: whoever runs that handles those that enter. */
import type { Connection } from "@wirestack/protocol/Connection"
import { type Listener, withRun } from "@wirestack/protocol/Listener"
import { ListenError } from "@wirestack/protocol/ListenError"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { astray, type ByteTransport, unmet } from "./ground.ts"

export type Handler = (connection: Connection<any, any>) => Effect.Effect<void>

export class Entrance {
  private readonly handler = Deferred.makeUnsafe<Handler>()
  readonly below: ByteTransport

  constructor(layer: string, trunk: Pick<Listener<any, any>, "address" | "drained"> & Partial<Listener<any, any>>) {
    const run = (handler: Handler) => Effect.andThen(Deferred.succeed(this.handler, handler), Effect.never)
    const listener = withRun(trunk as Listener<any, any>, run) as unknown as Listener<Uint8Array, Uint8Array>
    this.below = {
      connect: astray,
      listen: (ask) => {
        const missing = unmet(ask)
        return missing === undefined
          ? Effect.succeed(listener)
          : Effect.fail(new ListenError({ layer, reason: missing }))
      }
    }
  }

  enter(connection: Connection<any, any>): Effect.Effect<void> {
    return Effect.flatMap(Deferred.await(this.handler), (handler) => handler(connection))
  }
}
