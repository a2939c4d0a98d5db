/**
 * The PROXY protocol, versions 1 and 2, on the listening side: what a load balancer says of who has connected to it, before
 * anything else on each connection. It is in the details as `ProxyProtocolInfo`; who has connected is the `peer` of the connection from
 * then on, in incidents and for `maxConnectionsPerPeer`. A connection of the load balancer's own stays one of its address.
 *
 * The contract:
 *
 * - It is believed only of the addresses that are trusted: anybody could say it. Who connects from elsewhere is refused.
 * - It is demanded: a connection without it is refused, and never taken for one with it.
 * - Its size is bounded, and its time is that of a handshake.
 *
 * @see https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
 */

import { ConnectError, type ConnectReason, Forbidden } from "@wirestack/protocol/ConnectError"
import * as Connection from "@wirestack/protocol/Connection"
import { Reader } from "@wirestack/protocol/handshake/Reader"
import * as Protocol from "@wirestack/protocol/Protocol"
import { Violation } from "@wirestack/protocol/Reason"
import { Bytes, type Connect } from "@wirestack/protocol/Transport"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Preface from "./ProxyPreface.ts"
import { ProxyProtocolInfo } from "./ProxyProtocolInfo.ts"

const layer = "proxy protocol"

export interface Options {
  /** The networks whose word is taken, such as `10.0.0.0/8`, or single addresses. */
  readonly trusted: ReadonlyArray<string>
  /** The largest preface of version 2 behind its head, in bytes; 4,096 by default. */
  readonly maxPrefaceSize?: number
  /** How long the preface may take; 10 seconds by default. */
  readonly handshakeWithin?: Duration.Input
}

/** The operator that reads prefaces, on a stack that then only listens. */
export type Over = Protocol.Over<"bytes", never, "bytes", ProxyProtocolInfo, Connect>

const fail = (reason: ConnectReason): Effect.Effect<never, ConnectError> =>
  Effect.fail(new ConnectError({ layer, reason }))

const orFail = <A>(result: Result.Result<A, ConnectReason>): Effect.Effect<A, ConnectError> =>
  Result.isFailure(result) ? fail(result.failure) : Effect.succeed(result.success)

/** Whether an address is in one of the networks. */
const among = (networks: ReadonlyArray<string>): (address: string) => boolean => {
  const known = networks.map((network) =>
    network.includes("/")
      ? IpNetwork.fromInputUnsafe(network)
      : IpNetwork.fromAddressUnsafe(NetAddress.ipFromStringUnsafe(network), network.includes(":") ? 128 : 32)
  )
  return (address) => {
    const ip = NetAddress.ipFromString(address)
    return Result.isSuccess(ip) && known.some((network) => IpNetwork.contains(network, ip.success))
  }
}

const latin1 = (bytes: Uint8Array): string => String.fromCharCode(...bytes)

const carriageReturn = 0x0d
const lineFeed = 0x0a

const readLine = (reader: Reader, size: number): Effect.Effect<string, ConnectError> =>
  Effect.flatMap(reader.peek(size, "the preface of a proxy"), (bytes) => {
    const end = bytes.indexOf(carriageReturn)
    if (end >= 0 && end + 1 < size) {
      return bytes[end + 1] === lineFeed
        ? Effect.map(reader.take(end + 2, ""), (taken) => latin1(taken.subarray(0, end)))
        : fail(new Violation({ rule: "a line ends in CRLF", section: "the PROXY protocol, section 2.1" }))
    }
    return size === Preface.maxLineSize
      ? fail(new Violation({ rule: "a line has at most 107 bytes", section: "the PROXY protocol, section 2.1" }))
      : readLine(reader, size + 1)
  })

/** The shortest line there is. */
const minLineSize = "PROXY UNKNOWN\r\n".length

const readPreface = Effect.fnUntraced(function*(reader: Reader, limit: number) {
  const first = yield* reader.peek(minLineSize, "the preface of a proxy")
  const version = Preface.versionOf(first)
  if (version === undefined) {
    return yield* fail(
      new Violation({ rule: "a connection begins by a preface", section: "the PROXY protocol, section 2" })
    )
  }
  if (version === 1) return yield* orFail(Preface.decodeLine(yield* readLine(reader, minLineSize)))
  const head = yield* reader.take(Preface.headSize, "the preface of a proxy")
  const size = yield* orFail(Preface.lengthOf(head, limit))
  const body = yield* reader.take(size, "the preface of a proxy")
  return yield* orFail(Preface.decodeBody(head, body))
})

/**
 * Reads the preface of each connection that is accepted. Throws a `NetAddressError` if what is trusted is no network.
 *
 * @category layers
 */
export const server = ({ handshakeWithin, maxPrefaceSize = 4_096, trusted }: Options): Over => {
  const isTrusted = among(trusted)
  return Protocol.within(Bytes)<ProxyProtocolInfo, Connect>({
    layer,
    handshakeWithin,
    below: (ask) => ({ ...ask, peersAreTold: true }),
    server: (lower) =>
      Effect.suspend(() => {
        const peer = Connection.peer(lower)
        if (peer === undefined || !isTrusted(peer)) {
          return fail(new Forbidden({ address: peer ?? "an unknown address" }))
        }
        const reader = new Reader(lower, layer)
        return Effect.gen(function*() {
          const info = yield* readPreface(reader, maxPrefaceSize)
          const admitted = Connection.comesFrom(lower, info.source?.host ?? peer)
          yield* Effect.mapError(admitted, (reason) => new ConnectError({ layer, reason }))
          const details = () => Context.make(ProxyProtocolInfo, info)
          return yield* Connection.resume(lower, { leftover: reader.leftover, details })
        })
      })
  })
}
