/**
 * A TLS socket that somebody else has accepted, such as an HTTPS server, and whose handshake is over, as a layer on the wire of the socket
 * below it. What that server has asked of its clients, and made of their certificates, is what counts.
 *
 * From `take` on nobody else reads, writes or closes it.
 */

import * as RawSocket from "@wirestack/protocol/wire/RawSocket"
import type { Wire } from "@wirestack/protocol/wire/Wire"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Net from "node:net"
import type * as NodeTls from "node:tls"
import { presented } from "./internal/chain.ts"
import { DirectTlsWire } from "./internal/DirectTlsWire.ts"
import { infoOf } from "./internal/info.ts"
import { TlsInfo } from "./TlsInfo.ts"

const isSocket = (socket: unknown): socket is Net.Socket => socket instanceof Net.Socket

/** What it tells. */
export const detailsOf = (socket: NodeTls.TLSSocket): Context.Context<TlsInfo> => {
  const seen = { certificates: presented(socket), authorized: socket.authorized, ocspResponse: undefined }
  const resumed = socket.isSessionReused()
  const found = { seen, resumed, pskIdentity: undefined, path: "direct", handshakeTime: Duration.zero } as const
  return Context.make(TlsInfo, infoOf(socket, found))
}

/** Its wire; undefined if the wire below has no socket to stand on. */
export const take = (
  socket: NodeTls.TLSSocket,
  lower: Wire<Uint8Array, Uint8Array>
): Wire<Uint8Array, Uint8Array> | undefined => {
  const raw = RawSocket.take(lower, isSocket)
  return raw === undefined ? undefined : new DirectTlsWire(socket, raw.socket, lower, raw.adopt?.(socket))
}
