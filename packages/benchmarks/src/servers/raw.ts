/** The practical limit: bytes echoed by `node:net`, or `node:tls`, without any protocol. */
import * as net from "node:net"
import * as tls from "node:tls"
import { told } from "../Serving.ts"
import { ready } from "./ready.ts"

const echo = (socket: net.Socket): void => {
  socket.on("data", (chunk) => {
    if (!socket.write(chunk)) socket.pause()
  })
  socket.on("drain", () => socket.resume())
  socket.on("error", () => socket.destroy())
}

const { tls: identity } = told()
const server = identity === undefined
  ? net.createServer({ noDelay: true }, echo)
  : tls.createServer({ ...identity, noDelay: true }, echo)
server.listen(0, "127.0.0.1", () => ready((server.address() as net.AddressInfo).port))
