/**
 * Patterns of hosts, for servers that have several names.
 *
 *     chat.example         this host, at any port
 *     chat.example:8443    at this port only
 *     *.chat.example       all hosts below it, of one or more labels
 *
 * They are matched against the `Host` of a request, which is what the client says: good for finding what it asks for, and
 * no proof of anything. Letter case makes no difference, nor does the dot at the end of a full name; a header without a
 * port means the default one, 80 or 443. IPv6 literals are in brackets.
 *
 * ```ts import.meta.vitest
 * import * as HostPattern from "@wirestack/websocket/handshake/HostPattern"
 *
 * const tenants = HostPattern.make("*.chat.example")
 *
 * HostPattern.matches(tenants, "acme.chat.example:8080") // => true
 * HostPattern.matches(tenants, "chat.example") // => false
 * ```
 */
import * as Authority from "../internal/Authority.ts"

/** A pattern that was checked. */
export interface HostPattern {
  readonly pattern: string
  readonly hosts: Authority.Hosts
}

const relative = <A extends Authority.Authority>(self: A): A => ({ ...self, host: self.host.replace(/\.$/, "") })

/**
 * A pattern; one that is wrong throws a `RangeError`.
 *
 * @category constructors
 */
export const make = (pattern: string): HostPattern => {
  const hosts = Authority.parsePattern(pattern)
  if (hosts === undefined) {
    throw new RangeError(`${JSON.stringify(pattern)} is no pattern of a host: expected host, *.host, or with a port`)
  }
  return { pattern, hosts: relative(hosts) }
}

/** Whether the value of a `Host` header is of the pattern. */
export const matches = (self: HostPattern, host: string): boolean => {
  const authority = Authority.parse(host.replace(/:$/, ""))
  if (authority === undefined || !Authority.covers(self.hosts, relative(authority).host)) return false
  const { port } = self.hosts
  return port === undefined || (authority.port === undefined ? port === 80 || port === 443 : authority.port === port)
}

const labels = (host: string): number => host.split(".").length

/**
 * The order in which patterns are tried, the most specific first: hosts before `*.`, longer names before shorter ones,
 * those with a port before those without.
 */
export const compare = ({ hosts: self }: HostPattern, { hosts: that }: HostPattern): -1 | 0 | 1 => {
  if (self.below !== that.below) return self.below ? 1 : -1
  const [a, b] = [labels(self.host), labels(that.host)]
  if (a !== b) return a > b ? -1 : 1
  if (self.host !== that.host) return self.host < that.host ? -1 : 1
  const [p, q] = [self.port ?? Infinity, that.port ?? Infinity]
  return p === q ? 0 : p < q ? -1 : 1
}
