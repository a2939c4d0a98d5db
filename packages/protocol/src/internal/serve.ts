/** Running a listener: who waits, who is let in, and one fiber and one scope a connection. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import type { Ask } from "../Ask.ts"
import type { Connection } from "../Connection.ts"
import { ConnectionError, type ConnectionReason } from "../ConnectionError.ts"
import { format } from "../Endpoint.ts"
import type { Acceptor, DrainOptions, DrainReport, Incident, Listener, RunOptions } from "../Listener.ts"
import { ListenError, NotListening } from "../ListenError.ts"
import type { Wire } from "../wire/Wire.ts"
import { Crowd } from "./Crowd.ts"
import { Deadlines } from "./Deadlines.ts"
import { Door, type Refusal } from "./Door.ts"
import { drain, drainTime, unsaid } from "./drain.ts"
import { Handling, type Parting } from "./Handling.ts"
import { incidentLog } from "./incidentLog.ts"
import { type Life, lifeOf, LiveConnection } from "./LiveConnection.ts"
import { type Observer, Observing } from "./telemetry/Observer.ts"

/** Ends the handlers of the layers below after a handshake that failed, which was reported already. */
export class HandshakeFailed {}

/** Whether a connection is over, or was ended by its listener. */
const isOver = ({ _tag }: ConnectionReason, parted: boolean): boolean =>
  _tag === "Closed" || parted && (_tag === "Closing" || _tag === "Aborted")

/** Whether a handler ended in a way that nobody has been told of; that a connection is over is none. */
const isNews = (cause: Cause.Cause<unknown>, parted: boolean): boolean => {
  if (Cause.hasInterruptsOnly(cause)) return false
  const failure = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (failure instanceof ConnectionError) return !isOver(failure.reason, parted)
  if (Cause.isDone(failure)) return false
  return !(failure instanceof HandshakeFailed)
}

/** In how many steps a connection's life may be shorter than another's, as there is a line of deadlines for each. */
const lifetimes = 16

/** For the connections of which a layer tells where they come from: whether one from there is admitted. */
const admissions = new WeakMap<Life, (peer: string | undefined) => boolean>()

/** Says where a connection comes from; false if it is one too many. */
export const admit = (life: Life, peer: string | undefined): boolean => {
  life.peer = peer
  return admissions.get(life)?.(peer) ?? true
}

