/**
 * A transport that goes on with the branch whose name was agreed on.
 *
 * A branch is built once, on a ground that has no connections of its own (`ground`). A client's is the one that is connected already; a
 * server's are those that the one listener has for this name.
 */
import { type Ask, Negotiated } from "@wirestack/protocol/Ask"
import { ConnectError, NothingNegotiated } from "@wirestack/protocol/ConnectError"
import { type Connection, detail } from "@wirestack/protocol/Connection"
import { type Listener, type RunOptions, withRun } from "@wirestack/protocol/Listener"
import type { ListenError } from "@wirestack/protocol/ListenError"
import * as Protocol from "@wirestack/protocol/Protocol"
import * as Transport from "@wirestack/protocol/Transport"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Chosen } from "../Alpn.ts"
import { Entrance, type Handler } from "./Entrance.ts"
import { astray, Below, type ByteTransport, metBelow, unmet } from "./ground.ts"

const layer = "alpn"

type Bytes = Connection<Uint8Array, Uint8Array, Negotiated>
type AnyTransport = Transport.Transport<any, any>

/** A branch that was built. */
export interface Built {
  readonly offers: ReadonlyArray<string>
  readonly transport: AnyTransport
}

const nothingNegotiated = (offered: ReadonlyArray<string>, selected: string | undefined): ConnectError =>
  new ConnectError({
    layer,
    reason: new NothingNegotiated({ offered, ...(selected === undefined ? undefined : { selected }) })
  })

/** Offers the names, refuses connections without an agreement, and says of the others which it is. */
export const agreeing = (names: ReadonlyArray<string>, unnamed: string | undefined) => {
  const agreed = (lower: Bytes): Effect.Effect<Chosen<string, Bytes>, ConnectError> => {
    const { protocol } = detail(lower, Negotiated)
    const alpn = protocol ?? unnamed
    return alpn !== undefined && names.includes(alpn)
      ? Effect.succeed(Object.assign(lower, { alpn }))
      : Effect.fail(nothingNegotiated(names, protocol))
  }
  return Protocol.within(Transport.Bytes)<never, never, Negotiated>({
    layer,
    below: (ask) => ({ ...ask, offers: names, demands: ask.demands.filter(metBelow) }),
    client: agreed,
    server: agreed
  })
}

/** Where the connections of a branch come from while it connects. */
const clientBelow = (trunk: ByteTransport, first: Chosen<string, Bytes>, journal: Ask["journal"]): ByteTransport => {
  let given: Connection<Uint8Array, Uint8Array> | undefined = first
  return {
    connect: (ask) =>
      Effect.suspend(() => {
        const missing = unmet(ask)
        if (missing !== undefined) return Effect.fail(new ConnectError({ layer, reason: missing }))
        const connection = given
        given = undefined
        return connection === undefined
          ? again(trunk, { ...ask, ...(journal && { journal }) }, first.alpn)
          : Effect.succeed(connection)
      }),
    listen: astray
  }
}

/** Connects once more for a branch that was redirected: there the same must be spoken. */
const again = (trunk: ByteTransport, ask: Ask, wanted: string) =>
  Effect.flatMap(trunk.connect(ask), (connection) => {
    const { alpn } = connection as Chosen<string, Bytes>
    return alpn === wanted ? Effect.succeed(connection) : Effect.fail(nothingNegotiated([wanted], alpn))
  })

const listen = (trunk: ByteTransport, branches: ReadonlyMap<string, Built>, ask: Ask) =>
  Effect.gen(function*() {
    // Which branch it comes to, and whether that has words for it, is not known before.
    const listener = yield* trunk.listen({ ...ask, turnsAway: true })
    const entrances = new Map<string, Entrance>()
    const upper: Array<readonly [alpn: string, listener: Listener<any, any>]> = []
    for (const [alpn, { offers, transport }] of branches) {
      const entrance = new Entrance(layer, listener)
      entrances.set(alpn, entrance)
      upper.push([alpn, yield* Effect.provideService(transport.listen({ ...ask, offers }), Below, entrance.below)])
    }
    return withRun(listener, (handler: Handler, options?: RunOptions) =>
      Effect.all([
        listener.run(
          (connection) => entrances.get((connection as Chosen<string, Bytes>).alpn)!.enter(connection),
          options
        ),
        ...upper.map(([alpn, { run }]) => run((connection) => handler(Object.assign(connection, { alpn })), options))
      ], { concurrency: "unbounded", discard: true }))
  })

/** A transport that connects and listens with these branches on a trunk that agrees on their names. */
export const branching = (trunk: ByteTransport, branches: ReadonlyMap<string, Built>): AnyTransport => ({
  connect: (ask) =>
    Effect.flatMap(
      trunk.connect(ask) as Effect.Effect<Chosen<string, Bytes>, ConnectError, Scope.Scope>,
      (connection) => {
        const { alpn } = connection
        const { offers, transport } = branches.get(alpn)!
        // The attempt is under way: without its journal, no layer of the branch takes it for another one.
        const { journal, ...rest } = ask
        return Effect.map(
          Effect.provideService(transport.connect({ ...rest, offers }), Below, clientBelow(trunk, connection, journal)),
          (connection) => Object.assign(connection, { alpn })
        )
      }
    ),
  listen: (ask) => listen(trunk, branches, ask) as Effect.Effect<any, ListenError, Scope.Scope>
})
