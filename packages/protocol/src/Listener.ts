/**
 * A bound server: connections are handled each in a scope of its own, until the listener closes and drains.
 *
 *     accepted --> waits, unread --> handled --> ended
 *                  until it is run, while it is paused, or for room with `whenFull: "wait"`
 *
 * `run` never ends by itself. Neither a failed handshake nor a handler's failure ends it; both are reported. When it is
 * interrupted, or the listener's scope closes, or somebody asks for it (`drain`), it drains, all within one time:
 *
 * - It accepts no more. Where a layer can say no (a WebSocket: 503 and Retry-After) it goes on to accept, so that who comes is told so.
 * - It tells every connection, one after the other if it has time for that (`over`): first the application's goodbye, then what was
 *   accepted is flushed, then the goodbye of each layer. The handlers see their pulls end.
 * - It waits for the handlers, interrupts what is left when the time is up, and cuts the rest. A silent peer never holds it up for longer.
 */
import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { Ask } from "./Ask.ts"
import type { ConnectError } from "./ConnectError.ts"
import type { Connection } from "./Connection.ts"
import type { Endpoint } from "./Endpoint.ts"
import * as internal from "./internal/serve.ts"
import type { ListenError } from "./ListenError.ts"
import type { Unsent } from "./Outcome.ts"
import type { Telling } from "./reports/EstablishmentReport.ts"
import type { Wire } from "./wire/Wire.ts"

/** Something that went wrong with one connection of a listener; `peer` is the address it came from, where there are addresses. */
export type Incident =
  & { readonly peer: string | undefined }
  & (
    | { readonly _tag: "HandshakeFailed"; readonly error: ConnectError }
    | { readonly _tag: "HandlerFailed"; readonly cause: Cause.Cause<unknown> }
    /** `count` were cut: those that are while another is told of are told together, with the peer of the last. */
    | {
      readonly _tag: "TooManyConnections"
      readonly limit: number
      readonly of: "listener" | "peer" | "waiting"
      readonly count: number
    }
  )

/** How a listener drains; its connections are `C`. */
export interface DrainOptions<in C = Connection<unknown, never>> {
  /** How long all of it may take, for all connections together; 5 seconds by default. What is left then is cut. */
  readonly within?: Duration.Input
  /**
   * The time in which connections are told, evenly but for chance, so that they don't come back all at once: 0 by default, `within` at
   * most. Those that are told last have the rest of `within` to close, which should be enough for that.
   */
  readonly over?: Duration.Input
  /**
   * What is waited for before anybody is told, such as those that stand on these connections: half of `within` at most. Nobody gets in any
   * more meanwhile.
   */
  readonly after?: Effect.Effect<unknown>
  /** What peers are told, where a layer has words for it: that the server goes away, the default, or that it will be back (1001, 1012). */
  readonly as?: "away" | "restart"
  /**
   * What the application has to say to a connection that is handled, before its layers say their goodbye; what it sends is flushed. It has
   * half of what is left of `within`, and goes on after that only if it is not interruptible. A server of routes, and one of `Requests`, can't
   * send anything here.
   */
  readonly goodbye?: (connection: C) => Effect.Effect<void, unknown>
  /** After how long those that are turned away may come again; by default `within`. */
  readonly retryAfter?: Duration.Input
}

/** What draining did: what became of the connections that were open, and of those that weren't yet. */
export interface DrainReport {
  readonly open: number
  /** Handlers that ended by themselves once their connection closed. */
  readonly ended: number
  /** Handlers that were interrupted at the deadline. */
  readonly interrupted: number
  /** Connections of those that were open that closed cleanly: every layer has said its goodbye, and nothing was lost. */
  readonly clean: number
  /** Those that we gave up, as their peers had not answered when their time or ours was up. */
  readonly forced: number
  /** Those that broke: the peer was gone, or broke the rules. */
  readonly failed: number
  /** Connections that waited to be handled, and were cut. */
  readonly waiting: number
  /** Connections that were turned away: of those that were shaking hands or came since, where a layer can say no. */
  readonly refused: number
  /** What the open ones had accepted and could not hand over. */
  readonly unsent: Unsent
  /** Messages that had arrived at the open ones and were not pulled. */
  readonly undelivered: number
  /** How long it took, in milliseconds. */
  readonly took: number
}

/** How a listener is run. */
export interface RunOptions {
  /** Told of each incident; by default they are logged as warnings, ten a second at most. */
  readonly onIncident?: (incident: Incident) => Effect.Effect<void>
}

