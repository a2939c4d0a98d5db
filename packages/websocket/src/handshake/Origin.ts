/**
 * Which sites may connect: the policy of a server for the `Origin` that browsers send.
 *
 * A browser lets every site open a WebSocket to every server, and sends the server's cookies along. It says in `Origin` on
 * whose behalf, and only the server can refuse; a server that doesn't look serves every site its users visit. What is no
 * browser can say anything, so a policy protects users, not servers: it is no authentication.
 *
 * ```ts import.meta.vitest
 * import * as Origin from "@wirestack/websocket/handshake/Origin"
 *
 * const policy = Origin.or(
 *   Origin.sameOrigin({ authorities: ["chat.example", "chat.example:8443"] }),
 *   Origin.allow(["https://*.partner.example"])
 * )
 *
 * policy.admits("https://chat.example") // => true
 * policy.admits("https://eu.partner.example") // => true
 * policy.admits("https://chat.example.evil.example") // => false
 * policy.admits("null") // => false
 * ```
 *
 * The contract:
 *
 * - Whether an origin is the server's own is decided by configured authorities, never by the request's `Host`: a site
 *   whose name resolves to the server's address makes browsers send its name in both (DNS rebinding).
 * - Scheme, host and port are compared, each of them whole: letter case and a default port make no difference.
 * - What is not an origin (a path, a user, a trailing dot, several origins) is refused, and so is `null`, which every
 *   sandboxed frame says; `null` is admitted by `any` and by an `allow` that names it.
 * - A request without `Origin` is admitted, unless the policy is `required`.
 * - What is configured wrong throws a `RangeError` when the policy is made.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-10.2
 * @see https://www.rfc-editor.org/rfc/rfc6454
 */

import { dual } from "effect/Function"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Authority from "../internal/Authority.ts"
import { OriginRefused } from "./HandshakeReason.ts"

/** A rule for origins. */
export interface Policy {
  /** Who is admitted, in words that go on from "the policy is". */
  readonly description: string
  /** Whether to admit what `Origin` says; undefined is a request without one. */
  readonly admits: (origin: string | undefined) => boolean
}

/** An origin as it is compared. */
interface Parsed {
  readonly scheme: string
  readonly host: string
  readonly port: number | undefined
}

const defaultPorts: ReadonlyMap<string, number> = new Map([["http", 80], ["https", 443], ["ws", 80], ["wss", 443]])

const serialized = /^([a-z][a-z0-9+.-]*):\/\/([!-~]+)$/i

const parse = (origin: string): Parsed | undefined => {
  const match = serialized.exec(origin)
  const authority = match === null ? undefined : Authority.parse(match[2])
  if (match === null || authority === undefined || authority.host.endsWith(".")) return undefined
  const scheme = match[1].toLowerCase()
  return { scheme, host: authority.host, port: authority.port ?? defaultPorts.get(scheme) }
}

const format = ({ host, port, scheme }: Parsed): string => {
  const name = host.includes(":") ? `[${host}]` : host
  return port === undefined || port === defaultPorts.get(scheme)
    ? `${scheme}://${name}`
    : `${scheme}://${name}:${port}`
}

/** A policy for well-formed origins. */
const policy = (description: string, admits: (origin: Parsed) => boolean): Policy => ({
  description,
  admits: (origin) => {
    if (origin === undefined) return true
    const parsed = parse(origin)
    return parsed !== undefined && admits(parsed)
  }
})

/** Admits every site, and what is none: for servers on which nobody's cookies or network position count. */
export const any: Policy = { description: "any origin", admits: () => true }

const invalid = (what: string, text: string, expected: string): RangeError =>
  new RangeError(`${JSON.stringify(text)} is no ${what}: expected ${expected}`)

/** The origins of an authority: of its scheme if it has one, else of http and https. */
const originsOf = (authority: string): ReadonlyArray<string> => {
  const urls = authority.includes("://") ? [authority] : [`http://${authority}`, `https://${authority}`]
  return urls.map((url) => {
    const match = /^(https?):\/\/(.+)$/i.exec(url)
    const parsed = match === null ? undefined : Authority.parse(match[2])
    if (match === null || parsed === undefined || parsed.host.endsWith(".")) {
      throw invalid("authority", authority, "a host, with a port or http(s):// if need be")
    }
    const scheme = match[1].toLowerCase()
    return format({ scheme, host: parsed.host, port: parsed.port ?? defaultPorts.get(scheme) })
  })
}

