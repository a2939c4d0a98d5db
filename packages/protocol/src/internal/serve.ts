/** Running a listener: one fiber and one scope a connection, and the drain at the end. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { Ask } from "../Ask.ts"
import type { Connection } from "../Connection.ts"
import { ConnectionError } from "../ConnectionError.ts"
import { format } from "../Endpoint.ts"
import type { Acceptor, DrainReport, Incident, Listener, RunOptions } from "../Listener.ts"
import { ListenError, NotListening } from "../ListenError.ts"
import type { Wire } from "../Wire.ts"
import { type Life, LiveConnection } from "./LiveConnection.ts"

/** Ends the handlers of the layers below after a handshake that failed, which was reported already. */
export class HandshakeFailed {}

export const logIncident = (incident: Incident): Effect.Effect<void> => {
  const { peer } = incident
  const who = peer === undefined ? "" : ` of ${peer}`
  switch (incident._tag) {
    case "HandshakeFailed":
      return Effect.logWarning(`handshake${who} failed:`, incident.error.message)
    case "HandlerFailed": {
      const failure = Option.getOrUndefined(Cause.findErrorOption(incident.cause))
      return failure instanceof ConnectionError
        ? Effect.logWarning(`connection${who} failed:`, failure.message)
        : Effect.logWarning(`handler of a connection${who} failed`, incident.cause)
    }
    case "TooManyConnections":
      return Effect.logWarning(`connection${who} cut: ${incident.limit} are open`)
  }
}

/** Whether a handler ended in a way that nobody has been told of; that a connection is over is none. */
const isNews = (cause: Cause.Cause<unknown>): boolean => {
  if (Cause.hasInterruptsOnly(cause)) return false
  const failure = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (failure instanceof ConnectionError) return failure.reason._tag !== "Closed"
  return !(failure instanceof HandshakeFailed)
}

/** How long a drain waits for handlers it has interrupted; one that is not interruptible then goes on by itself. */
const patience = "1 seconds"

/** A connection, whatever is built on it, and the fiber that handles it or later the one that closes its scope. */
interface Handling {
  readonly life: Life
  /** The address it counts for. */
  counted: string | undefined
  fiber: Fiber.Fiber<void, unknown> | undefined
}

type Tell = (incident: Incident) => Effect.Effect<void>

/** For the connections of which a layer tells where they come from: whether one from there is admitted. */
const admissions = new WeakMap<Life, (peer: string | undefined) => boolean>()

/** Says where a connection comes from; false if it is one too many. */
export const admit = (life: Life, peer: string | undefined): boolean => {
  life.peer = peer
  return admissions.get(life)?.(peer) ?? true
}

class Server<In, Out, D> implements Listener<In, Out, D> {
  readonly address: Listener<In, Out, D>["address"]
  private readonly acceptor: Acceptor<In, Out, D>
  private readonly ask: Ask
  /** Milliseconds for closing a connection. */
  private readonly budget: number
  private readonly live = new Set<Handling>()
  /** How many connections each address has, if that is bounded. */
  private readonly peers = new Map<string, number>()
  private readonly report = Deferred.makeUnsafe<DrainReport>()
  private readonly emptied = Deferred.makeUnsafe<void>()
  private lose: ((error: ListenError) => void) | undefined = undefined
  private started = false
  private draining = false

  constructor(acceptor: Acceptor<In, Out, D>, ask: Ask) {
    this.acceptor = acceptor
    this.address = acceptor.address
    this.ask = ask
    this.budget = Duration.toMillis(ask.closeWithin ?? "5 seconds")
  }

  get drained(): Effect.Effect<DrainReport> {
    return Deferred.await(this.report)
  }

  run<E, R>(
    handler: (connection: Connection<In, Out, D>) => Effect.Effect<void, E, R>,
    options?: RunOptions
  ): Effect.Effect<never, ListenError, Exclude<R, Scope.Scope>> {
    const tell = options?.onIncident ?? logIncident
    const serving = Effect.contextWith((context: Context.Context<never>) =>
      Effect.callback<never, ListenError>((resume) => {
        this.lose = (error) => resume(Effect.fail(error))
        const { maxConnections = 16_384, peersAreTold = false } = this.ask
        this.acceptor.start((wire, details, peer) => {
          if (this.draining) return wire.abort()
          if (this.live.size >= maxConnections) {
            wire.abort()
            this.tooMany(context, tell, { limit: maxConnections, of: "listener", peer })
          } else if (!peersAreTold && !this.admits(context, tell, peer)) wire.abort()
          else this.handle(context, wire, details, peer, handler as any, tell)
        }, this.lose)
      })
    )
    return Effect.suspend(() => {
      if (this.started || this.draining) return Effect.fail(this.notListening)
      this.started = true
      return Effect.onExit(serving, () => this.drain)
    }) as any
  }

