/**
 * Serves several resources on one listener: a request goes to the route whose host and path it matches.
 *
 *     Router.serve("wss://0.0.0.0:443", [
 *       Route.protocol("/rooms/:room", Chat, Codec.json(), joinRoom),
 *       Route.messages("/echo", (connection) => Stream.run(Connection.messages(connection), Connection.sink(connection)))
 *     ])
 *
 * Of several routes that match, the one with the more specific host is taken, then the one with the more specific path, then the first
 * of the list. What no route matches is answered with 404. What is said in the options holds for all routes that don't say otherwise.
 */

import type { Connection } from "@wirestack/protocol/Connection"
import type { Input, Place } from "@wirestack/protocol/Endpoint"
import { type Listener, make as makeListener, type RunOptions, runScoped, withRun } from "@wirestack/protocol/Listener"
import type { ListenError } from "@wirestack/protocol/ListenError"
import * as Protocol from "@wirestack/protocol/Protocol"
import {
  type At,
  Bytes,
  type Listen,
  listen as listenOn,
  type ListenOptions,
  type Shape,
  shape
} from "@wirestack/protocol/Transport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Order from "effect/Order"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as HostPattern from "../handshake/HostPattern.ts"
import * as ServerHandshake from "../handshake/ServerHandshake.ts"
import { ArrivalAcceptor } from "../internal/ArrivalAcceptor.ts"
import { type Desk, foreign, own } from "../internal/Desk.ts"
import { layer, type WebSocket } from "../internal/details.ts"
import { limits } from "../internal/opening.ts"
import * as Role from "../internal/Role.ts"
import { answer, below, type Plan, plan } from "../internal/server.ts"
import type { Lower } from "../internal/upgraded.ts"
import type { Message } from "../machines/WebSocketMachine.ts"
import type { Deadline, ServerOptions } from "../WebSocket.ts"
import type { Arrival } from "./Arrival.ts"
import * as PathPattern from "./PathPattern.ts"
import type { Any, Options as RouteOptions, Route, RoutedRequest } from "./Route.ts"

/** What holds for all routes, and for the listener. */
export interface Options<R = never>
  extends Omit<RouteOptions<Message, R>, "host">, Deadline, ListenOptions<Connection<unknown, never, WebSocket>>
{
  /** The largest head of the opening handshake, in bytes; 16 KiB by default. */
  readonly maxHeadSize?: number
  /** How many handshakes go on at once; those beyond are refused. No limit of its own by default. */
  readonly maxHandshakes?: number
}

/** A bound server of several routes. */
export interface RoutedListener<R> extends Omit<Listener<unknown, never, WebSocket>, "run"> {
  /** Handles connections until interrupted; a listener is run once. */
  readonly run: (options?: RunOptions) => Effect.Effect<never, ListenError, R>
}

/** What the handlers of these routes need. */
export type RouteServices<Routes extends ReadonlyArray<Any>> = [Routes[number]] extends [never] ? never
  : Routes[number] extends Route<infer R> ? R
  : never

interface Served extends Plan<any, any, any> {
  readonly route: Route<any>
  readonly params: RoutedRequest<any>["params"]
}

type Routed = Connection<any, any, WebSocket> & {
  readonly route: Route<any>
  readonly request: RoutedRequest<any>
  readonly services: Context.Context<never> | undefined
}

const Routing: Shape<"websocket/routed", any, any> = shape("websocket/routed")

