/** The client of `ws`. */
import { once } from "node:events"
import { WebSocket } from "ws"
import { maxMessageSize } from "../Serving.ts"
import { drive, type Driven, flow, Lane, told, url } from "./Lane.ts"

const connect = async (): Promise<Driven> => {
  const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: maxMessageSize })
  const lane = new Lane()
  socket.on("message", (data: Buffer) => {
    lane.take(data)
    if (flow.running) socket.send(lane.next())
  })
  await once(socket, "open")
  return {
    lane,
    send: (messages) => {
      for (const message of messages) socket.send(message)
    }
  }
}

await drive(await Promise.all(Array.from({ length: told.connections }, connect)))
