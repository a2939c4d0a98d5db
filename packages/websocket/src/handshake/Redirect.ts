/**
 * Where a client goes that was answered with a redirect, and what it says there.
 *
 * `follow` decides; who connects holds the count. A client may follow (RFC 6455 section 4.1), and by itself none does.
 *
 * The contract:
 *
 * - 301, 302, 303, 307 and 308 are redirects, if they have one valid `Location`. Every other answer stays what it is.
 * - `Location` is resolved as a reference against what was asked for; http and https are ws and wss. Its fragment is
 *   dropped.
 * - From wss nothing leads to ws, where wss is an endpoint that demands TLS: one given as `host:port` doesn't say. No
 *   redirect brings a user and a password along.
 * - Where scheme, host or port are others, `Authorization`, `Cookie` and the credentials are left behind, and are not
 *   taken up again if a later redirect leads back. The other headers go along.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-15.4
 */

import { values } from "@wirestack/http/Headers"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import * as Result from "effect/Result"
import type { Options } from "./ClientHandshake.ts"
import { RedirectRefused, type UpgradeRejected } from "./HandshakeReason.ts"

/** What was asked for, or is to be asked for next. */
export interface Asked extends Pick<Options, "headers" | "cookies" | "credentials"> {
  readonly endpoint: Endpoint.Endpoint
  /** Path and query. */
  readonly path: string
}

const redirects = new Set([301, 302, 303, 307, 308])

/** The headers that say who one is. */
const personal = new Set(["authorization", "cookie", "proxy-authorization"])

/** The parts of a URI or a relative reference; RFC 3986, appendix B. */
interface Parts {
  readonly scheme: string | undefined
  readonly authority: string | undefined
  readonly path: string
  readonly query: string | undefined
}

const reference = /^(?:([a-z][a-z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#.*)?$/i

const parse = (text: string): Parts | undefined => {
  if (/[^!-~]/.test(text)) return undefined
  const [, scheme, authority, path, query] = reference.exec(text)!
  return { scheme: scheme?.toLowerCase(), authority, path, query }
}

/** @see https://www.rfc-editor.org/rfc/rfc3986#section-5.2.4 */
const withoutDots = (path: string): string => {
  const kept: Array<string> = []
  const segments = path.split("/").slice(1)
  for (const segment of segments) {
    if (segment === "..") kept.pop()
    else if (segment !== ".") kept.push(segment)
  }
  const last = segments.at(-1)
  return `/${kept.join("/")}${(last === "." || last === "..") && kept.length > 0 ? "/" : ""}`
}

/** Path and query of a reference without an authority; RFC 3986, section 5.2.2. */
const resolve = (base: string, { path, query }: Parts): string => {
  const [, basePath, baseQuery] = /^([^?]*)(\?.*)?$/.exec(base)!
  const own = query === undefined ? "" : `?${query}`
  if (path === "") return basePath + (query === undefined ? baseQuery ?? "" : own)
  return withoutDots(path.startsWith("/") ? path : basePath.slice(0, basePath.lastIndexOf("/") + 1) + path) + own
}

const schemes: ReadonlyMap<string, string> = new Map([["http", "ws"], ["https", "wss"], ["ws", "ws"], ["wss", "wss"]])

const isSecure = ({ demands }: Endpoint.Endpoint): boolean => demands.includes("tls")

const isSameOrigin = (self: Endpoint.Endpoint, that: Endpoint.Endpoint): boolean =>
  isSecure(self) === isSecure(that) &&
  Endpoint.formatPlace(self.place).toLowerCase() === Endpoint.formatPlace(that.place).toLowerCase()

/** What to ask for at the next endpoint. */
const ask = (asked: Asked, next: Endpoint.Endpoint, path: string): Asked => {
  if (isSameOrigin(asked.endpoint, next)) return { ...asked, endpoint: { ...asked.endpoint, path }, path }
  const headers = asked.headers?.filter(([name]) => !personal.has(name.toLowerCase()))
  return { endpoint: { ...next, path }, path, ...headers === undefined ? undefined : { headers } }
}

/**
 * What to ask for next, after `asked` was answered with `answer`; `left` is how many redirects may still be followed,
 * this one included. If the answer is no redirect it is the failure.
 */
export const follow = (
  asked: Asked,
  answer: UpgradeRejected,
  left: number
): Result.Result<Asked, UpgradeRejected | RedirectRefused> => {
  const locations = values(answer.headers, "location")
  const parts = redirects.has(answer.status) && locations.length === 1 ? parse(locations[0]) : undefined
  if (parts === undefined) return Result.fail(answer)
  const [location] = locations
  const refuse = (detail: string) => Result.fail(new RedirectRefused({ location, detail }))
  const { authority, scheme } = parts
  const { endpoint } = asked
  if (authority?.includes("@") === true) return refuse("it has a user in it")
  if (scheme !== undefined && !schemes.has(scheme)) return refuse(`${scheme} is not http, nor a WebSocket`)
  if (authority === undefined) {
    if (scheme !== undefined) return Result.fail(answer)
    if (left <= 0) return refuse("there were too many redirects")
    return Result.succeed(ask(asked, endpoint, resolve(asked.path, parts)))
  }
  const path = resolve("/", parts)
  const next = Endpoint.make(
    `${schemes.get(scheme ?? "") ?? (isSecure(endpoint) ? "wss" : "ws")}://${authority}${path}`
  )
  if (Result.isFailure(next)) return Result.fail(answer)
  if (isSecure(endpoint) && !isSecure(next.success)) return refuse("it gives up TLS")
  if (endpoint.place._tag !== "Tcp") return refuse(`it leads away from ${Endpoint.formatPlace(endpoint.place)}`)
  if (left <= 0) return refuse("there were too many redirects")
  return Result.succeed(ask(asked, next.success, path))
}
