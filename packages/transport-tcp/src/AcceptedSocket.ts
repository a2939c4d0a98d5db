/**
 * A socket that somebody else has accepted, such as an HTTP server, as the bottom of a stack.
 *
 * The contract:
 *
 * - `detailsOf` may be asked as long as the socket is theirs; from `take` on nobody else reads, writes or closes it.
 * - What the socket has read by then is given along, as `leftover`: it comes before anything that the wire delivers.
 * - The socket is set to stay open when its peer has ended (`allowHalfOpen`), and to have no timeout. Its other options stay as they are.
 */
import type { Place } from "@wirestack/protocol/Endpoint"
import type { SocketWire } from "@wirestack/protocol/wire/SocketWire"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import type * as Net from "node:net"
import { adopt } from "./internal/adopt.ts"
import * as tcp from "./internal/infoOf.ts"
import { wireOf as tcpWireOf } from "./internal/tcpWire.ts"
import * as unix from "./internal/unixWire.ts"
import { TcpInfo } from "./TcpInfo.ts"
import type { UnixInfo } from "./UnixInfo.ts"

/** A socket that was taken. */
export interface AcceptedSocket {
  readonly wire: SocketWire
  readonly leftover: ReadonlyArray<Uint8Array>
}

/** What a socket tells that was accepted at a place. */
export const detailsOf = (socket: Net.Socket, place: Place): Context.Context<TcpInfo> | Context.Context<UnixInfo> =>
  place._tag === "Unix"
    ? unix.details(place.path, Duration.zero)
    : Context.make(TcpInfo, tcp.infoOf(socket, tcp.none, Duration.zero))

const wireAt = (place: Place) => place._tag === "Unix" ? unix.wireOf : tcpWireOf

/** What a stream has read and given to nobody. */
export const unread = (socket: { readonly read: () => Uint8Array | null }): ReadonlyArray<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) chunks.push(chunk)
  return chunks
}

/** Takes a socket that was accepted at a place; undefined if it is closed already. */
export const take = (socket: Net.Socket, place: Place): AcceptedSocket | undefined => {
  if (socket.destroyed) return undefined
  own(socket)
  // From now on it reads past its stream, so that what is there has to be taken before.
  const leftover = unread(socket)
  return { leftover, wire: wireAt(place)(socket, adopt(socket)) }
}

/** The wire of a socket on which somebody else has put another stream, such as TLS, that reads and writes it. */
export const beneath = (socket: Net.Socket, place: Place): SocketWire => wireAt(place)(socket, undefined)

/** Has a stream live as long as its connection. */
export const own = (socket: Net.Socket): void => {
  socket.allowHalfOpen = true
  socket.setTimeout(0)
}
