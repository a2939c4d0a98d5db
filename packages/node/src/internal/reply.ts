import type { Refused } from "@wirestack/websocket/handshake/ServerHandshake"
import { addAbortSignal, type Duplex } from "node:stream"

/** How long a client has to read an answer and to leave, in milliseconds. */
const patience = 5_000

/** Answers on a socket, and closes it. What the client still sends is read, as a reset would take the answer along. */
export const reply = (socket: Duplex, { response }: Refused): void => {
  if (socket.destroyed) return
  addAbortSignal(AbortSignal.timeout(patience), socket)
  socket.resume()
  socket.end(response)
}
