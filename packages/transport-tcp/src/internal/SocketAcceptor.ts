/** A bound server socket, which hands over what it accepts paused, and so unread. */
import type * as Endpoint from "@wirestack/protocol/Endpoint"
import type { Acceptor } from "@wirestack/protocol/Listener"
import { ListenError, type ListenReason } from "@wirestack/protocol/ListenError"
import { Other } from "@wirestack/protocol/Reason"
import type { Telling } from "@wirestack/protocol/reports/EstablishmentReport"
import type { Intake, SocketWire } from "@wirestack/protocol/wire/SocketWire"
import type { Wire } from "@wirestack/protocol/wire/Wire"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import { listenReason } from "../SystemReason.ts"
import { adopt } from "./adopt.ts"

/** What a transport makes of an accepted socket. */
export interface Accepted<D> {
  readonly wire: SocketWire
  readonly details: () => Context.Context<D>
  /** The address it comes from. */
  readonly peer?: string | undefined
}

/** Makes a wire of an accepted socket, and reads what it knows. */
export type Open<D> = (socket: Net.Socket, intake: Intake | undefined) => Accepted<D>

export class SocketAcceptor<D> implements Acceptor<Uint8Array, Uint8Array, D> {
  readonly layer: string
  readonly address: Endpoint.Endpoint
  readonly facts: Telling | undefined
  private readonly server: Net.Server
  private readonly open: Open<D>

  constructor(
    layer: string,
    server: Net.Server,
    address: Endpoint.Endpoint,
    open: Open<D>,
    facts?: Telling
  ) {
    this.layer = layer
    this.server = server
    this.address = address
    this.open = open
    this.facts = facts
  }

  start(
    accept: (wire: Wire<Uint8Array, Uint8Array>, details: () => Context.Context<D>, peer?: string) => void,
    lost: (error: ListenError) => void
  ): void {
    this.server.on("connection", (socket: Net.Socket) => {
      const { details, peer, wire } = this.open(socket, adopt(socket))
      accept(wire, details, peer)
    })
    // Accepting one connection failed (too many descriptors, gone meanwhile): only a server that stopped is lost.
    this.server.on("error", (cause) => {
      if (!this.server.listening) lost(new ListenError({ layer: this.layer, reason: new Other({ cause }) }))
    })
  }

  readonly stop: Effect.Effect<void> = Effect.sync(() => {
    this.server.close()
  })
}

/** A server that listens, or the reason why not. */
export const bind = (
  server: Net.ServerOpts,
  listen: Net.ListenOptions,
  address: string
): Effect.Effect<Net.Server, ListenReason> =>
  Effect.callback((resume) => {
    const bound = Net.createServer({ ...server, allowHalfOpen: true, pauseOnConnect: true })
    const failed = (cause: unknown): void => resume(Effect.fail(listenReason(cause, address)))
    bound.once("error", failed)
    try {
      bound.listen(listen, () => {
        bound.removeListener("error", failed)
        resume(Effect.succeed(bound))
      })
    } catch (cause) {
      return resume(Effect.fail(new Other({ cause })))
    }
    return Effect.sync(() => {
      bound.close()
    })
  })
