/**
 * A protocol turns a connection into a connection; a Layer lifts it from a transport to a transport.
 *
 * TLS, WebSocket, framers, codecs, proxies and STARTTLS are all this one thing. A protocol has a handshake for each role
 * it plays, as an Effect over the connection below, and then usually a `Machine` that `Connection.fuse` puts on it.
 * `make` gives what a user's own protocol needs to stand beside the built-in ones.
 */

import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { Ask } from "./Ask.ts"
import { ConnectError } from "./ConnectError.ts"
import { type Connection, fuse } from "./Connection.ts"
import { Deadlines } from "./internal/Deadlines.ts"
import { incidentLog } from "./internal/incidentLog.ts"
import { lifeOf } from "./internal/LiveConnection.ts"
import { HandshakeFailed } from "./internal/serve.ts"
import { type Listener, withRun } from "./Listener.ts"
import type { Machine } from "./Machine.ts"
import { TimedOut, TooLarge } from "./Reason.ts"
import type { Telling } from "./reports/EstablishmentReport.ts"
import { type At, atomically, layer, type Shape, type Transport } from "./Transport.ts"

/**
 * Lifts a stack by one layer: from shape `L` to shape `S`, needing the details `Need` below, adding `Add` and dropping
 * `Drop` (roles or details) from what the stack can do. Each application makes a fresh Layer, so that one value used
 * over two transports gives two stacks.
 */
export interface Over<in out L, Need, in out S, Add, Drop = never, E = never, R = never> {
  <Below, Can, LE, LR>(
    lower: Layer.Layer<At<Below, Can>, LE, LR> & Gives<Below, L> & Lacks<Need, Can>
  ): Layer.Layer<At<S, Exclude<Can, Drop> | Add>, LE | E, LR | R>
}

/** Says in the compiler's message what the stack below gives, and what is wanted of it. */
export type Gives<Below, Wanted> = [Below] extends [Wanted] ? unknown
  : { readonly "the stack below gives": Below; readonly "this layer stands on": Wanted }

/** Says in the compiler's message which details the stack below lacks. */
export type Lacks<Need, Can> = [Need] extends [Can] ? unknown
  : { readonly "the stack below lacks": Exclude<Need, Can> }

/** Connects the layer below, and runs a handshake on it, within its deadline; what fails leaves nothing open. */
export type Attempt<LI, LO, I, O, Need, Add, R> = (
  ask: Ask,
  handshake: (
    lower: Connection<LI, LO, Need>,
    ask: Ask
  ) => Effect.Effect<Connection<I, O, Need | Add>, ConnectError, R>
) => Effect.Effect<Connection<I, O, Need | Add>, ConnectError, R | Scope.Scope>

/** A protocol between two shapes. */
export interface Options<LCI, LCO, LSI, LSO, CI, CO, SI, SO, Need, Add, E1, R1, R2> {
  /** The name of the layer, for errors. */
  readonly layer: string
  /** What is asked of the layer below; by default the same. A layer that consumes the offers or a demand does it here. */
  readonly below?: (ask: Ask) => Ask
  /** The client's handshake. Leave it out if the protocol can't connect. */
  readonly client?:
    | ((
      lower: Connection<LCI, LCO, Need>,
      ask: Ask
    ) => Effect.Effect<Connection<CI, CO, Need | Add>, ConnectError | E1, R1>)
    | undefined
  /** What surrounds a client's attempts: it may have one wait, or make another one; by default there is one. */
  readonly connect?:
    | ((
      attempt: Attempt<LCI, LCO, CI, CO, Need, Add, R1>,
      ask: Ask
    ) => Effect.Effect<Connection<CI, CO, Need | Add>, ConnectError | E1, R1 | Scope.Scope>)
    | undefined
  /**
   * The server's handshake, for each accepted connection; the endpoint of the `ask` is the one that was bound. Leave it out if the
   * protocol can't listen.
   */
  readonly server?:
    | ((
      lower: Connection<LSI, LSO, Need>,
      ask: Ask
    ) => Effect.Effect<Connection<SI, SO, Need | Add>, ConnectError | E1, R2>)
    | undefined
  /** How long a handshake may take, from the moment the layer below is ready; 10 seconds by default. */
  readonly handshakeWithin?: Duration.Input | undefined
  /** What the layer tells in an `EstablishmentReport`. */
  readonly facts?: Telling | undefined
  /** How many handshakes a listener runs at once; those beyond are refused. No limit of its own by default, as connections have one. */
  readonly maxHandshakes?: number | undefined
}

