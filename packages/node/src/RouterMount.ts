/**
 * WebSockets on the routes of Effect's `HttpRouter`: one port with pages and APIs, behind the same middleware.
 *
 *     const Rooms = RouterMount.routes([Route.protocol("/rooms/:room", Chat, Codec.json(), join)])
 *     const Server = RouterMount.server(Http.createServer, (server) => NodeHttpServer.layer(server, { port: 8080 }))
 *
 *     HttpRouter.serve(Layer.mergeAll(Page, Api, Rooms)).pipe(Layer.provide(Server), Layer.launch)
 *
 * The contract, beyond the one of `Mount`:
 *
 * - A request passes the router's middleware first. Whoever refuses it there answers as ever, and the client sees that; a refusal of ours
 *   is an ordinary response of the route, and so passes the middleware too.
 * - The answer 101 ends the request for the middleware, the log and the tracer, which see that status. What the request holds in its
 *   scope lives as long as the connection, and the services that a middleware gives are there for the route's handler.
 * - While the server shuts down the connections are drained first, so that it need not wait for them.
 * - `server` is what makes it possible: Effect's server does not tell what a client has sent right behind its request.
 */
import type * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Closed, Closing } from "@wirestack/protocol/ConnectionError"
import type { Place } from "@wirestack/protocol/Endpoint"
import { refuse, type Refused } from "@wirestack/websocket/handshake/ServerHandshake"
import type { PathPattern } from "@wirestack/websocket/routing/PathPattern"
import type { Any, Route } from "@wirestack/websocket/routing/Route"
import type * as Router from "@wirestack/websocket/routing/Router"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Cookies from "effect/http/Cookies"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type * as Http from "node:http"
import { mounting, type Options } from "./internal/mounting.ts"
import { reply } from "./internal/reply.ts"
import { detailsOf, headOf, isAnswering, opened, placeOf } from "./internal/upgradeRequest.ts"

export type { Options }

const unavailable = refuse(503, new Closing(), [], "Service Unavailable\n")

/** What routes need to know of the HTTP server; `server` provides it. */
export class Mountable extends Context.Service<Mountable, {
  /** Where it listens. */
  readonly place: () => Place
  /** What came right behind a request for an upgrade; undefined if this is none that Node has taken for one. */
  readonly headOf: (request: Http.IncomingMessage) => Uint8Array | undefined
  /** Has routes drained before the HTTP server shuts down. */
  readonly drainFirst: (drain: Effect.Effect<unknown>) => Effect.Effect<void, never, Scope.Scope>
}>()("@wirestack/node/RouterMount/Mountable") {}

/** What Effect's server is made of, such as `node:http`'s `createServer`. */
export type Evaluate = Parameters<typeof NodeHttpServer.make>[0]

/**
 * An HTTP server of Effect on which routes can be mounted: `layer` makes it of the Node server that it is given, in whichever way.
 *
 * @category layers
 */
export const server = <A, E, R>(
  evaluate: Evaluate,
  layer: (evaluate: Evaluate) => Layer.Layer<A | HttpServer.HttpServer, E, R>
): Layer.Layer<A | HttpServer.HttpServer | Mountable, E, R> =>
  Layer.effectContext(Effect.gen(function*() {
    const heads = new WeakMap<Http.IncomingMessage, Uint8Array>()
    const drains = new Set<Effect.Effect<unknown>>()
    let place: Place | undefined
    let node: Http.Server | undefined
    const context = yield* Layer.build(layer(() => {
      node = evaluate() as Http.Server
      node.on("upgrade", (request, socket, head) => {
        heads.set(request, head)
        if (isAnswering(socket)) return void socket.destroy()
        // Effect's own listener is there while it serves.
        if (node!.listenerCount("upgrade") === 1) reply(socket, unavailable)
      })
      return node
    }))
    const http = Context.get(context, HttpServer.HttpServer)
    const drained = Effect.suspend(() => Effect.forEach(drains, identity, { concurrency: "unbounded", discard: true }))
    return Context.add(context, Mountable, {
      place: () => place ??= placeOf(node!.address()),
      headOf: (request) => heads.get(request),
      drainFirst: (drain) =>
        Effect.acquireRelease(Effect.sync(() => drains.add(drain)), () => Effect.sync(() => drains.delete(drain)))
    }).pipe(Context.add(
      HttpServer.HttpServer,
      HttpServer.make({
        address: http.address,
        serve: (app, middleware) => Effect.tap(http.serve(app, middleware!), Effect.addFinalizer(() => drained))
      })
    ))
  }))