/** Provides services, of which the scope is none. */
const beside = <A, E, R>(
  services: Context.Context<never> | undefined,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  services === undefined ? effect : Effect.updateContext(
    effect,
    (own: Context.Context<R>) =>
      Context.add(Context.merge(own, services), Scope.Scope, Context.getUnsafe(own, Scope.Scope)) as Context.Context<R>
  )

const specificFirst: Order.Order<Route<any>> = (self, that) =>
  self.host === undefined || that.host === undefined
    ? self.host === that.host ? PathPattern.compare(self.path, that.path) : self.host === undefined ? 1 : -1
    : HostPattern.compare(self.host, that.host) || PathPattern.compare(self.path, that.path)

/** The parameters of a request that is for this route. */
const paramsOf = ({ host: hosts, path: pattern }: Route<any>, host: string, path: string) =>
  hosts === undefined || HostPattern.matches(hosts, host) ? PathPattern.match(pattern, path) : undefined

const over = (
  unsorted: ReadonlyArray<Route<any>>,
  shared: Options<any>,
  deskOf: (lower: Lower, place: Place) => Desk
) =>
  Protocol.make(Bytes, Routing, () => {
    const routes = [...unsorted].sort(specificFirst).map((route) => {
      const options = { ...shared, ...route.options } as ServerOptions<any, any>
      return { ...plan(Role.make("server", options, route.machine), options, route.protocols), route }
    })
    const bounds = limits(shared.maxHeadSize)
    const find =
      (given: string | undefined) =>
      (upgrade: ServerHandshake.Upgrade): Result.Result<Served, ServerHandshake.Refused> => {
        for (const plan of routes) {
          const params = paramsOf(plan.route, upgrade.host, given ?? upgrade.path)
          if (params !== undefined) return Result.succeed({ ...plan, params })
        }
        return Result.fail(ServerHandshake.missing(upgrade))
      }
    return {
      layer,
      below,
      handshakeWithin: shared.handshakeWithin,
      maxHandshakes: shared.maxHandshakes,
      server: (lower: Lower, ask) => {
        const desk = deskOf(lower, ask.endpoint.place)
        const { path, services } = desk
        return Effect.map(
          beside(services, answer(desk, bounds, find(path))),
          ({ connection, plan: { params, route }, upgrade }) =>
            Object.assign(connection, { route, services, request: { ...upgrade, params, details: connection.details } })
        )
      }
    }
  })

/** The byte transport of the context, as a layer to put something on. */
const bytes = Layer.effect(Bytes.key, Effect.service(Bytes.key))

/**
 * Listens over the byte transport that the context provides.
 *
 * @category constructors
 */
export const listen = <const Routes extends ReadonlyArray<Any>, R = never>(
  endpoint: Input,
  routes: Routes,
  options: Options<R> = {}
): Effect.Effect<
  RoutedListener<RouteServices<Routes>>,
  ListenError,
  Scope.Scope | At<"bytes", Listen> | RouteServices<Routes> | R
> =>
  Effect.gen(function*() {
    const stack = yield* Layer.build(over(routes as ReadonlyArray<any>, options, own)(bytes as any))
    return yield* routed(endpoint, options, stack)
  }) as any

/** A listener on a stack of routes. */
const routed = (endpoint: Input, options: Options<any>, stack: Context.Context<any>) =>
  Effect.map(
    Effect.provideContext(listenOn(Routing)(endpoint, options), stack) as Effect.Effect<
      Listener<any, any>,
      ListenError,
      Scope.Scope
    >,
    (listener) =>
      withRun(listener, (options?: RunOptions) =>
        listener.run((connection) => {
          const { request, route, services } = connection as Routed
          return beside(services, route.handle(connection as Routed, request))
        }, options))
  )

/** A layer that serves the routes for as long as it is provided. */
export const serve = <const Routes extends ReadonlyArray<Any>, R = never>(
  endpoint: Input,
  routes: Routes,
  options?: Options<R> & RunOptions
): Layer.Layer<never, ListenError, At<"bytes", Listen> | RouteServices<Routes> | R> =>
  Layer.effectDiscard(
    Effect.flatMap(listen(endpoint, routes, options), (listener) => runScoped(listener.run(options)))
  ) as any

/** Routes on somebody else's server. */
export interface Mounted<R> extends Omit<RoutedListener<R>, "address"> {
  /** Takes over a request that somebody else has read; plain calls, in any turn. */
  readonly accept: (arrival: Arrival) => void
  /** Whether there is a route for this path, without its query, at this host. */
  readonly knows: (host: string, path: string) => boolean
}

/**
 * Routes for requests that an HTTP server has read, which it hands over. All checks and limits are those of a server of our own, with the
 * answers written by whoever has the connection. The scope owns those that were accepted: it drains them when it closes.
 *
 * @category constructors
 */
export const mount = <const Routes extends ReadonlyArray<Any>, R = never>(
  routes: Routes,
  options: Options<R> = {}
): Effect.Effect<
  Mounted<RouteServices<Routes>>,
  never,
  Scope.Scope | RouteServices<Routes> | R
> =>
  Effect.gen(function*() {
    const acceptor = new ArrivalAcceptor()
    const arriving = Layer.succeed(Bytes.key, {
      connect: () => Effect.die("requests arrive, and are not made"),
      listen: (ask) => makeListener(acceptor, ask)
    })
    const stack = yield* Layer.build(over(routes as ReadonlyArray<any>, options, foreign)(arriving as any))
    const listener = yield* Effect.orDie(routed("memory:http", options, stack))
    return {
      ...listener,
      accept: acceptor.accept,
      knows: (host: string, path: string) =>
        (routes as ReadonlyArray<any>).some((route) => paramsOf(route, host, path) !== undefined)
    }
  }) as any
