/**
 * WebSockets on an HTTP server that is there already: on the same port as its pages.
 *
 *     const server = Http.createServer(app) // of node:http or node:https: an Express or Fastify application, or anything else
 *     yield* Mount.on(server, [Route.protocol("/rooms/:room", Chat, Codec.json(), join)])
 *
 * The contract:
 *
 * - All checks, limits and answers are those of a server of our own (see `Router`). From the answer 101 on the socket belongs to the
 *   connection, which reads and writes it like one that we have accepted; until then it is the HTTP server's.
 * - A request that no route matches is left to the server's other `upgrade` listeners; if there are none, it is answered with 404.
 *   One that asks for another protocol, such as h2c, is then a request as any other, as HTTP has it; so it is since Node 22.21 and 24.9.
 * - The scope owns the connections: when it closes they are told so (1001), and requests are answered with 503 meanwhile. Close it
 *   before the HTTP server, which waits for them.
 * - TLS is the HTTP server's own: `TlsInfo` tells of it.
 */
import type { Any } from "@wirestack/websocket/routing/Route"
import type * as Router from "@wirestack/websocket/routing/Router"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Server } from "node:http"
import { Entrance } from "./internal/Entrance.ts"
import { mounting, type Options } from "./internal/mounting.ts"

export type { Options }

/** Routes that are mounted: what may be done with their connections together. */
export interface Mounted extends Pick<Router.Mounted<never>, "drain" | "drained" | "draining" | "pause" | "resume"> {}

/**
 * Mounts routes on a server, and handles their connections for as long as the scope is open. The server may listen already, or later.
 *
 * @category constructors
 */
export const on = <const Routes extends ReadonlyArray<Any>>(
  server: Server,
  routes: Routes,
  options: Options = {}
): Effect.Effect<Mounted, never, Scope.Scope | Router.RouteServices<Routes>> =>
  Effect.acquireRelease(
    Effect.tap(mounting(routes, options), (mounted) => Effect.sync(() => Entrance.of(server).add(mounted))),
    (mounted) => Effect.ensuring(mounted.drain(), Effect.sync(() => Entrance.of(server).delete(mounted)))
  )

/**
 * The same for as long as the layer is provided.
 *
 * @category layers
 */
export const layer = <const Routes extends ReadonlyArray<Any>>(
  server: Server,
  routes: Routes,
  options?: Options
): Layer.Layer<never, never, Exclude<Router.RouteServices<Routes>, Scope.Scope>> =>
  Layer.effectDiscard(on(server, routes, options)) as any
