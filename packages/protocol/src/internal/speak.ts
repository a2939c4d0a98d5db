/** Putting the machine of the protocol that was agreed on over a connection: what all typed protocols have in common. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { type Ask, Negotiated } from "../Ask.ts"
import { ConnectError, NothingNegotiated } from "../ConnectError.ts"
import { type Connection, detailOption, fuse } from "../Connection.ts"
import type { Machine } from "../Machine.ts"
import type { Carried, Codec } from "../typed/Codec.ts"

/** A protocol's machines for one stack, a factory a role. */
export interface Machines<M> {
  readonly protocol: string
  readonly client: () => Machine<M, M, any, any>
  readonly server: () => Machine<M, M, any, any>
}

/** Compiles the Schemas of a protocol for a codec. */
export const compile = <M>(
  codec: Codec<any, M, any>,
  { client, protocol, server }: { readonly protocol: string; readonly client: Carried; readonly server: Carried }
): Machines<M> => ({
  protocol,
  client: codec.machine(server, client),
  server: codec.machine(client, server)
})

export const offering = (offers: ReadonlyArray<string>) => (ask: Ask): Ask => ({ ...ask, offers })

/** What is accepted as an agreement: only a name, also that nothing below negotiates, or also that no name was chosen. */
type Accepted = "named" | "unnegotiated" | "unnamed"

/** Puts the machine of the protocol that was agreed on over the connection. */
export const speak = <M>(
  lower: Connection<M, M>,
  spoken: ReadonlyArray<Machines<M>>,
  role: "client" | "server",
  accepted: Accepted
): Effect.Effect<Connection<any, any>, ConnectError, Scope.Scope> => {
  const negotiated = Option.getOrUndefined(detailOption(lower, Negotiated))
  const selected = negotiated?.protocol
  const assumed = selected === undefined && (negotiated === undefined ? accepted !== "named" : accepted === "unnamed")
  const chosen = assumed ? spoken[0] : spoken.find((machines) => machines.protocol === selected)
  if (chosen === undefined) {
    const offered = spoken.map((machines) => machines.protocol)
    return Effect.fail(
      new ConnectError({
        layer: offered.join(", "),
        reason: new NothingNegotiated({ offered, ...(selected === undefined ? undefined : { selected }) })
      })
    )
  }
  return Effect.map(
    fuse(lower, chosen[role](), { layer: chosen.protocol }),
    (connection) => Object.assign(connection, { protocol: chosen.protocol })
  )
}
