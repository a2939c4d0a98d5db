/** One connection on which calls are made and answered. */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Connection } from "../../Connection.ts"
import { Closed, Closing, ConnectionError, lost } from "../../ConnectionError.ts"
import type { Outcome } from "../../Outcome.ts"
import { TimedOut, type TooLarge, type Violation } from "../../Reason.ts"
import type { CallOptions, Calls, Definition, Envelope, Session, SessionOptions, Traced } from "../../typed/Requests.ts"
import { lifeOf } from "../LiveConnection.ts"
import { Pending } from "./Pending.ts"
import { Running } from "./Running.ts"

/** The handlers as they are called. */
export type AnyHandlers = { readonly [call: string]: (payload: any, peer: any) => Effect.Effect<unknown, unknown> }

/** A protocol of calls, but for these. */
type Named = Pick<Definition<string, Calls, Calls>, "protocol" | "trace">

type Asked = Extract<Envelope, { readonly payload: unknown }>

type Notification = Extract<Envelope, { readonly _tag: "Notification" }>

type Failure = ConnectionError | Violation | TooLarge

export class Conversation<D> {
  /** What handlers are given. */
  private readonly session: Session<string, any, D>
  private readonly calls: Session<string, any>["call"]
  private readonly layer: string
  private readonly trace: boolean
  private readonly connection: Connection<Envelope, Envelope, D>
  private readonly handlers: AnyHandlers
  private readonly report: Running["options"]["report"]
  private readonly pending: Pending
  private readonly running: Running
  private readonly notifications: Queue.Queue<Notification, Cause.Done>
  private readonly slots: Semaphore.Semaphore
  private readonly within: number
  /** Why no calls are made any more. */
  private over: ConnectionError | undefined = undefined

  private constructor(
    { protocol: layer, trace }: Named,
    connection: Connection<Envelope, Envelope, D>,
    calls: Calls,
    handlers: AnyHandlers,
    options: SessionOptions,
    context: Context.Context<Scope.Scope>,
    notifications: Queue.Queue<Notification, Cause.Done>
  ) {
    const { callWithin = "30 seconds", maxHandled = 256, maxInFlight = 128, onDefect = logDefect(layer) } = options
    this.layer = layer
    this.trace = trace
    this.connection = connection
    this.handlers = handlers
    this.report = onDefect
    this.pending = new Pending(layer)
    this.running = new Running({
      limit: maxHandled,
      context: context as Context.Context<never>,
      handle: (request) => this.handle(request, true),
      send: connection.send,
      report: onDefect
    })
    this.notifications = notifications
    this.slots = Semaphore.makeUnsafe(maxInFlight)
    this.within = Duration.toMillis(callWithin)
    this.calls = this.callsOf(calls)
    this.session = this.sessionUntil(connection.closed)
  }

  /** Begins; the peer is listened to in `run`. `calls` are those we make. */
  static make<D>(
    definition: Named,
    connection: Connection<Envelope, Envelope, D>,
    calls: Calls,
    handlers: AnyHandlers,
    options: SessionOptions = {}
  ): Effect.Effect<Conversation<D>, never, Scope.Scope> {
    return Effect.flatMap(Effect.context<Scope.Scope>(), (context) =>
      Effect.map(
        Queue.bounded<Notification, Cause.Done>(options.maxHandled ?? 256),
        (notifications) => new Conversation(definition, connection, calls, handlers, options, context, notifications)
      ))
  }

  private callsOf(calls: Calls): Session<string, any>["call"] {
    return Object.fromEntries(
      Object.entries(calls).map(([name, { _tag }]) => [
        name,
        _tag === "Notification"
          ? (payload: unknown) => this.notify(name, payload)
          : (payload: unknown, options?: CallOptions) => this.call(name, payload, options)
      ])
    )
  }

  /** Runs for as long as the scope is open, or until the peer is done; the session is closed when all that arrived is handled. */
  get begin(): Effect.Effect<Session<any, any, D>, never, Scope.Scope> {
    const { connection } = this
    const close = Effect.sync(() => lifeOf(connection).top.depart("done"))
    return Effect.map(
      Effect.forkScoped(Effect.andThen(this.run, close)),
      (running) => this.sessionUntil(Effect.tap(connection.closed, () => Fiber.await(running)))
    )
  }

  private sessionUntil(closed: Effect.Effect<Outcome>): Session<any, any, D> {
    const { calls, connection, layer, pending } = this
    return {
      protocol: layer,
      call: calls,
      abort: connection.abort,
      closed,
      get counts() {
        return pending.counts
      },
      get details() {
        return connection.details
      }
    }
  }

  // Calling.

  private notify(name: string, payload: unknown): Effect.Effect<unknown, unknown> {
    return this.told(
      name,
      false,
      (traced) => this.connection.send({ _tag: "Notification", call: name, payload, ...traced })
    )
  }

  private call(name: string, payload: unknown, options?: CallOptions): Effect.Effect<unknown, unknown> {
    return this.told(name, true, (traced) => this.answered(name, payload, traced, options))
  }

  /** Makes a call of which the connection's witness is told. */
  private told(
    name: string,
    answered: boolean,
    make: (traced: Traced) => Effect.Effect<unknown, unknown>
  ): Effect.Effect<unknown, unknown> {
    const { connection, layer: protocol, trace } = this
    const { witness } = lifeOf(connection)
    return witness === undefined
      ? make({})
      : witness.calling(
        { protocol, name, answered },
        (traceparent) => make(trace && traceparent !== undefined ? { traceparent } : {})
      )
  }

