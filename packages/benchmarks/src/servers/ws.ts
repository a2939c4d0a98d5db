/** `ws`; what of `bufferutil` it finds is the business of who starts it. */
import * as http from "node:http"
import * as https from "node:https"
import type { AddressInfo } from "node:net"
import { type RawData, type WebSocket, WebSocketServer } from "ws"
import { maxMessageSize, type Serving, told } from "../Serving.ts"
import { ready } from "./ready.ts"

const { deflate, tls, what } = told()
const noTakeover = { serverNoContextTakeover: true, clientNoContextTakeover: true }
const perMessageDeflate = deflate === "no-takeover" ? noTakeover : deflate === "takeover"

type Answer = (socket: WebSocket, data: RawData, binary: boolean) => void

const answers: Record<Exclude<Serving["what"], "rpc">, Answer> = {
  echo: (socket, data, binary) => socket.send(data, { binary }),
  broadcast: (_, data, binary) => {
    for (const client of server.clients) client.send(data, { binary })
  },
  typed: (socket, data) => socket.send(JSON.stringify(JSON.parse(String(data))))
}

if (what === "rpc") throw new Error("ws makes no calls")
const answer = answers[what]
const below = tls === undefined ? http.createServer() : https.createServer(tls)
const server = new WebSocketServer({ server: below, perMessageDeflate, maxPayload: maxMessageSize })
server.on("connection", (socket) => {
  socket.on("message", (data, binary) => answer(socket, data, binary))
  socket.on("error", () => socket.terminate())
})
below.listen(0, "127.0.0.1", () => ready((below.address() as AddressInfo).port))
