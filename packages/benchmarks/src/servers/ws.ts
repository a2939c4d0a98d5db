/** `ws`, with `bufferutil` as its documentation advises. */
import { WebSocketServer } from "ws"
import { ready } from "./ready.ts"

const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false })
server.on("connection", (socket) => {
  socket.on("message", (data, binary) => socket.send(data, { binary }))
  socket.on("error", () => socket.terminate())
})
server.on("listening", () => ready((server.address() as { readonly port: number }).port))
