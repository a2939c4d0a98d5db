/** Running a listener: who waits, one fiber and one scope a connection, and the drain at the end. */
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
import type { Wire } from "../wire/Wire.ts"
import { Door, type Refusal } from "./Door.ts"
import { incidentLog } from "./incidentLog.ts"
import { type Life, LiveConnection } from "./LiveConnection.ts"

/** Ends the handlers of the layers below after a handshake that failed, which was reported already. */
export class HandshakeFailed {}

/** Whether a handler ended in a way that nobody has been told of; that a connection is over is none. */
const isNews = (cause: Cause.Cause<unknown>): boolean => {
  if (Cause.hasInterruptsOnly(cause)) return false
  const failure = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (failure instanceof ConnectionError) return failure.reason._tag !== "Closed"
  if (Cause.isDone(failure)) return false
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

/** For the connections of which a layer tells where they come from: whether one from there is admitted. */
const admissions = new WeakMap<Life, (peer: string | undefined) => boolean>()

/** Says where a connection comes from; false if it is one too many. */
export const admit = (life: Life, peer: string | undefined): boolean => {
  life.peer = peer
  return admissions.get(life)?.(peer) ?? true
}

/** Connections that were turned away. */
type TurnedAway = Extract<Incident, { readonly _tag: "TooManyConnections" }>

/** A connection that is not handled yet. */
interface Accepted<In, Out, D> {
  readonly wire: Wire<In, Out>
  readonly details: () => Context.Context<D>
  readonly peer: string | undefined
}

class Server<In, Out, D> implements Listener<In, Out, D> {
  readonly address: Listener<In, Out, D>["address"]
  private readonly acceptor: Acceptor<In, Out, D>
  private readonly ask: Ask
  /** Milliseconds for closing a connection. */
  private readonly budget: number
  private readonly door: Door<Accepted<In, Out, D>>
  private readonly live = new Set<Handling>()
  private readonly report = Deferred.makeUnsafe<DrainReport>()
  private readonly emptied = Deferred.makeUnsafe<void>()
  /** Of whoever made the listener, and then of whoever runs it. */
  private context: Context.Context<never>
  private tell: (incident: Incident) => Effect.Effect<void> = incidentLog()
  /** Of each kind of which somebody is being told: those that have come since. */
  private readonly untold = new Map<Refusal["of"], TurnedAway | undefined>()
  private handler: ((connection: Connection<In, Out, D>) => Effect.Effect<void, unknown>) | undefined = undefined
  private lost: ListenError | undefined = undefined
  private lose: ((error: ListenError) => void) | undefined = undefined
  private started = false
  private paused = false
  private admitting = false
  private draining = false

  constructor(acceptor: Acceptor<In, Out, D>, ask: Ask, context: Context.Context<never>) {
    this.acceptor = acceptor
    this.address = acceptor.address
    this.ask = ask
    this.budget = Duration.toMillis(ask.closeWithin ?? "5 seconds")
    this.door = new Door(ask)
    this.context = context
    acceptor.start((wire, details, peer) => this.arrived({ wire, details, peer }), (error) => {
      this.lost = error
      this.lose?.(error)
    })
  }

  get drained(): Effect.Effect<DrainReport> {
    return Deferred.await(this.report)
  }

  readonly pause: Effect.Effect<void> = Effect.sync(() => {
    this.paused = true
    this.admit()
  })

  readonly resume: Effect.Effect<void> = Effect.sync(() => {
    this.paused = false
    this.admit()
  })

  run<E, R>(
    handler: (connection: Connection<In, Out, D>) => Effect.Effect<void, E, R>,
    options?: RunOptions
  ): Effect.Effect<never, ListenError, Exclude<R, Scope.Scope>> {
    const serving = Effect.contextWith((context: Context.Context<never>) =>
      Effect.callback<never, ListenError>((resume) => {
        this.lose = (error) => resume(Effect.fail(error))
        if (this.lost !== undefined) return this.lose(this.lost)
        this.context = context
        this.tell = options?.onIncident ?? this.tell
        this.handler = handler as any
        this.admit()
      })
    )
    return Effect.suspend(() => {
      if (this.started || this.draining) return Effect.fail(this.notListening)
      this.started = true
      return Effect.onExit(serving, () => this.drain)
    }) as any
  }

  private arrived(accepted: Accepted<In, Out, D>): void {
    const { peer, wire } = accepted
    if (this.draining) return wire.abort()
    const refusal = this.door.arrive(accepted, this.countedAtFirst(peer))
    if (refusal === undefined) return this.admit()
    wire.abort()
    this.refused(refusal, peer)
  }

  private refused(refusal: Refusal, peer: string | undefined): void {
    const { of } = refusal
    const isTelling = this.untold.has(of)
    const count = (this.untold.get(of)?.count ?? 0) + 1
    this.untold.set(of, { _tag: "TooManyConnections", peer, count, ...refusal })
    if (isTelling) return
    const telling = Effect.onError(this.tellOf(of), () => Effect.sync(() => this.untold.delete(of)))
    Effect.runForkWith(this.context)(telling)
  }

  /** One at a time, and those that come meanwhile together: so a flood of them is no flood of fibers. */
  private tellOf(of: Refusal["of"]): Effect.Effect<void> {
    return Effect.suspend(() => {
      const news = this.untold.get(of)
      if (news === undefined) return Effect.sync(() => void this.untold.delete(of))
      this.untold.set(of, undefined)
      return Effect.andThen(this.tell(news), this.tellOf(of))
    })
  }

  /** The address a connection counts for, until a layer tells where it comes from. */
  private countedAtFirst(peer: string | undefined): string | undefined {
    return this.ask.peersAreTold === true ? undefined : peer
  }

  /** Handles those whose turn has come; a handler that ends in this very turn makes room for one more. */
  private admit(): void {
    const { door, handler } = this
    door.open = handler !== undefined && !this.paused
    if (handler === undefined || this.admitting) return
    this.admitting = true
    for (let next = door.next(); next !== undefined; next = door.next()) this.handle(next, handler)
    this.admitting = false
  }

  /** Nothing lies under the handler on the stack of its fiber, as long as it runs; what comes after it has its own. */
  private handle(
    { details, peer, wire }: Accepted<In, Out, D>,
    handler: (connection: Connection<In, Out, D>) => Effect.Effect<void, unknown>
  ): void {
    const scope = Scope.makeUnsafe()
    const services = Context.add(this.context, Scope.Scope, scope)
    const connection = LiveConnection.accepted(wire, details, peer, this.budget, services, this.acceptor.facts)
    const { life } = connection
    const handling: Handling = { life, counted: this.countedAtFirst(peer), fiber: undefined }
    this.live.add(handling)
    if (this.ask.peersAreTold === true) admissions.set(life, (peer) => this.told(handling, peer))
    handling.fiber = Effect.runForkWith(services)(Effect.flatMap(life.belongTo(scope), () => handler(connection)))
    this.watch(handling.fiber, handling, scope)
  }

  /** A layer says where a connection comes from: whether there may be one more. */
  private told(handling: Handling, peer: string | undefined): boolean {
    if (peer === handling.counted) return true
    const refusal = this.door.told(handling.counted, peer)
    if (refusal === undefined) handling.counted = peer
    else this.refused(refusal, peer)
    return refusal === undefined
  }

  /** Closes the scope once its fiber has ended. These closures live as long as the connection, so they hold no more of it than they need. */
  private watch(
    fiber: Fiber.Fiber<void, unknown>,
    handling: Handling,
    scope: Scope.Closeable
  ): void {
    fiber.addObserver((exit) => {
      const { draining } = this
      handling.fiber = Effect.runForkWith(this.context)(
        Effect.catchCause(
          Effect.onExit(exit, (exit) => Scope.close(scope, exit)),
          (cause) =>
            draining || !isNews(cause)
              ? Effect.void
              : this.tell({ _tag: "HandlerFailed", cause, peer: handling.life.peer })
        )
      )
      handling.fiber.addObserver(() => {
        this.live.delete(handling)
        admissions.delete(handling.life)
        this.door.left(handling.counted)
        if (!this.draining) this.admit()
        else if (this.live.size === 0) Deferred.doneUnsafe(this.emptied, Exit.void)
      })
    })
  }

  /** Accepts no more, closes every connection, waits for the handlers, and interrupts those that are late. */
  readonly drain: Effect.Effect<void> = Effect.suspend(() => {
    if (this.draining) return Effect.asVoid(this.drained)
    this.draining = true
    const open = this.live.size
    return Effect.gen({ self: this }, function*() {
      yield* this.acceptor.stop
      const waiting = this.door.dismiss()
      for (const { wire } of waiting) wire.abort()
      for (const { fiber, life } of this.live) {
        life.top.depart("away")
        // A handshake that has taken the connection below sees nothing of that.
        if (life.top.isReleased) fiber?.interruptUnsafe()
      }
      if (this.live.size > 0) {
        yield* Effect.timeoutOption(Deferred.await(this.emptied), this.ask.drainWithin ?? "5 seconds")
      }
      const late = [...this.live]
      for (const { life } of late) yield* life.top.abort
      for (const { fiber } of late) fiber?.interruptUnsafe()
      if (this.live.size > 0) yield* Effect.timeoutOption(Deferred.await(this.emptied), patience)
      this.lose?.(this.notListening)
      const ended = open - late.length
      const report = { open, ended, interrupted: late.length, waiting: waiting.length }
      Deferred.doneUnsafe(this.report, Exit.succeed(report))
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
  Effect.acquireRelease(
    Effect.contextWith((context: Context.Context<never>) => Effect.sync(() => new Server(acceptor, ask, context))),
    (server) => server.drain
  )
