import { type RunOptions, runScoped } from "@wirestack/protocol/Listener"
import type { Any } from "@wirestack/websocket/routing/Route"
import * as Router from "@wirestack/websocket/routing/Router"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type Compressing, engines, extensionsOf } from "./compressing.ts"

/** How routes are mounted. */
export interface Options extends Omit<Router.Options, "extensions">, Compressing, RunOptions {}

/** Mounts routes and handles their connections for as long as the scope is open. */
export const mounting = <const Routes extends ReadonlyArray<Any>>(
  routes: Routes,
  options: Options
): Effect.Effect<Router.Mounted<never>, never, Scope.Scope | Router.RouteServices<Routes>> =>
  Effect.flatMap(Layer.build(engines(options)), (engines) =>
    Effect.tap(
      Effect.provideContext(Router.mount(routes, { ...options, extensions: extensionsOf(options) }), engines),
      (mounted) => runScoped(mounted.run(options))
    )) as any
