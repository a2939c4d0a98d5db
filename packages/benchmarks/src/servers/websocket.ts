/** `websocket`, an older library that is still much used. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import WebSocket from "websocket"
import { maxMessageSize } from "../Serving.ts"
import { ready } from "./ready.ts"

const below = http.createServer()
const server = new WebSocket.server({
  httpServer: below,
  autoAcceptConnections: true,
  maxReceivedFrameSize: maxMessageSize,
  maxReceivedMessageSize: maxMessageSize,
  fragmentOutgoingMessages: false
})
server.on("connect", (connection) => {
  connection.on("message", (message) => {
    if (message.type === "utf8") connection.sendUTF(message.utf8Data)
    else connection.sendBytes(message.binaryData)
  })
})
below.listen(0, "127.0.0.1", () => ready((below.address() as AddressInfo).port))