/**
 * Admits the sites of the server itself, which are configured: `chat.example` is its http and https origin with their
 * default ports, `chat.example:8443` both with this port, `https://chat.example` this origin only. IPv6 literals are in
 * brackets. Without any authority, no site is admitted.
 *
 * @category constructors
 */
export const sameOrigin = (options: { readonly authorities: ReadonlyArray<string> }): Policy => {
  const { authorities } = options
  const origins = new Set(authorities.flatMap(originsOf))
  const description = authorities.length === 0
    ? "no origin, as no authority of the server is configured"
    : `the origins of ${authorities.join(", ")}`
  return policy(description, (origin) => origins.has(format(origin)))
}

interface Allowed extends Authority.Hosts {
  readonly scheme: string
}

const parseAllowed = (pattern: string): Allowed => {
  const match = serialized.exec(pattern)
  const hosts = match === null ? undefined : Authority.parsePattern(match[2])
  if (match === null || hosts === undefined || hosts.host.endsWith(".")) {
    throw invalid("origin", pattern, "scheme://host, scheme://*.host, with a port if need be, or null")
  }
  const scheme = match[1].toLowerCase()
  return { ...hosts, scheme, port: hosts.port ?? defaultPorts.get(scheme) }
}

/**
 * Admits these origins: exact ones, and below a host such as `https://*.example.org`, which stands for one or more
 * labels and not for `https://example.org` itself. `null` is the origin of those who hide theirs.
 *
 * @category constructors
 */
export const allow = (origins: ReadonlyArray<string>): Policy => {
  const opaque = origins.includes("null")
  const allowed = origins.filter((origin) => origin !== "null").map(parseAllowed)
  const known = policy(
    origins.length === 0 ? "no origin" : origins.join(", "),
    ({ host, port, scheme }) =>
      allowed.some((one) => one.scheme === scheme && one.port === port && Authority.covers(one, host))
  )
  return opaque ? { ...known, admits: (origin) => origin === "null" || known.admits(origin) } : known
}

/**
 * Admits the origins for which the function says so. It is only asked about well-formed ones: in lower case, without a
 * default port, and not about `null`.
 *
 * @category constructors
 */
export const make = (admits: (origin: string) => boolean, description = "a rule of the server's own"): Policy =>
  policy(description, (origin) => admits(format(origin)))

/** Admits what one of two policies admits. */
export const or: {
  (that: Policy): (self: Policy) => Policy
  (self: Policy, that: Policy): Policy
} = dual(2, (self: Policy, that: Policy): Policy => ({
  description: `${self.description}, or ${that.description}`,
  admits: (origin) => self.admits(origin) || that.admits(origin)
}))

/** Refuses requests without `Origin` too, which come from what is no browser. */
export const required = (self: Policy): Policy => ({
  description: `${self.description}, and that there is one`,
  admits: (origin) => origin !== undefined && self.admits(origin)
})

/** Judges what the header `Origin` of a request says. */
export const judge = (policy: Policy, origin: string | undefined): Result.Result<void, OriginRefused> =>
  policy.admits(origin) ? Result.void : Result.fail(new OriginRefused({ origin, policy: policy.description }))

/**
 * The authorities of a server that listens at this address, for `sameOrigin`: the address itself, all names of a loopback
 * address, and none for the wildcard addresses, of which nobody knows under what names they are reached.
 */
export const authoritiesOf = (host: string, port: number): ReadonlyArray<string> => {
  const parsed = Host.hostFromString(host.replace(/^\[(.*)\]$/, "$1").replace(/%.*$/, ""))
  if (Result.isFailure(parsed)) return []
  const self = parsed.success
  if (NetAddress.isIpAddress(self) && NetAddress.isUnspecified(self)) return []
  const name = Host.formatHost(self)
  const own = name.includes(":") ? `[${name}]` : name
  const loopback = name === "localhost" || (NetAddress.isIpAddress(self) && NetAddress.isLoopback(self))
  const names = loopback ? ["localhost", "127.0.0.1", "[::1]"] : []
  return [...names.includes(own) ? [] : [own], ...names].map((name) => `${name}:${port}`)
}
