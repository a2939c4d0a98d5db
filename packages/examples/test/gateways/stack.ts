/** The stack of members: WebSocket without TLS, as it is on the loopback. */
import { Codec } from "@wirestack/protocol"
import { Tcp } from "@wirestack/transport-tcp"
import { WebSocket } from "@wirestack/websocket"
import { Chat } from "../../src/chat/Chat.ts"

export const stack = () => Tcp.layer({ noDelay: true }).pipe(WebSocket.client(), Chat.over(Codec.json()))
