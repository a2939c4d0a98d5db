/** The wire of a TCP socket. */
import { type Intake, SocketWire } from "@wirestack/protocol/wire/SocketWire"
import type * as Net from "node:net"
import { adopt } from "./adopt.ts"
import { outletOf } from "./outlet.ts"

export const layerName = "tcp"

/** While the system is being asked to end the output, the socket can't be reset, and Node would never close it. */
const isEnding = ({ writableEnded, writableFinished, writableLength }: Net.Socket): boolean =>
  writableEnded && !writableFinished && writableLength === 0

/** RST instead of FIN, also where Node's own `resetAndDestroy` first waits for what is still to be written. */
const reset = (socket: Net.Socket): void => {
  ;(socket as { resetAndClosing?: boolean }).resetAndClosing = !socket.destroyed && !isEnding(socket)
  socket.destroy()
}

const options = { layer: layerName, bare: true, adopt, copies: true, cut: reset }

export const wireOf = (socket: Net.Socket, intake: Intake | undefined): SocketWire =>
  new SocketWire(socket, options, intake, outletOf(socket))
