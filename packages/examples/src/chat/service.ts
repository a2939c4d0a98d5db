/** The chat as it is served: to terminals over TLS, with an authority and an identity made in memory, and to browsers; the rooms are the same. */
import * as Endpoint from "@wirestack/protocol/Endpoint"
import { runScoped } from "@wirestack/protocol/Listener"
import { DevelopmentCertificates } from "@wirestack/transport-tls/testing"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { cached, invite } from "../development.ts"
import { tellDrained } from "../drained.ts"
import { Registry } from "../inspector/Registry.ts"
import * as Inspection from "../inspector/routes.ts"
import { Chat } from "./Chat.ts"
import * as Log from "./Log.ts"
import * as Rooms from "./Rooms.ts"
import { serve } from "./server.ts"
import * as Site from "./site.ts"
import { path, serving } from "./stack.ts"
import * as Web from "./web.ts"

/** Where the chat is served to browsers, if nothing else is said and nobody else is there. */
export const usualPort = 8088

/** What may be said of the page: the port, and the file in which what was said is kept. */
export interface PageOptions {
  /** `usualPort` by default, or any other if somebody has that. */
  readonly port?: number | undefined
  /** By default one for each port that was asked for: its server is the only one that writes there. */
  readonly log?: string | undefined
}

/** The same as options of a program. */
export const pageFlags = { port: { type: "string" }, log: { type: "string" } } as const

/** What they say. */
export const pageOptions = (
  { log, port }: { readonly [Name in keyof typeof pageFlags]?: string | undefined }
): PageOptions => {
  if (port !== undefined && !/^\d{1,5}$/.test(port)) throw new Error(`${port} is no port`)
  return { log, port: port === undefined ? undefined : Number(port) }
}

const bind = ({ port }: PageOptions) =>
  port === undefined
    ? Effect.catchTag(Web.bind(usualPort), "ServeError", () => Web.bind(0))
    : Web.bind(port)

/** Serves the page in the scope. */
const openPage = Effect.fnUntraced(function*(options: PageOptions) {
  const bound = yield* bind(options)
  const isOurs = bound.port === (options.port ?? usualPort)
  const file = options.log ?? (isOurs ? yield* cached(`chat-${bound.port}.ndjson`) : undefined)
  const rooms = Rooms.make(file === undefined ? Log.memory() : yield* Log.file(file))
  const registry = new Registry()
  yield* Effect.forkScoped(registry.run)
  const site = [...yield* Site.make, ...yield* Inspection.site]
  yield* Web.open(bound, site, rooms, registry)
  return { rooms, page: bound.url, inspector: [registry.sink] }
})

/** Serves in the scope, with a page if that is wanted; gives where it is, and whom to trust. */
export const open = Effect.fnUntraced(function*(options?: PageOptions) {
  const authority = yield* DevelopmentCertificates.make()
  const identity = yield* authority.issue({ names: ["localhost", "127.0.0.1"] })
  const { inspector, page, rooms } = options === undefined ? { rooms: Rooms.make() } : yield* openPage(options)
  const stack = yield* Layer.build(serving(identity, inspector))
  const listener = yield* Effect.provideContext(Chat.listen(`wss://127.0.0.1:0${path}`), stack)
  const endpoint = `wss://localhost:${Endpoint.portOf(listener.address)}${path}`
  yield* runScoped(listener.run(serve(rooms)))
  return { endpoint, ca: authority.ca, listener, page }
})

export type Service = Effect.Success<ReturnType<typeof open>>

/** Serves until interrupted, and tells others how to join. */
export const keepServing = Effect.fnUntraced(function*({ ca, endpoint, listener, page }: Service) {
  yield* invite({ endpoint, ca })
  yield* Console.log(
    [
      `\nserving ${endpoint}`,
      `open in a browser:           ${page}`,
      `watch what passes:           ${page}inspector`,
      "join from another terminal:  npm run example -- chat --join NAME",
      "Ctrl-C ends it"
    ].join("\n")
  )
  yield* tellDrained(listener)
  return yield* Effect.never
})
