/**
 * A connection for those who don't use Effect: its operations as promises, and its end once both directions are over. What
 * `ProvidedWebStreams`, `ProvidedIterator`, and `ProvidedDuplex` of `@wirestack/node` are made of, and other forms may be.
 *
 * Promises reject with the `ConnectionError`; one that is waited for by nobody has no place to say so.
 */
import type { Batch, Connection } from "@wirestack/protocol/Connection"
import type { ConnectionError } from "@wirestack/protocol/ConnectionError"
import type { Outcome } from "@wirestack/protocol/Outcome"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"

const isUnsupported = ({ reason }: ConnectionError): boolean => reason._tag === "Unsupported"

/** Who has ended a connection: somebody who asked for it, or both directions are over, or it was cut. */
export type End = "asked" | "over" | "cut"

/** A connection, outside. */
export class Outside<In, Out> {
  /** How it ended. Never rejects. */
  readonly closed: Promise<Outcome>
  private readonly connection: Connection<In, Out>
  private readonly context: Context.Context<never>
  /** Closes it. */
  private readonly release: (exit: Exit.Exit<void, unknown>, end: End) => void
  private inputOver = false
  private outputOver = false
  private released = false

  constructor(
    connection: Connection<In, Out>,
    context: Context.Context<never>,
    release: (exit: Exit.Exit<void, unknown>, end: End) => void
  ) {
    this.connection = connection
    this.context = context
    this.release = release
    this.closed = this.run(connection.closed)
  }

  /** The next batch; undefined once the peer sends no more, or it was closed here. One at a time. */
  readonly pull = async (): Promise<Batch<In> | undefined> => {
    const batch = await this.run(Effect.catchIf(this.connection.pull, this.isEnd, () => Effect.undefined))
    if (batch === undefined) this.over({ input: true })
    return batch
  }

  /** Sends one message: done when it is accepted. */
  readonly send = (message: Out): Promise<void> => this.run(this.connection.send(message))

  /** Sends messages in order with nothing in between. */
  readonly sendAll = (messages: Batch<Out>): Promise<void> => this.run(this.connection.sendAll(messages))

  /** Half-close. Where there is none, only nothing more may be sent, and the connection closes when its input is over too. */
  readonly end = async (): Promise<void> => {
    await this.run(Effect.catchIf(this.connection.end, isUnsupported, () => Effect.void))
    this.over({ output: true })
  }

  /** Closes every layer, as done or as failed; what was accepted is flushed, and nothing more is received. */
  readonly close = (exit: Exit.Exit<void, unknown> = Exit.void): Promise<Outcome> => {
    this.released = true
    this.release(exit, "asked")
    return this.closed
  }

  /** Cuts the connection now. */
  readonly abort = (): Promise<Outcome> => {
    Effect.runForkWith(this.context)(this.connection.abort)
    this.release(Exit.void, "cut")
    return this.closed
  }

  private readonly isEnd = (error: ConnectionError | Cause.Done<Outcome>): error is Cause.Done<Outcome> =>
    Cause.isDone(error) || this.released && error.reason._tag === "Closing"

  private over({ input = this.inputOver, output = this.outputOver }): void {
    this.inputOver = input
    this.outputOver = output
    if (input && output) this.release(Exit.void, "over")
  }

  private async run<A>(effect: Effect.Effect<A, ConnectionError>): Promise<A> {
    const exit = await Effect.runPromiseExitWith(this.context)(effect)
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    return exit.value
  }
}

/**
 * Connects, in a scope of its own that closes with the connection.
 *
 * @category constructors
 */
export const opened = <In, Out, D, E, R>(
  connect: Effect.Effect<Connection<In, Out, D>, E, R | Scope.Scope>
): Effect.Effect<Outside<In, Out>, E, Exclude<R, Scope.Scope>> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.contextWith((context: Context.Context<never>) => {
      const scope = Scope.makeUnsafe()
      const connecting = Effect.onError(
        restore(Scope.provide(connect, scope)),
        (cause) => Scope.close(scope, Exit.failCause(cause))
      )
      return Effect.map(connecting, (connection) =>
        new Outside(connection, context, (exit) =>
          void Effect.runForkWith(context)(Scope.close(scope, exit))))
    })
  )

/** Has a connection handled outside, until the promise is settled, or somebody there has asked for the end. */
export const handled = <In, Out, D>(
  connection: Connection<In, Out, D>,
  use: (outside: Outside<In, Out>) => Promise<unknown>
): Effect.Effect<void, unknown> =>
  Effect.contextWith((context: Context.Context<never>) => {
    const released = Deferred.makeUnsafe<void, unknown>()
    const outside = new Outside(connection, context, (exit, end) => {
      if (end === "asked") Deferred.doneUnsafe(released, exit)
    })
    const using = Effect.callback<void, unknown>((resume) => {
      use(outside).then(() => resume(Effect.void), (cause: unknown) => resume(Effect.fail(cause)))
    })
    return Effect.raceFirst(using, Deferred.await(released))
  })
