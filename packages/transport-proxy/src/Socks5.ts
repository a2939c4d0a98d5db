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
import { lacking } from "@wirestack/protocol/Ask"
import {
  ConnectError,
  type ConnectReason,
  Forbidden,
  fromConnectionError,
  InvalidEndpoint,
  Refused,
  Unreachable
} from "@wirestack/protocol/ConnectError"
import * as Connection from "@wirestack/protocol/Connection"
import * as Endpoint from "@wirestack/protocol/Endpoint"
import * as Protocol from "@wirestack/protocol/Protocol"
import { Reader } from "@wirestack/protocol/Reader"
import { Violation } from "@wirestack/protocol/Reason"
import { Bytes, type Listen } from "@wirestack/protocol/Transport"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { encode } from "./internal/utf8.ts"
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

/** Who we are to the proxy; 1 to 255 bytes each. */
export interface Credentials {
  readonly username: string
  readonly password: Redacted.Redacted<string>
}

export interface Options {
  /** Where the proxy is, such as `proxy.example:1080`; `tls://` if there is TLS below. */
  readonly proxy: Endpoint.Input
  readonly credentials?: Credentials
  /** How long the handshake with the proxy may take, its own connecting included; 10 seconds by default. */
  readonly handshakeWithin?: Duration.Input
}

/** The operator that puts SOCKS5 on a stack, which then only connects. */
export type Over = Protocol.Over<"bytes", never, "bytes", never, Listen>

const fail = (reason: ConnectReason): Effect.Effect<never, ConnectError> =>
  Effect.fail(new ConnectError({ layer, reason }))

/** Bytes with their number before them. */
const counted = (bytes: Uint8Array): ReadonlyArray<number> => [bytes.length, ...bytes]

/** A place as the request has it; undefined if a name is too long for it. */
const addressOf = ({ host, port }: Endpoint.Tcp): ReadonlyArray<number> | undefined => {
  const portBytes = [port >> 8, port & 0xff]
  const ip = NetAddress.ipFromString(host)
  if (Result.isSuccess(ip)) {
    return NetAddress.isIpv4Address(ip.success)
      ? [AddressType.IPv4, ...NetAddress.ipv4ToOctets(ip.success), ...portBytes]
      : [AddressType.IPv6, ...NetAddress.ipv6ToOctets(ip.success), ...portBytes]
  }
  const name = Result.map(Host.domainNameFromString(host), (name) => encode(name))
  return Result.isFailure(name) || name.success.length > 255
    ? undefined
    : [AddressType.DomainName, ...counted(name.success), ...portBytes]
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

/**
 * Connects by way of a SOCKS5 proxy.
 *
 * @category layers
 */
export const over = (options: Options): Over => {
  const { credentials, handshakeWithin } = options
  const proxy = Endpoint.make(options.proxy)
  const proxyName = Result.match(proxy, { onFailure: ({ input }) => input, onSuccess: Endpoint.format })
  const secrets = credentials === undefined
    ? undefined
    : [encode(credentials.username), encode(Redacted.value(credentials.password))] as const

  type Lower = Connection.Connection<Uint8Array, Uint8Array>

  const send = (lower: Lower, bytes: ReadonlyArray<number>): Effect.Effect<void, ConnectError> =>
    Effect.mapError(lower.send(Uint8Array.from(bytes)), fromConnectionError)

  const authenticate = Effect.fnUntraced(function*(lower: Lower, reader: Reader) {
    if (secrets === undefined) return yield* violation("the method is one that was offered", "3")
    const [username, password] = secrets
    yield* send(lower, [authenticationVersion, ...counted(username), ...counted(password)])
    const [, status] = yield* reader.take(2, "the answer to user name and password")
    if (status !== 0) {
      return yield* fail(new ProxyRefused({ proxy: proxyName, code: status, detail: "user name or password is wrong" }))
    }
  })

  const handshake = Effect.fnUntraced(function*(lower: Lower, place: Endpoint.Tcp, address: ReadonlyArray<number>) {
    const reader = new Reader(lower, layer)
    const methods = secrets === undefined ? [Method.None] : [Method.None, Method.UserNamePassword]
    yield* send(lower, [version, methods.length, ...methods])
    const [spoken, method] = yield* reader.take(2, "the choice of a method")
    if (spoken !== version) return yield* violation("the version is 5", "3")
    if (method === Method.NoneAcceptable) {
      const detail = secrets === undefined ? "it wants to know who we are" : "it knows other ways to say who we are"
      return yield* fail(new ProxyRefused({ proxy: proxyName, code: method, detail }))
    }
    if (method === Method.UserNamePassword) yield* authenticate(lower, reader)
    else if (method !== Method.None) return yield* violation("the method is one that was offered", "3")

    yield* send(lower, [version, connectCommand, 0, ...address])
    // A proxy may say no and close without the rest.
    const [repeated, reply] = yield* reader.peek(2, "the reply")
    if (repeated !== version) return yield* violation("the version is 5", "6")
    if (reply !== 0) return yield* fail(reasonOf(reply, place, proxyName))
    const [, , , type, length] = yield* reader.peek(5, "the reply")
    const size = type === AddressType.IPv4
      ? 4
      : type === AddressType.IPv6
      ? 16
      : type === AddressType.DomainName
      ? 1 + length
      : undefined
    if (size === undefined) return yield* violation("an address is IPv4, IPv6, or a name", "5")
    yield* reader.take(4 + size + 2, "the reply")
    return yield* Connection.resume(lower, { leftover: reader.leftover })
  })

  return Protocol.make<
    "bytes",
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    "bytes",
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    never,
    never,
    Listen,
    Scope.Scope
  >(
    Bytes,
    Bytes,
    {
      layer,
      handshakeWithin,
      connect: (attempt, ask) => {
        const { place } = ask.endpoint
        const missing = lacking(ask)
        if (missing !== undefined) return fail(missing)
        if (Result.isFailure(proxy)) return fail(proxy.failure)
        if (secrets?.some(({ length }) => length < 1 || length > 255) === true) {
          return fail(
            new InvalidEndpoint({ input: proxyName, detail: "user name and password have 1 to 255 bytes each" })
          )
        }
        const address = place._tag === "Tcp" ? addressOf(place) : undefined
        if (place._tag !== "Tcp" || address === undefined) {
          const detail = "a SOCKS5 proxy connects to host:port, and a name has at most 255 bytes"
          return fail(new InvalidEndpoint({ input: Endpoint.format(ask.endpoint), detail }))
        }
        const { reached: _, skip: __, ...rest } = ask
        const below = { ...rest, endpoint: proxy.success, demands: proxy.success.demands, offers: [] }
        return attempt(below, (lower) => handshake(lower, place, address))
      }
    }
  )
}
