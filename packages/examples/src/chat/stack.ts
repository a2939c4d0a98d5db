/** The chat's stack, in both roles: IP, TCP, TLS, WebSocket, chat.v1 in JSON. */
import * as Codec from "@wirestack/protocol/typed/Codec"
import * as Tcp from "@wirestack/transport-tcp/Tcp"
import type { Identity, Trust } from "@wirestack/transport-tls/Identity"
import * as Tls from "@wirestack/transport-tls/Tls"
import * as WebSocket from "@wirestack/websocket/WebSocket"
import * as taps from "../inspector/taps.ts"
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

/** The stack of who serves; what passes between its layers is shown to the inspector, if there is one. */
export const serving = (identity: Identity, inspector: taps.To = []) =>
  Tcp.layer().pipe(
    taps.ciphertext(inspector),
    Tls.server({ identity }),
    taps.plaintext(inspector),
    WebSocket.server({ path }),
    taps.messages(inspector),
    Chat.over(Codec.json()),
    taps.values(inspector)
  )