  private tooMany(
    context: Context.Context<never>,
    tell: Tell,
    which: Omit<Extract<Incident, { readonly _tag: "TooManyConnections" }>, "_tag">
  ): void {
    Effect.runForkWith(context)(tell({ _tag: "TooManyConnections", ...which }))
  }

  /** Whether an address may have another connection; that it may not is reported. */
  private admits(context: Context.Context<never>, tell: Tell, peer: string | undefined): boolean {
    const { maxConnectionsPerPeer: limit = Infinity } = this.ask
    if (peer === undefined || (this.peers.get(peer) ?? 0) < limit) return true
    this.tooMany(context, tell, { limit, of: "peer", peer })
    return false
  }

  /** Nothing lies under the handler on the stack of its fiber, as long as it runs; what comes after it has its own. */
  private handle(
    context: Context.Context<never>,
    wire: Wire<In, Out>,
    details: () => Context.Context<D>,
    peer: string | undefined,
    handler: (connection: Connection<In, Out, D>) => Effect.Effect<void, unknown>,
    tell: Tell
  ): void {
    const scope = Scope.makeUnsafe()
    const services = Context.add(context, Scope.Scope, scope)
    const connection = LiveConnection.accepted(wire, details, peer, this.budget, services, this.acceptor.facts)
    const { life } = connection
    const handling: Handling = { life, counted: undefined, fiber: undefined }
    this.live.add(handling)
    if (this.ask.peersAreTold === true) this.admitLater(handling, context, tell)
    else this.count(handling, peer)
    handling.fiber = Effect.runForkWith(services)(Effect.flatMap(life.belongTo(scope), () => handler(connection)))
    this.watch(handling.fiber, handling, scope, context, tell)
  }

  /** Counts a connection once it is told where it comes from. */
  private admitLater(handling: Handling, context: Context.Context<never>, tell: Tell): void {
    admissions.set(handling.life, (peer) => {
      const admitted = this.admits(context, tell, peer)
      if (admitted) this.count(handling, peer)
      return admitted
    })
  }

  /** Closes the scope once its fiber has ended. These closures live as long as the connection, so they hold no more of it than they need. */
  private watch(
    fiber: Fiber.Fiber<void, unknown>,
    handling: Handling,
    scope: Scope.Closeable,
    context: Context.Context<never>,
    tell: Tell
  ): void {
    fiber.addObserver((exit) => {
      handling.fiber = Effect.runForkWith(context)(
        Effect.catchCause(
          Effect.onExit(exit, (exit) => Scope.close(scope, exit)),
          (cause) =>
            this.draining || !isNews(cause)
              ? Effect.void
              : tell({ _tag: "HandlerFailed", cause, peer: handling.life.peer })
        )
      )
      handling.fiber.addObserver(() => {
        this.live.delete(handling)
        this.count(handling, undefined)
        if (this.draining && this.live.size === 0) Deferred.doneUnsafe(this.emptied, Exit.void)
      })
    })
  }

  /** Counts a connection for this address, and no more for the one before. */
  private count(handling: Handling, peer: string | undefined): void {
    if (this.ask.maxConnectionsPerPeer === undefined) return
    if (handling.counted !== undefined) this.add(handling.counted, -1)
    if (peer !== undefined) this.add(peer, 1)
    handling.counted = peer
  }

  private add(peer: string, change: 1 | -1): void {
    const count = (this.peers.get(peer) ?? 0) + change
    if (count === 0) this.peers.delete(peer)
    else this.peers.set(peer, count)
  }

  /** Accepts no more, closes every connection, waits for the handlers, and interrupts those that are late. */
  readonly drain: Effect.Effect<void> = Effect.suspend(() => {
    if (this.draining) return Effect.asVoid(this.drained)
    this.draining = true
    const open = this.live.size
    return Effect.gen({ self: this }, function*() {
      yield* this.acceptor.stop
      for (const { life } of this.live) life.top.depart("away")
      if (this.live.size > 0) {
        yield* Effect.timeoutOption(Deferred.await(this.emptied), this.ask.drainWithin ?? "5 seconds")
      }
      const late = [...this.live]
      for (const { life } of late) yield* life.top.abort
      for (const { fiber } of late) fiber?.interruptUnsafe()
      if (this.live.size > 0) yield* Effect.timeoutOption(Deferred.await(this.emptied), patience)
      this.lose?.(this.notListening)
      Deferred.doneUnsafe(this.report, Exit.succeed({ open, ended: open - late.length, interrupted: late.length }))
    })
  })

  private get notListening(): ListenError {
    return new ListenError({ layer: this.acceptor.layer, reason: new NotListening({ address: format(this.address) }) })
  }
}

export const makeListener = <In, Out, D>(
  acceptor: Acceptor<In, Out, D>,
  ask: Ask
): Effect.Effect<Listener<In, Out, D>, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(() => new Server(acceptor, ask)), (server) => server.drain)
