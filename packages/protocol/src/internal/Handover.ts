/** A listener of what other connections carry, such as sessions and channels: whoever carries hands over. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Ask } from "../Ask.ts"
import type { Connection } from "../Connection.ts"
import type { Endpoint } from "../Endpoint.ts"
import * as Listener from "../Listener.ts"
import type { ListenError } from "../ListenError.ts"
import type { Message } from "../Transport.ts"
import type { Wire } from "../wire/Wire.ts"
import { incidentLog } from "./incidentLog.ts"

type Acceptor = Listener.Acceptor<Message, Message, any>

/** Where connections are handed over, one by one. */
export class Handover implements Acceptor {
  readonly layer: string
  readonly address: Endpoint
  readonly below: Acceptor["below"]
  private accept: Parameters<Acceptor["start"]>[0] | undefined
  private lost: ((error: ListenError) => void) | undefined
  readonly stop: Effect.Effect<void>

  constructor(
    layer: string,
    { below, address, stopped = () => {} }: Pick<Acceptor, "address" | "below"> & { readonly stopped?: () => void }
  ) {
    this.layer = layer
    this.address = address
    this.below = below
    this.stop = Effect.sync(() => {
      this.accept = undefined
      stopped()
    })
  }

  start(accept: NonNullable<Handover["accept"]>, lost: (error: ListenError) => void): void {
    this.accept = accept
    this.lost = lost
  }

  /** Whether anybody takes what is handed over. */
  get open(): boolean {
    return this.accept !== undefined
  }

  /** Hands over what a connection from `peer` carries; it is cut if nobody takes it. */
  hand(wire: Wire<Message, Message>, details: () => Context.Context<any>, peer: string | undefined): void {
    if (this.accept === undefined) wire.abort()
    else this.accept(wire, details, peer)
  }

  lose(error: ListenError): void {
    this.lost?.(error)
  }
}

/** How incidents are told. */
export type Report = NonNullable<Listener.RunOptions["onIncident"]>

/** The listener of what the connections of another one carry: `carry` runs for each of these, and hands over. */
export const carriedBy = <D, E>(
  layer: string,
  carriers: Listener.Listener<Message, Message, D>,
  ask: Ask,
  carry: (
    handover: Handover,
    report: Report
  ) => (connection: Connection<Message, Message, D>) => Effect.Effect<unknown, E, Scope.Scope>
) =>
  Effect.gen(function*() {
    const handover = new Handover(layer, { address: carriers.address, below: carriers })
    let tell: Report = incidentLog()
    const report: Report = (incident) => tell(incident)
    const handler = carry(handover, report)
    const carrying = carriers.run((connection) => Effect.asVoid(handler(connection)), { onIncident: report })
    yield* Listener.runScoped(Effect.tapError(carrying, (error) => Effect.sync(() => handover.lose(error))))
    const carried = yield* Listener.make(handover, ask)
    const run: typeof carried.run = (handler, options) => {
      tell = options?.onIncident ?? tell
      return carried.run(handler, options)
    }
    return Listener.withRun(carried, run)
  })