  private answered(
    name: string,
    payload: unknown,
    traced: Traced,
    options: CallOptions | undefined
  ): Effect.Effect<unknown, unknown> {
    const after = options?.within === undefined ? this.within : Duration.toMillis(options.within)
    return Effect.timeoutOrElse(this.slots.withPermit(this.ask(name, payload, traced)), {
      duration: after,
      orElse: () =>
        Effect.fail(new ConnectionError({ layer: this.layer, reason: new TimedOut({ phase: name, after }) }))
    })
  }

  private ask(name: string, payload: unknown, traced: Traced): Effect.Effect<unknown, unknown> {
    return Effect.uninterruptibleMask((restore) => {
      if (this.over !== undefined) return Effect.fail(this.over)
      const { answer, id } = this.pending.add(name)
      const waiting = Effect.onInterrupt(restore(Deferred.await(answer)), () => this.interrupt(id))
      return Effect.ensuring(
        Effect.andThen(restore(this.connection.send({ _tag: "Request", id, call: name, payload, ...traced })), waiting),
        Effect.sync(() => this.pending.remove(id))
      )
    })
  }

  /** Tells the peer that nobody waits any more; nobody waits for that either. */
  private interrupt(id: number): Effect.Effect<void> {
    return Effect.asVoid(Effect.forkDetach(Effect.ignore(this.connection.send({ _tag: "Interrupt", id })), {
      startImmediately: true
    }))
  }

  // Answering.

  private handle({ call, payload, traceparent }: Asked, answered: boolean): Effect.Effect<unknown, unknown> {
    const { connection, handlers, layer: protocol, session, trace } = this
    const { witness } = lifeOf(connection)
    if (witness === undefined) return handlers[call](payload, session)
    const handling = Effect.suspend(() => handlers[call](payload, session))
    return witness.answering({ protocol, name: call, answered }, trace ? traceparent : undefined, handling)
  }

  /**
   * Listens to the peer until the connection is over, and handles what it has notified of until then; fails with what the peer has done
   * wrong.
   */
  get run(): Effect.Effect<void, ConnectionError> {
    const listening = Effect.onExit(this.listen, (exit) =>
      Effect.all([
        Exit.hasInterrupts(exit) ? this.leave : Effect.void,
        this.running.interruptAll,
        Queue.end(this.notifications)
      ], { discard: true }))
    return Effect.flatMap(
      Effect.all([Effect.exit(listening), this.notified], { concurrency: "unbounded" }),
      ([exit]) => exit
    )
  }

  /** Our scope closes: the peer needn't go on with what we have asked. */
  private get leave(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const interrupts = this.pending.ids.map((id) => this.interrupt(id))
      this.end(lost(this.layer, new Closing()))
      return Effect.all(interrupts, { discard: true })
    })
  }

  private get listen(): Effect.Effect<void, ConnectionError> {
    const { connection } = this
    return Effect.catch(
      Effect.forever(Effect.flatMap(connection.pull, (batch) => this.takeAll(batch))),
      (end) => {
        if (Cause.isDone(end)) {
          this.end(lost(this.layer, new Closed()))
          // Where the peer has only ended its input it still waits for the answers.
          return Effect.raceFirst(this.running.idle, this.peerGone)
        }
        if (!(end instanceof ConnectionError)) return this.broken(end)
        this.end(end)
        // We close: the handlers may end as those of connections do, until the drain interrupts them.
        return end.reason._tag === "Closing" ? this.running.idle : Effect.fail(end)
      }
    )
  }

  /** Nobody waits for answers any more. While we drain that is no reason to end the handlers. */
  private get peerGone(): Effect.Effect<void> {
    const { connection } = this
    return Effect.flatMap(connection.closed, () => lifeOf(connection).left ? Effect.never : Effect.void)
  }

  /** The peer broke the rules: it is not listened to any longer. */
  private broken(reason: Violation | TooLarge): Effect.Effect<never, ConnectionError> {
    const error = new ConnectionError({ layer: this.layer, reason })
    this.end(error)
    return Effect.andThen(this.connection.abort, Effect.fail(error))
  }

  private takeAll(batch: ReadonlyArray<Envelope>): Effect.Effect<void, Failure> {
    return Effect.forEach(batch, (message) => this.take(message), { discard: true })
  }

  private take(message: Envelope): Effect.Effect<void, Failure> {
    switch (message._tag) {
      case "Request":
        return orFail(this.running.start(message))
      case "Notification":
        return Effect.asVoid(Queue.offer(this.notifications, message))
      case "Interrupt":
        this.running.interrupt(message.id)
        return Effect.void
      default:
        return orFail(this.pending.answered(message))
    }
  }

  /** Notifications are handled in their order, one at a time, until no more come. */
  private get notified(): Effect.Effect<void> {
    const next = Effect.flatMap(Queue.take(this.notifications), (notification) =>
      Effect.catchCause(
        Effect.suspend(() => this.handle(notification, false)),
        (cause) => this.report(notification.call, cause)
      ))
    return Pull.catchDone(Effect.forever(next), () => Effect.void)
  }

  private end(error: ConnectionError): void {
    this.over ??= error
    this.pending.fail(this.over)
  }
}

const orFail = (failure: Violation | TooLarge | undefined): Effect.Effect<void, Violation | TooLarge> =>
  failure === undefined ? Effect.void : Effect.fail(failure)

const logDefect = (layer: string) => (call: string, cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.logError(`${layer}: the handler of ${call} failed`, cause)
