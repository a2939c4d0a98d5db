/**
 * A transport of bytes with no connections of its own: an operator is built on it once, and while that connects or listens, `Below` says
 * where they come from. So operators are put on connections that are there already.
 */
import { type Ask, lacking } from "@wirestack/protocol/Ask"
import type { Demand } from "@wirestack/protocol/Endpoint"
import * as Transport from "@wirestack/protocol/Transport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Ground } from "../Alpn.ts"

export type ByteTransport = Transport.Transport<Uint8Array, Uint8Array>

/** Nothing is connected or listened to here. */
export const astray = () => Effect.die(new Error("there are no connections here but those that are given"))

/** Where the connections come from. */
export const Below = Context.Reference<ByteTransport>("@wirestack/transport-tls/Below", {
  defaultValue: () => ({ connect: astray, listen: astray })
})

/** The transport. */
export const ground = (): Ground =>
  Transport.layer(
    Transport.Bytes,
    Effect.succeed<ByteTransport>({
      connect: (ask) => Effect.flatMap(Below, (below) => below.connect(ask)),
      listen: (ask) => Effect.flatMap(Below, (below) => below.listen(ask))
    })
  )

/** Whether a demand is met below; the others are for the layers above. */
export const metBelow = (demand: Demand): boolean => demand === "tls"

/** The demands that neither a layer above nor one below has met. */
export const unmet = (ask: Ask) => lacking({ ...ask, demands: ask.demands.filter((demand) => !metBelow(demand)) })