/** The handler at the top of a stack, where what it is given is known, and that nobody gets to who was turned away below. */
export const handling =
  <C extends Connection<any, any, any>, E, R>(handler: (connection: C) => Effect.Effect<void, E, R>) =>
  (connection: C): Effect.Effect<void, E, R> => {
    const life = lifeOf(connection)
    if (life.threshold?.comeAgainIn() !== undefined) return Effect.interrupt
    life.threshold?.cross()
    life.handled = connection
    return life.witness?.handling(connection, handler(connection)) ?? handler(connection)
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
  private readonly inside = new Crowd<Handling>()
  /** Those that a layer has yet to let in. */
  private readonly atThreshold = new Crowd<Handling>()
  private readonly begun = Deferred.makeUnsafe<void>()
  private readonly report = Deferred.makeUnsafe<DrainReport>()
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
  private accepting = true
  private isDraining = false
  /** While everybody is turned away: milliseconds after which to come again, and how many were. */
  private retryAfter: number | undefined = undefined
  private turnedAway = 0
  private readonly comeAgainIn = () => this.retryAfter

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

  get draining(): Effect.Effect<void> {
    return Deferred.await(this.begun)
  }

  get drained(): Effect.Effect<DrainReport> {
    return Deferred.await(this.report)
  }

  private get observer(): Observer | undefined {
    return Context.get(this.context, Observing)
  }

  private get deadlines(): Deadlines {
    return Deadlines.of(Context.get(this.context, Clock.Clock))
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
      if (this.started || this.isDraining) return Effect.fail(this.notListening)
      this.started = true
      return Effect.onExit(serving, () => this.drain())
    }) as any
  }

  private arrived(accepted: Accepted<In, Out, D>): void {
    const { peer, wire } = accepted
    if (!this.accepting) return wire.abort()
    const refusal = this.door.arrive(accepted, this.countedAtFirst(peer))
    if (refusal === undefined) return this.admit()
    wire.abort()
    this.refused(refusal, peer)
  }

  private refused(refusal: Refusal, peer: string | undefined): void {
    const { of } = refusal
    this.observer?.refused(of, 1)
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
    const handling = new Handling(life, this.countedAtFirst(peer))
    if (this.ask.turnsAway === true) this.hold(handling)
    else this.inside.add(handling)
    if (this.ask.maxLifetime !== undefined) this.limit(handling, Duration.toMillis(this.ask.maxLifetime))
    if (this.ask.peersAreTold === true) admissions.set(life, (peer) => this.told(handling, peer))
    handling.fiber = Effect.runForkWith(services)(Effect.flatMap(life.belongTo(scope), () => handler(connection)))
    this.watch(handling.fiber, handling, scope)
  }

  /** It stays at the threshold until a layer lets it in. */
  private hold(handling: Handling): void {
    const { atThreshold, comeAgainIn, inside } = this
    atThreshold.add(handling)
    const cross = () => {
      handling.life.threshold = undefined
      inside.add(handling)
      atThreshold.delete(handling)
    }
    handling.life.threshold = { comeAgainIn, cross }
  }

  /** Parts from it when it is old, and cuts it if that takes as long as a drain may. */
  private limit(handling: Handling, age: number): void {
    const { deadlines } = this
    const step = Math.floor(Context.get(this.context, Random.Random).nextDoubleUnsafe() * lifetimes)
    handling.expiry = deadlines.set(age * (1 - step / (10 * lifetimes)), () => {
      // A drain that has told it has a deadline of its own.
      if (handling.parted) return
      const within = drainTime(this.ask.drain)
      handling.expiry = deadlines.set(within, () => handling.cut())
      handling.part(this.partingOf(this.ask.drain), within, deadlines)
    })
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
      const { parted } = handling
      handling.fiber = Effect.runForkWith(this.context)(
        Effect.catchCause(
          Effect.onExit(exit, (exit) => Scope.close(scope, exit)),
          (cause) =>
            isNews(cause, parted)
              ? this.tell({ _tag: "HandlerFailed", cause, peer: handling.life.peer })
              : Effect.void
        )
      )
      handling.fiber.addObserver(() => {
        handling.ended(this.deadlines)
        if (this.isDraining && this.atThreshold.has(handling)) this.turnAway()
        this.inside.delete(handling)
        this.atThreshold.delete(handling)
        admissions.delete(handling.life)
        this.door.left(handling.counted)
        if (this.accepting) this.admit()
      })
    })
  }

  readonly drain = (options?: DrainOptions<Connection<In, Out, D>>): Effect.Effect<DrainReport> =>
    Effect.contextWith((context: Context.Context<never>) => {
      if (!this.isDraining) {
        this.isDraining = true
        const fiber = Effect.runForkWith(context)(this.emptyAll({ ...this.ask.drain, ...options }))
        fiber.addObserver((exit) => Deferred.doneUnsafe(this.report, exit))
      }
      return this.drained
    })

  /** Those it stands on are shut at once, and told in the second half of the time. */
  private emptyAll(options: DrainOptions<any>): Effect.Effect<DrainReport> {
    Deferred.doneUnsafe(this.begun, Exit.void)
    const { below } = this.acceptor
    if (below === undefined) return this.empty(options)
    return Effect.gen({ self: this }, function*() {
      const own = yield* Effect.forkChild(this.empty({ ...options, within: drainTime(options) / 2 }))
      const { refused, took } = yield* below.drain({ ...unsaid(options), after: Fiber.await(own) })
      const report = yield* Fiber.join(own)
      return { ...report, refused: report.refused + refused, took: Math.max(report.took, took) }
    })
  }

  private empty(options: DrainOptions<any>): Effect.Effect<DrainReport> {
    const { atThreshold, close, deadlines, inside } = this
    const parting = this.partingOf(options)
    return Effect.map(
      drain({ atThreshold, close, deadlines, inside, parting, shut: this.shut(options) }, options),
      (report) => {
        this.lose?.(this.notListening)
        return { ...report, refused: this.turnedAway + atThreshold.size }
      }
    )
  }

  /** If a layer can say no, everybody is handled that far, and whoever comes. */
  private shut(options: DrainOptions<any>): Effect.Effect<number> {
    const { ask, handler } = this
    if (ask.turnsAway !== true || handler === undefined) return this.close
    return Effect.sync(() => {
      this.retryAfter = options.retryAfter === undefined ? drainTime(options) : Duration.toMillis(options.retryAfter)
      this.paused = false
      for (const accepted of this.door.rush()) this.handle(accepted, handler)
      this.admit()
      return 0
    })
  }

  private turnAway(): void {
    this.turnedAway++
    this.observer?.refused("draining", 1)
  }

  private get close(): Effect.Effect<number> {
    return Effect.suspend(() => {
      if (!this.accepting) return Effect.succeed(0)
      this.accepting = false
      const waiting = this.door.dismiss()
      for (const { wire } of waiting) wire.abort()
      if (waiting.length > 0) this.observer?.refused("draining", waiting.length)
      return Effect.as(this.acceptor.stop, waiting.length)
    })
  }

  private partingOf({ as = "away", goodbye }: DrainOptions<any> = {}): Parting {
    return {
      as,
      goodbye: goodbye && ((connection, peer) =>
        Effect.catchCause(
          Effect.suspend(() => goodbye(connection)),
          (cause) => isNews(cause, true) ? this.tell({ _tag: "HandlerFailed", cause, peer }) : Effect.void
        ))
    }
  }

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
    (server) => server.drain()
  )
