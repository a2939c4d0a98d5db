/** `ws`, as its users write it. */
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { WebSocketServer } from "ws"
import { serving } from "../Serving.ts"

const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false })

server.on("connection", (socket) => {
  socket.on("message", (data, binary) => socket.send(data, { binary }))
  socket.on("error", () => socket.terminate())
})

serving(
  once(server, "listening").then(() => (server.address() as AddressInfo).port),
  (text) => {
    for (const client of server.clients) client.send(text)
  }
)
