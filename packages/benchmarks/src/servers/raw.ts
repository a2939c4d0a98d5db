/** The practical limit: bytes echoed by `node:net`, without any protocol. */
import * as net from "node:net"
import { ready } from "./ready.ts"

const server = net.createServer({ noDelay: true }, (socket) => {
  socket.on("data", (chunk) => {
    if (!socket.write(chunk)) socket.pause()
  })
  socket.on("drain", () => socket.resume())
  socket.on("error", () => socket.destroy())
})
server.listen(0, "127.0.0.1", () => ready((server.address() as net.AddressInfo).port))
