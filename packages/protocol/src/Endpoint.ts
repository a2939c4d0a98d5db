/**
 * Where to connect to, or to listen: parsed and checked once, then carried down the stack.
 *
 * An endpoint is plain data. `make` accepts what people write: a URL (`ws://`, `wss://`, `tcp://`, `tls://`), an
 * absolute URL of a Unix domain socket (`unix:/run/chat.sock`), a memory name (`memory:chat`), or `host:port`. A URL's
 * scheme says which layers the user counts on, so `wss://` on a stack without TLS is an error, never plaintext.
 */
import * as Host from "effect/net/Host"
import * as Result from "effect/Result"
import { InvalidEndpoint } from "./ConnectError.ts"

/** A host (name or IP literal) and a port; port 0 asks the system for a free one when listening. */
export interface Tcp {
  readonly _tag: "Tcp"
  readonly host: string
  readonly port: number
}

/** A Unix domain socket. */
export interface Unix {
  readonly _tag: "Unix"
  readonly path: string
}

/** A name within one `MemoryTransport`. */
export interface Memory {
  readonly _tag: "Memory"
  readonly name: string
}

/** The place itself. */
export type Place = Tcp | Unix | Memory

/** The layers a URL's scheme can ask for. */
export type Demand = "tls" | "websocket"

/** A place, and what the URL said beyond it. */
export interface Endpoint {
  readonly place: Place
  /** The layers that must be in the stack. */
  readonly demands: ReadonlyArray<Demand>
  /** Path and query of a URL, beginning with `/`. */
  readonly path?: string
  /** User name and password of a URL, percent-decoded. */
  readonly credentials?: { readonly username: string; readonly password: string }
}

/** What is accepted where an endpoint is wanted. */
export type Input = string | Endpoint

const schemes: Record<string, { readonly demands: ReadonlyArray<Demand>; readonly port: number | undefined }> = {
  "ws:": { demands: ["websocket"], port: 80 },
  "wss:": { demands: ["websocket", "tls"], port: 443 },
  "tcp:": { demands: [], port: undefined },
  "tls:": { demands: ["tls"], port: undefined }
}

const invalid = (input: string, detail: string): Result.Result<never, InvalidEndpoint> =>
  Result.fail(new InvalidEndpoint({ input, detail }))

const place = (host: string, port: number): Tcp => ({ _tag: "Tcp", host, port })

/** A TCP endpoint. */
export const tcp = (host: string, port: number): Endpoint => ({ place: place(host, port), demands: [] })

/** A Unix domain socket endpoint. */
export const unix = (path: string): Endpoint => ({ place: { _tag: "Unix", path }, demands: [] })

/** An endpoint within a `MemoryTransport`. */
export const memory = (name: string): Endpoint => ({ place: { _tag: "Memory", name }, demands: [] })

/** `host:port`, with the host in brackets if it is an IPv6 literal. */
const fromHostPort = (input: string): Result.Result<Endpoint, InvalidEndpoint> =>
  Result.mapBoth(Host.hostPortFromString(input), {
    onFailure: (error) => new InvalidEndpoint({ input, detail: error.message }),
    onSuccess: ({ host, port }) => tcp(Host.formatHost(host), port)
  })

const fromUrl = (input: string): Result.Result<Endpoint, InvalidEndpoint> => {
  const match = /^([a-z][a-z0-9+.-]*:)\/\/(?:([^/?#@]*)@)?(\[[^\]]*\]|[^/?#:]*)(?::([^/?#]*))?([^#]*)(#.*)?$/i.exec(
    input
  )
  if (match === null) return invalid(input, "expected scheme://host:port")
  const [, scheme, userinfo, host, digits, path, fragment] = match
  const known = schemes[scheme.toLowerCase()]
  if (known === undefined) return invalid(input, `unknown scheme ${scheme}//`)
  if (fragment !== undefined) return invalid(input, "a fragment has no meaning here")
  const port = digits === undefined || digits === "" ? known.port : /^\d{1,5}$/.test(digits) ? Number(digits) : NaN
  if (port === undefined) return invalid(input, `${scheme}// needs a port`)
  if (!(port <= 65_535)) return invalid(input, `${digits} is not a port`)
  const authority = Host.hostPortFromString(`${host}:${port}`)
  if (Result.isFailure(authority)) return invalid(input, authority.failure.message)
  if (path !== "" && !known.demands.includes("websocket")) return invalid(input, `${scheme}// has no path`)
  if (/[^!-~]/.test(path)) return invalid(input, "the path must be percent-encoded")
  const endpoint: Endpoint = {
    place: place(Host.formatHost(authority.success.host), port),
    demands: known.demands,
    ...(known.demands.includes("websocket") ? { path: path.startsWith("/") ? path : `/${path}` } : undefined)
  }
  if (userinfo === undefined) return Result.succeed(endpoint)
  try {
    const colon = userinfo.indexOf(":")
    const username = decodeURIComponent(colon < 0 ? userinfo : userinfo.slice(0, colon))
    const password = colon < 0 ? "" : decodeURIComponent(userinfo.slice(colon + 1))
    return Result.succeed({ ...endpoint, credentials: { username, password } })
  } catch {
    return invalid(input, "the user information is not percent-encoded UTF-8")
  }
}

/**
 * Parses and checks an endpoint.
 *
 * ```ts import.meta.vitest
 * import { Result } from "effect"
 * import * as Endpoint from "@wirestack/protocol/Endpoint"
 *
 * const endpoint = Result.getOrThrow(Endpoint.make("wss://chat.example/room?id=1"))
 *
 * endpoint.place // => { _tag: "Tcp", host: "chat.example", port: 443 }
 * endpoint.demands // => ["websocket", "tls"]
 * endpoint.path // => "/room?id=1"
 * ```
 */
export const make = (input: Input): Result.Result<Endpoint, InvalidEndpoint> => {
  if (typeof input !== "string") return Result.succeed(input)
  if (input.startsWith("unix:")) {
    const path = input.slice(5)
    return path === "" || path.includes("\0") ? invalid(input, "expected unix:PATH") : Result.succeed(unix(path))
  }
  if (input.startsWith("memory:")) {
    return input.length === 7 ? invalid(input, "expected memory:NAME") : Result.succeed(memory(input.slice(7)))
  }
  return input.includes("://") ? fromUrl(input) : fromHostPort(input)
}

/** The place in the form `make` reads, without what a URL said beyond it. */
export const formatPlace = (self: Place): string => {
  switch (self._tag) {
    case "Tcp":
      return self.host.includes(":") ? `[${self.host}]:${self.port}` : `${self.host}:${self.port}`
    case "Unix":
      return `unix:${self.path}`
    case "Memory":
      return `memory:${self.name}`
  }
}

/** The endpoint as people write it; credentials are left out. */
export const format = (self: Endpoint): string => {
  const secure = self.demands.includes("tls")
  if (self.demands.includes("websocket")) {
    return `${secure ? "wss" : "ws"}://${formatPlace(self.place)}${self.path ?? "/"}`
  }
  if (secure) return `tls://${formatPlace(self.place)}`
  return formatPlace(self.place)
}
