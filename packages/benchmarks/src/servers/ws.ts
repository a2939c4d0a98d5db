/** `ws`, with `bufferutil` as its documentation advises; compressing if told so, and then with or without takeover. */
import { type PerMessageDeflateOptions, WebSocketServer } from "ws"
import { ready } from "./ready.ts"

const deflate: { readonly [argument: string]: PerMessageDeflateOptions | boolean } = {
  takeover: true,
  "no-takeover": { serverNoContextTakeover: true, clientNoContextTakeover: true }
}

const perMessageDeflate = deflate[process.argv[2]] ?? false
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate })
server.on("connection", (socket) => {
  socket.on("message", (data, binary) => socket.send(data, { binary }))
  socket.on("error", () => socket.terminate())
})
server.on("listening", () => ready((server.address() as { readonly port: number }).port))
