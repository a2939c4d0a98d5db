/** What hands the sessions of a server over to a listener. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Connection from "../../Connection.ts"
import type { Acceptor, Listener } from "../../Listener.ts"
import type { ListenError } from "../../ListenError.ts"
import type { Message } from "../../Transport.ts"
import { detailsOf, type Lower } from "./handshake.ts"
import type { Session } from "./Sessions.ts"
import { layer } from "./SessionWire.ts"

export class SessionAcceptor implements Acceptor<Message, Message, any> {
  readonly layer = layer
  readonly address: Acceptor<Message, Message, any>["address"]
  readonly below: Acceptor<Message, Message, any>["below"]
  private accept: Parameters<Acceptor<Message, Message, any>["start"]>[0] | undefined
  private lost: ((error: ListenError) => void) | undefined
  readonly stop: Effect.Effect<void> = Effect.sync(() => {
    this.accept = undefined
  })

  constructor(below: Pick<Listener<Message, Message>, "address" | "drain">) {
    this.address = below.address
    this.below = below
  }

  start(accept: NonNullable<SessionAcceptor["accept"]>, lost: (error: ListenError) => void): void {
    this.accept = accept
    this.lost = lost
  }

  lose(error: ListenError): void {
    this.lost?.(error)
  }

  hand({ ticket, wire }: Session, lower: Lower): void {
    const { details } = lower
    const told = detailsOf(wire, () => ticket)
    if (this.accept === undefined) return wire.abort()
    this.accept(wire, () => Context.merge(details, told()), Connection.peer(lower))
  }
}
