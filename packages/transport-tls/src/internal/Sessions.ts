/** The sessions a client has had with servers, to be resumed: bounded, the ones not used for longest go first. */
import * as Duration from "effect/Duration"
import type { Resumption } from "../ClientOptions.ts"
import type { Seen } from "./info.ts"

/** A session, with what is known of the peer only from its first handshake. */
export interface Remembered {
  readonly session: Buffer
  readonly seen: Seen
  /** When it is of use no more, in milliseconds. */
  readonly until: number
  /** A ticket of TLS 1.3 used twice would tell a listener who we are: RFC 8446 appendix C.4. */
  readonly reusable: boolean
}

/** How many are kept of one server: most send as many. */
const perServer = 2

export class Sessions {
  readonly lifetime: number
  private readonly maxServers: number
  private readonly servers = new Map<string, ReadonlyArray<Remembered>>()

  constructor({ lifetime = "1 hour", maxServers = 256 }: Resumption) {
    this.lifetime = Duration.toMillis(Duration.fromInputUnsafe(lifetime))
    this.maxServers = maxServers
  }

  /** Takes the latest session with a server. */
  take(server: string, now: number): Remembered | undefined {
    const sessions = this.servers.get(server)?.filter(({ until }) => until > now) ?? []
    const session = sessions.at(-1)
    this.keep(server, session?.reusable === true ? sessions : sessions.slice(0, -1))
    return session
  }

  add(server: string, session: Remembered): void {
    this.keep(server, [...this.servers.get(server) ?? [], session].slice(-perServer))
  }

  private keep(server: string, sessions: ReadonlyArray<Remembered>): void {
    this.servers.delete(server)
    if (sessions.length === 0) return
    this.servers.set(server, sessions)
    for (const oldest of this.servers.keys()) {
      if (this.servers.size <= this.maxServers) break
      this.servers.delete(oldest)
    }
  }
}

/** Sessions that arrive before the server was accepted wait for that. */
export class Arrivals {
  private waiting: Array<Buffer> = []
  private keep: ((session: Buffer) => void) | undefined = undefined

  readonly add = (session: Buffer): void => {
    if (this.keep === undefined) this.waiting = [...this.waiting, session].slice(-perServer)
    else this.keep(session)
  }

  accept(keep: (session: Buffer) => void): void {
    this.keep = keep
    this.waiting.forEach(keep)
    this.waiting = []
  }
}
