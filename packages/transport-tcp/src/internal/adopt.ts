/**
 * Sockets that read into our memory (see `Intake`). Node documents `onread` for sockets one makes, and those of a server it
 * makes itself: such a socket is made anew from the handle of the accepted one. That way is not documented, nor is how a
 * handle is given other memory later, so both are tried on a stand-in first. Without them, and if anything looks different, an
 * accepted socket is used as it is, and large messages are copied into their place.
 */
import { Intake } from "@wirestack/protocol/SocketWire"
import * as Net from "node:net"

/** What of Node's sockets is used here and not documented. */
interface Inner {
  _handle: { readonly useUserBuffer?: (memory: Uint8Array) => void; readonly onread?: unknown } | null
  /** The server that counts this socket as its own, and is told when it is destroyed. */
  _server: unknown
  server: unknown
}

/** Lets the memory in which a socket reads change. */
const aim = (intake: Intake, socket: Net.Socket & Inner): void => {
  if (typeof socket._handle?.useUserBuffer === "function") {
    intake.aim = (memory) => socket._handle?.useUserBuffer!(memory)
  }
}

const socketOn = (handle: unknown, intake: Intake): Net.Socket & Inner =>
  new Net.Socket(
    { handle, allowHalfOpen: true, pauseOnCreate: true, onread: intake } as Net.SocketConstructorOpts
  ) as never

/** Whether a socket made on a handle gives it the buffer to read into, and stays as still as it was made. */
const works = (): boolean => {
  let given: unknown
  let reading = false
  const handle = {
    useUserBuffer: (buffer: unknown) => void (given = buffer),
    readStart: () => (reading = true, 0),
    readStop: () => 0,
    close: () => {}
  }
  try {
    const intake = new Intake()
    const socket = socketOn(handle, intake)
    return socket._handle === handle && given === intake.buffer && "onread" in handle && !reading
  } catch {
    return false
  }
}

/** Which sockets read into our memory. A test may set them to see what else happens. */
export const capable = { dialed: true, accepted: works() }

/** For a socket to be made with it. */
export const newIntake = (): Intake | undefined => capable.dialed ? new Intake() : undefined

/** To be told of a socket that was made with an intake, once it is connected. */
export const connected = (socket: Net.Socket, intake: Intake | undefined): void => {
  if (capable.accepted && intake !== undefined) aim(intake, socket as Net.Socket & Inner)
}

/** An accepted, paused socket as one that reads into our memory, if that can be. */
export const adopt = (accepted: Net.Socket): { readonly socket: Net.Socket; readonly intake: Intake | undefined } => {
  const old = accepted as Net.Socket & Inner
  const { _handle: handle, _server: server } = old
  if (!capable.accepted || typeof handle?.useUserBuffer !== "function" || server === undefined) {
    return { socket: accepted, intake: undefined }
  }
  const intake = new Intake()
  const socket = socketOn(handle, intake)
  old._handle = old._server = null
  socket._server = socket.server = server
  aim(intake, socket)
  return { socket, intake }
}
