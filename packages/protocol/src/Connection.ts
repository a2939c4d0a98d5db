/**
 * A live duplex: pull batches of messages, send messages, end in a known way.
 *
 * A connection belongs to a scope. Closing the scope closes every layer of the stack from the top down, each with its
 * own goodbye (WebSocket Close, TLS close_notify, TCP FIN), within one budget of time for the whole connection; after
 * that it is cut. Why it closed follows the Exit of the scope.
 *
 * The contract:
 *
 * - **Pull.** One puller at a time; a second one dies with a defect. What is received and not pulled is bounded, and
 *   beyond that the peer is held back. Interrupting a pull loses nothing. After the peer has closed, what was received
 *   is still pulled, then `pull` ends with the `Outcome`.
 * - **Send.** Success means accepted, not on the wire; what is later lost shows in `closed`. A send waits, first come
 *   first served, while there is no room. Interrupting it leaves the whole message or none; interrupting `sendAll`
 *   leaves a prefix.
 * - **Ownership.** What is received belongs to the receiver. Small bytes may lie in a larger buffer, together with those of other
 *   connections: `slice` them before they are cloned or handed to a worker. What is sent is not modified, and must not be modified
 *   after `send`.
 * - **Close.** Closing seals at once: waiting pulls and sends fail with `Closing`, what was accepted is flushed, what was
 *   received and not pulled is counted as `undelivered`. Over bytes and bare framers the peer's end leaves our direction
 *   open: the peer waits, within its budget, until our scope closes too.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import type { Ask } from "./Ask.ts"
import { type ClosePolicy, patience } from "./ClosePolicy.ts"
import { Closing, type ConnectionError, type ConnectionReason } from "./ConnectionError.ts"
import { lifeOf, LiveConnection } from "./internal/LiveConnection.ts"
import { admit } from "./internal/serve.ts"
import { Stage } from "./internal/Stage.ts"
import type { Machine } from "./Machine.ts"
import type { Outcome, Why } from "./Outcome.ts"
import type { Telling } from "./reports/EstablishmentReport.ts"
import type { Released, Wire } from "./wire/Wire.ts"

export {
  /** A connection that survives those that carry it (see `Resilient`). */
  make as resilient
} from "./resilience/Resilient.ts"

/** A non-empty batch, as it is pulled and sent. */
export type Batch<A> = NonEmptyReadonlyArray<A>

/** A live duplex of messages `In` and `Out`, with the services `Details` of the layers below it. */
export interface Connection<out In, in Out, in Details = never> {
  /**
   * The next batch of received messages. Once the peer sends no more it ends with `Cause.Done`, which carries the outcome
   * as far as it is known then; `messages` is the same as a Stream that just ends. Safe to interrupt: nothing is lost.
   */
  readonly pull: Pull.Pull<Batch<In>, ConnectionError, Outcome>
  /** Sends one message. Safe to interrupt: the whole message is sent, or nothing of it. */
  readonly send: (message: Out) => Effect.Effect<void, ConnectionError>
  /** Sends messages in order with nothing in between; an interrupt leaves a prefix. */
  readonly sendAll: (messages: Batch<Out>) => Effect.Effect<void, ConnectionError>
  /** Half-close: flushes and ends our output while input goes on; fails with `Unsupported` where a layer has none. */
  readonly end: Effect.Effect<void, ConnectionError>
  /** Cuts the connection now: nothing is flushed, no goodbye is said. */
  readonly abort: Effect.Effect<void>
  /**
   * How the connection ended. Resolves once, when every layer has closed and nothing is left to pull: after a peer's
   * goodbye by itself, otherwise when the scope has closed. Safe to interrupt.
   */
  readonly closed: Effect.Effect<Outcome>
  /** What the layers below tell about this connection, a service a layer. */
  readonly details: Context.Context<Details>
}

/** The received messages as a Stream, batch by batch; it ends when the peer has closed. */
export const messages = <In, Out, D>(self: Connection<In, Out, D>): Stream.Stream<In, ConnectionError> =>
  Stream.fromPull(Effect.succeed(self.pull as unknown as Pull.Pull<Batch<In>, ConnectionError>))

/** A Sink that sends every message it gets, batch by batch. It does not close the connection. */
export const sink = <In, Out, D>(self: Connection<In, Out, D>): Sink.Sink<void, Out, never, ConnectionError> =>
  Sink.forEachArray((batch) => self.sendAll(batch))

/** The details of a layer that the type of the connection promises. */
export const detail: {
  <I, S>(key: Context.Key<I, S>): <In, Out>(self: Connection<In, Out, I>) => S
  <In, Out, I, S>(self: Connection<In, Out, I>, key: Context.Key<I, S>): S
} = ((...args: [any, any] | [any]) =>
  args.length === 1
    ? (self: Connection<any, any, any>) => Context.get(self.details, args[0])
    : Context.get(args[0].details, args[1])) as any

/** The details of a layer that may or may not be below. */
export const detailOption = <In, Out, D, I, S>(
  self: Connection<In, Out, D>,
  key: Context.Key<I, S>
): Option.Option<S> => Context.getOption(self.details as Context.Context<never>, key)

/** The address that a connection was accepted from, where there are addresses, or from which a proxy says that it comes. */
export const peer = <In, Out, D>(self: Connection<In, Out, D>): string | undefined => lifeOf(self).peer

/**
 * Says where an accepted connection comes from, as a layer knows it that asked the one below with `peersAreTold`: `peer` and incidents
 * tell that address, and `maxConnectionsPerPeer` counts it. If there are too many of it, the listener has reported that and cut the
 * connection, and this fails with `Closing`.
 */
