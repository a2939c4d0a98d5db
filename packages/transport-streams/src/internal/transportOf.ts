/** A transport on a source of streams: what all kinds of streams have in common. */
import { type Ask, lacking } from "@wirestack/protocol/Ask"
import { ConnectError, type ConnectReason, InvalidEndpoint, Refused } from "@wirestack/protocol/ConnectError"
import * as Connection from "@wirestack/protocol/Connection"
import { type Endpoint, format } from "@wirestack/protocol/Endpoint"
import * as Listener from "@wirestack/protocol/Listener"
import { ListenError, type ListenReason } from "@wirestack/protocol/ListenError"
import type { Transport } from "@wirestack/protocol/Transport"
import type { Wire } from "@wirestack/protocol/wire/Wire"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import type { Source } from "../Source.ts"

/** A kind of streams. */
export interface Kind<A, M, D> {
  readonly layer: string
  /** Makes the wire, which owns the stream from then on. */
  readonly wire: (stream: A) => Result.Result<Wire<M, M>, ConnectReason>
  readonly details: (stream: A) => Context.Context<D>
}

/** A connection on a stream. */
export const connectionOf = <A, M, D>(
  kind: Kind<A, M, D>,
  stream: A,
  ask: Pick<Ask, "closeWithin" | "journal">
): Effect.Effect<Connection.Connection<M, M, D>, ConnectReason, Scope.Scope> =>
  Effect.flatMap(
    Effect.fromResult(kind.wire(stream)),
    (wire) => Connection.make<M, M, D>(wire, { details: () => kind.details(stream), ask })
  )

/** Streams that come while the source is still opening; from then on the listener has them wait. */
const backlog = 511

interface Accepted<M, D> {
  readonly wire: Wire<M, M>
  readonly details: () => Context.Context<D>
  readonly peer: string | undefined
}

class SourceAcceptor<A, M, D> implements Listener.Acceptor<M, M, D> {
  readonly layer: string
  address: Endpoint
  private readonly kind: Kind<A, M, D>
  private waiting: Array<Accepted<M, D>> = []
  private hand: ((accepted: Accepted<M, D>) => void) | undefined = undefined
  private loss: ListenReason | undefined = undefined
  private tell: ((error: ListenError) => void) | undefined = undefined
  private stopped = false

  constructor(kind: Kind<A, M, D>, address: Endpoint) {
    this.kind = kind
    this.layer = kind.layer
    this.address = address
  }

  readonly accept = (stream: A, peer?: string): ConnectReason | undefined => {
    const wire = this.kind.wire(stream)
    if (Result.isFailure(wire)) return wire.failure
    if (this.stopped || this.waiting.length === backlog) {
      wire.success.abort()
      return new Refused({ address: format(this.address) })
    }
    const accepted = { wire: wire.success, details: () => this.kind.details(stream), peer }
    if (this.hand === undefined) this.waiting.push(accepted)
    else this.hand(accepted)
    return undefined
  }

  readonly lose = (reason: ListenReason): void => {
    this.loss ??= reason
    this.tell?.(new ListenError({ layer: this.layer, reason: this.loss }))
  }

  start(
    accept: (wire: Wire<M, M>, details: () => Context.Context<D>, peer?: string) => void,
    lost: (error: ListenError) => void
  ): void {
    this.hand = ({ details, peer, wire }) => accept(wire, details, peer)
    this.tell = lost
    for (const accepted of this.waiting.splice(0)) this.hand(accepted)
    if (this.loss !== undefined) this.lose(this.loss)
  }

  readonly stop: Effect.Effect<void> = Effect.sync(() => {
    this.stopped = true
    for (const { wire } of this.waiting.splice(0)) wire.abort()
  })
}

const cant = (ask: Ask, role: string): InvalidEndpoint =>
  new InvalidEndpoint({ input: format(ask.endpoint), detail: `this transport does not ${role}` })

/** The transport. What the source needs is taken from the context in which it is made. */
export const transportOf = <A, M, D, R>(
  kind: Kind<A, M, D>,
  source: Source<A, R>
): Effect.Effect<Transport<M, M>, never, R> =>
  Effect.contextWith((context: Context.Context<R>) => {
    const services = Context.omit(Scope.Scope)(context) as Context.Context<R>
    const provided = <B, E>(effect: Effect.Effect<B, E, R | Scope.Scope>): Effect.Effect<B, E, Scope.Scope> =>
      Effect.provideContext(effect, services) as Effect.Effect<B, E, Scope.Scope>

    const connect = (ask: Ask) => {
      const missing = lacking(ask)
      if (missing !== undefined) return Effect.fail(missing)
      const { connect } = source
      if (connect === undefined) return Effect.fail(cant(ask, "connect"))
      return Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(
          restore(provided(connect(ask.endpoint))),
          (stream) => connectionOf(kind, stream, ask)
        )
      )
    }

    const listen = (ask: Ask): Effect.Effect<Listener.Listener<M, M, D>, ListenReason, Scope.Scope> => {
      const missing = lacking(ask)
      if (missing !== undefined) return Effect.fail(missing)
      const { listen } = source
      if (listen === undefined) return Effect.fail(cant(ask, "listen"))
      const acceptor = new SourceAcceptor(kind, ask.endpoint)
      return Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(
          Effect.onError(restore(provided(listen(ask.endpoint, acceptor.accept, acceptor.lose))), () => acceptor.stop),
          (address) => {
            if (address !== undefined) acceptor.address = address
            return Listener.make(acceptor, ask)
          }
        )
      )
    }

    return Effect.succeed<Transport<M, M>>({
      connect: (ask) =>
        Effect.mapError(
          Effect.suspend(() => connect(ask)),
          (reason: ConnectReason) => new ConnectError({ layer: kind.layer, reason })
        ),
      listen: (ask) =>
        Effect.mapError(
          Effect.suspend(() => listen(ask)),
          (reason: ListenReason) => new ListenError({ layer: kind.layer, reason })
        )
    })
  })
