/** A request for an upgrade as Node's HTTP server has read it, and the socket it came on. */
import { Closed } from "@wirestack/protocol/ConnectionError"
import type { Place } from "@wirestack/protocol/Endpoint"
import { SocketWire } from "@wirestack/protocol/wire/SocketWire"
import * as AcceptedSocket from "@wirestack/transport-tcp/AcceptedSocket"
import * as Address from "@wirestack/transport-tcp/Address"
import * as AcceptedTls from "@wirestack/transport-tls/AcceptedTls"
import type { Opened } from "@wirestack/websocket/routing/Arrival"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { IncomingMessage } from "node:http"
import * as Net from "node:net"
import type { Duplex } from "node:stream"
import { TLSSocket } from "node:tls"

/** Where a server listens, by its address; a name for one that does not yet. */
export const placeOf = (address: Net.AddressInfo | string | null): Place => {
  if (address === null) return { _tag: "Memory", name: "http" }
  return typeof address === "string"
    ? { _tag: "Unix", path: address }
    : { _tag: "Tcp", host: address.address, port: address.port }
}

/**
 * The head as it came, so that it is read once more by our rules: header names with their letters, and each as often as it was sent.
 * What would not have been one line is made something that no head may have.
 */
export const headOf = ({ httpVersion, method, rawHeaders, url }: IncomingMessage): Uint8Array => {
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let i = 0; i < rawHeaders.length; i += 2) {
    // HTTP/2 has its start line among them.
    if (!rawHeaders[i].startsWith(":")) head += `${line(rawHeaders[i])}: ${line(rawHeaders[i + 1])}\r\n`
  }
  return Buffer.from(`${head}\r\n`, "latin1")
}

const line = (text: string): string => text.replace(/[\r\n]/g, "\0")

/** The stream under TLS is where its server has put it, which is not documented. */
const below = (socket: TLSSocket): Net.Socket | undefined => {
  const { _parent } = socket as { readonly _parent?: unknown }
  return _parent instanceof Net.Socket ? _parent : undefined
}

/**
 * Whether an earlier request of the same connection is still being answered, which is not documented: its answer would come in between.
 * Nobody may write on such a socket.
 */
export const isAnswering = (socket: Duplex): boolean =>
  (socket as { readonly _httpMessage?: unknown })._httpMessage != null

/** The address it comes from. */
export const peerOf = (socket: Duplex): string | undefined =>
  socket instanceof Net.Socket && socket.remoteAddress !== undefined
    ? Address.make(socket.remoteAddress, socket.remotePort).host
    : undefined

/** What the layers below the WebSocket tell. */
export const detailsOf = (socket: Duplex, place: Place): Context.Context<never> => {
  if (!(socket instanceof Net.Socket)) return Context.empty()
  const details = AcceptedSocket.detailsOf(socket, place) as Context.Context<never>
  return socket instanceof TLSSocket ? Context.merge(details, AcceptedTls.detailsOf(socket)) : details
}

const onTls = (socket: TLSSocket, place: Place): Opened | undefined => {
  const raw = below(socket)
  if (raw === undefined) return undefined
  AcceptedSocket.own(socket)
  const leftover = AcceptedSocket.unread(socket)
  const wire = AcceptedTls.take(socket, AcceptedSocket.beneath(raw, place))
  return wire && { leftover, wire }
}

/** Any other stream, by its shape. */
const onStream = (socket: Duplex): Opened => {
  socket.allowHalfOpen = true
  return { leftover: [], wire: new SocketWire(socket, { layer: "duplex", closeIsGoodbye: true }) }
}

/**
 * Takes the socket from the HTTP server, if it is still open; `head` is what came behind the request. A stream tells its end once: whoever
 * takes it later would wait for that without end.
 */
export const opened = (socket: Duplex, head: Uint8Array, place: Place): Effect.Effect<Opened, Closed> =>
  Effect.suspend(() => {
    if (socket.readableEnded) socket.destroy()
    if (socket.destroyed) return Effect.fail(new Closed())
    const taken = socket instanceof TLSSocket && below(socket) !== undefined
      ? onTls(socket, place)
      : socket instanceof Net.Socket
      ? AcceptedSocket.take(socket, place)
      : onStream(socket)
    if (taken !== undefined) return Effect.succeed({ ...taken, leftover: [head, ...taken.leftover] })
    socket.destroy()
    return Effect.fail(new Closed())
  })