/**
 * Makes the operator that puts a protocol on a stack. Options that hold state are given as a function, which is called for each
 * stack that is built.
 *
 * @category constructors
 */
export const make = <
  L,
  LCI,
  LCO,
  LSI,
  LSO,
  S,
  CI,
  CO,
  SI,
  SO,
  Add = never,
  Need = never,
  Drop = never,
  R1 = never,
  R2 = never
>(
  below: Shape<L, LCI, LCO, LSI, LSO>,
  above: Shape<S, CI, CO, SI, SO>,
  made:
    | Options<LCI, LCO, LSI, LSO, CI, CO, SI, SO, Need, Add, never, R1, R2>
    | (() => Options<LCI, LCO, LSI, LSO, CI, CO, SI, SO, Need, Add, never, R1, R2>)
): Over<L, Need, S, Add, Drop, never, Exclude<R1 | R2, Scope.Scope>> => {
  const lift = Effect.gen(function*() {
    const lower = yield* below.key
    const context = yield* Effect.context<R1 | R2>()
    const options = typeof made === "function" ? made() : made
    const limit = limitOf(options.layer, options.handshakeWithin)
    const inTime = <A, R>(handshake: Effect.Effect<A, ConnectError, R>): Effect.Effect<A, ConnectError, R> =>
      Effect.timeoutOrElse(handshake, { duration: limit.after, orElse: () => Effect.fail(limit.late()) })
    const attempt: Attempt<LCI, LCO, CI, CO, Need, Add, R1> = (ask, handshake) =>
      Effect.tapError(
        atomically(Effect.suspend(() => {
          ask.journal?.begin()
          return Effect.flatMap(lower.connect(options.below?.(ask) ?? ask), (connection) =>
            ready(
              connection,
              options,
              Effect.onError(inTime(handshake(connection as Connection<LCI, LCO, Need>, ask)), () => connection.abort)
            ))
        })),
        (error) => Effect.sync(() => ask.journal?.failed(error))
      )
    const transport: Transport<CI, CO, SI, SO> = {
      connect: (ask) =>
        provide(options.connect?.(attempt, ask) ?? attempt(ask, options.client!), (own) => Context.merge(context, own)),
      listen: (ask) =>
        Effect.map(lower.listen(options.below?.(ask) ?? ask), (listener) => {
          const bound = { ...ask, endpoint: { ...ask.endpoint, place: listener.address.place } }
          const counted = atMost(options.layer, options.maxHandshakes)
          return afterHandshake(
            listener,
            context,
            limit,
            (connection) =>
              ready(connection, options, counted(options.server!(connection as Connection<LSI, LSO, Need>, bound)))
          )
        })
    }
    return transport
  })
  return ((stack: Layer.Layer<any, any, any>) => Layer.provide(layer(above, lift as any), stack)) as any
}

/**
 * The same for a protocol that leaves the messages as they are, such as one that only says something first. What it `Add`s to a stack,
 * `Drop`s from it, and `Need`s below are said: `Protocol.within(Bytes)<ProxyInfo, Listen>({ layer: "proxy", ... })`.
 *
 * @category constructors
 */
export const within = <L, CI, CO, SI, SO>(shape: Shape<L, CI, CO, SI, SO>) =>
<Add = never, Drop = never, Need = never>(
  made: Options<CI, CO, SI, SO, CI, CO, SI, SO, Need, Add, never, Scope.Scope, Scope.Scope>
): Over<L, Need, L, Add, Drop> =>
  make<L, CI, CO, SI, SO, L, CI, CO, SI, SO, Add, Need, Drop, Scope.Scope, Scope.Scope>(shape, shape, made)

/** How long a handshake may take, in milliseconds, and what it fails with if it takes longer. */
const limitOf = (layer: string, time: Duration.Input = "10 seconds") => {
  const after = Duration.toMillis(Duration.fromInputUnsafe(time))
  return { after, late: () => new ConnectError({ layer, reason: new TimedOut({ phase: "handshake", after }) }) }
}

type Limit = ReturnType<typeof limitOf>

