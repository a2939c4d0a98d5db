/** The stacks of bytes that servers are reached by: the URL says which, and what stands on top never knows. */
import type { ByteTransport, Connect } from "@wirestack/protocol/Transport"
import * as Unframed from "@wirestack/protocol/Unframed"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import * as Unix from "@wirestack/transport-tcp/Unix"
import type { Trust } from "@wirestack/transport-tls/Identity"
import * as Tls from "@wirestack/transport-tls/Tls"
import * as WebSocket from "@wirestack/websocket/WebSocket"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as Layer from "effect/Layer"

/** Servers send a message of the protocol above as one of WebSocket, so this is the largest of those. */
const maxMessageSize = 4_194_304

/** The stack for `tcp://`, `tls://`, `unix:`, `ws://` or `wss://`. */
export const bytes = (url: string, trust?: Trust): Layer.Layer<ByteTransport<Connect>, unknown> => {
  const tcp = Tcp.layer({ noDelay: true })
  const webSocket = WebSocket.client({ maxMessageSize })
  const tls = Tls.client(trust && { trust })
  switch (url.slice(0, url.indexOf(":"))) {
    case "ws":
      return tcp.pipe(webSocket, Unframed.over())
    case "wss":
      return tcp.pipe(tls, webSocket, Unframed.over())
    case "tls":
      return tls(tcp)
    case "unix":
      return Unix.layer()
    default:
      return tcp
  }
}

/** Trusts the authority whose certificate is in a file, or, without one, those that the system does. */
export const trusting = Effect.fnUntraced(function*(file: string | undefined) {
  if (file === undefined) return undefined
  const fs = yield* FileSystem.FileSystem
  return { ca: yield* fs.readFileString(file) }
})
