/** The `upgrade` events of one server: each goes to the routes that know it, else to its other listeners, else nowhere. */
import type { Place } from "@wirestack/protocol/Endpoint"
import { UpgradeMalformed } from "@wirestack/websocket/handshake/HandshakeReason"
import { refuse } from "@wirestack/websocket/handshake/ServerHandshake"
import type * as Router from "@wirestack/websocket/routing/Router"
import * as Context from "effect/Context"
import type { IncomingMessage, Server } from "node:http"
import type { Duplex } from "node:stream"
import { reply } from "./reply.ts"
import { detailsOf, headOf, isAnswering, opened, peerOf, placeOf } from "./upgradeRequest.ts"

const entrances = new WeakMap<Server, Entrance>()

type Routes = Router.Mounted<any>

/** Whether a request is one for an upgrade, as Node asks since 22.21 and 24.9. */
interface Deciding {
  shouldUpgradeCallback?: (request: IncomingMessage) => boolean
}

const wantsWebSocket = ({ headers: { upgrade = "" } }: IncomingMessage): boolean => /\bwebsocket\b/i.test(upgrade)

/** Nobody else hears of a socket that fails before somebody has it. */
const ignore = (): void => {}

export class Entrance {
  private readonly server: Server
  private readonly mounted = new Set<Routes>()
  private place: Place | undefined = undefined

  private constructor(server: Server) {
    this.server = server
    server.on("listening", () => this.place = undefined)
    this.declineOthers(server)
  }

  /** What asks for another protocol, such as h2c, is a request as any other, if nobody else is there to hear of it. */
  private declineOthers(server: Server & Deciding): void {
    const decide = server.shouldUpgradeCallback
    if (decide === undefined) return
    server.shouldUpgradeCallback = (request) =>
      decide.call(server, request) && (!this.isAlone || wantsWebSocket(request))
  }

  /** Whether nobody but us hears of upgrades. */
  private get isAlone(): boolean {
    return this.mounted.size > 0 && this.server.listenerCount("upgrade") === 1
  }

  /** The one of this server. */
  static of(server: Server): Entrance {
    let entrance = entrances.get(server)
    if (entrance === undefined) entrances.set(server, entrance = new Entrance(server))
    return entrance
  }

  add(routes: Routes): void {
    if (this.mounted.size === 0) this.server.on("upgrade", this.onUpgrade)
    this.mounted.add(routes)
  }

  delete(routes: Routes): void {
    this.mounted.delete(routes)
    if (this.mounted.size === 0) this.server.removeListener("upgrade", this.onUpgrade)
  }

  private readonly onUpgrade = (request: IncomingMessage, socket: Duplex, head: Uint8Array): void => {
    const routes = this.whoKnows(request)
    if (routes === undefined && !this.isAlone) return
    socket.on("error", ignore)
    if (isAnswering(socket)) return void socket.destroy()
    if (routes === undefined) return reply(socket, missing(request))
    const place = this.place ??= placeOf(this.server.address())
    routes.accept({
      head: headOf(request),
      place,
      peer: peerOf(socket),
      details: () => detailsOf(socket, place),
      services: Context.empty(),
      open: opened(socket, head, place),
      refuse: (refused) => reply(socket, refused)
    })
  }

  private whoKnows({ headers: { host = "" }, url = "" }: IncomingMessage): Routes | undefined {
    const path = url.replace(/^https?:\/\/[^/?#]*/i, "").replace(/[?#].*$/s, "")
    for (const routes of this.mounted) if (routes.knows(host, path)) return routes
    return undefined
  }
}

const missing = ({ url = "" }: IncomingMessage) =>
  refuse(404, new UpgradeMalformed({ rule: `there is no WebSocket at ${url}`, section: "RFC 6455 section 4.2.2" }))