/** Writes down that a layer is ready. */
const ready = <A, E, R>(
  connection: Connection<any, any>,
  { facts, layer }: { readonly layer: string; readonly facts?: Telling | undefined },
  handshake: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.map(handshake, (made) => {
    lifeOf(connection).journal.ready(layer, facts)
    return made
  })

/** Handshakes beyond the limit are refused at once: one that waited would be in the way of those that are quick. */
const atMost = (layer: string, limit = Infinity) => {
  let underWay = 0
  return <A, R>(handshake: Effect.Effect<A, ConnectError, R>): Effect.Effect<A, ConnectError, R> =>
    limit === Infinity ? handshake : Effect.suspend(() => {
      if (underWay >= limit) {
        const reason = new TooLarge({ what: "the number of handshakes under way", size: underWay + 1, limit })
        return Effect.fail(new ConnectError({ layer, reason }))
      }
      underWay++
      return Effect.ensuring(handshake, Effect.sync(() => underWay--))
    })
}

/** Provides the services that were there when the layer was built, beside those of the caller, whose scope it stays. */
const provide = <A, R>(
  effect: Effect.Effect<A, ConnectError, R | Scope.Scope>,
  services: (own: Context.Context<Scope.Scope>) => Context.Context<R | Scope.Scope>
): Effect.Effect<A, ConnectError, Scope.Scope> =>
  Effect.updateContext(
    effect as Effect.Effect<A, ConnectError, R>,
    services as (own: Context.Context<Scope.Scope>) => Context.Context<any>
  )

/**
 * A listener whose handler sees each connection only after the handshake, which has the services of `context`. A connection has a fiber
 * of its own, so that of one that is late is interrupted.
 */
const afterHandshake = <LI, LO, I, O, R>(
  lower: Listener<LI, LO>,
  context: Context.Context<R>,
  { after, late }: Limit,
  handshake: (connection: Connection<LI, LO>) => Effect.Effect<Connection<I, O>, ConnectError, R | Scope.Scope>
): Listener<I, O> => {
  const run: Listener<I, O>["run"] = (handler, options) => {
    const report = options?.onIncident ?? incidentLog()
    const failed = (error: ConnectError, connection: Connection<LI, LO>): Effect.Effect<void> => {
      const { journal, peer } = lifeOf(connection)
      journal.failed(error)
      // A listener that drains closes what is still shaking hands; that is no incident.
      return error.reason._tag === "Closing" ? Effect.void : report({ _tag: "HandshakeFailed", error, peer })
    }
    return Effect.contextWith((own: Context.Context<never>) => {
      const services = Context.merge(context, own)
      const deadlines = Deadlines.of(Context.get(own, Clock.Clock))
      const shake = (connection: Connection<LI, LO>) =>
        Effect.withFiber<Connection<I, O>, HandshakeFailed, Scope.Scope>((fiber) => {
          let expired = false
          const deadline = deadlines.set(after, () => {
            lifeOf(connection).late = expired = true
            fiber.interruptUnsafe()
          })
          return Effect.onExit(
            Effect.catch(
              provide(
                handshake(connection),
                (own) => Context.add(services, Scope.Scope, Context.get(own, Scope.Scope))
              ),
              (error) => Effect.andThen(failed(error, connection), Effect.fail(new HandshakeFailed()))
            ),
            () => {
              deadlines.delete(deadline)
              return expired ? failed(late(), connection) : Effect.void
            }
          )
        })
      return lower.run((connection) => Effect.flatMap(shake(connection), handler), { ...options, onIncident: report })
    }) as any
  }
  return withRun(lower, run)
}

/**
 * The protocol that is only a machine, the same for both roles: framers and codecs.
 *
 * @category constructors
 */
export const machine = <L, LI, LO, S, CI, CO, SI, SO>(
  below: Shape<L, LI, LO>,
  above: Shape<S, CI, CO, SI, SO>,
  options: {
    readonly layer: string
    readonly below?: (ask: Ask) => Ask
    readonly client: () => Machine<LI, LO, CI, CO>
    readonly server: () => Machine<LI, LO, SI, SO>
  }
): Over<L, never, S, never> =>
  make<L, LI, LO, LI, LO, S, CI, CO, SI, SO>(below, above, {
    ...options,
    client: (lower) => fuse(lower, options.client(), { layer: options.layer }) as any,
    server: (lower) => fuse(lower, options.server(), { layer: options.layer }) as any
  })
