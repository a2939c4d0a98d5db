/**
 * The preface of the PROXY protocol, versions 1 and 2, from bytes: sans-IO.
 *
 *     version 1     PROXY TCP4 192.0.2.1 198.51.100.7 49152 443 CR LF
 *
 *     version 2     0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A     the signature
 *                   2 | command    family | transport       4 bits each
 *                   length                                   of what follows, 16 bits
 *                   addresses and ports, then fields         type, length (16 bits), value
 *
 * @see https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
 */

import { encode } from "@wirestack/protocol/bytes/Utf8"
import { TooLarge, Violation } from "@wirestack/protocol/Reason"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Address, Field, ProxyProtocolInfo } from "./ProxyProtocolInfo.ts"

/** The bytes by which version 2 begins. */
const signature = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a)

/** The signature, command, family and length of version 2. */
export const headSize = 16

/** The longest line of version 1, with its end. */
export const maxLineSize = 107

const Command = { Local: 0, Proxy: 1 } as const

const Family = { Unspecified: 0, Inet: 1, Inet6: 2, Unix: 3 } as const

type Info = ProxyProtocolInfo["Service"]

const broken = (rule: string, section: string): Result.Result<never, Violation> =>
  Result.fail(new Violation({ rule, section: `the PROXY protocol, section ${section}` }))

/** Which version begins by these bytes, `headSize` of them or fewer; undefined if neither does. */
export const versionOf = (bytes: Uint8Array): 1 | 2 | undefined => {
  const begins = (expected: Uint8Array): boolean =>
    expected.every((byte, at) => at >= bytes.length || bytes[at] === byte)
  return begins(signature) ? 2 : begins(word) ? 1 : undefined
}

const word = encode("PROXY ")

const line = /^PROXY (TCP4|TCP6|UNKNOWN)(?: (\S+) (\S+) (\d{1,5}) (\d{1,5}))?(?: .*)?$/

/** An address as TCP tells it too: a proxy that listens for both families at once has IPv4 within IPv6 (RFC 4291 section 2.5.5.2). */
const hostOf = (ip: NetAddress.IpAddress): string =>
  NetAddress.formatIp(
    NetAddress.isIpv4Address(ip) ? ip : Option.getOrElse(NetAddress.fromIpv4Mapped(ip), () => ip)
  )

const addressIn = (host: string, port: string, family: "TCP4" | "TCP6"): Address | undefined => {
  const ip: Result.Result<NetAddress.IpAddress, unknown> = family === "TCP4"
    ? NetAddress.ipv4FromString(host)
    : NetAddress.ipv6FromString(host)
  const number = Number(port)
  return Result.isFailure(ip) || number > 65_535 || String(number) !== port
    ? undefined
    : { host: hostOf(ip.success), port: number }
}

/** Reads a line of version 1, without its end. */
export const decodeLine = (text: string): Result.Result<Info, Violation> => {
  const match = line.exec(text)
  if (match === null) return broken("a line says PROXY, a family, two addresses and two ports", "2.1")
  const [, family, source, destination, sourcePort, destinationPort] = match
  if (family === "UNKNOWN") return Result.succeed({ version: 1, source: undefined, destination: undefined, fields: [] })
  if (text !== `PROXY ${family} ${source} ${destination} ${sourcePort} ${destinationPort}`) {
    return broken("a line has one space between its words, and nothing behind them", "2.1")
  }
  const from = addressIn(source, sourcePort, family as "TCP4" | "TCP6")
  const to = addressIn(destination, destinationPort, family as "TCP4" | "TCP6")
  return from === undefined || to === undefined
    ? broken("addresses and ports are of the family, in their shortest form", "2.1")
    : Result.succeed({ version: 1, source: from, destination: to, fields: [] })
}

/** The length of what follows the head of version 2; the head is `headSize` bytes, and begins by the signature. */
export const lengthOf = (head: Uint8Array, limit: number): Result.Result<number, Violation | TooLarge> => {
  if (head[12] >> 4 !== 2) return broken("the version is 2", "2.2")
  const size = (head[14] << 8) | head[15]
  return size > limit
    ? Result.fail(new TooLarge({ what: "the preface of a proxy", size, limit }))
    : Result.succeed(size)
}

const portAt = (bytes: Uint8Array, at: number): number => (bytes[at] << 8) | bytes[at + 1]

/** The addresses of a family that has them, and how many bytes they take. */
const addressesIn = (
  family: number,
  body: Uint8Array
): readonly [source: Address, destination: Address, size: number] | undefined => {
  const size = family === Family.Inet ? 4 : 16
  if (body.length < size * 2 + 4) return undefined
  const ip = (at: number): NetAddress.IpAddress =>
    family === Family.Inet
      ? NetAddress.ipv4FromBytesUnsafe(body.subarray(at, at + size))
      : NetAddress.ipv6FromBytesUnsafe(body.subarray(at, at + size))
  return [
    { host: hostOf(ip(0)), port: portAt(body, size * 2) },
    { host: hostOf(ip(size)), port: portAt(body, size * 2 + 2) },
    size * 2 + 4
  ]
}

const fieldsIn = (bytes: Uint8Array): Result.Result<ReadonlyArray<Field>, Violation> => {
  const fields: Array<Field> = []
  for (let at = 0; at < bytes.length;) {
    if (at + 3 > bytes.length) return broken("a field has a type and a length", "2.2.7")
    const end = at + 3 + portAt(bytes, at + 1)
    if (end > bytes.length) return broken("a field ends with the preface", "2.2.7")
    fields.push({ type: bytes[at], value: bytes.slice(at + 3, end) })
    at = end
  }
  return Result.succeed(fields)
}

/** The size of the two paths of a Unix socket. */
const unixSize = 216

/** Reads what follows the head of version 2. */
export const decodeBody = (head: Uint8Array, body: Uint8Array): Result.Result<Info, Violation> => {
  const command = head[12] & 0x0f
  if (command !== Command.Local && command !== Command.Proxy) return broken("the command is LOCAL or PROXY", "2.2")
  const family = head[13] >> 4
  const none = { version: 2, source: undefined, destination: undefined } as const
  // Of its own connections, and of families it has no name for, a proxy tells nothing that is to be used.
  if (command === Command.Local || family === Family.Unspecified) return Result.succeed({ ...none, fields: [] })
  if (family === Family.Unix) {
    return body.length < unixSize
      ? broken("the addresses are as long as their family has it", "2.2")
      : Result.map(fieldsIn(body.subarray(unixSize)), (fields) => ({ ...none, fields }))
  }
  if (family !== Family.Inet && family !== Family.Inet6) return broken("the family is known", "2.2")
  const addresses = addressesIn(family, body)
  if (addresses === undefined) return broken("the addresses are as long as their family has it", "2.2")
  const [source, destination, size] = addresses
  return Result.map(fieldsIn(body.subarray(size)), (fields) => ({ version: 2, source, destination, fields }))
}
