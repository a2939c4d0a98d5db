/**
 * The inspector as it is served: a page at `/inspector`, its WebSocket, and recordings to take away.
 *
 * It shows everything that is said, so it is a tool for development: who mounts it binds the server to loopback, or has a middleware ask who is
 * there. The chat's secrets are `Redacted` in its values, and masked in its messages and bytes only where a tap can know them.
 */
import * as RouterMount from "@wirestack/node/RouterMount"
import * as Pcapng from "@wirestack/protocol/tap/Pcapng"
import * as Recording from "@wirestack/protocol/tap/Recording"
import * as Codec from "@wirestack/protocol/typed/Codec"
import * as Origin from "@wirestack/websocket/handshake/Origin"
import * as Route from "@wirestack/websocket/routing/Route"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Path from "effect/Path"
import { headers, page } from "../chat/site.ts"
import { Inspector } from "./Inspector.ts"
import type { Registry } from "./Registry.ts"
import { serve } from "./serve.ts"

/** The page's files; it shares its tokens with the chat, at `/tokens.css`. */
export const site = Effect.flatMap(Path.Path, (path) =>
  page({
    folder: path.join(import.meta.dirname, "page"),
    files: { "/inspector": "index.html", "/inspector.css": "inspector.css" },
    program: "/inspector.js"
  }))

const named = (name: string) => ({ ...headers, "content-disposition": `attachment; filename="${name}"` })

/**
 * Whether a request is for this server under a name of its own. A site whose name was made to lead here (DNS rebinding) may read what it asks
 * for, and is known by that name.
 */
const isOurs = Effect.map(
  HttpServer.HttpServer,
  ({ address }) => {
    const own = address._tag === "UnixPathAddress"
      ? []
      : Origin.authoritiesOf(NetAddress.formatIp(address.address), address.port)
    return ({ headers }: HttpServerRequest.HttpServerRequest): boolean => own.includes(headers["host"] ?? "")
  }
)

/** What was recorded of a connection, in the form that the name of the file asks for. */
const recordings = (registry: Registry) =>
  HttpRouter.use(Effect.fnUntraced(function*(router) {
    const ours = yield* isOurs
    yield* router.add("GET", "/inspector/recordings/:file", (request) =>
      Effect.map(HttpRouter.params, ({ file = "" }) => {
        const [, id, form] = /^connection-(\d{1,9})\.(pcapng|ndjson)$/.exec(file) ?? []
        const events = id === undefined || !ours(request) ? undefined : registry.eventsOf(Number(id))
        if (events === undefined) {
          return HttpServerResponse.text("There is no such recording.\n", { status: 404, headers })
        }
        return form === "pcapng"
          ? HttpServerResponse.uint8Array(Pcapng.of(events), {
            contentType: "application/vnd.tcpdump.pcap",
            headers: named(file)
          })
          : HttpServerResponse.text(Recording.format(events), {
            contentType: "application/x-ndjson",
            headers: named(file)
          })
      }))
  }))

/** Recordings, and the WebSocket of pages, which are for the server's own pages only. */
export const routes = (registry: Registry) =>
  Layer.mergeAll(
    recordings(registry),
    RouterMount.route(Route.protocol("/inspector/events", Inspector, Codec.json(), serve(registry)))
  )