/** A bound server whose connections speak `In` and `Out`. */
export interface Listener<out In, in Out, in Details = never> {
  /** Where it listens, with the port the system chose. */
  readonly address: Endpoint
  /**
   * Handles connections until interrupted, each in a fiber of its own; a listener is run once. A connection is closed when its handler ends, and counts until
   * then: a handler that waits for something else than its connection should also wait for `connection.closed`. Over bytes and bare
   * framers the peer's end does not close it, so there it should read on: a peer that leaves waits for it until its budget is spent.
   */
  readonly run: <E, R>(
    handler: (connection: Connection<In, Out, Details>) => Effect.Effect<void, E, R>,
    options?: RunOptions
  ) => Effect.Effect<never, ListenError, Exclude<R, Scope.Scope>>
  /**
   * Handles no further connections until `resume`; those that are handled go on. What comes meanwhile waits, unread, up to `maxWaiting`
   * connections. The system goes on to accept, as Node has no means to leave a connection in its queue.
   */
  readonly pause: Effect.Effect<void>
  /** Handles those that wait, in their order and as far as there is room, and further ones as they come. */
  readonly resume: Effect.Effect<void>
  /**
   * Drains now: accepts no more, tells everybody, and closes (see above). Then `run` fails with `NotListening`. What is not said is as the
   * listener was asked for, and who drains first decides. Safe to interrupt: the draining goes on.
   */
  readonly drain: (options?: DrainOptions<Connection<In, Out, Details>>) => Effect.Effect<DrainReport>
  /** Waits until the listener begins to drain, for handlers that have to finish something: the `goodbye` may wait for them. */
  readonly draining: Effect.Effect<void>
  /** What draining did; resolves when the listener has closed. */
  readonly drained: Effect.Effect<DrainReport>
}

/** What accepts connections at the bottom of a stack: a bound socket, as plain calls. */
export interface Acceptor<In, Out, Details> {
  /** The name of the layer, for errors. */
  readonly layer: string
  readonly address: Endpoint
  /**
   * The listener whose connections carry those that it accepts: it drains with the one made of this acceptor, and has the second half of the
   * time to tell its connections.
   */
  readonly below?:
    | { readonly drain: (options?: Omit<DrainOptions, "goodbye">) => Effect.Effect<DrainReport> }
    | undefined
  /** What it tells in the `EstablishmentReport` of a connection. */
  readonly facts?: Telling | undefined
  /**
   * Begins to hand over connections, unread, with what they tell when somebody looks and the addresses they come from. Called once, in
   * the turn in which it was made.
   */
  readonly start: (
    accept: (wire: Wire<In, Out>, details: () => Context.Context<Details>, peer?: string) => void,
    lost: (error: ListenError) => void
  ) => void
  /** Accepts no more and frees the address; connections already handed over go on. */
  readonly stop: Effect.Effect<void>
}

/**
 * A listener on an acceptor at the bottom of a stack. The scope owns it: when it closes, the listener drains.
 *
 * @category constructors
 */
export const make: <In, Out, D>(
  acceptor: Acceptor<In, Out, D>,
  ask: Ask
) => Effect.Effect<Listener<In, Out, D>, never, Scope.Scope> = internal.makeListener

/** The same listener, which is run in another way: what a layer above makes of it, whose connections may be other ones. */
export const withRun = <In, Out, D, Run>(
  { address, drain, drained, draining, pause, resume }: Listener<In, Out, D>,
  run: Run
): Omit<Listener<any, any, D>, "run"> & { readonly run: Run } => ({
  address,
  drain,
  drained,
  draining,
  pause,
  resume,
  run
})

/** The same listener, on which no layer is put any more: what it hands over is what a drain's `goodbye` is given. */
export const handled = <In, Out, D>(listener: Listener<In, Out, D>): Listener<In, Out, D> =>
  withRun(listener, (handler, options) => listener.run(internal.handling(handler), options))

/**
 * Runs a listener in the background for as long as the scope is open. That it was lost, which nobody waits for, is logged as an error;
 * that it has drained is none.
 */
export const runScoped = <R>(
  run: Effect.Effect<never, ListenError, R>
): Effect.Effect<Fiber.Fiber<never, ListenError>, never, R | Scope.Scope> =>
  Effect.forkScoped(
    Effect.tapError(run, ({ message, reason }) =>
      reason._tag === "NotListening" ? Effect.void : Effect.logError("listener lost:", message))
  )