export const comesFrom = <In, Out, D>(
  self: Connection<In, Out, D>,
  address: string | undefined
): Effect.Effect<void, Closing> =>
  Effect.suspend(() =>
    admit(lifeOf(self), address) ? Effect.void : Effect.andThen(self.abort, Effect.fail(new Closing()))
  )

/**
 * After how long an accepted connection should come again, whose listener drains: then a layer that asked the one below with `turnsAway`
 * says no. Undefined otherwise.
 */
export const turnedAway = <In, Out, D>(self: Connection<In, Out, D>): Duration.Duration | undefined => {
  const time = lifeOf(self).threshold?.comeAgainIn()
  return time === undefined ? undefined : Duration.millis(time)
}

/** Lets an accepted connection in, as such a layer does right before it says yes: from now on a drain closes it like any other. */
export const letIn = <In, Out, D>(self: Connection<In, Out, D>): void => lifeOf(self).threshold?.cross()

/** What a layer's own operations (a ping, a close with a code) need of the connection they belong to. */
export interface Control {
  /** Hands down what the machine has to say since. */
  readonly flush: () => void
  /** Begins to close gracefully; `Connection.closed` tells when that is over. */
  readonly close: (why: Why) => void
  /** Gives the connection up for a reason the machine can't see (time): pulls and sends fail with it, then it closes. */
  readonly fail: (reason: ConnectionReason) => void
  /** Tells how long the peer took to answer a sign of life, in milliseconds. */
  readonly roundTrip: (took: number) => void
  /** Says whether the peer gives the signs of life it is asked for; true until said otherwise. */
  readonly viable: (is: boolean) => void
  /** How the connection ended, as `Connection.closed`. */
  readonly closed: Effect.Effect<Outcome>
}

/** How a connection is made. */
export interface Options<D> {
  /** What this layer adds to the details; `control` serves its operations. Called when somebody looks at the details, once. */
  readonly details?: (control: Control) => Context.Context<D>
  /** Is given the same, at once. */
  readonly begun?: (control: Control) => void
  /** What was asked for. Set where the stack begins: it has the budget of time for closing all layers. */
  readonly ask?: Pick<Ask, "closeWithin" | "journal"> | undefined
  /** What this layer tells in an `EstablishmentReport`. Set where the stack begins; other layers say it where they are made. */
  readonly facts?: Telling | undefined
}

/**
 * A connection on a wire at the bottom of a stack. The scope owns it.
 *
 * @category constructors
 */
export const make = <In, Out, D = never>(
  wire: Wire<In, Out>,
  options?: Options<D>
): Effect.Effect<Connection<In, Out, D>, never, Scope.Scope> => LiveConnection.make(wire, options)

/**
 * Takes the wire from a connection, to build on: the connection it is taken from can no longer be used, and its life
 * (scope, budget, details) goes on under the one that is made with `replace`. A defect if a pull or send is waiting.
 */
export const release = <In, Out, D>(self: Connection<In, Out, D>): Released<In, Out> =>
  (self as unknown as LiveConnection<In, Out, D>).release()

/**
 * A connection on a wire that was built from the released wire of another, which it replaces.
 *
 * @category constructors
 */
export const replace = <LIn, LOut, D, In, Out, D2 = never>(
  lower: Connection<LIn, LOut, D>,
  wire: Wire<In, Out>,
  options?: Options<D2>
): Effect.Effect<Connection<In, Out, D | D2>, never, Scope.Scope> =>
  LiveConnection.make<In, Out, D | D2>(wire, options as Options<any>, lower as unknown as LiveConnection<LIn, LOut, D>)

/**
 * Goes on with a connection after a handshake on it that needs no machine, such as that of a proxy. `leftover` is what the handshake
 * pulled and did not use: it is pulled first. The connection it was can no longer be used.
 *
 * @category constructors
 */
export const resume = <In, Out, D, D2 = never>(
  lower: Connection<In, Out, D>,
  options: Options<D2> & { readonly leftover?: ReadonlyArray<In> } = {}
): Effect.Effect<Connection<In, Out, D | D2>, never, Scope.Scope> =>
  Effect.suspend(() => {
    const { leftover, over, wire } = release(lower)
    return LiveConnection.make<In, Out, D | D2>(
      wire,
      options as Options<any>,
      lower as unknown as LiveConnection<In, Out, D>,
      { leftover: [...options.leftover ?? [], ...leftover], over }
    )
  })

/**
 * Puts a machine on a connection: the result speaks the machine's protocol, and replaces the connection it was put on.
 * `leftover` is what the handshake pulled and did not use, `closePolicy` how long its goodbye may take.
 *
 * @category constructors
 */
export const fuse = <LIn, LOut, D, In, Out, D2 = never>(
  lower: Connection<LIn, LOut, D>,
  machine: Machine<LIn, LOut, In, Out>,
  options: Options<D2> & {
    readonly layer: string
    readonly leftover?: ReadonlyArray<LIn>
    readonly closePolicy?: ClosePolicy | undefined
  }
): Effect.Effect<Connection<In, Out, D | D2>, never, Scope.Scope> =>
  Effect.suspend(() => {
    const released = release(lower)
    const leftover = options.leftover === undefined ? released.leftover : [...options.leftover, ...released.leftover]
    const limits = options.closePolicy === undefined ? undefined : patience(options.closePolicy)
    const deadlines = lifeOf(lower).deadlines
    return replace(lower, new Stage(options.layer, { ...released, leftover }, machine, deadlines, limits), options)
  })
