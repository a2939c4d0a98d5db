/** Where requests arrive that somebody else has read. */
import type { Endpoint } from "@wirestack/protocol/Endpoint"
import type { Acceptor } from "@wirestack/protocol/Listener"
import type { Wire } from "@wirestack/protocol/wire/Wire"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Arrival } from "../routing/Arrival.ts"
import { Arrived } from "./Arrived.ts"

type Hand = (wire: Wire<Uint8Array, Uint8Array>, details: () => Context.Context<never>, peer?: string) => void

export class ArrivalAcceptor implements Acceptor<Uint8Array, Uint8Array, never> {
  readonly layer = "http"
  readonly address: Endpoint = { place: { _tag: "Memory", name: "http" }, demands: [] }
  private hand: Hand = (wire) => wire.abort()

  start(hand: Hand): void {
    this.hand = hand
  }

  readonly accept = (arrival: Arrival): void => this.hand(new Arrived(arrival), arrival.details, arrival.peer)

  readonly stop: Effect.Effect<void> = Effect.void
}
