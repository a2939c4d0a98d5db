/**
 * The chat for browsers: its pages and its WebSocket on one port, with Effect's `HttpRouter`.
 *
 * It is served to this machine only, in plain HTTP: browsers trust a loopback address as they trust HTTPS, whereas a certificate
 * made for development would greet everybody with a warning. Pages of other sites can't connect (see `Origin`).
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as RouterMount from "@wirestack/node/RouterMount"
import * as Codec from "@wirestack/protocol/typed/Codec"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Http from "node:http"
import type { Registry } from "../inspector/Registry.ts"
import * as Inspection from "../inspector/routes.ts"
import * as taps from "../inspector/taps.ts"
import type { Rooms } from "./Rooms.ts"
import { serve } from "./server.ts"
import { headers, type Site } from "./site.ts"
import { path } from "./stack.ts"

/** A server that ends will be back: whoever is in comes back then. */
const drain = { as: "restart", within: "5 seconds" } as const

const pages = (site: Site) =>
  HttpRouter.addAll(site.map(({ content, path, type }) =>
    HttpRouter.route(
      "GET",
      path,
      Effect.map(content, (text) => HttpServerResponse.text(text, { contentType: type, headers }))
    )
  ))

/** The pages and the WebSockets, on an HTTP server that is to be provided; what passes is shown to the inspector, if there is one. */
const app = (site: Site, rooms: Rooms, inspector: Registry | undefined) =>
  HttpRouter.serve(
    Layer.mergeAll(
      pages(site),
      RouterMount.route(
        taps.route(inspector === undefined ? [] : [inspector.sink], path, Codec.json(), serve(rooms)),
        { compression: true, drain }
      ),
      inspector === undefined ? Layer.empty : Inspection.routes(inspector)
    ),
    { disableListenLog: true, disableLogger: true }
  )

const http = (port: number) =>
  RouterMount.server(Http.createServer, (server) => NodeHttpServer.layer(server, { port, host: "127.0.0.1" }))

/** Takes a port for the scope, and gives it with the server to serve on. */
export const bind = Effect.fnUntraced(function*(port: number) {
  const server = yield* Layer.build(http(port))
  const { address } = Context.get(server, HttpServer.HttpServer)
  if (address._tag === "UnixPathAddress") return yield* Effect.die("an HTTP server on a port has none")
  return { server, port: address.port, url: `http://127.0.0.1:${address.port}/` }
})

/** Serves the site and the rooms there for as long as the scope is open. */
export const open = (
  { server }: Effect.Success<ReturnType<typeof bind>>,
  site: Site,
  rooms: Rooms,
  inspector?: Registry
) => Layer.build(Layer.provide(app(site, rooms, inspector), Layer.succeedContext(server)))
