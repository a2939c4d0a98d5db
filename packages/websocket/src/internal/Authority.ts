/** A host and perhaps its port, as in a URL or a `Host` header, and the patterns of hosts that begin with `*.`. */
import * as Host from "effect/net/Host"
import * as Result from "effect/Result"

/** The host is in lower case, an international name in ASCII, an IP address in its one shortest form, without brackets. */
export interface Authority {
  readonly host: string
  readonly port: number | undefined
}

const hostAndPort = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/?#@%[\]\\]+))(?::(\d{1,5}))?$/

/** Reads `host` or `host:port`, with an IPv6 literal in brackets; undefined if it is something else. */
export const parse = (text: string): Authority | undefined => {
  const match = hostAndPort.exec(text)
  if (match === null) return undefined
  const [, literal, name, digits] = match
  const host = Host.hostFromString(literal ?? name)
  const port = digits === undefined ? undefined : Number(digits)
  if (Result.isFailure(host) || (port !== undefined && port > 65_535)) return undefined
  return { host: Host.formatHost(host.success), port }
}

/** A host, or all hosts below one. */
export interface Hosts extends Authority {
  readonly below: boolean
}

/** Reads a pattern: like `parse`, and `*.` before a name stands for one or more labels. */
export const parsePattern = (text: string): Hosts | undefined => {
  const below = text.startsWith("*.")
  const authority = parse(below ? text.slice(2) : text)
  if (authority === undefined || (below && /:|^[\d.]+$/.test(authority.host))) return undefined
  return { ...authority, below }
}

/** Whether the host is one of the pattern's; ports are not looked at. */
export const covers = (pattern: Hosts, host: string): boolean =>
  pattern.below ? host.endsWith(`.${pattern.host}`) : host === pattern.host
