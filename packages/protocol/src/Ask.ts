/**
 * What travels down a stack when a connection or a listener is asked for: the endpoint, and what the layers above offer.
 * What was chosen comes back up in the connection's details.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import { LayersMissing } from "./ConnectError.ts"
import { type Demand, type Endpoint, format } from "./Endpoint.ts"
import type { Journal } from "./internal/Journal.ts"
import type { DrainOptions } from "./Listener.ts"

/** A request for a connection or a listener, as each layer passes it to the one below. */
export interface Ask {
  readonly endpoint: Endpoint
  /** Names of the protocols above, most wanted first: WebSocket subprotocols, or ALPN names for TLS. */
  readonly offers: ReadonlyArray<string>
  /** The layers the URL asked for that are still to come. */
  readonly demands: ReadonlyArray<Demand>
  /** The budget of time for closing all layers of a connection together; 5 seconds by default. */
  readonly closeWithin?: Duration.Input
  /** What the layers do for the connection is written down here (see `EstablishmentReport`). */
  readonly journal?: Journal
  /** Addresses of the place that are not to be tried. */
  readonly skip?: ReadonlyArray<string>
  /** Told of the address that was reached, by the transport at the bottom. */
  readonly reached?: (address: string) => void
  /** How a listener drains when it closes, or when it is not said otherwise then. */
  readonly drain?: DrainOptions<any>
  /** How old a listener lets its connections become; as old as they like by default. */
  readonly maxLifetime?: Duration.Input
  /** How many connections a listener handles at once; 16,384 by default. */
  readonly maxConnections?: number
  /** Whether those beyond are cut, the default, or wait. */
  readonly whenFull?: "cut" | "wait"
  /** How many connections of a listener wait to be handled; 511 by default. */
  readonly maxWaiting?: number
  /** How many of them may come from one address; by default as many as there may be. */
  readonly maxConnectionsPerPeer?: number
  /** A layer above a listener tells where each connection comes from, with `Connection.comesFrom`; until then it counts for nobody. */
  readonly peersAreTold?: boolean
  /**
   * A layer above a listener can say no to who comes while it drains (`Connection.turnedAway`), and says of each other connection when it
   * is let in (`Connection.letIn`). So the listener keeps its address until it has drained.
   */
  readonly turnsAway?: boolean
}

/** The same request after a layer has met a demand of the URL. */
export const met = (ask: Ask, demand: Demand): Ask => ({
  ...ask,
  demands: ask.demands.filter((other) => other !== demand)
})

/**
 * The names of a record of protocols, in their order. Throws a `RangeError` if one is a number, whose place in the order a record does
 * not keep.
 */
export const offersOf = (protocols: object): ReadonlyArray<string> => {
  const names = Object.keys(protocols)
  const number = names.find((name) => /^\d+$/.test(name))
  if (number !== undefined) throw new RangeError(`"${number}" can't name a protocol: records put numbers first`)
  return names
}

/** What a transport at the bottom must check first: that no layer the URL asked for is missing above it. */
export const lacking = (ask: Ask): LayersMissing | undefined =>
  ask.demands.length === 0
    ? undefined
    : new LayersMissing({ endpoint: format(ask.endpoint), layers: ask.demands })

/** The protocol name the layers below agreed on with the peer, as a detail of the connection. */
export class Negotiated extends Context.Service<Negotiated, {
  /** The chosen name, or undefined if none was. */
  readonly protocol: string | undefined
}>()("@wirestack/protocol/Ask/Negotiated") {}
