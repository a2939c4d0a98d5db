/** The chat's stack, in both roles: IP, TCP, TLS, WebSocket, chat.v1 in JSON. */
import * as Codec from "@wirestack/protocol/typed/Codec"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import type { Identity, Trust } from "@wirestack/transport-tls/Identity"
import * as Tls from "@wirestack/transport-tls/Tls"
import * as WebSocket from "@wirestack/websocket/WebSocket"
import { Chat } from "./Chat.ts"

/** Where the chat is on its server. */
export const path = "/chat"

/** The stack of who joins. */
export const joining = (trust: Trust) =>
  Tcp.layer().pipe(
    Tls.client({ trust }),
    WebSocket.client({ path }),
    Chat.over(Codec.json())
  )

/** The stack of who serves. */
export const serving = (identity: Identity) =>
  Tcp.layer().pipe(
    Tls.server({ identity }),
    WebSocket.server({ path }),
    Chat.over(Codec.json())
  )
