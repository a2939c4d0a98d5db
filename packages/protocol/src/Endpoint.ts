/**
 * Where to connect to, or to listen: parsed and checked once, then carried down the stack.
 *
 * An endpoint is plain data. `make` accepts what people write: a URL (`ws://`, `wss://`, `tcp://`, `tls://`), an
 * absolute URL of a Unix domain socket (`unix:/run/chat.sock`), a memory name (`memory:chat`), a service of a domain
 * (`srv:_chat._tcp.example.com`), or `host:port`. A URL's scheme says which layers the user counts on, so `wss://` on a
 * stack without TLS is an error, never plaintext. With `+srv` its host is a service: `wss+srv://_chat._tcp.example.com/room`.
 *
 * User name and password of a URL are in no error, not even of a URL that can't be read.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
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

/** A service of a domain: DNS says on which hosts and ports it is, when it is connected to (SRV, RFC 2782). */
export interface Service {
  readonly _tag: "Service"
  /** The name of the service, without its underscore; in lower case, as names of DNS have none. */
  readonly name: string
  readonly protocol: "tcp" | "udp"
  readonly domain: string
}

/** The place itself. */
export type Place = Tcp | Unix | Memory | Service

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

/** What is accepted where one of several endpoints may be reached: they are tried in order. */
export type Inputs = Input | NonEmptyReadonlyArray<Input>

const schemes: Record<string, { readonly demands: ReadonlyArray<Demand>; readonly port: number | undefined }> = {
  "ws:": { demands: ["websocket"], port: 80 },
  "wss:": { demands: ["websocket", "tls"], port: 443 },
  "tcp:": { demands: [], port: undefined },
  "tls:": { demands: ["tls"], port: undefined }
}

/** All up to the last `@` may be a password: one in which a character is not encoded ends anywhere. */
const withoutUser = (input: string): string => input.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, "$1<redacted>@")

const invalid = (input: string, detail: string): Result.Result<never, InvalidEndpoint> =>
  Result.fail(new InvalidEndpoint({ input: withoutUser(input), detail }))

const place = (host: string, port: number): Tcp => ({ _tag: "Tcp", host, port })

/** A TCP endpoint. */
export const tcp = (host: string, port: number): Endpoint => ({ place: place(host, port), demands: [] })

/** A Unix domain socket endpoint. */
export const unix = (path: string): Endpoint => ({ place: { _tag: "Unix", path }, demands: [] })

/** An endpoint within a `MemoryTransport`. */
export const memory = (name: string): Endpoint => ({ place: { _tag: "Memory", name }, demands: [] })

/** An endpoint that is a service of a domain, over TCP; it can be connected to, and not be listened on. */
export const service = (name: string, domain: string): Endpoint => ({
  place: { _tag: "Service", name, protocol: "tcp", domain },
  demands: []
})

/** The name DNS has a service under. */
export const serviceName = ({ domain, name, protocol }: Service): string => `_${name}._${protocol}.${domain}`

const parseService = (input: string, text: string): Result.Result<Service, InvalidEndpoint> => {
  const full = Host.domainNameFromString(text)
  const match = Result.isSuccess(full) ? /^_([^.]+)\._(tcp|udp)\.([^_].*)$/.exec(full.success) : null
  if (match === null) return invalid(input, "expected a service such as _chat._tcp.example.com")
  const [, name, protocol, domain] = match
  return Result.succeed({ _tag: "Service", name, protocol: protocol as Service["protocol"], domain })
}

/** `host:port`, with the host in brackets if it is an IPv6 literal. */
const fromHostPort = (input: string): Result.Result<Endpoint, InvalidEndpoint> =>
  Result.match(Host.hostPortFromString(input), {
    onFailure: ({ message }) => invalid(input, message),
    onSuccess: ({ host, port }) => Result.succeed(tcp(Host.formatHost(host), port))
  })

const parseAuthority = (
  input: string,
  scheme: string,
  host: string,
  digits: string | undefined,
  usual: number | undefined
): Result.Result<Tcp, InvalidEndpoint> => {
  const port = digits === undefined || digits === "" ? usual : /^\d{1,5}$/.test(digits) ? Number(digits) : NaN
  if (port === undefined) return invalid(input, `${scheme}// needs a port`)
  if (!(port <= 65_535)) return invalid(input, "the port is no number up to 65535")
  return Result.match(Host.hostPortFromString(`${host}:${port}`), {
    onFailure: ({ message }) => invalid(input, message),
    onSuccess: ({ host }) => Result.succeed(place(Host.formatHost(host), port))
  })
}

const fromUrl = (input: string): Result.Result<Endpoint, InvalidEndpoint> => {
  const match = /^([a-z][a-z0-9+.-]*:)\/\/(?:([^/?#@]*)@)?(\[[^\]]*\]|[^/?#:]*)(?::([^/?#]*))?([^#]*)(#.*)?$/i.exec(
    input
  )
  if (match === null) return invalid(input, "expected scheme://host:port")
  const [, scheme, userinfo, host, digits, path, fragment] = match
  const [, plain, srv] = /^(.*?)(\+srv)?:$/.exec(scheme.toLowerCase())!
  const known = schemes[`${plain}:`]
  if (known === undefined) return invalid(input, `unknown scheme ${scheme}//`)
  if (fragment !== undefined) return invalid(input, "a fragment has no meaning here")
  const authority: Result.Result<Tcp | Service, InvalidEndpoint> = srv === undefined ?
    parseAuthority(input, scheme, host, digits, known.port) :
    digits === undefined ?
    parseService(input, host) :
    invalid(input, "the port of a service is looked up")
  if (Result.isFailure(authority)) return Result.fail(authority.failure)
  if (path !== "" && !known.demands.includes("websocket")) return invalid(input, `${scheme}// has no path`)
  if (/[^!-~]/.test(path)) return invalid(input, "the path must be percent-encoded")
  const endpoint: Endpoint = {
    place: authority.success,
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
  if (input.startsWith("srv:")) {
    return Result.map(parseService(input, input.slice(4)), (place) => ({ place, demands: [] }))
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
    case "Service":
      return `srv:${serviceName(self)}`
  }
}

/**
 * The host name that whoever answers there must prove, and is told; undefined where there is none. Of a service it is the domain: the
 * hosts that DNS names for it are not, as that answer may be forged (RFC 9525 section 6.1.1).
 */
export const hostOf = (self: Place): string | undefined =>
  self._tag === "Tcp" ? self.host : self._tag === "Service" ? self.domain : undefined

/** The port, where there is one: of a listener's address, the one that the system chose. */
export const portOf = ({ place }: Endpoint): number | undefined => place._tag === "Tcp" ? place.port : undefined

/** The endpoint as people write it; credentials are left out. */
export const format = (self: Endpoint): string => {
  const { demands, place } = self
  const secure = demands.includes("tls")
  const [srv, where] = place._tag === "Service" ? ["+srv", serviceName(place)] : ["", formatPlace(place)]
  if (demands.includes("websocket")) return `${secure ? "wss" : "ws"}${srv}://${where}${self.path ?? "/"}`
  return secure ? `tls${srv}://${where}` : formatPlace(place)
}
