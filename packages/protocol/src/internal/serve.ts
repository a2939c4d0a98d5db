/** Running a listener: one fiber and one scope a connection, and the drain at the end. */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Ask } from "../Ask.ts"
import type { Connection } from "../Connection.ts"
import { format } from "../Endpoint.ts"
import type { Acceptor, DrainReport, Incident, Listener, RunOptions } from "../Listener.ts"
import { ListenError, NotListening } from "../ListenError.ts"
import type { Wire } from "../Wire.ts"
import { LiveConnection } from "./LiveConnection.ts"

/** Ends the handlers of the layers below after a handshake that failed, which was reported already. */
export class HandshakeFailed {}

export const logIncident = (incident: Incident): Effect.Effect<void> => {
  switch (incident._tag) {
    case "HandshakeFailed":
      return Effect.logWarning("handshake failed:", incident.error.message)
    case "HandlerFailed":
      return Effect.logWarning("connection handler failed", incident.cause)
    case "TooManyConnections":
      return Effect.logWarning(`connection cut: ${incident.limit} are open`)
  }
}

/** Whether a handler ended in a way that nobody has been told of. */
const isNews = (cause: Cause.Cause<unknown>): boolean => {
  const failure = Cause.findErrorOption(cause)
  return !Cause.hasInterruptsOnly(cause) && !(Option.isSome(failure) && failure.value instanceof HandshakeFailed)
}

/** How long a drain waits for handlers it has interrupted; one that is not interruptible then goes on by itself. */
const patience = "1 seconds"

class Server<In, Out, D> implements Listener<In, Out, D> {
  readonly address: Listener<In, Out, D>["address"]
  private readonly acceptor: Acceptor<In, Out, D>
  private readonly ask: Ask
  private readonly live = new Map<Fiber.Fiber<void>, LiveConnection<In, Out, D>>()
  private readonly report = Deferred.makeUnsafe<DrainReport>()
  private readonly emptied = Deferred.makeUnsafe<void>()
  private lose: ((error: ListenError) => void) | undefined = undefined
  private started = false
  private draining = false

  constructor(acceptor: Acceptor<In, Out, D>, ask: Ask) {
    this.acceptor = acceptor
    this.address = acceptor.address
    this.ask = ask
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
        const fork = Effect.runForkWith(context)
        const limit = this.ask.maxConnections ?? 16_384
        this.acceptor.start((wire, details) => {
          if (this.draining) return wire.abort()
          if (this.live.size >= limit) {
            wire.abort()
            fork(tell({ _tag: "TooManyConnections", limit }))
          } else this.handle(fork, wire, details, handler as any, tell)
        }, this.lose)
      })
    )
    return Effect.suspend(() => {
      if (this.started || this.draining) return Effect.fail(this.notListening)
      this.started = true
      return Effect.onExit(serving, () => this.drain)
    }) as any
  }

  private handle(
    fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>,
    wire: Wire<In, Out>,
    details: Context.Context<D>,
    handler: (connection: Connection<In, Out, D>) => Effect.Effect<void, unknown>,
    tell: (incident: Incident) => Effect.Effect<void>
  ): void {
    let connection: LiveConnection<In, Out, D> | undefined
    const handling = Effect.scoped(Effect.flatMap(
      LiveConnection.make(wire, { details: () => details, closeWithin: this.ask.closeWithin }),
      (made) => {
        connection = made
        return handler(made)
      }
    ))
    const fiber = fork(
      Effect.catchCause(
        handling,
        (cause) => this.draining || !isNews(cause) ? Effect.void : tell({ _tag: "HandlerFailed", cause })
      )
    )
    if (fiber.pollUnsafe() !== undefined || connection === undefined) return
    this.live.set(fiber, connection)
    fiber.addObserver(() => {
      this.live.delete(fiber)
      if (this.draining && this.live.size === 0) Deferred.doneUnsafe(this.emptied, Exit.void)
    })
  }

  /** Accepts no more, closes every connection, waits for the handlers, and interrupts those that are late. */
  readonly drain: Effect.Effect<void> = Effect.suspend(() => {
    if (this.draining) return Effect.asVoid(this.drained)
    this.draining = true
    const open = this.live.size
    return Effect.gen({ self: this }, function*() {
      yield* this.acceptor.stop
      for (const connection of this.live.values()) connection.depart("away")
      if (this.live.size > 0) {
        yield* Effect.timeoutOption(Deferred.await(this.emptied), this.ask.drainWithin ?? "5 seconds")
      }
      const late = [...this.live]
      for (const [, connection] of late) yield* connection.abort
      for (const [fiber] of late) fiber.interruptUnsafe()
      yield* Effect.timeoutOption(Fiber.awaitAll(late.map(([fiber]) => fiber)), patience)
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
