/**
 * SOCKS5 (RFC 1928): connections by way of a proxy, as a layer over any byte transport.
 *
 *     client                                              proxy
 *       | -- 05, the methods we know ----------------------> |
 *       | <- 05, the one to use ---------------------------- |
 *       | -- 01, user name and password (RFC 1929) --------> |   if it is 02
 *       | <- 01, 00 ---------------------------------------- |
 *       | -- 05, CONNECT, address, port -------------------> |
 *       | <- 05, reply, the address it connects from ------- |
 *       | <================ bytes, both ways ==============> |
 *
 * The contract:
 *
 * - Names are resolved by the proxy: nothing is looked up here, so nothing is told to anybody else.
 * - User name and password go as they are, so that whoever reads the way to the proxy can read them: put TLS below for that.
 * - What the proxy says of the address is told as if it had been tried from here: `Refused`, `Unreachable`, `Forbidden`. Anything else it
 *   says is `ProxyRefused`.
 *
 * @see https://www.rfc-editor.org/rfc/rfc1928
 */

import { encode } from "@wirestack/protocol/bytes/Utf8"
import { type ConnectReason, Forbidden, InvalidEndpoint, Refused, Unreachable } from "@wirestack/protocol/ConnectError"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import { Reader } from "@wirestack/protocol/handshake/Reader"
import type * as Protocol from "@wirestack/protocol/Protocol"
import { Violation } from "@wirestack/protocol/Reason"
import type { Listen } from "@wirestack/protocol/Transport"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import { byProxy, failing, type Lower, type Options as Common, type Route, send } from "./internal/byProxy.ts"
import type { Target } from "./internal/targetOf.ts"
import type { ProxyCredentials } from "./ProxyCredentials.ts"
import type { ProxyInfo } from "./ProxyInfo.ts"
import { ProxyRefused } from "./ProxyRefused.ts"

const layer = "socks5"

/** The version of the protocol, and that of its sub-negotiation for user name and password. */
const version = 5
const authenticationVersion = 1

const Method = { None: 0, UserNamePassword: 2, NoneAcceptable: 0xff } as const

const connectCommand = 1

const AddressType = { IPv4: 1, DomainName: 3, IPv6: 4 } as const

/** Reply codes, section 6. */
const replies: ReadonlyArray<string> = [
  "succeeded",
  "general SOCKS server failure",
  "connection not allowed by ruleset",
  "network unreachable",
  "host unreachable",
  "connection refused",
  "TTL expired",
  "command not supported",
  "address type not supported"
]

export interface Options extends Common {
  /** Who we are, in 1 to 255 bytes each; by default what the user information of a URL says. */
  readonly credentials?: ProxyCredentials
}

/** The operator that puts SOCKS5 on a stack, which then only connects. */
export type Over = Protocol.Over<"bytes", never, "bytes", ProxyInfo, Listen>

const fail = failing(layer)

/** Bytes with their number before them. */
const counted = (bytes: Uint8Array): ReadonlyArray<number> => [bytes.length, ...bytes]

/** A target as the request has it; undefined if its name is too long for it. */
const addressOf = ({ ip, place: { host, port } }: Target): ReadonlyArray<number> | undefined => {
  const portBytes = [port >> 8, port & 0xff]
  if (ip !== undefined) {
    return NetAddress.isIpv4Address(ip)
      ? [AddressType.IPv4, ...NetAddress.ipv4ToOctets(ip), ...portBytes]
      : [AddressType.IPv6, ...NetAddress.ipv6ToOctets(ip), ...portBytes]
  }
  const name = encode(host)
  return name.length > 255 ? undefined : [AddressType.DomainName, ...counted(name), ...portBytes]
}

const reasonOf = (reply: number, place: Endpoint.Tcp, proxy: string): ConnectReason => {
  const address = Endpoint.formatPlace(place)
  const detail = replies[reply] ?? "unknown reply"
  const cause = new ProxyRefused({ proxy, code: reply, detail })
  switch (reply) {
    case 2:
      return new Forbidden({ address, cause })
    case 3:
    case 4:
    case 6:
      return new Unreachable({ address, cause })
    case 5:
      return new Refused({ address, cause })
    default:
      return cause
  }
}

const violation = (rule: string, section: string) =>
  fail(new Violation({ rule, section: `RFC 1928 section ${section}` }))

type Secrets = readonly [username: Uint8Array, password: Uint8Array]

const authenticate = Effect.fnUntraced(function*(lower: Lower, reader: Reader, secrets: Secrets, proxy: string) {
  const [username, password] = secrets
  yield* send(lower, Uint8Array.of(authenticationVersion, ...counted(username), ...counted(password)))
  const [, status] = yield* reader.take(2, "the answer to user name and password")
  if (status !== 0) {
    return yield* fail(new ProxyRefused({ proxy, code: status, detail: "user name or password is wrong" }))
  }
})

/** How long the address of a reply is, by its type and the byte behind that. */
const addressSize = (type: number, length: number): number | undefined =>
  type === AddressType.IPv4
    ? 4
    : type === AddressType.IPv6
    ? 16
    : type === AddressType.DomainName
    ? 1 + length
    : undefined

const handshake = Effect.fnUntraced(function*(
  lower: Lower,
  { proxy, target }: Route,
  address: ReadonlyArray<number>,
  secrets: Secrets | undefined
) {
  const reader = new Reader(lower, layer)
  const methods = secrets === undefined ? [Method.None] : [Method.None, Method.UserNamePassword]
  yield* send(lower, Uint8Array.of(version, methods.length, ...methods))
  const [spoken, method] = yield* reader.take(2, "the choice of a method")
  if (spoken !== version) return yield* violation("the version is 5", "3")
  if (method === Method.NoneAcceptable) {
    const detail = secrets === undefined ? "it wants to know who we are" : "it knows other ways to say who we are"
    return yield* fail(new ProxyRefused({ proxy, code: method, detail }))
  }
  if (method === Method.UserNamePassword && secrets !== undefined) yield* authenticate(lower, reader, secrets, proxy)
  else if (method !== Method.None) return yield* violation("the method is one that was offered", "3")

  yield* send(lower, Uint8Array.of(version, connectCommand, 0, ...address))
  // A proxy may say no and close without the rest.
  const [repeated, reply] = yield* reader.peek(2, "the reply")
  if (repeated !== version) return yield* violation("the version is 5", "6")
  if (reply !== 0) return yield* fail(reasonOf(reply, target.place, proxy))
  const [, , , type, length] = yield* reader.peek(5, "the reply")
  const size = addressSize(type, length)
  if (size === undefined) return yield* violation("an address is IPv4, IPv6, or a name", "5")
  yield* reader.take(4 + size + 2, "the reply")
  return reader.leftover
})

/**
 * Connects by way of a SOCKS5 proxy.
 *
 * @category layers
 */
export const over = (options: Options): Over =>
  byProxy({
    layer,
    protocol: "socks5",
    options,
    offers: [],
    connect: (attempt, route) => {
      const { credentials, proxy, target } = route
      const secrets = credentials === undefined
        ? undefined
        : [encode(credentials.username), encode(Redacted.value(credentials.password))] as const
      if (secrets?.some(({ length }) => length < 1 || length > 255) === true) {
        return fail(new InvalidEndpoint({ input: proxy, detail: "user name and password have 1 to 255 bytes each" }))
      }
      const address = addressOf(target)
      if (address === undefined) {
        const input = Endpoint.formatPlace(target.place)
        return fail(new InvalidEndpoint({ input, detail: "a name has at most 255 bytes" }))
      }
      return attempt((lower) => handshake(lower, route, address, secrets))
    }
  })