/**
 * Adds routes to the router, with one listener for all of them: its limits hold for their connections together.
 *
 * @category layers
 */
export const routes = <const Routes extends ReadonlyArray<Any>>(
  list: Routes,
  options: Options = {}
): Layer.Layer<
  never,
  never,
  | HttpRouter.HttpRouter
  | Mountable
  | HttpRouter.Request.From<"Requires", Exclude<Router.RouteServices<Routes>, HttpRouter.Provided>>
> =>
  HttpRouter.use((router) =>
    Effect.gen(function*() {
      const mountable = yield* Mountable
      const mounted = yield* mounting(list, options)
      yield* mountable.drainFirst(mounted.drain())
      for (const path of new Set(list.map(({ path }) => patternOf(path)))) {
        yield* router.add("GET", path, (request) => responseTo(request, mountable, mounted))
      }
    })
  ) as any

/**
 * Adds one route to the router.
 *
 * @category layers
 */
export const route = <R>(route: Route<R>, options?: Options) => routes([route], options)

/** The pattern as the router writes it. */
const patternOf = ({ segments }: PathPattern): HttpRouter.PathInput =>
  `/${
    segments.map(({ kind, text }) =>
      kind === "static" ? text.replaceAll(":", "::") : kind === "param" ? `:${text}` : "*"
    ).join("/")
  }`

/** The answer to a request: ours, or what is to be seen of it once the connection is open. */
const responseTo = (
  request: HttpServerRequest.HttpServerRequest,
  { headOf: behind, place: placeOf }: Mountable["Service"],
  mounted: Router.Mounted<never>
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, Scope.Scope> =>
  Effect.contextWith((services: Context.Context<Scope.Scope>) =>
    Effect.callback((resume) => {
      const incoming = NodeHttpServerRequest.toIncomingMessage(request) as Http.IncomingMessage
      const { socket } = incoming
      const head = behind(incoming)
      const place = placeOf()
      let gone = head === undefined
      const open = Effect.suspend(() => {
        if (gone) return Effect.fail(new Closed())
        const goOn = (): void => {
          leaveTo(request, socket)
          resume(Effect.succeed(switching))
        }
        return Effect.tap(opened(socket, head!, place), keep(services, goOn))
      })
      mounted.accept({
        head: headOf(incoming),
        path: /^[^?#]*/.exec(request.url)![0],
        place,
        peer: Option.getOrUndefined(request.remoteAddress),
        details: () => detailsOf(socket, place),
        services,
        open,
        refuse: (refused) => resume(Effect.succeed(responseOf(refused)))
      })
      return Effect.sync(() => {
        gone = true
      })
    })
  )

const switching = HttpServerResponse.empty({ status: 101 })

const responseOf = ({ body, headers, status }: Refused): HttpServerResponse.HttpServerResponse => {
  const setCookies: Array<string> = []
  const fields: Record<string, string> = {}
  for (const [given, value] of headers) {
    const name = given.toLowerCase()
    if (name === "set-cookie") setCookies.push(value)
    else fields[name] = fields[name] === undefined ? value : `${fields[name]}, ${value}`
  }
  const options = { status, headers: fields, cookies: Cookies.fromSetCookie(setCookies) }
  return body.length === 0 ? HttpServerResponse.empty(options) : HttpServerResponse.uint8Array(body, options)
}

/** Nothing is written by Effect any more: its response is over, without its socket. */
const leaveTo = (request: HttpServerRequest.HttpServerRequest, socket: Http.IncomingMessage["socket"]): void => {
  const response = NodeHttpServerRequest.toServerResponse(request) as Http.ServerResponse
  response.detachSocket(socket)
  response.end()
}

/** Has what the request holds live as long as the connection, and then lets the request go on. */
const keep = (services: Context.Context<Scope.Scope>, goOn: () => void): Effect.Effect<void, never, Scope.Scope> => {
  const scope = Context.get(services, Scope.Scope) as Scope.Closeable
  return Effect.map(Effect.addFinalizer((exit) => Scope.close(scope, exit)), () => {
    HttpEffect.scopeDisableClose(scope)
    goOn()
  })
}
