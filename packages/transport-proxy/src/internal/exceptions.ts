/**
 * The targets that `NO_PROXY` excepts, separated by commas or spaces:
 *
 *     *                           all of them
 *     chat.example                the host, and all below it
 *     .example, *.example         all below it
 *     192.0.2.1, 2001:db8::1      the address
 *     192.0.2.0/24                the addresses of a network
 *     chat.example:8443           one port only; an IPv6 address is then in brackets
 */
import * as Host from "effect/net/Host"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type { Target } from "./targetOf.ts"

export type Exceptions = (target: Target) => boolean

type Parsed = Result.Result<Exceptions, string>

const entry = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/

/** Without the dot of the root. */
const rootless = (name: string): string => name.endsWith(".") ? name.slice(0, -1) : name

const isIn = (network: IpNetwork.IpNetwork): Exceptions => ({ ip }) =>
  ip !== undefined && IpNetwork.contains(network, ip)

const inNetwork = (text: string): Parsed =>
  Result.mapBoth(IpNetwork.fromInput(text), {
    onFailure: () => `${JSON.stringify(text)} is no network`,
    onSuccess: isIn
  })

const named = (text: string): Parsed => {
  const [, below, suffix] = /^(\*?\.)?(.*)$/.exec(text)!
  const name = Host.domainNameFromString(suffix)
  if (Result.isFailure(name)) return Result.fail(`${JSON.stringify(text)} is no host`)
  const root = rootless(name.success)
  return Result.succeed(({ ip, place }) => {
    const host = rootless(place.host)
    return ip === undefined && ((below === undefined && host === root) || host.endsWith(`.${root}`))
  })
}

const hostIn = (text: string): Parsed => {
  const ip = NetAddress.ipFromString(text)
  return Result.isSuccess(ip)
    ? Result.succeed(isIn(IpNetwork.fromAddressUnsafe(ip.success, NetAddress.width(ip.success))))
    : named(text)
}

const exception = (text: string): Parsed => {
  if (text === "*") return Result.succeed(() => true)
  if (text.includes("/")) return inNetwork(text)
  if (Result.isSuccess(NetAddress.ipFromString(text))) return hostIn(text)
  const [, literal, name, port] = entry.exec(text) ?? []
  const host = literal ?? name
  if (host === undefined) return Result.fail(`${JSON.stringify(text)} is no host, with or without a port`)
  return Result.map(
    hostIn(host),
    (excepted) => port === undefined ? excepted : (target) => target.place.port === Number(port) && excepted(target)
  )
}

/** Reads the list. */
export const exceptions = (text: string): Parsed =>
  Result.map(
    Result.all(text.split(/[\s,]+/).filter((entry) => entry !== "").map(exception)),
    (all) => (target) => all.some((excepted) => excepted(target))
  )
